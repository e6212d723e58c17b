//! fluent-bit, input `http`. An answer says that fluent-bit buffered the alert, not that it passed it on.

use super::config::{Address, Kind, OutputError, Surroundings, Text, Wrong, below, output_keys};
use super::format::{Alert, Format, Redaction};
use super::http::{Http, USUAL};
use super::{Message, Output, Sent, one_by_one};
use async_trait::async_trait;
use iota_engine::store::DeliveryAction;
use reqwest::Url;
use reqwest::header::HeaderValue;
use std::fmt;
use std::sync::Arc;

/// Below the 4 MiB that the input takes by default (`buffer_max_size`).
const MAX_BODY: usize = 3 << 20;
const DEFAULT_TAG: &str = "iota.alert";

output_keys! { http
    /// Posts alerts to the input `http` of fluent-bit.
    FluentHttpFile {
        /// The input, as in `http://127.0.0.1:9880`.
        pub url: Address,
        /// Tag of the records, which is the path of the address [default: iota.alert].
        pub tag: Option<String>,
        /// `Authorization` header, for a proxy in between that asks for one. A reference.
        pub authorization: Option<Text>,
        /// Form of the alerts [default: alert].
        pub format: Option<Format>,
    }
}

/// Tags stand in the path of an address, and in frames.
pub(super) fn check_tag(tag: Option<&str>) -> Result<(), Wrong> {
    let valid = |tag: &str| {
        (1..=200).contains(&tag.len()) && tag.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
    };
    if tag.is_none_or(valid) { Ok(()) } else { Err(("tag", "letters, digits, `.`, `_` and `-` are expected".to_owned())) }
}

impl Kind for FluentHttpFile {
    fn check(&self) -> Result<(), Wrong> {
        check_tag(self.tag.as_deref())?;
        if matches!(self.authorization, Some(Text::Plain(_))) {
            return Err(("authorization", "a reference is expected, as in env:NAME".to_owned()));
        }
        Ok(())
    }

    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let base = self.url.resolve(around).await?;
        let tag = self.tag.as_deref().unwrap_or(DEFAULT_TAG);
        let url = below(&base, &format!("/{tag}"))?;
        let mut secrets = Vec::new();
        let mut authorization = None;
        if let Some(text) = &self.authorization {
            let secret = text.resolve(around).await?;
            let why = || OutputError::Invalid { key: "authorization", why: "the value cannot stand in a header".to_owned() };
            let mut header = HeaderValue::from_str(secret.expose()).map_err(|_| why())?;
            header.set_sensitive(true);
            authorization = Some(header);
            secrets.push(secret);
        }
        Ok(Arc::new(FluentHttp {
            http: Http::new(self.transport(), secrets, around).await?,
            url,
            authorization,
            format: self.format.unwrap_or_default(),
            redact: self.redaction()?,
        }))
    }
}

struct FluentHttp {
    http: Http,
    url: Url,
    authorization: Option<HeaderValue>,
    format: Format,
    redact: Redaction,
}

impl fmt::Debug for FluentHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FluentHttp").field("url", &super::config::shown_url(&self.url)).finish_non_exhaustive()
    }
}

impl FluentHttp {
    async fn send_one(&self, alert: Alert<'_>) -> Sent {
        let mut request = self.http.post(&self.url).header("content-type", "application/json");
        if let Some(header) = &self.authorization {
            request = request.header("authorization", header.clone());
        }
        self.http.deliver(request.body(self.format.render(&alert, MAX_BODY)), USUAL).await
    }
}

#[async_trait]
impl Output for FluentHttp {
    fn takes(&self, _action: DeliveryAction) -> bool {
        true
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        one_by_one(messages, &self.redact, |_, alert| self.send_one(alert)).await
    }
}
