//! One message, from its receipt to its end: what it says is done, side by side, while it is hidden from others.

use super::delete::Deleter;
use super::receipts::{LONGEST, Receipts, allowed};
use super::sqs::{Message, Sqs, is_lost};
use crate::crash_point;
use crate::pipeline::Ended;
use crate::source::Input;
use crate::source::feed::Ending;
use crate::source::feed::reader::{Outcome, Reader};
use futures_util::{StreamExt, stream};
use iota_engine::alert::Severity;
use iota_engine::notification::{Notification, parse};
use iota_engine::region::partition_of;
use iota_engine::system::{SystemAlert, UNKNOWN_MESSAGE};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

/// Objects of one message that are in work at once; most messages name one.
const PARTS: usize = 32;
/// How long a message that is kept through an outage waits until it is tried again: at first, and at most.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// What works on the messages of one queue.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) sqs: Arc<Sqs>,
    pub(super) reader: Reader,
    pub(super) receipts: Arc<Receipts>,
    pub(super) deleter: Deleter,
    pub(super) visibility: Duration,
    /// Of the queue, where it is known.
    pub(super) region: Option<String>,
    /// In KiB, of messages that are kept through an outage.
    pub(super) kept: Semaphore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Deleted,
    Undeleted,
    Returned {
        /// Nothing of the kind could be read.
        outage: bool,
    },
    Left,
}

impl Work {
    /// `room` is what it takes of the memory for messages.
    pub(super) async fn message(&self, message: &Message, room: OwnedSemaphorePermit) {
        let shared = &self.reader.shared;
        let received = Instant::now();
        shared.tally.messages(|messages| {
            messages.received += 1;
            messages.in_work += 1;
        });
        let end = tokio::select! {
            end = self.to_its_end(message, room) => end,
            () = self.hold(message, received) => End::Returned { outage: false },
        };
        if let End::Returned { outage } = end {
            let hidden = match shared.ending() {
                // Others may have it at once, unless that would move it to the dead letters for an outage.
                Ending::Asked if !(outage && self.receipts.is_last(message.received)) => Duration::ZERO,
                // At once it would make the next process fail at once, too, and use up its receipts.
                _ => allowed(self.receipts.wait(message.received, outage), received.elapsed()),
            };
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
                End::Returned { .. } => &mut messages.returned,
                End::Left => &mut messages.left,
            } += 1;
        });
    }

    async fn to_its_end(&self, message: &Message, room: OwnedSemaphorePermit) -> End {
        let mut found = parse(&message.body);
        self.count(&found);
        for object in &mut found.objects {
            object.region.take_if(|region| is_elsewhere(self.region.as_deref(), region));
        }
        let mut outcome = self.outcome(&found, message).await;
        if outcome == Outcome::Outage
            && self.receipts.is_last(message.received)
            && let Ok(_kept) = self.kept.try_acquire_many(kept_kib(message))
        {
            // Another receipt would move it to the dead letters, so it is not given back. Others are received meanwhile.
            drop(room);
            let mut pause = PAUSE;
            while outcome == Outcome::Outage && self.pause(&found, pause).await {
                pause = (pause * 2).min(LONGEST_PAUSE);
                outcome = self.outcome(&found, message).await;
            }
        }
        match outcome {
            Outcome::Later => End::Returned { outage: false },
            Outcome::Outage => End::Returned { outage: true },
            Outcome::Left => End::Left,
            Outcome::Done => {
                crash_point("message.done");
                let deleted = self.deleter.delete(&message.receipt).await;
                crash_point("message.deleted");
                if deleted { End::Deleted } else { End::Undeleted }
            }
        }
    }

    /// Until what did not work may be tried again. False when the process ends before.
    async fn pause(&self, found: &Notification, pause: Duration) -> bool {
        let shared = &self.reader.shared;
        let buckets = found.objects.iter().map(|object| object.bucket.clone()).collect();
        let over = async {
            sleep(pause).await;
            shared.own.wait().await;
            shared.gates.wait(&buckets).await;
        };
        tokio::select! {
            () = over => true,
            () = shared.stopped() => false,
        }
    }

    /// Of all its parts: what is worst.
    async fn outcome(&self, found: &Notification, message: &Message) -> Outcome {
        let mut worst = if found.is_understood() { Outcome::Done } else { self.tell(found, message).await };
        worst = worst.max(self.events(&found.events, message).await);
        let parts = stream::iter(found.objects.clone());
        let parts = parts.map(|object| async move { self.reader.read(&object, message.sent_ms).await });
        parts.buffer_unordered(PARTS).fold(worst, async |worst, outcome| worst.max(outcome)).await
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
    async fn hold(&self, message: &Message, received: Instant) {
        loop {
            sleep((self.visibility / 3).min(LONGEST.saturating_sub(received.elapsed()))).await;
            if received.elapsed() >= LONGEST {
                tracing::warn!("{}: a message was in work for 11 hours, and is given back", self.sqs.url);
                return;
            }
            match self.sqs.hide(&message.receipt, allowed(self.visibility, received.elapsed())).await {
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
            let (notices, alert) = (&self.reader.shared.notices, alert(&self.sqs.url, shape, known, message));
            // Of what is known there are few, and no number of made-up shapes hides one.
            if known { notices.tell(alert).await } else { notices.tell_of_a_name(alert).await }
        }
        Outcome::Left
    }
}

/// What a message takes of the room for those that are kept: its body, what it was parsed into, and something for the rest.
fn kept_kib(message: &Message) -> u32 {
    u32::try_from(message.body.len() / 512 + 4).unwrap_or(u32::MAX)
}

/// A bucket cannot be in another partition than the queue that is told of it.
fn is_elsewhere(queue: Option<&str>, region: &str) -> bool {
    queue.is_some_and(|queue| partition_of(queue) != partition_of(region))
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
    fn a_message_leads_into_no_other_partition() {
        for (queue, region, elsewhere) in [
            (Some("eu-west-1"), "us-east-1", false),
            (Some("eu-west-1"), "cn-north-1", true),
            (Some("us-gov-west-1"), "us-west-1", true),
            (None, "cn-north-1", false),
        ] {
            assert_eq!(is_elsewhere(queue, region), elsewhere, "{queue:?} {region}");
        }
    }
}
