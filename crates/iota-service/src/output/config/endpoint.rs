//! Where an output sends to, for those who look before anything is sent.

use super::value::http_url;
use super::{OutputError, OutputFile, Surroundings};
use crate::aws::Access;
use serde_json::Value as Json;

/// A host that takes connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    /// It is not connected to directly.
    pub by_proxy: bool,
}

impl OutputFile {
    /// How AWS is reached; `None` where the output is no service of AWS.
    pub fn access(&self) -> Option<Access> {
        let aws = match self {
            Self::S3(file) => &file.aws,
            Self::Sns(file) => &file.aws,
            Self::Sqs(file) => &file.aws,
            Self::EventBridge(file) => &file.aws,
            Self::SecurityHub(file) => &file.aws,
            _ => return None,
        };
        Some(aws.clone().unwrap_or_default())
    }

    /// The action that AWS has to allow, and on what.
    pub fn permission(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::S3(file) => {
                ("s3:PutObject", format!("arn:aws:s3:::{}/{}*", file.bucket, file.prefix.as_deref().unwrap_or_default()))
            }
            Self::Sns(file) => ("sns:Publish", file.topic_arn.clone()),
            Self::Sqs(file) => ("sqs:SendMessage", file.queue_url.clone()),
            Self::EventBridge(file) => ("events:PutEvents", file.event_bus.clone().unwrap_or_else(|| "default".to_owned())),
            Self::SecurityHub(_) => ("securityhub:BatchImportFindings", "the product".to_owned()),
            _ => return None,
        })
    }

    /// Hosts that are connected to. Reads secrets where an address is one, and opens no connection.
    pub async fn endpoints(&self, around: &Surroundings<'_>) -> Result<Vec<Endpoint>, OutputError> {
        if self.access().is_some() {
            return Ok(Vec::new());
        }
        // As it is shown: addresses without their path, references instead of secrets.
        let Ok(shown) = serde_json::to_value(self) else { return Ok(Vec::new()) };
        let text = |key: &str| shown.get(key).and_then(Json::as_str).map(str::to_owned);
        let set = |name: &str| (around.environment)(name).is_some_and(|value| !value.is_empty());
        let proxied = text("proxy").is_some() || ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().any(set);
        let mut endpoints = Vec::new();
        if let Some(address) = text("address") {
            let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
            let host = host.trim_matches(['[', ']']).to_owned();
            endpoints.push(Endpoint { host, port: port.parse().unwrap_or_default(), by_proxy: false });
        }
        let mut urls: Vec<String> = ["url", "api_url", "token_url"].into_iter().filter_map(text).collect();
        urls.extend(self.own_urls());
        for url in urls {
            let url = if ["env:", "file:", "secretsmanager:"].iter().any(|kind| url.starts_with(kind)) {
                let secret = around.secret(&url.parse().map_err(|why| OutputError::Invalid { key: "url", why })?).await?;
                http_url(secret.expose()).map_err(|why| OutputError::Secret { reference: url.clone(), why })?
            } else {
                http_url(&url).map_err(|why| OutputError::Invalid { key: "url", why })?
            };
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let port = url.port_or_known_default().unwrap_or_default();
            endpoints.push(Endpoint { host, port, by_proxy: proxied });
        }
        Ok(endpoints)
    }

    /// Of services that have one address for everybody.
    fn own_urls(&self) -> Vec<String> {
        match self {
            Self::Slack(file) if file.url.is_none() && file.api_url.is_none() => {
                vec![crate::output::slack::POST_MESSAGE.to_owned()]
            }
            Self::PagerDuty(file) if file.url.is_none() => vec![file.region.unwrap_or_default().url().to_owned()],
            Self::Wiz(file) if file.token_url.is_none() => vec![crate::output::wiz::TOKEN_URL.to_owned()],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    async fn endpoints(yaml: &str) -> Result<Vec<(String, u16)>, String> {
        let text = format!("outputs:\n  o: {yaml}\n");
        let outputs = super::super::read(text.as_bytes()).map_err(|error| error.message)?;
        let environment = |name: &str| (name == "URL").then(|| "https://hooks.example:8443/secret".to_owned());
        let around = Surroundings { environment: &environment, secrets_manager: None, directory: Path::new("") };
        let found = outputs["o"].endpoints(&around).await.map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|endpoint| (endpoint.host, endpoint.port)).collect())
    }

    #[tokio::test]
    async fn each_kind_says_where_it_sends_to() {
        for (yaml, host, port) in [
            ("{type: webhook, url: 'http://127.0.0.1:8080/x'}", "127.0.0.1", 8080),
            ("{type: webhook, url: 'env:URL'}", "hooks.example", 8443),
            ("{type: slack, url: 'env:URL'}", "hooks.example", 8443),
            ("{type: slack, token: 'env:TOKEN', channel: c}", "slack.com", 443),
            ("{type: pagerduty, routing_key: 'env:KEY', region: eu}", "events.eu.pagerduty.com", 443),
            ("{type: syslog, address: 'logs.example:6514'}", "logs.example", 6514),
            ("{type: fluent_forward, address: '[::1]:24224'}", "::1", 24224),
        ] {
            assert_eq!(endpoints(yaml).await, Ok(vec![(host.to_owned(), port)]), "{yaml}");
        }
        for yaml in ["{type: stdout}", "{type: sns, topic_arn: 'arn:aws:sns:eu-west-1:111122223333:t'}"] {
            assert_eq!(endpoints(yaml).await, Ok(vec![]), "{yaml}");
        }
        let error = endpoints("{type: webhook, url: 'env:GONE'}").await.unwrap_err();
        assert_eq!(error, "env:GONE: the variable is not set");
    }
}
