//! What has to survive: the seam between the stages and the databases that keep state.
//! Says what is kept and what must hold; knows no database, no output and no clock.

mod alert;
mod audit;
mod group;
mod outbox;
mod unit;

pub use alert::{AlertFilter, Class, ClassFilter, Handling, Status, StatusChange, StoredAlert};
pub use audit::{Actor, AuditEntry, AuditRecord, Tampered, verify_audit_log};
pub use group::{AlertChange, Body, Cells, Damaged, Extent, Opened, Outcome, StoredGroup};
pub use outbox::{Backlog, DeadFilter, Delivery, DeliveryAction, DeliveryId, DeliveryState, Limited, Settled};
pub use unit::{
    Checkpoint, Committed, Created, Except, FailedPair, Finished, Headline, LeftOut, Match, ObjectVersion, PairFilter, Reject,
    RejectFilter, Route, RuleStateUpdate, Terms, Unit,
};

use crate::aggregate::Window;
use crate::dedup::Seen;
use crate::event::{Fingerprint, Identity};
use std::collections::BTreeSet;
use std::fmt::Debug;
use thiserror::Error;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// The same call may succeed later: throttling, a lock, no room on the device. Nothing of it was done, or it can be
    /// repeated without harm.
    #[error("{what}: {why}")]
    Unavailable { what: String, why: String },
    /// There is no room left on the device; a kind of its own, because input must stop until there is.
    #[error("{what}: no space left on the device")]
    Full { what: String },
    /// Cannot be repaired by trying again: damaged or of a newer version, wrong permissions, a mistake in iota.
    #[error("{what}: {why}")]
    Broken { what: String, why: String },
    /// Another process uses this state.
    #[error("{what} is in use by another process{}", .by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default())]
    Locked { what: String, by: Option<String> },
}

impl StoreError {
    /// The same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }
}

/// Counts at which a growing alert is told again.
pub const UPDATE_COUNTS: [u64; 4] = [10, 100, 1_000, 10_000];

/// Those that an alert comes to, or passes, when its count goes from one to the other.
pub fn updates_between(before: u64, after: u64) -> impl Iterator<Item = u64> {
    UPDATE_COUNTS.into_iter().filter(move |count| before < *count && *count <= after)
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long alerts, records that were seen, rejects and failed pairs are kept, in milliseconds of wall clock: CloudTrail
/// may deliver a record again for 30 days.
pub const KEEP_ALERTS_MS: i64 = 35 * DAY_MS;
/// How long it is known that an object was read. A directory may hold a year of them, and be read again. Parts of files that
/// grow, too: what is evaluated again since some time is all that was read since then.
pub const KEEP_OBJECTS_MS: i64 = 400 * DAY_MS;
/// The default of how late a match may come and still count with the others.
pub const LATENESS_MS: i64 = DAY_MS;

/// When a cell is no longer needed, if nothing is added to it any more; wall clock.
pub fn kept_until_ms(now_ms: i64, window: Window) -> i64 {
    now_ms.saturating_add(LATENESS_MS + DAY_MS).saturating_add(window.ms.saturating_mul(2))
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// What the pipeline needs: what was seen, and the commit of what it found.
pub trait Ledger: Send + Sync + Debug {
    /// What is known of records from units committed before, in the order asked.
    fn seen(&self, records: &[(Identity, Fingerprint)]) -> Result<Vec<Seen>>;

    /// Whether a unit that finished this version of the object was committed.
    fn is_finished(&self, object: &ObjectVersion) -> Result<bool>;

    /// The same of many, in the order asked.
    fn are_finished(&self, objects: &[ObjectVersion]) -> Result<Vec<bool>> {
        objects.iter().map(|object| self.is_finished(object)).collect()
    }

    /// Makes a unit durable, all of it or nothing that matters: whatever instant the process ends at, committing the same
    /// unit again leaves what one commit would have left.
    fn commit(&self, unit: &Unit) -> Result<Committed>;

    /// The checkpoints whose keys begin with this.
    fn checkpoints(&self, prefix: &str) -> Result<Vec<Checkpoint>> {
        let why = "it keeps no checkpoints, which directories need".to_owned();
        Err(StoreError::Broken { what: prefix.to_owned(), why })
    }

    /// Committed state of stateful helpers of a pack, in the JSON of the worker protocol (`RuleState::get`).
    fn rule_state(&self, pack: &str, kind: &str, key: &str) -> Result<serde_json::Value>;

    /// Forgets what is older than it has to be kept (cells, seen records, alerts, settled deliveries).
    fn retain(&self, now_ms: i64) -> Result<()>;
}

/// What deliveries need. A delivery is one alert on its way to one output.
pub trait Outbox: Send + Sync + Debug {
    /// Up to `limit` deliveries of an output that are due, oldest first, for this caller alone until `until_ms`.
    fn lease(&self, output: &str, now_ms: i64, until_ms: i64, limit: usize) -> Result<Vec<Delivery>>;

    /// The same for one delivery, of another rule than these (pack and id).
    fn lease_of_another(
        &self,
        output: &str,
        now_ms: i64,
        until_ms: i64,
        than: &BTreeSet<(String, String)>,
    ) -> Result<Option<Delivery>>;

    /// What became of a leased delivery. False when the lease was lost to somebody else meanwhile: nothing was changed.
    fn settle(&self, delivery: &Delivery, settled: &Settled, now_ms: i64) -> Result<bool>;

    /// When the next delivery of an output is due, if any is pending. Milliseconds since the Unix epoch.
    fn next_due(&self, output: &str) -> Result<Option<i64>>;

    /// Every output that has deliveries, with what became of them.
    fn backlog(&self) -> Result<Vec<Backlog>>;

    /// Deliveries of a rule's alerts made to an output since then that nobody asked for, for the storm limit.
    fn delivered_since(&self, output: &str, pack: &str, rule: &str, since_ms: i64) -> Result<u64>;

    /// How many deliveries the storm limit held back from `from_ms` until before `until_ms`, by output and rule.
    fn limited_between(&self, from_ms: i64, until_ms: i64) -> Result<Vec<Limited>>;

    /// An output works again: what is pending for it, and has failed so often at most, becomes due, so that what waited longest
    /// comes first. A store may leave some of this undone; then deliveries come when they were due before.
    fn hasten(&self, output: &str, now_ms: i64, attempts: u32) -> Result<()>;

    /// Ends the leases of a process that is gone. Only for the one that holds the state to itself.
    fn release(&self) -> Result<()>;
}

/// What people ask for and change: alerts, dead letters, rejects, failed pairs, the audit log.
pub trait Desk: Send + Sync + Debug {
    fn alert(&self, alert_id: &str) -> Result<Option<StoredAlert>>;

    /// Up to `limit` ids of alerts that begin with this, newest first.
    fn ids_beginning(&self, with: &str, limit: usize) -> Result<Vec<String>>;

    /// Newest first. Canaries only when their rule is asked for.
    fn alerts(&self, filter: &AlertFilter) -> Result<Vec<StoredAlert>>;

    /// Changes the status of an alert, adds the deliveries that tell of it, and records it: all of it or nothing. False when
    /// there is no such alert, or it has another status by now.
    fn handle(&self, alert_id: &str, handling: &Handling, entry: &AuditEntry) -> Result<bool>;

    /// Every delivery of an alert.
    fn deliveries(&self, alert_id: &str) -> Result<Vec<Delivery>>;

    /// Oldest first.
    fn dead(&self, filter: &DeadFilter) -> Result<Vec<Delivery>>;

    /// Makes dead deliveries due now, as many at once as the database can with the record. Returns how many.
    fn redrive(&self, ids: &[DeliveryId], entry: &AuditEntry) -> Result<usize>;

    /// Gives dead deliveries up for good, in the same way; they stay listed as dropped. Returns how many.
    fn give_up(&self, ids: &[DeliveryId], entry: &AuditEntry) -> Result<usize>;

    /// Oldest first.
    fn rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>>;

    /// (record, rule) pairs whose rule failed or was not run, oldest first.
    fn failed_pairs(&self, filter: &PairFilter) -> Result<Vec<FailedPair>>;

    /// How many pairs of each rule were not run, by pack and rule. Reads none of them.
    fn left_out(&self) -> Result<Vec<LeftOut>>;

    /// Removes pairs that were evaluated again. Returns how many.
    fn settle_pairs(&self, ids: &[i64]) -> Result<usize>;

    /// Objects finished since then, oldest first. There may be millions, so they are not gathered first. `take` must not ask
    /// the store for anything.
    fn objects_since(&self, since_ms: i64, take: &mut dyn FnMut(Finished)) -> Result<()>;

    fn record(&self, entry: &AuditEntry) -> Result<()>;

    /// Records what follows from the log as it was read, if the record with this number is still its last one; 0 is an empty log.
    /// False when others have added to it: then it is to be read again, since some of the entries may be in it.
    fn record_after(&self, last: u64, entries: &[AuditEntry]) -> Result<bool>;

    /// The newest so many, oldest first; `None` is all.
    fn audit_log(&self, newest: Option<usize>) -> Result<Vec<AuditRecord>>;
}

/// All of it, in one database.
pub trait Store: Ledger + Outbox + Desk {}

impl<T: Ledger + Outbox + Desk> Store for T {}
