//! Any HTTP endpoint, with signatures as Standard Webhooks 1.0.0 has them.

use super::config::{Address, Kind, OutputError, Reference, Secret, Surroundings, Text, Wrong, output_keys};
use super::format::{Alert, Format, Redaction};
use super::http::{Http, USUAL};
use super::{Message, Output, Purpose, Sent, one_by_one};
use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use iota_engine::store::DeliveryAction;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most bytes of an alert, unless the configuration says otherwise: what common proxies take.
const DEFAULT_MAX_BODY: u64 = 1 << 20;
/// Least that `max_body` may be.
const LEAST_MAX_BODY: u64 = 8 << 10;
/// What the envelope takes at most: its keys, the type and a time.
const ENVELOPE: usize = 256;

output_keys! { http
    /// Posts each alert as JSON: `{"type": "iota.alert.create", "timestamp": ..., "data": {...}}`.
    WebhookFile {
        /// Where to; a reference when the address is a secret.
        pub url: Address,
        /// Keys that sign each request (`whsec_` and base64). Several while a key is replaced: all of them sign.
        pub signing_keys: Option<Vec<Reference>>,
        /// Headers of each request. Values that are secret must be references.
        pub headers: Option<BTreeMap<String, Text>>,
        /// Form of `data` [default: alert].
        pub format: Option<Format>,
        /// False: the body is the alert itself, without type and timestamp around it [default: true].
        pub envelope: Option<bool>,
        /// Most bytes of a body; larger alerts are cut [default: 1MiB].
        pub max_body: Option<super::config::Size>,
    }
}

impl Kind for WebhookFile {
    fn check(&self) -> Result<(), Wrong> {
        for (name, value) in self.headers.iter().flatten() {
            let name: HeaderName = name.parse().map_err(|_| ("headers", format!("{name:?} cannot be the name of a header")))?;
            if RESERVED.contains(&name.as_str()) {
                return Err(("headers", format!("{name} is set by iota")));
            }
            let words = ["auth", "token", "key", "secret", "cookie", "password", "signature"];
            if matches!(value, Text::Plain(_)) && words.iter().any(|word| name.as_str().contains(word)) {
                return Err((
                    "headers",
                    format!("the value of {name} looks like a secret; give it by reference, as in env:NAME"),
                ));
            }
            if let Text::Plain(text) = value
                && HeaderValue::from_str(text).is_err()
            {
                return Err(("headers", format!("the value of {name} cannot stand in a header")));
            }
        }
        if self.max_body.is_some_and(|size| size.0 < LEAST_MAX_BODY) {
            return Err(("max_body", "must be at least 8KiB".to_owned()));
        }
        Ok(())
    }

    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let mut secrets = Vec::new();
        let url = self.url.resolve(around).await?;
        if let Address::Reference(_) = self.url {
            secrets.push(Secret::new(url.to_string()));
        }
        let mut keys = Vec::new();
        for reference in self.signing_keys.iter().flatten() {
            let secret = around.secret(reference).await?;
            let key = signing_key(&secret).map_err(|why| OutputError::Secret { reference: reference.to_string(), why })?;
            keys.push(key);
            secrets.push(secret);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers.iter().flatten() {
            let invalid = |why: &str| OutputError::Invalid { key: "headers", why: format!("{name}: {why}") };
            let secret = value.resolve(around).await?;
            let mut header = HeaderValue::from_str(secret.expose()).map_err(|_| invalid("the value cannot stand in a header"))?;
            header.set_sensitive(true);
            headers.insert(name.parse::<HeaderName>().map_err(|_| invalid("not the name of a header"))?, header);
            if let Text::Reference(_) = value {
                secrets.push(secret);
            }
        }
        Ok(Arc::new(Webhook {
            http: Http::new(self.transport(), secrets, around).await?,
            url,
            keys,
            headers,
            format: self.format.unwrap_or_default(),
            envelope: self.envelope.unwrap_or(true),
            limit: self.max_body.map_or(DEFAULT_MAX_BODY, |size| size.0).try_into().unwrap_or(usize::MAX),
            redact: self.redaction()?,
        }))
    }
}

/// Headers that a configuration cannot set.
const RESERVED: &[&str] = &["webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "content-length", "host"];

/// The bytes of a `whsec_` key: 24 to 64 of them, in base64.
fn signing_key(secret: &Secret) -> Result<Vec<u8>, String> {
    let encoded = secret.expose().strip_prefix("whsec_").ok_or("a signing key starts with whsec_")?;
    let key = BASE64_STANDARD.decode(encoded).map_err(|_| "what follows whsec_ is not base64")?;
    if (24..=64).contains(&key.len()) { Ok(key) } else { Err("a signing key has 24 to 64 bytes".to_owned()) }
}

struct Webhook {
    http: Http,
    url: Url,
    keys: Vec<Vec<u8>>,
    headers: HeaderMap,
    format: Format,
    envelope: bool,
    limit: usize,
    redact: Redaction,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("url", &super::config::shown_url(&self.url)).finish_non_exhaustive()
    }
}

impl Webhook {
    fn body(&self, alert: &Alert<'_>, at: jiff::Timestamp) -> Vec<u8> {
        if !self.envelope {
            return self.format.render(alert, self.limit);
        }
        let kind = event_type(alert.purpose, alert.action);
        let mut body = format!("{{\"type\":\"{kind}\",\"timestamp\":\"{at:.3}\",\"data\":").into_bytes();
        body.extend_from_slice(&self.format.render(alert, self.limit - ENVELOPE));
        body.push(b'}');
        body
    }

    async fn send_one(&self, message: &Message, alert: Alert<'_>) -> Sent {
        let now = jiff::Timestamp::now();
        let body = self.body(&alert, now);
        // No full stop: it separates the parts of what is signed.
        let id = format!("msg_{}_{}", message.id.alert_id, message.id.revision);
        let mut request = self
            .http
            .post(&self.url)
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now.as_second());
        if !self.keys.is_empty() {
            request = request.header("webhook-signature", signatures(&self.keys, &id, now.as_second(), &body));
        }
        self.http.deliver(request.body(body), USUAL).await
    }
}

#[async_trait]
impl Output for Webhook {
    fn takes(&self, _action: DeliveryAction) -> bool {
        true
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        one_by_one(messages, &self.redact, |message, alert| self.send_one(message, alert)).await
    }
}

/// `type` of the envelope.
fn event_type(purpose: Purpose, action: DeliveryAction) -> &'static str {
    match (purpose, action) {
        (Purpose::Test, _) => "iota.test",
        (Purpose::Canary, _) => "iota.canary",
        (Purpose::Alert, DeliveryAction::Create) => "iota.alert.create",
        (Purpose::Alert, DeliveryAction::Update) => "iota.alert.update",
        (Purpose::Alert, DeliveryAction::Acknowledge) => "iota.alert.acknowledge",
        (Purpose::Alert, DeliveryAction::Resolve) => "iota.alert.resolve",
    }
}

/// `v1,BASE64` of each key, over `ID.SECONDS.BODY`.
fn signatures(keys: &[Vec<u8>], id: &str, seconds: i64, body: &[u8]) -> String {
    let sign = |key: &Vec<u8>| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    };
    keys.iter().filter_map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_specification_does() {
        // The example of the specification's reference libraries.
        let key = signing_key(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned())).expect("a key");
        let signed = signatures(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn keys_have_a_length() {
        for key in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!", "whsec_c2hvcnQ="] {
            assert!(signing_key(&Secret::new(key.to_owned())).is_err(), "{key}");
        }
    }
}
