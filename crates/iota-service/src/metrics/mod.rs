//! What `iota watch` tells monitoring: its accounting as metrics for Prometheus, and whether it works.
//! Counts nothing itself; whoever counts publishes.

mod encode;
mod serve;

use crate::telemetry::Stats;
use iota_engine::store::{Backlog, Outbox};
use iota_python::Stop;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

/// The loop comes by at least so often while it works: a round takes minutes at most.
const ALIVE: Duration = Duration::from_secs(15 * 60);
/// The outbox is asked at most so often, however many scrape: counting in a large one, or one elsewhere, takes something.
const BACKLOG_AGE: Duration = Duration::from_secs(10);

/// What is known at the end of a round.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub stats: Stats,
    /// Rules that run.
    pub rules: u64,
    /// When what runs was read.
    pub rules_read_at: SystemTime,
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
    backlog: Mutex<Option<Asked>>,
    outbox: Arc<dyn Outbox>,
    stop: Arc<Stop>,
}

#[derive(Debug)]
struct Latest {
    /// When the loop last came by; before that, the start.
    at: Instant,
    time: SystemTime,
    /// Nothing before the first time.
    snapshot: Option<Arc<Snapshot>>,
}

#[derive(Debug, Clone)]
struct Asked {
    at: Instant,
    /// `None`: the state did not answer.
    backlog: Option<Vec<Backlog>>,
}

/// A yes or no with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    Bad(&'static str),
}

impl Metrics {
    pub fn new(outbox: Arc<dyn Outbox>, stop: Arc<Stop>) -> Self {
        let latest = Latest { at: Instant::now(), time: SystemTime::now(), snapshot: None };
        Self { latest: Mutex::new(latest), backlog: Mutex::new(None), outbox, stop }
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

    /// The loop has come by.
    pub fn publish(&self, snapshot: Snapshot) {
        *lock(&self.latest) = Latest { at: Instant::now(), time: SystemTime::now(), snapshot: Some(Arc::new(snapshot)) };
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

    /// In Prometheus' text format. Asks the state, which blocks.
    fn text(&self) -> String {
        let backlog = self.backlog();
        let (snapshot, time) = {
            let latest = lock(&self.latest);
            (latest.snapshot.clone(), latest.time)
        };
        encode::encode(snapshot.as_deref(), time, backlog.as_deref())
    }

    fn backlog(&self) -> Option<Vec<Backlog>> {
        // Held while the state is asked: whoever comes meanwhile waits for the same answer.
        let mut asked = lock(&self.backlog);
        if asked.as_ref().is_none_or(|asked| asked.at.elapsed() >= BACKLOG_AGE) {
            let answer = self.outbox.backlog().inspect_err(|error| tracing::debug!("metrics: the outbox: {error}")).ok();
            *asked = Some(Asked { at: Instant::now(), backlog: answer });
        }
        asked.as_ref().and_then(|asked| asked.backlog.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
