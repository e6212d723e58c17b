//! Sources that work beside the loop, because they wait for somebody else: queues, lists of buckets, pipes. Each hands inputs
//! to the loop and learns what became of them; only then it tells the other side.

mod damaged;
mod downloads;
mod failing;
mod gate;
mod known;
mod notices;
mod offer;
mod poll;
mod queue;
mod reader;
mod stream;
mod tally;

pub use offer::Offer;
pub use poll::PollConfig;
pub use queue::QueueConfig;
pub(crate) use queue::max_receive_count;

use super::From;
use super::s3::Buckets;
use crate::pipeline::Durable;
use crate::telemetry::Sources;
use crossbeam_channel::Receiver;
use damaged::Damaged;
use downloads::Downloads;
use gate::{Gate, Gates};
use iota_engine::store::{Checkpoint, Ledger, StoreError, Unit};
use known::Known;
use notices::Notices;
use poll::Poll;
use queue::Queue;
use reader::Shared;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;
use stream::Stream;
use tally::Tally;
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Which sources there are.
#[derive(Debug, Default)]
pub struct FeedConfig {
    pub queues: Vec<QueueConfig>,
    pub polls: Vec<PollConfig>,
    /// Named pipes; `-` is standard input.
    pub streams: Vec<PathBuf>,
    pub buckets: Buckets,
    /// Where large objects are kept while they are read [default: the system's temporary directory].
    pub scratch: Option<PathBuf>,
}

#[derive(Debug, Error)]
pub enum FeedError {
    #[error("starting: {0}")]
    Start(io::Error),
    #[error("{path}: {why}")]
    Stream { path: PathBuf, why: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether the process is to end, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    No,
    Asked,
    /// What is in work may make the next process fail as well.
    Failed,
}

/// All these sources, at work.
#[derive(Debug)]
pub struct Feed {
    runtime: Runtime,
    offers: Receiver<Offer>,
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<Ending>,
    tally: Arc<Tally>,
    /// Sources that go on.
    going: Arc<AtomicUsize>,
    /// Why a source cannot go on, of the first one.
    broken: Arc<OnceLock<String>>,
}

impl Feed {
    /// `wake` is called when there is something to take, and when a source has ended.
    pub fn start(
        config: FeedConfig,
        durable: &Durable,
        (from, now_ms): (From, i64),
        wake: &Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Self, FeedError> {
        let ledger = Arc::clone(&durable.ledger);
        let (stop, stopped) = watch::channel(Ending::No);
        let (offers, receiver) = offer::offers(Arc::clone(wake));
        let notices = Arc::new(Notices::new(Arc::new(durable.clone())));
        let polled = config.polls.iter().map(|poll| poll.trail.bucket.as_str());
        let configured = config.buckets.named().chain(polled).map(str::to_owned).collect();
        let gates = Gates::new(Arc::clone(&notices), Known::open(Arc::clone(&ledger), configured)?);
        let damaged = Damaged::open(Arc::clone(&ledger), Arc::clone(&notices))?;
        let tally = Arc::new(Tally::default());
        let shared = Arc::new(Shared {
            buckets: config.buckets,
            ledger: Arc::clone(&ledger),
            offers: offers.clone(),
            downloads: Downloads::default(),
            own: Gate::new("the state or the disk of this process".to_owned(), Arc::clone(&notices)),
            gates,
            damaged,
            notices,
            tally: Arc::clone(&tally),
            stop: stopped.clone(),
            scratch: config.scratch,
        });
        let streams: Vec<Stream> = config.streams.into_iter().map(open).collect::<Result<_, _>>()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("source").enable_all().build();
        let runtime = runtime.map_err(FeedError::Start)?;
        let broken = Arc::new(OnceLock::new());
        let going = Arc::new(AtomicUsize::new(streams.len() + config.queues.len() + config.polls.len()));
        let mut tasks = Vec::new();
        let inside = runtime.enter();
        for queue in &config.queues {
            let from_ms = begin(&*ledger, &queue.url, from, now_ms)?;
            tasks.push(tokio::spawn(Queue::new(queue, &shared, from_ms).run()));
        }
        for poll in config.polls {
            let name = poll.trail.location().to_string();
            let from_ms = begin(&*ledger, &name, from, now_ms)?;
            let begun_ms = begun(&*ledger, &name, now_ms)?;
            tasks.push(tokio::spawn(Poll::new(poll, &shared, from_ms, begun_ms).run()));
        }
        drop(inside);
        for stream in streams {
            let (offers, stopped, handle, wake) = (offers.clone(), stopped.clone(), runtime.handle().clone(), Arc::clone(wake));
            let (going, broken) = (Arc::clone(&going), Arc::clone(&broken));
            let run = move || {
                let name = stream.name();
                if let Err(error) = stream.run(&offers, &stopped, &handle) {
                    let why = format!("{name}: cannot be read any more: {error}");
                    tracing::error!("{why}");
                    broken.get_or_init(|| why);
                }
                going.fetch_sub(1, Ordering::AcqRel);
                wake();
            };
            thread::Builder::new().name("stream".to_owned()).spawn(run).map_err(FeedError::Start)?;
        }
        Ok(Self { runtime, offers: receiver, tasks, stop, tally, going, broken })
    }

    /// What is ready, up to so many inputs and about so many bytes. Each has to be settled.
    pub fn take(&self, inputs: usize, bytes: u64) -> Vec<Offer> {
        let (mut ready, mut taken) = (Vec::new(), 0);
        while ready.len() < inputs
            && taken < bytes
            && let Ok(offer) = self.offers.try_recv()
        {
            taken += offer.input.size;
            ready.push(offer);
        }
        ready
    }

    /// More is ready.
    pub fn has_more(&self) -> bool {
        !self.offers.is_empty()
    }

    /// Nothing will ever come any more.
    pub fn is_over(&self) -> bool {
        self.going.load(Ordering::Acquire) == 0 && self.offers.is_empty()
    }

    /// Why a source could not go on, if one could not.
    pub fn broken(&self) -> Option<String> {
        self.broken.get().cloned()
    }

    /// What was counted so far.
    pub fn sources(&self) -> Sources {
        self.tally.sources()
    }

    /// Takes nothing more in. What was said first counts.
    pub fn stop(&self, ending: Ending) {
        self.stop.send_if_modified(|now| *now == Ending::No && std::mem::replace(now, ending) != ending);
    }

    /// Gives back what is in work, and ends within about this time. What was not given back comes again by itself.
    pub fn end(self, within: Duration) -> Sources {
        self.stop(Ending::Asked);
        let Self { runtime, offers, tasks, tally, .. } = self;
        // Whoever waits for an input that nobody takes is told.
        drop(offers);
        let all = async {
            for task in tasks {
                if let Err(error) = task.await
                    && error.is_panic()
                {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
        };
        if runtime.block_on(async { tokio::time::timeout(within, all).await }).is_err() {
            tracing::warn!("not everything in work could be given back in time; it comes again by itself");
        }
        runtime.shutdown_background();
        tally.sources()
    }
}

fn open(path: PathBuf) -> Result<Stream, FeedError> {
    Stream::open(&path).map_err(|why| FeedError::Stream { path, why })
}

/// From when on a source is read. `now` is when it was first started with this state.
fn begin(ledger: &dyn Ledger, name: &str, from: From, now_ms: i64) -> Result<Option<i64>, StoreError> {
    match from {
        From::Start => Ok(None),
        From::Time(ms) => Ok(Some(ms)),
        From::Now => begun(ledger, name, now_ms),
    }
}

/// When a source was first started with this state: now, if it was not.
fn begun(ledger: &dyn Ledger, name: &str, now_ms: i64) -> Result<Option<i64>, StoreError> {
    let key = format!("{}{name}", Checkpoint::BEGIN);
    if let Some(begun) = ledger.checkpoints(&key)?.into_iter().find(|found| found.key == key) {
        return Ok(begun.value.parse().ok());
    }
    let checkpoints = vec![Checkpoint { key, value: now_ms.to_string() }];
    ledger.commit(&Unit { now_ms, checkpoints, ..Unit::default() })?;
    Ok(Some(now_ms))
}
