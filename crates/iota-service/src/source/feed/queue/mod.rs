//! A queue that tells of new objects, or holds events: messages are received for as long as there is room for them, worked on
//! side by side, and deleted when all that came of them is committed.

mod delete;
mod message;
mod sqs;

use super::gate::Gate;
use super::reader::{Reader, Shared};
use crate::aws::{Access, Fault};
use crate::pipeline::Clock;
use delete::Deleter;
use message::Work;
use sqs::{Depth, Sqs};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Messages of a queue that are in work at once. They are small: their objects are bounded elsewhere.
const IN_WORK: usize = 128;
/// What one request gives at most.
const BATCH: usize = 10;
/// How often it is asked how many messages there are.
const LOOK: Duration = Duration::from_secs(60);
/// Messages in flight at which somebody is warned: at 120,000 a queue looks empty (SQS quotas).
const CROWDED: u64 = 96_000;

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
        let gate = |what: String| Gate::new(what, Arc::clone(&shared.notices));
        let sqs = Arc::new(Sqs::new(&config.url, config.access.clone()));
        let reader = Reader { shared: Arc::clone(shared), gate: gate(format!("objects of {}", config.url)), from_ms };
        let deleter = Deleter::start(Arc::clone(&sqs));
        let work = Arc::new(Work { sqs, reader, deleter, visibility: config.visibility });
        Self { work, gate: gate(config.url.clone()), visibility: config.visibility }
    }

    /// Until the process is to end; then what is in work is given back.
    pub(super) async fn run(self) {
        let shared = Arc::clone(&self.work.reader.shared);
        tracing::info!("watching {}", self.work.sqs.url);
        let mut working = JoinSet::new();
        tokio::select! {
            () = self.receive(&mut working) => {}
            () = self.look() => {}
            () = shared.stopped() => {}
        }
        working.join_all().await;
    }

    /// Never returns.
    async fn receive(&self, working: &mut JoinSet<()>) {
        let room = Arc::new(Semaphore::new(IN_WORK));
        loop {
            while let Some(done) = working.try_join_next() {
                if let Err(error) = done
                    && error.is_panic()
                {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
            let permits = take(&room, if self.work.reader.gate.is_closed() { 1 } else { BATCH }).await;
            self.gate.wait().await;
            self.work.reader.gate.wait().await;
            match self.work.sqs.receive(permits.len(), self.visibility).await {
                Ok(messages) => {
                    self.gate.worked();
                    for (message, permit) in messages.into_iter().zip(permits) {
                        let work = Arc::clone(&self.work);
                        working.spawn(async move {
                            work.message(&message).await;
                            drop(permit);
                        });
                    }
                }
                Err(Fault { why, .. }) => {
                    self.work.reader.shared.tally.messages(|messages| messages.receive_errors += 1);
                    self.gate.failed(&why, Clock::System.now_ms()).await;
                }
            }
        }
    }

    /// Watches how full the queue is. Never returns.
    async fn look(&self) {
        let mut told = false;
        loop {
            match self.work.sqs.depth().await {
                Ok(Depth { visible, in_flight }) => {
                    tracing::debug!("{}: {visible} messages wait, {in_flight} are in flight", self.work.sqs.url);
                    if in_flight >= CROWDED {
                        tracing::error!(
                            "{}: {in_flight} messages are in flight; at 120,000 the queue looks empty to everybody",
                            self.work.sqs.url
                        );
                    }
                }
                Err(fault) if !told => {
                    told = true;
                    tracing::debug!("{}: how full it is is not known: {}", self.work.sqs.url, fault.why);
                }
                Err(_) => {}
            }
            sleep(LOOK).await;
        }
    }
}

/// At least one permit, and as many as are there up to `most`.
async fn take(room: &Arc<Semaphore>, most: usize) -> Vec<OwnedSemaphorePermit> {
    let first = Arc::clone(room).acquire_owned().await;
    let more = (1..most).map_while(|_| Arc::clone(room).try_acquire_owned().ok());
    first.into_iter().chain(more).collect()
}
