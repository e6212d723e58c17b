//! A queue that tells of new objects, or holds events: messages are received for as long as there is room for them, worked on
//! side by side, and deleted when all that came of them is committed.

mod delete;
mod message;
mod receipts;
mod sqs;

pub(super) use receipts::Receipts;
pub(crate) use sqs::max_receive_count;

use super::failing::Failing;
use super::gate::Gate;
use super::reader::{Reader, Shared};
use crate::aws::{Access, Verdict, region_of_queue};
use crate::pipeline::Clock;
use crate::telemetry::QueueDepth;
use delete::Deleter;
use iota_engine::alert::Severity;
use iota_engine::system::{CROWDED_QUEUE, SystemAlert};
use iota_engine::text::printable;
use message::Work;
use serde_json::json;
use sqs::{Look, Sqs};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What the messages of a queue that are in work may take at once, in KiB, and as much again those that are kept through an
/// outage. Their objects are bounded elsewhere.
const ROOM_KIB: usize = 32 << 10;
/// The largest message that SQS takes, in KiB: before it has come each message counts as one.
const LARGEST_KIB: usize = 1 << 10;
/// What each counts as at least, so that their number is bounded too: to 128.
const LEAST_KIB: usize = ROOM_KIB / 128;
/// What one request gives at most.
const BATCH: usize = 10;
/// How often it is asked how many messages there are.
const LOOK: Duration = Duration::from_secs(60);

/// A queue as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueConfig {
    pub url: String,
    pub access: Access,
    /// How long a message is hidden from others at a time; as long as it is in work, it is hidden anew before that is over.
    pub visibility: Duration,
}

impl QueueConfig {
    /// A crash costs this much time, and a heartbeat three times as often costs next to nothing.
    pub const VISIBILITY: Duration = Duration::from_secs(120);
    /// Messages in flight with which a queue looks empty, without an error; the same for FIFO queues (SQS quotas).
    pub const IN_FLIGHT: u64 = 120_000;
    /// Of them, how many it has when somebody has to look.
    pub const CROWDED: u64 = Self::IN_FLIGHT / 100 * 80;
}

#[derive(Debug)]
pub(super) struct Queue {
    work: Arc<Work>,
    /// Of requests to the queue itself.
    gate: Gate,
    visibility: Duration,
}

impl Queue {
    /// To be called within the runtime.
    pub(super) fn new(config: &QueueConfig, shared: &Arc<Shared>, from_ms: Option<i64>) -> Self {
        let sqs = Arc::new(Sqs::new(&config.url, config.access.clone()));
        let receipts = Arc::new(Receipts::default());
        let reader = Reader { shared: Arc::clone(shared), receipts: Some(Arc::clone(&receipts)), from_ms };
        let deleter = Deleter::start(Arc::clone(&sqs));
        let region = config.access.region.as_deref().or_else(|| region_of_queue(&config.url)).map(str::to_owned);
        let kept = Semaphore::new(ROOM_KIB);
        let work = Arc::new(Work { sqs, reader, receipts, deleter, visibility: config.visibility, region, kept });
        Self { work, gate: Gate::new(config.url.clone(), Arc::clone(&shared.notices)), visibility: config.visibility }
    }

    /// Until the process is to end; then what is in work is given back.
    pub(super) async fn run(self) {
        let shared = Arc::clone(&self.work.reader.shared);
        tracing::info!("watching {}", self.work.sqs.url);
        let mut working = JoinSet::new();
        let mut warned = false;
        let work = async {
            // First: it tells which receipt of a message is its last.
            self.look(&mut warned).await;
            tokio::join!(self.receive(&mut working), self.look_again(&mut warned));
        };
        tokio::select! {
            () = work => {}
            () = shared.stopped() => {}
        }
        working.join_all().await;
    }

    /// Never returns.
    async fn receive(&self, working: &mut JoinSet<()>) {
        let Shared { own, gates, buckets, tally, .. } = &*self.work.reader.shared;
        // Where none of them can be read, messages stay where they are; while one can, they have to be looked at.
        let needed = buckets.allowed().unwrap_or(&NOBODY);
        let room = Arc::new(Semaphore::new(ROOM_KIB));
        loop {
            while let Some(done) = working.try_join_next() {
                if let Err(error) = done
                    && error.is_panic()
                {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
            let permits = take(&room, if own.is_closed() || gates.are_closed(needed) { 1 } else { BATCH }).await;
            self.gate.wait().await;
            own.wait().await;
            gates.wait(needed).await;
            match self.work.sqs.receive(permits.len(), self.visibility).await {
                Ok(messages) => {
                    self.gate.worked();
                    for (message, mut permit) in messages.into_iter().zip(permits) {
                        shrink(&mut permit, message.body.len());
                        let work = Arc::clone(&self.work);
                        working.spawn(async move { work.message(&message, permit).await });
                    }
                }
                Err(fault) => {
                    tally.messages(|messages| messages.receive_errors += 1);
                    let failing = Failing::of_queue(&self.work.sqs.url, self.work.region.as_deref(), &fault);
                    self.gate.failed(&failing, Clock::System.now_ms()).await;
                }
            }
        }
    }

    /// Watches how full the queue is. Never returns.
    async fn look_again(&self, warned: &mut bool) {
        loop {
            sleep(LOOK).await;
            self.look(warned).await;
        }
    }

    async fn look(&self, warned: &mut bool) {
        let Shared { tally, notices, .. } = &*self.work.reader.shared;
        let url = &self.work.sqs.url;
        match self.work.sqs.look().await {
            Ok(Look { visible, in_flight, receipts }) => {
                self.work.receipts.note(receipts);
                tally.queue(url, QueueDepth { visible, in_flight });
                if in_flight >= QueueConfig::CROWDED {
                    notices.tell(crowded(url, in_flight, visible)).await;
                }
            }
            Err(fault) if !*warned && fault.verdict != Verdict::Retry => {
                *warned = true;
                tracing::warn!(
                    "{url}: how full it is, and its maxReceiveCount, are not known: {}; in a long outage messages may go to \
                     the dead letters, as their last receipt is not kept back. Allow sqs:GetQueueAttributes",
                    printable(&fault.why)
                );
            }
            Err(_) => {}
        }
    }
}

static NOBODY: BTreeSet<String> = BTreeSet::new();

/// Room for at least one message, and for as many as there is up to `most`.
async fn take(room: &Arc<Semaphore>, most: usize) -> Vec<OwnedSemaphorePermit> {
    let one = u32::try_from(LARGEST_KIB).unwrap_or(u32::MAX);
    let first = Arc::clone(room).acquire_many_owned(one).await;
    let more = (1..most).map_while(|_| Arc::clone(room).try_acquire_many_owned(one).ok());
    first.into_iter().chain(more).collect()
}

/// The message has come, and has so many bytes.
fn shrink(permit: &mut OwnedSemaphorePermit, bytes: usize) {
    let surplus = permit.num_permits().saturating_sub(bytes.div_ceil(1024).max(LEAST_KIB));
    drop(permit.split(surplus));
}

fn crowded(url: &str, in_flight: u64, visible: u64) -> SystemAlert {
    let limit = QueueConfig::IN_FLIGHT;
    SystemAlert {
        rule: CROWDED_QUEUE,
        dedup: url.to_owned(),
        title: format!("{in_flight} messages of {url} are in flight; with {limit} it looks empty to everybody"),
        severity: Severity::High,
        description: format!(
            "SQS hands out no more than {limit} messages of a queue that are not deleted, and says nothing when it stops; \
             {visible} more wait."
        ),
        runbook: "Find what keeps messages from being deleted: a bucket that cannot be read (iota.system.source-failing), messages that nobody understands (iota.system.unknown-message), another consumer of the queue. Run more replicas if the work is what takes the time.",
        context: json!({"queue": url, "in_flight": in_flight, "visible": visible, "limit": limit}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_messages_take_more_room_than_small_ones() {
        let room = Arc::new(Semaphore::new(ROOM_KIB));
        let mut large = Vec::new();
        while room.available_permits() >= LARGEST_KIB {
            let taken = take(&room, BATCH).await;
            assert!((1..=BATCH).contains(&taken.len()));
            large.extend(taken);
        }
        assert_eq!(large.len(), ROOM_KIB / LARGEST_KIB);
        for permit in &mut large {
            shrink(permit, 2_000);
        }
        assert_eq!(room.available_permits(), ROOM_KIB - large.len() * LEAST_KIB, "what turns out to be small makes room");
        shrink(&mut large[0], 1 << 20);
        assert_eq!(large[0].num_permits(), LEAST_KIB, "nothing grows");
    }
}
