//! Calls that are signed here instead of by an SDK crate: the crate of Security Hub alone costs more to compile than those
//! of SNS, SQS and EventBridge together, for one call.

use super::access::Access;
use super::connection::Connection;
use super::fault::{Fault, Verdict, bounded, by_status, tells_too_much, verdict_of};
use crate::output::http::{needs_somebody, told};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use jiff::Timestamp;
use serde::Deserialize;
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, OnceCell};

/// Credentials are got anew this long before they end, as the SDK does with some.
const BEFORE_END: Duration = Duration::from_secs(300);

/// Posts JSON to one service.
#[derive(Debug)]
pub struct Signed {
    /// As in the signature and in the host name.
    service: &'static str,
    access: Access,
    http: OnceCell<reqwest::Client>,
    credentials: Mutex<Option<Credentials>>,
}

impl Signed {
    pub fn new(service: &'static str, access: Access) -> Self {
        Self { service, access, http: OnceCell::new(), credentials: Mutex::new(None) }
    }

    /// The answer's body. `operation` is its name in messages.
    pub async fn post<C: Clone>(
        &self,
        connection: &Connection<C>,
        operation: &str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, Fault> {
        let what = format!("{}:{operation}", self.service);
        let fail = |verdict, why: String| Fault { verdict, after: None, code: None, why: format!("{what}: {why}") };
        let config = connection.config().await?;
        let url = format!("{}{path}", self.endpoint(&config));
        let credentials = self.credentials(&config).await.map_err(|why| fail(Verdict::Closed, why))?;
        let headers = self.sign(&config, &credentials, &url, &body).map_err(|why| fail(Verdict::Closed, why))?;
        let http = self.http.get_or_try_init(async || self.access.reqwest()).await;
        let http = http.map_err(|error| fail(Verdict::Closed, error.to_string()))?;
        let mut request = http.post(&url).header(CONTENT_TYPE.0, CONTENT_TYPE.1).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let unanswered = |error: reqwest::Error| {
            let told = told(&error.without_url());
            fail(if needs_somebody(&told) { Verdict::Closed } else { Verdict::Retry }, bounded(&told))
        };
        let answer = request.send().await.map_err(unanswered)?;
        let status = answer.status();
        let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let code = answer.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = answer.bytes().await.map_err(unanswered)?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        let fault = Refusal { what: &what, status: status.as_u16(), after, code, body: &body }.fault();
        if fault.is_expired() {
            self.credentials.lock().await.take();
            connection.renew().await;
        }
        Err(fault)
    }

    /// `AWS_ENDPOINT_URL_SERVICE` and `AWS_ENDPOINT_URL` are in the SDK's configuration.
    fn endpoint(&self, config: &SdkConfig) -> String {
        if let Some(url) = config.endpoint_url() {
            return url.trim_end_matches('/').to_owned();
        }
        let region = config.region().map_or("", |region| region.as_ref());
        let fips = if config.use_fips() == Some(true) { "-fips" } else { "" };
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{}{fips}.{region}.{domain}", self.service)
    }

    async fn credentials(&self, config: &SdkConfig) -> Result<Credentials, String> {
        let mut kept = self.credentials.lock().await;
        let now = SystemTime::from(Timestamp::now());
        if let Some(credentials) = kept.as_ref()
            && credentials.expiry().is_none_or(|end| end > now + BEFORE_END)
        {
            return Ok(credentials.clone());
        }
        let provider = config.credentials_provider().ok_or("no AWS credentials were found")?;
        let credentials = provider.provide_credentials().await.map_err(|error| format!("credentials: {error}"))?;
        Ok(kept.insert(credentials).clone())
    }

    fn sign(
        &self,
        config: &SdkConfig,
        credentials: &Credentials,
        url: &str,
        body: &[u8],
    ) -> Result<Vec<(String, String)>, String> {
        let identity = credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(config.region().map_or("", |region| region.as_ref()))
            .name(self.service)
            .time(Timestamp::now().into())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let request = SignableRequest::new("POST", url, std::iter::once(CONTENT_TYPE), SignableBody::Bytes(body));
        let signed = sign(request.map_err(|error| error.to_string())?, &parameters).map_err(|error| error.to_string())?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

const CONTENT_TYPE: (&str, &str) = ("content-type", "application/json");

/// An answer that is no success.
struct Refusal<'a> {
    what: &'a str,
    status: u16,
    after: Option<u64>,
    code: Option<String>,
    body: &'a [u8],
}

impl Refusal<'_> {
    fn fault(self) -> Fault {
        #[derive(Default, Deserialize)]
        struct Said {
            #[serde(alias = "Code", alias = "__type")]
            code: Option<String>,
            #[serde(alias = "Message")]
            message: Option<String>,
        }
        let said: Said = serde_json::from_slice(self.body).unwrap_or_default();
        // `Name:http://internal...` in the header.
        let code = self.code.or(said.code).map(|code| code.split(':').next().unwrap_or_default().to_owned());
        let verdict = code.as_deref().and_then(verdict_of).unwrap_or_else(|| by_status(self.status));
        let shown = code.clone().unwrap_or_else(|| format!("status {}", self.status));
        let why = match said.message.filter(|_| !tells_too_much(&shown)) {
            Some(message) => format!("{}: {shown}: {}", self.what, bounded(&message)),
            None => format!("{}: {shown}", self.what),
        };
        Fault { verdict, after: self.after.map(Duration::from_secs), code, why }
    }
}
