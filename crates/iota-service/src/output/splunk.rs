//! Splunk, HTTP Event Collector: several events in one request; with indexer acknowledgement if asked for.

use super::config::{Address, Kind, OutputError, Reference, Secret, Surroundings, below, output_keys};
use super::format::{Alert, Format, Redaction};
use super::http::{Answer, Http, Meaning};
use super::{Message, Output, Sent};
use async_trait::async_trait;
use iota_engine::store::DeliveryAction;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Most bytes of one event, below the 1,000,000 that a request may have by the default of older versions.
const MAX_EVENT: usize = 700 << 10;
/// Most events of one request, and most bytes.
const MAX_BATCH: usize = 32;
const MAX_REQUEST: usize = 900 << 10;
/// How long an attempt may take when indexers acknowledge; they take some seconds as it is.
const ACK_TIMEOUT: Duration = Duration::from_secs(60);
const ACK_POLL: Duration = Duration::from_millis(500);

/// `code` of an answer. 5, 6, 12, 13 and 15 are about an event; 8, 9 and 18 to 20 pass; the others need somebody.
const CODES: &[(u64, Meaning)] = &[
    (0, Meaning::Delivered),
    (5, Meaning::Refused),
    (6, Meaning::Refused),
    (12, Meaning::Refused),
    (13, Meaning::Refused),
    (15, Meaning::Refused),
    (8, Meaning::Retry),
    (9, Meaning::Retry),
    (18, Meaning::Retry),
    (19, Meaning::Retry),
    (20, Meaning::Retry),
];

output_keys! { http
    /// Sends alerts to an HTTP Event Collector.
    SplunkFile {
        /// The collector, as in `https://splunk.example.com:8088`.
        pub url: Address,
        pub token: Reference,
        /// Index that the events go into [default: the token's].
        pub index: Option<String>,
        /// [default: iota].
        pub source: Option<String>,
        /// [default: iota:alert].
        pub sourcetype: Option<String>,
        /// `host` of the events [default: left out].
        pub host: Option<String>,
        /// Wait until the indexers acknowledge. The token must have acknowledgement on; Splunk Cloud has it for Firehose
        /// only [default: false].
        pub ack: Option<bool>,
        /// Form of the events [default: alert].
        pub format: Option<Format>,
    }
}

impl Kind for SplunkFile {
    fn default_timeout(&self) -> Duration {
        if self.ack == Some(true) { ACK_TIMEOUT } else { super::config::DEFAULT_TIMEOUT }
    }

    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let base = self.url.resolve(around).await?;
        let token = around.secret(&self.token).await?;
        let channel = channel();
        let mut ack = below(&base, "/services/collector/ack")?;
        ack.query_pairs_mut().append_pair("channel", &channel);
        Ok(Arc::new(Splunk {
            http: Http::new(self.transport(), vec![token.clone()], around).await?,
            event: below(&base, "/services/collector/event")?,
            ack: (self.ack == Some(true)).then_some(ack),
            timeout: self.transport().timeout,
            token,
            channel,
            envelope: Envelope {
                index: self.index.clone(),
                source: self.source.clone().unwrap_or_else(|| "iota".to_owned()),
                sourcetype: self.sourcetype.clone().unwrap_or_else(|| "iota:alert".to_owned()),
                host: self.host.clone(),
                format: self.format.unwrap_or_default(),
            },
            redact: self.redaction()?,
        }))
    }
}

/// A random UUID: acknowledgements are kept apart by it.
fn channel() -> String {
    let id = (fastrand::u128(..) & !(0xf << 76) & !(0b11 << 62)) | 0x4 << 76 | 0b10 << 62;
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

struct Splunk {
    http: Http,
    event: Url,
    ack: Option<Url>,
    timeout: Duration,
    token: Secret,
    channel: String,
    envelope: Envelope,
    redact: Redaction,
}

struct Envelope {
    index: Option<String>,
    source: String,
    sourcetype: String,
    host: Option<String>,
    format: Format,
}

impl fmt::Debug for Splunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Splunk").field("url", &super::config::shown_url(&self.event)).finish_non_exhaustive()
    }
}

impl Envelope {
    fn event(&self, alert: &Alert<'_>) -> Vec<u8> {
        let event =
            String::from_utf8(self.format.render(alert, MAX_EVENT)).ok().and_then(|json| RawValue::from_string(json).ok());
        let mut envelope = json!({
            "source": self.source,
            "sourcetype": self.sourcetype,
            // Indexed with the event, for searches that need not read it.
            "fields": {
                "alert_id": alert.text("alert_id"),
                "rule_id": super::format::text::cut_bytes(&alert.text("rule_id"), 500),
                "severity": alert.text("severity"),
            },
        });
        for (key, value) in [("index", &self.index), ("host", &self.host)] {
            if let Some(value) = value {
                envelope[key] = json!(value);
            }
        }
        let mut bytes = envelope.to_string().into_bytes();
        bytes.pop();
        // Epoch seconds, of the event and not of the request.
        if let Some(ms) = alert.time_ms("event_time") {
            bytes.extend_from_slice(format!(",\"time\":{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000)).as_bytes());
        }
        bytes.extend_from_slice(b",\"event\":");
        bytes.extend_from_slice(event.as_ref().map_or("null", |event| event.get()).as_bytes());
        bytes.push(b'}');
        bytes
    }
}

#[derive(Debug, Default, Deserialize)]
struct Said {
    code: Option<u64>,
    #[serde(rename = "invalid-event-number")]
    invalid: Option<usize>,
    #[serde(rename = "ackId")]
    ack: Option<u64>,
}

/// By status; with 400, which is both, by code.
fn meaning(status: u16, code: Option<u64>) -> Meaning {
    let by_code = code.and_then(|code| CODES.iter().find(|(known, _)| *known == code)).map(|(_, meaning)| *meaning);
    match status {
        200..=299 => Meaning::Delivered,
        400 => by_code.unwrap_or(if code.is_some() { Meaning::Closed } else { Meaning::Refused }),
        413 => Meaning::Refused,
        429 | 408 | 500..=599 => Meaning::Retry,
        300..=499 => Meaning::Closed,
        _ => Meaning::Retry,
    }
}

impl Splunk {
    /// One request with the events of `pending`. Settles them, all or the one that is to blame.
    async fn post(&self, events: &[Vec<u8>], pending: &mut Vec<usize>, sent: &mut [Option<Sent>]) {
        let mut body = Vec::new();
        let mut chosen = Vec::new();
        for &index in pending.iter() {
            if !body.is_empty() && body.len() + events[index].len() > MAX_REQUEST {
                break;
            }
            body.extend_from_slice(&events[index]);
            chosen.push(index);
        }
        let settle = |sent: &mut [Option<Sent>], pending: &mut Vec<usize>, which: &[usize], how: &Sent| {
            for &index in which {
                sent[index] = Some(how.clone());
            }
            pending.retain(|index| !which.contains(index));
        };
        let request = self
            .http
            .post(&self.event)
            .header("authorization", format!("Splunk {}", self.token.expose()))
            .header("x-splunk-request-channel", &self.channel)
            .header("content-type", "application/json")
            .body(body);
        let answer = match self.http.ask(request).await {
            Ok(answer) => answer,
            Err(how) => return settle(sent, pending, &chosen, &how),
        };
        let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
        let meaning = meaning(answer.status, said.code);
        if meaning == Meaning::Refused && chosen.len() > 1 {
            match said.invalid.and_then(|number| chosen.get(number)) {
                // The others go out again with the next request.
                Some(&bad) => settle(sent, pending, &[bad], &self.http.sent(meaning, &answer)),
                // Nobody says which: one after the other, the first now.
                None => Box::pin(self.post(events, &mut vec![chosen[0]], sent)).await,
            }
            pending.retain(|&index| sent[index].is_none());
            return;
        }
        let how = match (&self.ack, meaning) {
            (Some(url), Meaning::Delivered) => self.acknowledged(url, said.ack, &answer).await,
            _ => self.http.sent(meaning, &answer),
        };
        settle(sent, pending, &chosen, &how);
    }

    /// Asks until the indexers have the request. Time is limited by the caller.
    async fn acknowledged(&self, url: &Url, id: Option<u64>, answer: &Answer) -> Sent {
        let Some(id) = id else {
            let why = "the collector gave no ackId: switch indexer acknowledgement on for this token, or `ack` off".to_owned();
            return Sent::Closed { why };
        };
        if answer.status != 200 {
            return self.http.sent(Meaning::Retry, answer);
        }
        loop {
            let request = self
                .http
                .post(url)
                .header("authorization", format!("Splunk {}", self.token.expose()))
                .header("x-splunk-request-channel", &self.channel)
                .header("content-type", "application/json")
                .body(json!({"acks": [id]}).to_string());
            match self.http.ask(request).await {
                Ok(answer) if answer.status == 200 => {
                    let acks: Acks = serde_json::from_slice(&answer.body).unwrap_or_default();
                    if acks.acks.get(&id.to_string()) == Some(&true) {
                        return Sent::Delivered;
                    }
                }
                Ok(answer) => {
                    let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
                    return self.http.sent(meaning(answer.status, said.code), &answer);
                }
                Err(sent) => return sent,
            }
            tokio::time::sleep(ACK_POLL).await;
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Acks {
    acks: BTreeMap<String, bool>,
}

#[async_trait]
impl Output for Splunk {
    fn batch(&self) -> usize {
        MAX_BATCH
    }

    fn takes(&self, _action: DeliveryAction) -> bool {
        true
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let mut sent: Vec<Option<Sent>> = vec![None; messages.len()];
        let mut events = Vec::with_capacity(messages.len());
        let mut pending = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match Alert::of(message, &self.redact) {
                Ok(alert) => {
                    events.push(self.envelope.event(&alert));
                    pending.push(index);
                }
                Err(why) => {
                    events.push(Vec::new());
                    sent[index] = Some(Sent::Refused { why });
                }
            }
        }
        let all = async {
            while !pending.is_empty() {
                self.post(&events, &mut pending, &mut sent).await;
                // What is wrong with one request beyond its events is wrong with the next.
                if sent.iter().flatten().any(|sent| matches!(sent, Sent::Retry { .. } | Sent::Closed { .. })) {
                    break;
                }
            }
        };
        let why = match tokio::time::timeout(self.timeout, all).await {
            Ok(()) => "not sent after what was answered to others",
            Err(_) if self.ack.is_some() => "not acknowledged in time",
            Err(_) => "no answer in time",
        };
        sent.into_iter().map(|sent| sent.unwrap_or_else(|| Sent::Retry { after: None, why: why.to_owned() })).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_status_and_code_mean() {
        for (status, code, expected) in [
            (200, Some(0), Meaning::Delivered),
            (403, Some(1), Meaning::Closed),
            (401, Some(2), Meaning::Closed),
            (401, Some(3), Meaning::Closed),
            (403, Some(4), Meaning::Closed),
            (400, Some(5), Meaning::Refused),
            (400, Some(6), Meaning::Refused),
            (400, Some(7), Meaning::Closed),
            (500, Some(8), Meaning::Retry),
            (503, Some(9), Meaning::Retry),
            (400, Some(10), Meaning::Closed),
            (400, Some(11), Meaning::Closed),
            (400, Some(12), Meaning::Refused),
            (400, Some(13), Meaning::Refused),
            (400, Some(14), Meaning::Closed),
            (400, Some(15), Meaning::Refused),
            (503, Some(18), Meaning::Retry),
            (404, None, Meaning::Closed),
            (413, None, Meaning::Refused),
            (429, None, Meaning::Retry),
        ] {
            assert_eq!(meaning(status, code), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn channels_are_random_uuids() {
        let (a, b) = (channel(), channel());
        assert_ne!(a, b);
        assert_eq!(a.len(), 36);
        assert_eq!((a.as_bytes()[14], matches!(a.as_bytes()[19], b'8' | b'9' | b'a' | b'b')), (b'4', true), "{a}");
    }
}
