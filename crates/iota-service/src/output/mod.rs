//! Where alerts go. One folder or file for each kind of output: its configuration, the payload, and the sending.
//! An output knows nothing of stores, retries or schedules: it makes one attempt and says how it went.

#[cfg(test)]
#[path = "../../tests/outputs/alerts.rs"]
mod alerts;
mod aws;
pub mod config;
mod eventbridge;
mod fifo;
mod file;
mod fluent_forward;
mod fluent_http;
pub mod format;
pub(crate) mod http;
mod net;
mod pagerduty;
mod s3;
#[cfg(test)]
pub(crate) mod sample;
mod securityhub;
mod slack;
mod sns;
mod splunk;
mod sqs;
mod stdout;
mod syslog;
mod teams;
mod webhook;
mod wiz;

pub use config::{OutputError, OutputFile, Reference, SecretsManager, Surroundings};
pub use stdout::Lines;

use async_trait::async_trait;
use format::{Alert, Redaction};
use iota_engine::store::{DeliveryAction, DeliveryId};
use std::fmt::Debug;
use std::time::Duration;

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An alert, or something about one.
    Alert,
    /// `iota outputs test`: marked as a test wherever people read it.
    Test,
    /// Shows at an interval that the output works.
    Canary,
}

/// One alert to be sent.
#[derive(Debug, Clone)]
pub struct Message {
    /// Stays the same over all attempts: the key by which receivers can tell a repetition.
    pub id: DeliveryId,
    /// Names what was opened on the other side when the alert was new: its id, or that of the first of the alerts that it
    /// took over. It stands wherever the other side keeps, or puts together, one thing for each id: there an update of the alert
    /// is to meet what was told first. JSON of the alert has its own id, and this one as the last of `supersedes`.
    pub known_as: String,
    pub purpose: Purpose,
    pub action: DeliveryAction,
    /// The alert's JSON on one line (docs/alert.schema.json).
    pub json: Vec<u8>,
    /// 1 is the first.
    pub attempt: u32,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The other side took it over, as far as it says so.
    Delivered,
    /// Not now: timeouts, connections that end, 429, 5xx. `after` is what the other side asked for.
    Retry { after: Option<Duration>, why: String },
    /// This message can never be delivered (the payload is refused). Says nothing of others.
    Refused { why: String },
    /// Nothing can be delivered until somebody changes something: credentials, address, channel. The backlog is kept.
    Closed { why: String },
}

/// One configured output.
#[async_trait]
pub trait Output: Send + Sync + Debug {
    /// How many messages one call of `send` takes at most.
    fn batch(&self) -> usize {
        1
    }

    /// How many calls of `send` may be under way at once.
    fn concurrency(&self) -> usize {
        4
    }

    /// Whether a delivery is confirmed by the other side. Where it is not, delivered means written.
    fn is_acknowledged(&self) -> bool {
        true
    }

    /// What people do to an alert can be told to this output, too.
    fn takes(&self, action: DeliveryAction) -> bool {
        matches!(action, DeliveryAction::Create | DeliveryAction::Update)
    }

    /// Makes one attempt. The answer has one entry for each message, in their order. Takes no longer than the output's
    /// time-out, and leaves no secret in what it says.
    async fn send(&self, messages: &[Message]) -> Vec<Sent>;
}

/// Sends the alerts of an output that takes one at a time. A message that is no alert is refused.
async fn one_by_one<'a, F: Future<Output = Sent>>(
    messages: &'a [Message],
    redact: &Redaction,
    send: impl Fn(&'a Message, Alert<'a>) -> F,
) -> Vec<Sent> {
    let mut results = Vec::with_capacity(messages.len());
    for message in messages {
        results.push(match Alert::of(message, redact) {
            Ok(alert) => send(message, alert).await,
            Err(why) => Sent::Refused { why },
        });
    }
    results
}
