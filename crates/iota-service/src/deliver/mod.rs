//! From the outbox to the outputs: what is pending is sent, retried, limited or given up, and what became of it is recorded.
//! Knows outputs by their trait and the store by its traits; nothing of rules or records.

mod breaker;
mod canary;
mod clock;
mod queue;
mod schedule;
mod shared;
mod start;
mod storm;

pub use canary::CanarySchedule;
pub use clock::{Clock, SystemClock};
pub use start::{Deliveries, StartError};

use crate::output::Output;
use canary::Canaries;
use iota_engine::store::{Backlog, Result, Store};
use iota_engine::triage::Routes;
use queue::Queue;
use shared::Shared;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use storm::Storms;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long a delivery is leased: longer than any attempt takes. One that crashed is tried again after it at the latest.
const LEASE_MS: i64 = 5 * 60 * 1000;
/// An attempt, whatever it consists of, is given up after so long. The rest of the lease is for settling it.
pub(crate) const LONGEST_ATTEMPT: Duration = Duration::from_secs(4 * 60);
/// How often the store is asked for what other processes have added.
pub const POLL: Duration = Duration::from_secs(1);
/// Draining waits for retries that are due within this time, not longer.
const DRAIN_PATIENCE_MS: i64 = 15_000;
/// How often summaries and canaries are looked after.
const KEEP_MS: u64 = 10_000;

/// When deliveries are given up or held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// After so many attempts, made while the output works for others, a delivery goes to the dead letters.
    pub max_attempts: u32,
    /// So old it goes there with the next attempt that fails.
    pub max_age: Duration,
    /// Alerts of one rule that are sent to one output within an hour; 0 is no limit.
    pub storm_limit: u32,
    /// The same for single outputs, by name.
    pub storm_limits: BTreeMap<String, u32>,
    pub canary: Option<CanarySchedule>,
}

impl Default for Policy {
    /// 100 attempts take about 8 hours; three days bridge a weekend.
    fn default() -> Self {
        let storm_limits = BTreeMap::new();
        Self { max_attempts: 100, max_age: Duration::from_secs(3 * 24 * 60 * 60), storm_limit: 100, storm_limits, canary: None }
    }
}

impl Policy {
    /// The storm limit of an output.
    fn limit_of(&self, output: &str) -> u64 {
        match self.storm_limits.get(output).copied().unwrap_or(self.storm_limit) {
            0 => u64::MAX,
            limit => limit.into(),
        }
    }
}

/// What the delivery loop is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Go,
    /// Come to an end: send what is pending, do not wait for retries that are far off, and not beyond the deadline
    /// (milliseconds since the Unix epoch).
    Drain {
        deadline_ms: Option<i64>,
    },
}

/// The delivery loop over all outputs.
#[derive(Debug)]
pub struct Deliverer {
    pub store: Arc<dyn Store>,
    /// By name.
    pub outputs: BTreeMap<String, Arc<dyn Output>>,
    pub routes: Routes,
    pub policy: Policy,
    pub clock: Arc<dyn Clock>,
    /// How often the store is asked for what other processes have added; `POLL`, unless time is not real.
    pub poll: Duration,
    /// Notified when there may be something new.
    pub wake: Arc<Notify>,
}

/// What draining left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drained {
    /// By output; also outputs that are not configured any more.
    pub backlog: Vec<Backlog>,
}

impl Drained {
    /// Deliveries that still wait.
    pub fn pending(&self) -> u64 {
        self.backlog.iter().map(|backlog| backlog.pending).sum()
    }

    pub fn dead(&self) -> u64 {
        self.backlog.iter().map(|backlog| backlog.dead).sum()
    }
}

impl Deliverer {
    /// Delivers until the mode says to drain and that is done.
    pub async fn run(self, mode: watch::Receiver<Mode>) -> Result<Drained> {
        let shared = Arc::new(Shared {
            store: self.store,
            clock: self.clock,
            policy: self.policy,
            routes: self.routes,
            outputs: self.outputs.keys().cloned().collect(),
            poll_ms: i64::try_from(self.poll.as_millis()).unwrap_or(i64::MAX).max(20),
            wake: self.wake,
        });
        let mut storms = Storms::new(shared.now_ms());
        loop {
            let mut queues = JoinSet::new();
            for (name, output) in &self.outputs {
                queues.spawn(Queue::new(name, Arc::clone(output), Arc::clone(&shared), mode.clone()).run());
            }
            tokio::select! {
                () = keep(&shared, &mut storms) => {}
                _ = queues.join_all() => {}
            }
            // What was held back in this hour has to be told now, and the telling delivered.
            if storms.sum_up(&shared, true).await? == 0 {
                break;
            }
        }
        let backlog = shared.ask(|store| store.backlog()).await?;
        Ok(Drained { backlog })
    }
}

/// Summaries and canaries, for as long as there are queues.
async fn keep(shared: &Arc<Shared>, storms: &mut Storms) {
    let mut canaries = shared.policy.canary.clone().map(Canaries::new);
    loop {
        if let Err(error) = storms.sum_up(shared, false).await {
            tracing::warn!("the storm limit's summary: {error}");
        }
        if let Some(canaries) = &mut canaries
            && let Err(error) = canaries.tick(shared).await
        {
            tracing::warn!("canaries: {error}");
        }
        sleep(Duration::from_millis(KEEP_MS)).await;
    }
}

#[cfg(test)]
mod tests;
