//! Amazon SQS: one message for each alert, in batches.

#[cfg(test)]
mod tests;

use super::fifo::{deduplication_id, group_id, is_fifo};
use super::format::{Alert, Redaction};
use super::sns::legal_json;
use super::{Message, Output, Sent};
use crate::aws::{Access, Connection, Fault, Verdict, region_of_queue, verdict_of};
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{BatchResultErrorEntry, QueueAttributeName, SendMessageBatchRequestEntry};
use std::ops::Range;
use tokio::sync::OnceCell;

/// Messages of a batch (SendMessageBatch, API reference).
const ENTRIES: usize = 10;
/// Bytes of a message, and of a batch, that every queue took before August 2025: used where the queue does not say.
const SIZE: usize = 262_144;

#[derive(Debug, Clone)]
pub(super) struct SqsConfig {
    pub(super) queue_url: String,
    pub(super) redact: Redaction,
    pub(super) aws: Access,
}

#[derive(Debug)]
pub(super) struct Sqs {
    queue_url: String,
    redact: Redaction,
    connection: Connection<Client>,
    /// The queue's `MaximumMessageSize`, read once.
    size: OnceCell<usize>,
}

impl Sqs {
    /// The error says what is wrong with the configuration.
    pub(super) fn new(config: SqsConfig) -> Result<Self, String> {
        if !config.queue_url.starts_with("https://") && !config.queue_url.starts_with("http://") {
            return Err(format!(
                "queue_url: {:?} is not the URL of a queue (https://sqs.REGION.amazonaws.com/ACCOUNT/NAME)",
                config.queue_url
            ));
        }
        let connection = Connection::new(config.aws, region_of_queue(&config.queue_url), Client::new);
        Ok(Self { connection, redact: config.redact, queue_url: config.queue_url, size: OnceCell::new() })
    }

    /// What the queue takes at most. Without the permission to ask, what every queue takes.
    async fn size(&self, client: &Client) -> Result<usize, Fault> {
        let ask = async || {
            let name = QueueAttributeName::MaximumMessageSize;
            let answer = client.get_queue_attributes().queue_url(&self.queue_url).attribute_names(name.clone()).send().await;
            match self.connection.answered("sqs:GetQueueAttributes", answer).await {
                Ok(answer) => {
                    let stated = answer.attributes().and_then(|attributes| attributes.get(&name)?.parse().ok());
                    Ok(stated.unwrap_or(SIZE))
                }
                Err(fault) => {
                    if !fault.code.as_deref().is_some_and(|code| code.contains("AccessDenied")) {
                        return Err(fault);
                    }
                    tracing::warn!("{}: messages are kept below {SIZE} bytes", fault.why);
                    Ok(SIZE)
                }
            }
        };
        self.size.get_or_try_init(ask).await.copied()
    }

    fn entry(&self, message: &Message, place: usize, size: usize) -> Result<SendMessageBatchRequestEntry, String> {
        let alert = Alert::of(message, &self.redact)?;
        let mut entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(legal_json(&alert, size));
        if is_fifo(&self.queue_url) {
            entry = entry.message_group_id(group_id(&alert)).message_deduplication_id(deduplication_id(message));
        }
        entry.build().map_err(|error| error.to_string())
    }

    async fn send_batch(&self, client: &Client, entries: &[SendMessageBatchRequestEntry]) -> Vec<Sent> {
        let what = "sqs:SendMessage";
        let request = client.send_message_batch().queue_url(&self.queue_url).set_entries(Some(entries.to_vec()));
        let answer = match self.connection.answered(what, request.send().await).await {
            Ok(answer) => answer,
            Err(fault) => return vec![fault.into(); entries.len()],
        };
        let outcome = |entry: &SendMessageBatchRequestEntry| {
            if answer.successful().iter().any(|done| done.id() == entry.id()) {
                return Sent::Delivered;
            }
            let failed = answer.failed().iter().find(|failed| failed.id() == entry.id());
            failed.map_or_else(
                || Sent::Retry { after: None, why: format!("{what}: the answer does not mention the message") },
                |failed| failure(what, failed),
            )
        };
        entries.iter().map(outcome).collect()
    }
}

#[async_trait]
impl Output for Sqs {
    fn batch(&self) -> usize {
        ENTRIES
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let prepared = async || {
            let client = self.connection.client().await?;
            let size = self.size(&client).await?;
            Ok::<_, Fault>((client, size))
        };
        let (client, size) = match prepared().await {
            Ok(prepared) => prepared,
            Err(fault) => return vec![fault.into(); messages.len()],
        };
        let mut sent = vec![Sent::Delivered; messages.len()];
        let mut entries = Vec::with_capacity(messages.len());
        let mut places = Vec::with_capacity(messages.len());
        for (place, message) in messages.iter().enumerate() {
            match self.entry(message, place, size) {
                Ok(entry) => {
                    entries.push(entry);
                    places.push(place);
                }
                Err(why) => sent[place] = Sent::Refused { why },
            }
        }
        let sizes: Vec<_> = entries.iter().map(|entry| entry.message_body().len()).collect();
        for range in batches(&sizes, ENTRIES, size.max(SIZE)) {
            let outcomes = self.send_batch(&client, &entries[range.clone()]).await;
            for (place, outcome) in places[range].iter().zip(outcomes) {
                sent[*place] = outcome;
            }
        }
        sent
    }
}

fn failure(what: &str, failed: &BatchResultErrorEntry) -> Sent {
    let (code, message) = (failed.code(), failed.message().unwrap_or_default());
    let why = format!("{what}: {code}: {message}");
    // `SenderFault` alone says too little: it is set for keys that are gone as well.
    let verdict = verdict_of(code).unwrap_or(Verdict::Retry);
    Fault { verdict, after: None, code: Some(code.to_owned()), why }.into()
}

/// Cuts entries of these sizes into batches that have at most so many entries and so many bytes. An entry that is larger
/// than that has a batch of its own.
pub(super) fn batches(sizes: &[usize], entries: usize, bytes: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut total) = (0, 0);
    for (at, size) in sizes.iter().enumerate() {
        if at > start && (at - start == entries || total + size > bytes) {
            found.push(start..at);
            (start, total) = (at, 0);
        }
        total += size;
    }
    if start < sizes.len() {
        found.push(start..sizes.len());
    }
    found
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn batches_keep_number_and_total() {
        assert!(batches(&[], 10, 100).is_empty());
        assert_eq!(batches(&[60, 40, 1], 10, 100), [0..2, 2..3]);
        assert_eq!(batches(&[200, 1], 10, 100), [0..1, 1..2]);
        assert_eq!(batches(&[1; 21], 10, 100), [0..10, 10..20, 20..21]);
    }

    #[test]
    fn failed_entries_are_told_apart_by_code() {
        let failed = |code: &str| {
            let entry = BatchResultErrorEntry::builder().id("0").sender_fault(true).code(code).message("m").build().unwrap();
            failure("sqs:SendMessage", &entry)
        };
        assert!(matches!(failed("InternalError"), Sent::Retry { .. }));
        assert!(matches!(failed("InvalidMessageContents"), Sent::Refused { .. }));
        assert!(matches!(failed("KmsAccessDenied"), Sent::Closed { .. }));
        assert!(matches!(failed("SomethingNew"), Sent::Retry { .. }));
    }
}
