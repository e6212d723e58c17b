//! Wiz. EXPERIMENTAL: what Wiz accepts as detections of others is not publicly documented. The way in (token, upload slot,
//! upload, status) is that of public scripts for other kinds of findings; it was not run against anything yet.

use super::config::{Address, Kind, OutputError, Reference, Secret, Surroundings, built_in, output_keys};
use super::format::{Alert, Redaction};
use super::http::{Answer, Http, Meaning, USUAL, meaning};
use super::{Message, Output, Sent, one_by_one};
use async_trait::async_trait;
use reqwest::Url;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

const MAX_ALERT: usize = 256 << 10;
pub(super) const TOKEN_URL: &str = "https://auth.app.wiz.io/oauth/token";
const AUDIENCE: &str = "wiz-api";
/// Uploads are worked on in the background.
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(500);

/// Names that public scripts use; not checked against Wiz.
const REQUEST_UPLOAD: &str = "query RequestUpload($filename: String!) { requestSecurityScanUpload(filename: $filename) { upload { id url systemActivityId } } }";
const ACTIVITY: &str = "query Activity($id: ID!) { systemActivity(id: $id) { status statusInfo } }";

output_keys! { http
    /// EXPERIMENTAL. Uploads each alert to Wiz as a finding of an integration of yours.
    WizFile {
        /// GraphQL endpoint of the tenant, as in `https://api.us1.app.wiz.io/graphql`.
        pub url: Address,
        pub client_id: Reference,
        pub client_secret: Reference,
        /// Id of the integration that the findings belong to.
        pub integration_id: String,
        /// Where tokens are given [default: https://auth.app.wiz.io/oauth/token].
        pub token_url: Option<Address>,
    }
}

impl Kind for WizFile {
    fn default_timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let (id, secret) = (around.secret(&self.client_id).await?, around.secret(&self.client_secret).await?);
        let token_url = match &self.token_url {
            Some(address) => address.resolve(around).await?,
            None => built_in(TOKEN_URL)?,
        };
        Ok(Arc::new(Wiz {
            http: Http::new(self.transport(), vec![secret.clone()], around).await?,
            url: self.url.resolve(around).await?,
            token_url,
            id,
            secret,
            integration: self.integration_id.clone(),
            timeout: self.transport().timeout,
            redact: self.redaction()?,
            token: Mutex::default(),
        }))
    }
}

struct Wiz {
    http: Http,
    url: Url,
    token_url: Url,
    id: Secret,
    secret: Secret,
    integration: String,
    timeout: Duration,
    redact: Redaction,
    token: Mutex<Option<Secret>>,
}

impl fmt::Debug for Wiz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiz").field("url", &super::config::shown_url(&self.url)).finish_non_exhaustive()
    }
}

impl Wiz {
    async fn deliver(&self, alert: &Alert<'_>) -> Result<(), Sent> {
        let name = format!("iota-{}", alert.known_as);
        let upload = self.query(REQUEST_UPLOAD, &json!({"filename": format!("{name}.json")})).await?;
        let upload = &upload["requestSecurityScanUpload"]["upload"];
        let unknown = || Sent::Closed { why: "Wiz answered in a way that this experimental output does not know".to_owned() };
        let url = upload["url"].as_str().and_then(|url| Url::parse(url).ok()).ok_or_else(unknown)?;
        let request = self.http.put(&url).header("content-type", "application/json").body(self.finding(alert, &name));
        let mut answer = self.http.ask(request).await?;
        // Storage tells the signature that it expected.
        answer.body.clear();
        // The address is good for this upload alone; another one is asked for with the next attempt.
        let of_upload = if answer.status == 403 { Meaning::Retry } else { meaning(USUAL, answer.status) };
        self.settled(of_upload, &answer)?;
        let activity = upload["systemActivityId"].as_str().ok_or_else(unknown)?;
        loop {
            let answer = self.query(ACTIVITY, &json!({"id": activity})).await?;
            let info = &answer["systemActivity"];
            match info["status"].as_str() {
                Some("SUCCESS") => return Ok(()),
                Some("FAILURE" | "FAILED") => {
                    let why = self.http.clean(&super::format::text::cut_chars(&info["statusInfo"].to_string(), 200));
                    return Err(Sent::Refused { why: format!("Wiz did not take the finding: {why}") });
                }
                Some(_) => tokio::time::sleep(POLL).await,
                None => return Err(unknown()),
            }
        }
    }

    /// Each alert is a data source of its own, and one that took over others has theirs: findings that the next upload of a data
    /// source does not hold are closed.
    fn finding(&self, alert: &Alert<'_>, name: &str) -> Vec<u8> {
        let detection = String::from_utf8(alert.to_json(MAX_ALERT)).ok().and_then(|json| RawValue::from_string(json).ok());
        let source = DataSource { id: name, analysis_date: alert.text("detected_at"), detections: [detection] };
        serde_json::to_vec(&Upload { integration_id: &self.integration, data_sources: [source] }).unwrap_or_default()
    }

    fn settled(&self, meaning: Meaning, answer: &Answer) -> Result<(), Sent> {
        match self.http.sent(meaning, answer) {
            Sent::Delivered => Ok(()),
            sent => Err(sent),
        }
    }

    /// Asks with the token at hand, and once more with a new one when that is not good any longer.
    async fn query(&self, query: &str, variables: &Value) -> Result<Value, Sent> {
        let body = json!({"query": query, "variables": variables}).to_string();
        let mut reply = self.ask(&body).await?;
        if reply.is_unauthenticated() {
            *self.token.lock().await = None;
            reply = self.ask(&body).await?;
        }
        self.settled(of_access(reply.answer.status), &reply.answer)?;
        if let Some(code) = reply.error_code() {
            let passes = ["RATE_LIMIT", "INTERNAL", "TIMEOUT", "UNAVAILABLE"].iter().any(|word| code.contains(word));
            self.settled(if passes { Meaning::Retry } else { Meaning::Closed }, &reply.answer)?;
        }
        Ok(reply.json["data"].take())
    }

    async fn ask(&self, body: &str) -> Result<Reply, Sent> {
        let token = self.bearer().await?;
        let request = self.http.post(&self.url).bearer_auth(token.expose()).header("content-type", "application/json");
        let mut answer = self.http.ask(request.body(body.to_owned())).await?;
        let json = serde_json::from_slice(&answer.body).unwrap_or_default();
        // From here on the body is only told.
        answer.body = answer.text().replace(token.expose(), "***").into_bytes();
        Ok(Reply { answer, json })
    }

    /// OAuth 2 client credentials. The token is used until it is refused.
    async fn bearer(&self) -> Result<Secret, Sent> {
        let mut token = self.token.lock().await;
        if let Some(token) = &*token {
            return Ok(token.clone());
        }
        let form = [
            ("grant_type", "client_credentials"),
            ("audience", AUDIENCE),
            ("client_id", self.id.expose()),
            ("client_secret", self.secret.expose()),
        ];
        let mut encoded = Url::clone(&self.token_url);
        encoded.query_pairs_mut().clear().extend_pairs(form);
        let body = encoded.query().unwrap_or_default().to_owned();
        let request = self.http.post(&self.token_url).header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = self.http.ask(request).await?;
        self.settled(of_access(answer.status), &answer)?;
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let given = json["access_token"].as_str().filter(|token| !token.is_empty());
        let given = given.ok_or_else(|| Sent::Retry { after: None, why: "no token in the answer".to_owned() })?;
        Ok(token.insert(Secret::new(given.to_owned())).clone())
    }

    async fn send_one(&self, alert: Alert<'_>) -> Sent {
        match tokio::time::timeout(self.timeout, self.deliver(&alert)).await {
            Ok(Ok(())) => Sent::Delivered,
            Ok(Err(sent)) => sent,
            Err(_) => Sent::Retry { after: None, why: "Wiz did not say in time what became of the upload".to_owned() },
        }
    }
}

/// What a status means of a request that says nothing of an alert: no alert is refused for it.
fn of_access(status: u16) -> Meaning {
    match meaning(USUAL, status) {
        Meaning::Refused => Meaning::Closed,
        other => other,
    }
}

/// An answer of the GraphQL endpoint.
struct Reply {
    answer: Answer,
    json: Value,
}

impl Reply {
    /// `code` of the first error.
    fn error_code(&self) -> Option<&str> {
        Some(self.json["errors"].get(0)?["extensions"]["code"].as_str().unwrap_or_default())
    }

    fn is_unauthenticated(&self) -> bool {
        self.answer.status == 401 || self.error_code() == Some("UNAUTHENTICATED")
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Upload<'a> {
    integration_id: &'a str,
    data_sources: [DataSource<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DataSource<'a> {
    id: &'a str,
    analysis_date: Cow<'a, str>,
    detections: [Option<Box<RawValue>>; 1],
}

#[async_trait]
impl Output for Wiz {
    fn concurrency(&self) -> usize {
        1
    }

    /// What an upload turns into on the other side is not documented.
    fn is_acknowledged(&self) -> bool {
        false
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        one_by_one(messages, &self.redact, |_, alert| self.send_one(alert)).await
    }
}
