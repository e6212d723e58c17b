//! PagerDuty, Events API v2.
//! `dedup_key` is the id of the alert, which has its window in it: a key without would be muted by an incident that somebody
//! acknowledged, for ever. An alert that took over another one has the key of that one's incident: else it would page again,
//! and nobody could resolve the incident that is there.

use super::config::{Address, Kind, OutputError, Reference, Secret, Surroundings, below, built_in, output_keys};
use super::format::text::{cut_bytes, cut_chars};
use super::format::{Alert, Redaction};
use super::http::{Http, NAMED, meaning};
use super::{Message, Output, Purpose, Sent, one_by_one};
use async_trait::async_trait;
use iota_engine::alert::Severity;
use iota_engine::store::DeliveryAction;
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Limits of the API: an event 512 KB, its summary 1024 characters, `dedup_key` 255.
const MAX_DETAILS: usize = 400 << 10;
const MAX_SUMMARY: usize = 1024;
/// How the API throttles is not documented, but for "back off for minutes".
const THROTTLED: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    #[default]
    Us,
    Eu,
}

impl Region {
    /// Where events go (Events API v2 reference).
    pub(super) fn url(self) -> &'static str {
        match self {
            Self::Us => "https://events.pagerduty.com",
            Self::Eu => "https://events.eu.pagerduty.com",
        }
    }
}

output_keys! { http
    /// Triggers, acknowledges and resolves incidents.
    PagerDutyFile {
        /// Integration key of an Events API v2 integration: 32 characters.
        pub routing_key: Reference,
        /// Region of the PagerDuty account: us or eu [default: us].
        pub region: Option<Region>,
        /// Where events go instead, without `/v2/enqueue`.
        pub url: Option<Address>,
    }
}

impl Kind for PagerDutyFile {
    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let key = around.secret(&self.routing_key).await?;
        if key.expose().chars().count() != 32 {
            let why = "a routing key has 32 characters; use the integration key of an Events API v2 integration".to_owned();
            return Err(OutputError::Secret { reference: self.routing_key.to_string(), why });
        }
        let base = match (&self.url, self.region.unwrap_or_default()) {
            (Some(address), _) => address.resolve(around).await?,
            (None, region) => built_in(region.url())?,
        };
        Ok(Arc::new(PagerDuty {
            http: Http::new(self.transport(), vec![key.clone()], around).await?,
            enqueue: below(&base, "/v2/enqueue")?,
            change: below(&base, "/v2/change/enqueue")?,
            key,
            redact: self.redaction()?,
        }))
    }
}

struct PagerDuty {
    http: Http,
    enqueue: Url,
    change: Url,
    key: Secret,
    redact: Redaction,
}

impl fmt::Debug for PagerDuty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagerDuty").field("url", &self.enqueue.as_str()).finish_non_exhaustive()
    }
}

impl PagerDuty {
    async fn send_one(&self, alert: Alert<'_>) -> Sent {
        let key = self.key.expose();
        // A canary must wake nobody: it goes in as a change event, which has the same key and host.
        let (url, body) = match (alert.purpose, alert.action) {
            (Purpose::Canary, _) => (&self.change, change(&alert, key)),
            (_, DeliveryAction::Acknowledge) => (&self.enqueue, follow(&alert, key, "acknowledge")),
            (_, DeliveryAction::Resolve) => (&self.enqueue, follow(&alert, key, "resolve")),
            (_, DeliveryAction::Create | DeliveryAction::Update) => (&self.enqueue, trigger(&alert, key)),
        };
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        match self.http.ask(request).await {
            Ok(mut answer) => {
                if answer.status == 429 {
                    answer.after = answer.after.or(Some(THROTTLED));
                }
                self.http.sent(meaning(NAMED, answer.status), &answer)
            }
            Err(sent) => sent,
        }
    }
}

#[async_trait]
impl Output for PagerDuty {
    fn takes(&self, _action: DeliveryAction) -> bool {
        true
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        one_by_one(messages, &self.redact, |_, alert| self.send_one(alert)).await
    }
}

fn dedup_key(alert: &Alert<'_>) -> String {
    format!("iota-{}", cut_bytes(alert.known_as, 200))
}

#[derive(Serialize)]
struct Event<'a> {
    routing_key: &'a str,
    #[serde(rename = "event_action")]
    action: &'static str,
    dedup_key: String,
    payload: Payload,
    links: Vec<Value>,
    client: &'static str,
}

#[derive(Serialize)]
struct Payload {
    summary: String,
    source: String,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    component: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    class: String,
    custom_details: Option<Box<RawValue>>,
}

fn trigger(alert: &Alert<'_>, key: &str) -> Vec<u8> {
    let account = alert.text("account_id");
    let details = String::from_utf8(alert.to_json(MAX_DETAILS)).ok().and_then(|json| RawValue::from_string(json).ok());
    let reference = alert.text("reference");
    let links = match Url::parse(&reference) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => {
            vec![json!({"href": cut_bytes(url.as_str(), 2000), "text": "Reference"})]
        }
        _ => Vec::new(),
    };
    let event = Event {
        routing_key: key,
        action: "trigger",
        dedup_key: dedup_key(alert),
        payload: Payload {
            summary: cut_chars(&alert.title(), MAX_SUMMARY),
            source: cut_chars(if account.is_empty() { "iota" } else { &account }, 255),
            severity: severity(alert.severity()),
            timestamp: alert.time_ms("first_seen").map(|_| alert.text("first_seen").into_owned()),
            component: alert.event_text(&["eventSource"]).map(|text| cut_chars(&text, 255)).unwrap_or_default(),
            group: cut_chars(&alert.text("pack"), 255),
            class: cut_chars(&alert.text("rule_id"), 255),
            custom_details: details,
        },
        links,
        client: "iota",
    };
    serde_json::to_vec(&event).unwrap_or_default()
}

fn follow(alert: &Alert<'_>, key: &str, action: &str) -> Vec<u8> {
    json!({"routing_key": key, "event_action": action, "dedup_key": dedup_key(alert)}).to_string().into_bytes()
}

fn change(alert: &Alert<'_>, key: &str) -> Vec<u8> {
    let payload = json!({
        "summary": cut_chars(&alert.title(), MAX_SUMMARY),
        "source": "iota",
        "timestamp": alert.text("detected_at"),
    });
    json!({"routing_key": key, "payload": payload}).to_string().into_bytes()
}

/// PagerDuty knows critical, error, warning and info.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}
