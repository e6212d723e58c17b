//! Amazon EventBridge: one event for each alert. `event` and `context` stand in `detail` as JSON texts: EventBridge refuses
//! integers beyond 64 bits and deep nesting, and a record that holds such would be refused for ever.

#[cfg(test)]
mod tests;

use super::format::json::to_string;
use super::format::{Alert, Redaction};
use super::sqs::batches;
use super::{Message, Output, Sent};
use crate::aws::{Access, Connection, Fault, Verdict, region_of_arn, verdict_of};
use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use aws_smithy_types::date_time::{DateTime, Format};
use iota_engine::json::Value;
use std::borrow::Cow;

/// Entries of a request (PutEvents, API reference).
const ENTRIES: usize = 10;
/// Bytes of a request, over all entries, counted as the user guide says ("Calculating PutEvents event entry size").
const LIMIT: usize = 262_144;
/// Bytes that `Time` counts for.
const TIME: usize = 14;
const DETAIL_TYPE: &str = "iota alert";

#[derive(Debug, Clone)]
pub(super) struct EventBridgeConfig {
    /// Name or ARN.
    pub(super) event_bus: String,
    pub(super) source: String,
    pub(super) redact: Redaction,
    pub(super) aws: Access,
}

#[derive(Debug)]
pub(super) struct EventBridge {
    event_bus: String,
    source: String,
    redact: Redaction,
    connection: Connection<Client>,
}

impl EventBridge {
    /// The error says what is wrong with the configuration.
    pub(super) fn new(config: EventBridgeConfig) -> Result<Self, String> {
        if config.source.is_empty() || config.source.starts_with("aws.") {
            return Err(format!("source: {:?} cannot be used: it must not be empty, and `aws.` belongs to AWS", config.source));
        }
        let connection = Connection::new(config.aws, region_of_arn(&config.event_bus), Client::new);
        Ok(Self { connection, event_bus: config.event_bus, source: config.source, redact: config.redact })
    }

    /// What an entry counts for beside its detail.
    fn taken(&self) -> usize {
        TIME + self.source.len() + DETAIL_TYPE.len()
    }

    fn entry(&self, message: &Message) -> Result<PutEventsRequestEntry, String> {
        let alert = Alert::of(message, &self.redact)?;
        let detail = alert.encoded(LIMIT - self.taken(), detail);
        let time = DateTime::from_str(&alert.text("detected_at"), Format::DateTime).ok();
        Ok(PutEventsRequestEntry::builder()
            .event_bus_name(&self.event_bus)
            .source(&self.source)
            .detail_type(DETAIL_TYPE)
            .set_time(time)
            .detail(String::from_utf8_lossy(&detail))
            .build())
    }

    async fn put(&self, client: &Client, entries: &[PutEventsRequestEntry]) -> Vec<Sent> {
        let what = "events:PutEvents";
        let request = client.put_events().set_entries(Some(entries.to_vec()));
        match self.connection.answered(what, request.send().await).await {
            Err(fault) => vec![fault.into(); entries.len()],
            Ok(answer) if answer.entries().len() == entries.len() => {
                answer.entries().iter().map(|result| outcome(what, result)).collect()
            }
            Ok(answer) if answer.failed_entry_count() == 0 => vec![Sent::Delivered; entries.len()],
            Ok(_) => {
                vec![
                    Sent::Retry { after: None, why: format!("{what}: the answer does not have one result for each event") };
                    entries.len()
                ]
            }
        }
    }
}

#[async_trait]
impl Output for EventBridge {
    fn batch(&self) -> usize {
        ENTRIES
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let client = match self.connection.client().await {
            Ok(client) => client,
            Err(fault) => return vec![fault.into(); messages.len()],
        };
        let mut sent = vec![Sent::Delivered; messages.len()];
        let (mut entries, mut places) = (Vec::with_capacity(messages.len()), Vec::with_capacity(messages.len()));
        for (place, message) in messages.iter().enumerate() {
            match self.entry(message) {
                Ok(entry) => {
                    entries.push(entry);
                    places.push(place);
                }
                Err(why) => sent[place] = Sent::Refused { why },
            }
        }
        let sizes: Vec<_> = entries.iter().map(|entry| self.taken() + entry.detail().map_or(0, str::len)).collect();
        for range in batches(&sizes, ENTRIES, LIMIT) {
            let outcomes = self.put(&client, &entries[range.clone()]).await;
            for (place, outcome) in places[range].iter().zip(outcomes) {
                sent[*place] = outcome;
            }
        }
        sent
    }
}

fn outcome(what: &str, result: &PutEventsResultEntry) -> Sent {
    let Some(code) = result.error_code() else { return Sent::Delivered };
    let why = format!("{what}: {code}: {}", result.error_message().unwrap_or_default());
    let verdict = verdict_of(code).unwrap_or(Verdict::Retry);
    Fault { verdict, after: None, code: Some(code.to_owned()), why }.into()
}

/// The alert with the parts that come from the record as texts.
fn detail(alert: &Value<'_>) -> Vec<u8> {
    let mut detail = alert.clone();
    if let Value::Object(members) = &mut detail {
        let parts = members.iter_mut().filter(|(name, _)| matches!(name.as_ref(), b"event" | b"context"));
        for (_, value) in parts.filter(|(_, value)| *value != Value::Null) {
            *value = Value::String(Cow::Owned(to_string(value).into_bytes()));
        }
    }
    to_string(&detail).into_bytes()
}
