//! One message, from its receipt to its end: what it says is done, side by side, while it is hidden from others.

use super::delete::Deleter;
use super::sqs::{Message, Sqs, is_lost};
use crate::crash_point;
use crate::pipeline::Ended;
use crate::source::Input;
use crate::source::feed::reader::{Outcome, Reader};
use iota_engine::alert::Severity;
use iota_engine::notification::{Notification, parse};
use iota_engine::system::{SystemAlert, UNKNOWN_MESSAGE};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How long a message is kept hidden at most. SQS allows 12 hours from its receipt, and fails when asked for more.
const LONGEST: Duration = Duration::from_secs(11 * 60 * 60);
/// How long a message that could not be worked off is hidden: the first time, and at most. It doubles with each receipt, so
/// that an outage of a day does not use up the receipts after which a queue moves messages to its dead-letter queue.
const BACK_OFF: Duration = Duration::from_secs(5);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60 * 60);

/// What works on the messages of one queue.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) sqs: Arc<Sqs>,
    pub(super) reader: Reader,
    pub(super) deleter: Deleter,
    pub(super) visibility: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Deleted,
    Undeleted,
    Returned,
    Left,
}

impl Work {
    pub(super) async fn message(self: &Arc<Self>, message: &Message) {
        let shared = &self.reader.shared;
        let received = Instant::now();
        shared.tally.messages(|messages| {
            messages.received += 1;
            messages.in_work += 1;
        });
        let end = tokio::select! {
            end = self.to_its_end(message) => end,
            () = self.hold(message) => End::Returned,
        };
        if end == End::Returned {
            // When it is to end, others may have it at once.
            let hidden = if shared.is_stopped() { Duration::ZERO } else { back_off(message.received) };
            if let Err(fault) = self.sqs.hide(&message.receipt, hidden).await {
                tracing::debug!("{}: a message comes again when it is no longer hidden: {}", self.sqs.url, fault.why);
            }
        }
        tracing::debug!("{}: message {}: {end:?} after {} ms", self.sqs.url, message.id, received.elapsed().as_millis());
        shared.tally.messages(|messages| {
            messages.in_work -= 1;
            *match end {
                End::Deleted => &mut messages.deleted,
                End::Undeleted => &mut messages.undeleted,
                End::Returned => &mut messages.returned,
                End::Left => &mut messages.left,
            } += 1;
        });
    }

    async fn to_its_end(self: &Arc<Self>, message: &Message) -> End {
        match self.outcome(message).await {
            Outcome::Later => End::Returned,
            Outcome::Left => End::Left,
            Outcome::Done => {
                crash_point("message.done");
                let deleted = self.deleter.delete(&message.receipt).await;
                crash_point("message.deleted");
                if deleted { End::Deleted } else { End::Undeleted }
            }
        }
    }

    /// Of all its parts: what is worst.
    async fn outcome(self: &Arc<Self>, message: &Message) -> Outcome {
        let found = parse(&message.body);
        self.count(&found);
        let mut worst = if found.is_understood() { Outcome::Done } else { self.tell(&found, message).await };
        worst = worst.max(self.events(&found.events, message).await);
        let mut parts = JoinSet::new();
        for object in found.objects {
            let (work, sent_ms) = (Arc::clone(self), message.sent_ms);
            parts.spawn(async move { work.reader.read(&object, sent_ms).await });
        }
        while let Some(done) = parts.join_next().await {
            match done {
                Ok(outcome) => worst = worst.max(outcome),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => worst = Outcome::Later,
            }
        }
        worst
    }

    /// Events in the message itself. They are told apart by their identity alone: nothing is noted of the message.
    async fn events(&self, events: &[String], message: &Message) -> Outcome {
        let shared = &self.reader.shared;
        let before = self.reader.from_ms.zip(message.sent_ms).is_some_and(|(from, sent)| sent < from);
        if events.is_empty() || before {
            return Outcome::Done;
        }
        let bytes = events.join("\n").into_bytes();
        let room = shared.offers.room(bytes.len() as u64).await;
        let input = Input::bytes(&format!("{}#{}", self.sqs.url, message.id), None, bytes);
        match shared.offers.offer(input, room).await {
            Ended::Read => Outcome::Done,
            Ended::Unreadable(_) | Ended::Damaged(_) | Ended::Interrupted => Outcome::Later,
        }
    }

    /// Keeps the message hidden from others. Returns when that may go on no longer.
    async fn hold(&self, message: &Message) {
        let end = Instant::now() + LONGEST;
        loop {
            sleep((self.visibility / 3).min(end.saturating_duration_since(Instant::now()))).await;
            if Instant::now() >= end {
                tracing::warn!("{}: a message was in work for 11 hours, and is given back", self.sqs.url);
                return;
            }
            match self.sqs.hide(&message.receipt, self.visibility).await {
                Ok(()) => {}
                Err(fault) if is_lost(&fault) => {
                    // Somebody else may have it now; whoever is second finds all done.
                    tracing::warn!("{}: a message became visible while it was in work: {}", self.sqs.url, fault.why);
                    return std::future::pending().await;
                }
                Err(fault) => tracing::debug!("{}: a message could not be kept hidden: {}", self.sqs.url, fault.why),
            }
        }
    }

    fn count(&self, found: &Notification) {
        self.reader.shared.tally.messages(|messages| {
            messages.events += found.events.len() as u64;
            messages.unknown += found.unknown.len() as u64;
            for ignored in &found.ignored {
                *messages.ignored.entry(ignored.code()).or_default() += 1;
            }
            for unsupported in &found.unsupported {
                *messages.unsupported.entry(unsupported.code()).or_default() += 1;
            }
        });
    }

    async fn tell(&self, found: &Notification, message: &Message) -> Outcome {
        let unsupported = found.unsupported.iter().map(|kind| (kind.code(), true));
        for (shape, known) in unsupported.chain(found.unknown.iter().map(|shape| (shape.as_str(), false))) {
            self.reader.shared.notices.tell(alert(&self.sqs.url, shape, known, message)).await;
        }
        Outcome::Left
    }
}

/// Longer, the more often the message was received.
fn back_off(received: u32) -> Duration {
    let most = BACK_OFF.saturating_mul(1 << received.saturating_sub(1).min(16)).min(LONGEST_BACK_OFF);
    most.mul_f64(0.75 + fastrand::f64() / 4.0)
}

/// `known`: the kind is recognised, and not supported.
fn alert(queue: &str, shape: &str, known: bool, message: &Message) -> SystemAlert {
    let (title, runbook) = if known {
        (
            format!("Messages of an unsupported kind are in {queue}: {shape}"),
            "Security Lake's objects are OCSF in Parquet, which rules do not read. Let the trail's own bucket notify the queue.",
        )
    } else {
        (
            format!("A message of an unknown shape is in {queue}: {shape}"),
            "Look at the message in the queue or its dead-letter queue. If it is of another sender, correct who may send; if AWS sends it, report the shape.",
        )
    };
    SystemAlert {
        rule: UNKNOWN_MESSAGE,
        dedup: shape.to_owned(),
        title,
        severity: Severity::Medium,
        description: "It is not deleted, and moves to the dead-letter queue of the queue, if it has one. Each shape is told once, all of them are counted (`messages.unknown`, `messages.unsupported`).".to_owned(),
        runbook,
        context: json!({"queue": queue, "shape": shape, "message_id": message.id}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_outage_takes_fewer_receipts_than_a_dead_letter_queue_waits_for() {
        let (mut waited, mut received) = (Duration::ZERO, 0);
        while waited < Duration::from_secs(24 * 60 * 60) {
            received += 1;
            waited += back_off(received);
        }
        assert!(received < 50, "{received}");
        assert!(back_off(1) <= BACK_OFF && back_off(1) > BACK_OFF / 2);
    }
}
