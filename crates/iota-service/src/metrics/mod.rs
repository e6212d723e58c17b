//! What `iota watch` tells monitoring: its accounting as metrics for Prometheus, and whether it works.
//! Counts nothing itself; whoever counts publishes.

mod encode;
mod serve;
#[cfg(test)]
mod tests;

use crate::telemetry::Stats;
use iota_engine::store::{Backlog, Outbox};
use iota_python::Stop;
use jiff::Timestamp;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The loop comes by at least so often while it works: a round takes minutes at most.
const ALIVE: Duration = Duration::from_secs(15 * 60);
/// The outbox is asked at most so often, however many scrape.
const ASKED_EVERY: Duration = Duration::from_secs(10);
/// And for at most such a part of the time: counting in a large one, or one elsewhere, takes something.
const ASKED_PART: u32 = 20;
/// How long a scrape waits for the answer. One that takes longer is for the next scrape.
const ANSWER: Duration = Duration::from_secs(3);

/// What is known at the end of a round.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub stats: Stats,
    /// Rules that run.
    pub rules: u64,
    /// When what runs was read.
    pub rules_read_at: Timestamp,
    /// What is not run for now.
    pub paused: Vec<PausedName>,
    pub rounds: u64,
}

/// A rule (`pack/rule`) or pack that is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedName {
    pub kind: &'static str,
    pub name: String,
}

/// Shared by the loop and those who ask.
#[derive(Debug)]
pub struct Metrics {
    latest: Mutex<Latest>,
    deliveries: Mutex<Deliveries>,
    /// Nothing while rules are loaded and the state is opened.
    outbox: OnceLock<Arc<dyn Outbox>>,
    /// Held by the one that asks the outbox, until it has answered: it is asked once at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
    stop: Arc<Stop>,
}

#[derive(Debug)]
struct Latest {
    /// When the loop last came by; before that, the start.
    at: Instant,
    time: Timestamp,
    /// Nothing before the first time.
    snapshot: Option<Arc<Snapshot>>,
}

/// What the state has said of deliveries.
#[derive(Debug, Clone, Default)]
struct Deliveries {
    /// When it may be asked again.
    due: Option<Instant>,
    /// It has answered when it was last asked.
    reachable: bool,
    /// The last answer, and when it came.
    known: Option<(Timestamp, Vec<Backlog>)>,
}

/// A yes or no with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    Bad(&'static str),
}

impl Metrics {
    pub fn new(stop: Arc<Stop>) -> Self {
        let latest = Latest { at: Instant::now(), time: Timestamp::now(), snapshot: None };
        Self { latest: Mutex::new(latest), deliveries: Mutex::default(), outbox: OnceLock::new(), turn: Arc::default(), stop }
    }

    /// Answers requests for as long as the process lives. Returns the address, whose port may have been left to the system.
    pub fn serve(self: &Arc<Self>, listener: TcpListener) -> io::Result<SocketAddr> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let metrics = Arc::clone(self);
        thread::Builder::new().name("metrics".to_owned()).spawn(move || runtime.block_on(serve::accept(listener, metrics)))?;
        Ok(address)
    }

    /// Where deliveries are. Called once.
    pub fn opened(&self, outbox: Arc<dyn Outbox>) {
        let _ = self.outbox.set(outbox);
    }

    /// The loop has come by.
    pub fn publish(&self, snapshot: Snapshot) {
        *lock(&self.latest) = Latest { at: Instant::now(), time: Timestamp::now(), snapshot: Some(Arc::new(snapshot)) };
    }

    /// The loop goes on.
    fn is_alive(&self) -> Health {
        if lock(&self.latest).at.elapsed() < ALIVE { Health::Good } else { Health::Bad("no round has ended for 15 minutes") }
    }

    /// It reads and delivers.
    fn is_ready(&self) -> Health {
        if self.stop.is_requested() {
            return Health::Bad("ending");
        }
        if lock(&self.latest).snapshot.is_none() { Health::Bad("starting") } else { self.is_alive() }
    }

    /// In Prometheus' text format.
    async fn text(self: &Arc<Self>) -> String {
        let in_time = timeout(ANSWER, self.ask_if_due()).await.is_ok();
        let mut deliveries = lock(&self.deliveries).clone();
        deliveries.reachable &= in_time;
        let (snapshot, time) = {
            let latest = lock(&self.latest);
            (latest.snapshot.clone(), latest.time)
        };
        encode::encode(snapshot.as_deref(), time, deliveries)
    }

    /// Whoever comes while the state is being asked waits for the same answer.
    async fn ask_if_due(self: &Arc<Self>) {
        let Some(outbox) = self.outbox.get().cloned() else { return };
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if lock(&self.deliveries).due.is_some_and(|due| Instant::now() < due) {
            return;
        }
        let metrics = Arc::clone(self);
        let asking = spawn_blocking(move || {
            metrics.ask(outbox.as_ref());
            drop(turn);
        });
        if let Err(error) = asking.await {
            tracing::error!("metrics: {error}");
        }
    }

    /// Asks the state, which blocks.
    fn ask(&self, outbox: &dyn Outbox) {
        let started = Instant::now();
        let answer = outbox.backlog().inspect_err(|error| tracing::debug!("metrics: the outbox: {error}")).ok();
        let (ended, took) = (Instant::now(), started.elapsed());
        let mut deliveries = lock(&self.deliveries);
        deliveries.due = Some(ended + ASKED_EVERY.max(took * ASKED_PART));
        deliveries.reachable = answer.is_some();
        deliveries.known = answer.map(|backlog| (Timestamp::now(), backlog)).or_else(|| deliveries.known.take());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
