//! Where a run keeps what it finds. Knows nothing of units.

use iota_engine::store::{Committed, Ledger, StoreError, Terms, Unit};
use iota_engine::system::SystemAlert;
use iota_engine::triage::Triage;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// Where state is kept, and what decides about alerts.
#[derive(Debug, Clone)]
pub struct Durable {
    pub ledger: Arc<dyn Ledger>,
    pub triage: Arc<Triage>,
    /// Matches of events older than this, in milliseconds, count among themselves; for input as it arrives.
    pub lateness_ms: Option<i64>,
    /// The input was read before: it is evaluated again, and nothing of it counts twice.
    pub again: bool,
    /// Matches of events older than this, in milliseconds since the Unix epoch, are kept and not sent.
    pub no_send_before_ms: Option<i64>,
    /// Notified when a commit added deliveries.
    pub delivered: Arc<Notify>,
    /// Number of the run that is under way.
    pub(super) runs: Arc<AtomicU64>,
    /// Why state could not be read while rules were run.
    pub(super) failure: Arc<OnceLock<StoreError>>,
}

impl Durable {
    pub fn new(ledger: Arc<dyn Ledger>, triage: Arc<Triage>, lateness_ms: Option<i64>) -> Self {
        let (delivered, runs, failure) = (Arc::default(), Arc::default(), Arc::default());
        Self { ledger, triage, lateness_ms, again: false, no_send_before_ms: None, delivered, runs, failure }
    }

    /// By which events are judged that are read now.
    pub(super) fn terms(&self, now_ms: i64) -> Terms {
        let late_before_ms = self.lateness_ms.map(|lateness| now_ms - lateness);
        Terms { late_before_ms, send_from_ms: self.no_send_before_ms }
    }

    /// Commits an alert about iota itself, to the outputs that the routes name. The same alert at the same time is one.
    pub fn raise(&self, alert: &SystemAlert, unit: Unit, now_ms: i64) -> Result<(), StoreError> {
        let found = alert.to_match(now_ms, alert.routes(&self.triage.routes))?;
        self.commit(&Unit { now_ms, matches: vec![found], ..unit }).map(drop)
    }

    /// Makes a unit durable, and wakes whoever delivers.
    pub(super) fn commit(&self, unit: &Unit) -> Result<Committed, StoreError> {
        let committed = self.ledger.commit(unit)?;
        if committed.deliveries > 0 {
            self.delivered.notify_waiters();
        }
        Ok(committed)
    }

    /// All that was read is committed.
    pub(super) fn begin_run(&self) {
        self.runs.fetch_add(1, Ordering::Release);
    }

    /// For input that was read before.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { again: true, ..self.clone() }
    }

    /// What knows of earlier runs, for input that was not read before.
    pub(super) fn ledger_of_input(&self) -> Option<&dyn Ledger> {
        (!self.again).then_some(&*self.ledger)
    }
}
