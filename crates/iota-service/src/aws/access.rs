//! The configuration of every SDK client. Credentials come from the SDK's default chain alone (environment, profile, web
//! identity, container, instance), `AWS_ENDPOINT_URL` and the SDK's other variables are honoured.

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_types::origin::Origin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// To a connection; the SDK's default (3.1 s) is short for a proxy on another continent.
const CONNECT: Duration = Duration::from_secs(5);
/// To an answer, everything included.
const ANSWER: Duration = Duration::from_secs(30);

/// How AWS is reached where it differs from what the SDK finds by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// [default: that of the resource, else AWS_REGION, the profile or the instance].
    pub region: Option<String>,
    /// Instead of the address that AWS has for the service: an interface endpoint, an emulator.
    pub endpoint_url: Option<String>,
    pub assume_role: Option<Role>,
    /// PEM file with further certificate authorities, for proxies that open TLS. `SSL_CERT_FILE` works as well.
    pub ca_bundle: Option<PathBuf>,
    /// How long a call may take, everything included [default: 30s]. Outputs have a key of their own for it.
    #[serde(skip)]
    pub timeout: Option<Duration>,
}

/// A role that is assumed with the credentials that were found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// arn:PARTITION:iam::ACCOUNT:role/NAME
    pub arn: String,
    /// What the other side asks for, so that nobody else lets iota into its account.
    pub external_id: Option<String>,
    /// Shows up in the other account's CloudTrail; `iota` by default.
    pub session_name: Option<String>,
}

/// Why AWS cannot be reached as configured.
#[derive(Debug, Error)]
pub enum AccessError {
    #[error("no AWS region is known; set `aws.region` or AWS_REGION")]
    NoRegion,
    #[error("{0:?} is not the ARN of a role (arn:PARTITION:iam::ACCOUNT:role/NAME)")]
    NotARole(String),
    #[error("certificates of {path}: {why}")]
    Certificates { path: PathBuf, why: String },
}

impl Access {
    /// Asks the network only for the region, and only where neither configuration, environment nor profile has one (the
    /// metadata service of the instance). Credentials are got with the first call that needs them.
    /// `region` is what the resource's ARN or URL says; `aws.region` wins.
    pub async fn connect(&self, region: Option<&str>) -> Result<SdkConfig, AccessError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.http_client()?)
            .timeout_config(
                TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(self.timeout.unwrap_or(ANSWER)).build(),
            )
            // An output makes one attempt and says how it went: whoever called decides about the next.
            .retry_config(RetryConfig::disabled());
        if let Ok(name) = AppName::new("iota") {
            loader = loader.app_name(name);
        }
        if let Some(region) = self.region.as_deref().or(region) {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(AccessError::NoRegion);
        }
        let config = match &self.assume_role {
            Some(role) => role.assume(config).await?,
            None => config,
        };
        // Last, because it is the address of the service and not that of STS.
        Ok(match &self.endpoint_url {
            Some(url) => {
                let mut builder = config.into_builder().endpoint_url(url);
                // Else AWS_ENDPOINT_URL, which is less specific, would go before it.
                builder.insert_origin("endpoint_url", Origin::shared_config());
                builder.build()
            }
            None => config,
        })
    }

    /// For calls that no SDK crate makes. Proxies are read from the environment here, too.
    pub(super) fn reqwest(&self) -> Result<reqwest::Client, AccessError> {
        let mut client = reqwest::Client::builder().connect_timeout(CONNECT).timeout(self.timeout.unwrap_or(ANSWER));
        let fail = |why: String| AccessError::Certificates { path: self.ca_bundle.clone().unwrap_or_default(), why };
        for certificate in self.certificates()?.iter().flat_map(|pem| reqwest::Certificate::from_pem_bundle(pem)).flatten() {
            client = client.add_root_certificate(certificate);
        }
        client.build().map_err(|why| fail(why.to_string()))
    }

    fn certificates(&self) -> Result<Option<Vec<u8>>, AccessError> {
        let Some(path) = &self.ca_bundle else { return Ok(None) };
        let fail = |why: String| AccessError::Certificates { path: path.clone(), why };
        let pem = std::fs::read(path).map_err(|why| fail(why.to_string()))?;
        // The SDK panics on what is no certificate, and only when it connects.
        match reqwest::Certificate::from_pem_bundle(&pem) {
            Ok(found) if !found.is_empty() => Ok(Some(pem)),
            Ok(_) => Err(fail("no PEM certificate in it".to_owned())),
            Err(why) => Err(fail(why.to_string())),
        }
    }

    /// The SDK's own client with what that leaves out: HTTPS_PROXY, HTTP_PROXY, NO_PROXY, and further certificates.
    pub(super) fn http_client(&self) -> Result<SharedHttpClient, AccessError> {
        let mut roots = TrustStore::default();
        if let Some(pem) = self.certificates()? {
            roots.add_pem_certificate(pem);
        }
        let context = TlsContext::builder().with_trust_store(roots).build().map_err(|why| AccessError::Certificates {
            path: self.ca_bundle.clone().unwrap_or_default(),
            why: why.to_string(),
        })?;
        Ok(Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(
                components.and_then(aws_smithy_runtime_api::client::runtime_components::RuntimeComponents::sleep_impl),
            );
            connector.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context.clone()).build()
        }))
    }
}

impl Role {
    async fn assume(&self, config: SdkConfig) -> Result<SdkConfig, AccessError> {
        let parts: Vec<_> = self.arn.splitn(6, ':').collect();
        let is_role =
            matches!(parts[..], ["arn", _, "iam", "", account, name] if !account.is_empty() && name.starts_with("role/"));
        if !is_role {
            return Err(AccessError::NotARole(self.arn.clone()));
        }
        let mut provider = AssumeRoleProvider::builder(&self.arn)
            .session_name(self.session_name.as_deref().unwrap_or("iota"))
            .configure(&config);
        if let Some(id) = &self.external_id {
            provider = provider.external_id(id);
        }
        let provider = provider.build().await;
        Ok(config.into_builder().credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(provider)).build())
    }
}

/// The fourth part of an ARN, where there is one.
pub fn region_of_arn(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    (parts.next() == Some("arn")).then(|| parts.nth(2)).flatten().filter(|region| !region.is_empty())
}

/// Where a queue is: `https://sqs.REGION.amazonaws.com...`, and `https://REGION.queue.amazonaws.com...` of old.
pub fn region_of_queue(url: &str) -> Option<&str> {
    let host = url.split("//").nth(1)?.split('/').next()?;
    if !host.contains(".amazonaws.com") {
        return None;
    }
    let mut labels = host.split('.');
    match (labels.next()?, labels.next()?) {
        ("sqs" | "sqs-fips", region) | (region, "queue") => Some(region),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_the_url() {
        for (url, expected) in [
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", Some("eu-west-1")),
            ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", Some("cn-north-1")),
            ("https://eu-west-1.queue.amazonaws.com/123456789012/q", Some("eu-west-1")),
            ("http://127.0.0.1:5000/123456789012/q", None),
            ("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/q", None),
        ] {
            assert_eq!(region_of_queue(url), expected, "{url}");
        }
    }

    #[test]
    fn the_region_is_read_from_an_arn() {
        assert_eq!(region_of_arn("arn:aws-cn:sns:cn-north-1:123456789012:alerts"), Some("cn-north-1"));
        assert_eq!(region_of_arn("arn:aws:s3:::bucket"), None);
        assert_eq!(region_of_arn("alerts"), None);
    }

    #[tokio::test]
    async fn mistakes_are_named_before_anything_is_asked_of_the_network() {
        let role = |arn: &str| Role { arn: arn.into(), external_id: None, session_name: None };
        let access = |role, ca: Option<&str>| Access { assume_role: role, ca_bundle: ca.map(Into::into), ..Access::default() };
        for arn in ["arn:aws:iam::1:user/x", "role/x", "arn:aws:iam:::role/x"] {
            let error = access(Some(role(arn)), None).connect(Some("eu-west-1")).await.expect_err(arn);
            assert!(matches!(error, AccessError::NotARole(_)), "{error}");
        }
        let error = access(None, Some("Cargo.toml")).connect(Some("eu-west-1")).await.expect_err("no certificate");
        assert_eq!(error.to_string(), "certificates of Cargo.toml: no PEM certificate in it");
        let error = access(None, Some("missing.pem")).connect(Some("eu-west-1")).await.expect_err("no file");
        assert!(error.to_string().starts_with("certificates of missing.pem: No such file"), "{error}");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let parsed: Result<Access, _> = serde_json::from_str(r#"{"region":"eu-west-1","access_key_id":"AKIA"}"#);
        assert!(parsed.unwrap_err().to_string().starts_with("unknown field `access_key_id`"));
    }
}
