//! A unit: what one commit makes durable.

use super::alert::Class;
use super::group::Outcome;
use crate::aggregate::{GroupKey, Sighting, Window};
use crate::alert::{Origin, Severity};
use crate::event::{Fingerprint, Identity};
use crate::rule::Failure;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What became of some records, in the order of the input. All of it is committed at once.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    /// Wall clock of the commit, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// When the alerts are said to be detected, where that is another time (`--now`).
    pub detected_ms: Option<i64>,
    /// By which the events of its objects were judged.
    pub terms: Terms,
    /// Records that had a candidate rule: the next time they are duplicates.
    pub seen: Vec<(Identity, Fingerprint)>,
    pub matches: Vec<Match>,
    /// In the order in which the pairs were run.
    pub rule_state: Vec<RuleStateUpdate>,
    pub rejects: Vec<Reject>,
    pub failed_pairs: Vec<FailedPair>,
    /// Objects whose last record is in this unit or in one committed before.
    pub finished: Vec<ObjectVersion>,
    /// How far files that grow were read.
    pub checkpoints: Vec<Checkpoint>,
}

/// A match on its way into its group.
#[derive(Debug, Clone)]
pub struct Match {
    pub group: GroupKey,
    /// Matches of one group count only with those of the same class.
    pub class: Class,
    pub window: Window,
    pub sighting: Sighting,
    /// Where the alert goes if this match is the one it is made of. Empty with a class that is not sent, and when no
    /// route takes the alert.
    pub routes: Vec<Route>,
    pub headline: Headline,
    /// `Content::to_fields`: the part of the alert's JSON that never changes.
    pub content: Arc<[u8]>,
}

/// An output that an alert is sent to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Route {
    pub output: String,
    /// Also when the alert has grown (`action: update`).
    pub updates: bool,
}

/// What alerts are listed and looked for by.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Headline {
    pub title: String,
    pub severity: Severity,
    pub account_id: Option<String>,
}

/// Operations of stateful helpers that one (record, rule) pair made, in the JSON of the worker protocol.
/// Applied once for each `(pack, rule, record)`.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleStateUpdate {
    pub pack: String,
    pub rule: String,
    pub record: Identity,
    pub ops: Vec<serde_json::Value>,
}

/// A record that was rejected for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub origin: Origin,
    /// As in `--stats`.
    pub reason: String,
    pub line: u64,
    /// Of the inflated object.
    pub offset: u64,
    /// Its bytes from the start, up to 64 KiB.
    pub bytes: Vec<u8>,
    pub at_ms: i64,
}

/// A (record, rule) pair whose rule raised, or that was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedPair {
    /// Given by the store; 0 before.
    pub id: i64,
    pub pack: String,
    pub rule: String,
    /// The function of the contract that failed; `rule` when the pair was not run.
    pub function: String,
    pub record: Identity,
    pub origin: Origin,
    /// The whole record; pairs of one record share it.
    pub raw: Arc<[u8]>,
    /// By which the event is judged, whenever the pair is evaluated.
    pub terms: Terms,
    /// `None`: the pair was not run.
    pub failure: Option<Failure>,
    pub at_ms: i64,
}

/// An object in one version: a file with its size and time, an S3 object with its `ETag`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectVersion {
    /// As in `Origin::object`.
    pub object: String,
    pub version: String,
}

/// Up to which age events count with others and are sent. Settled when an input is read: what is evaluated again later is
/// judged as it would have been then. Milliseconds since the Unix epoch; `None` is any age.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// Matches of older events count among themselves (`Class::Late`).
    pub late_before_ms: Option<i64>,
    /// Matches of older events are kept and not sent.
    pub send_from_ms: Option<i64>,
}

impl Terms {
    pub fn is_late(&self, event_ms: i64) -> bool {
        self.late_before_ms.is_some_and(|before_ms| event_ms < before_ms)
    }

    pub fn is_withheld(&self, event_ms: i64) -> bool {
        self.send_from_ms.is_some_and(|from_ms| event_ms < from_ms)
    }
}

/// An object that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finished {
    pub object: ObjectVersion,
    pub terms: Terms,
}

/// Where a source goes on. A later one with the same key takes the place of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Unique among all sources; begins with the kind of the source.
    pub key: String,
    /// Only the source knows what it means.
    pub value: String,
}

impl Checkpoint {
    /// With this begins the key of what says since when a source is read. A source without it would begin anew, so it is kept for
    /// as long as the state is; there is one for each source.
    pub const BEGIN: &str = "begin:";

    /// It is not forgotten, however old it is.
    pub fn is_lasting(&self) -> bool {
        self.key.starts_with(Self::BEGIN)
    }
}

/// What a commit did. The counts are of this unit's matches: their sum is the number of matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Alerts that now exist and did not before.
    pub created: Vec<Created>,
    /// Matches that opened an alert which took over from no other.
    pub opened: u64,
    /// Matches that belong to an alert and did not open it.
    pub grouped: u64,
    /// Matches that were counted before: another value of the same record, or a repeated commit.
    pub repeated: u64,
    pub below_threshold: u64,
    pub signals: u64,
    pub suppressed: u64,
    /// Of the alerts created: with no output to go to.
    pub unrouted: u64,
    /// Deliveries added.
    pub deliveries: u64,
}

impl Committed {
    /// Counts what became of a match of this class.
    pub fn count(&mut self, outcome: Outcome, class: &Class) {
        *match (outcome, class) {
            (Outcome::Repeated, _) => &mut self.repeated,
            (_, Class::Signal) => &mut self.signals,
            (_, Class::Suppressed(_)) => &mut self.suppressed,
            (Outcome::Below, _) => &mut self.below_threshold,
            (Outcome::Opened, _) => &mut self.opened,
            (Outcome::Grouped, _) => &mut self.grouped,
        } += 1;
    }

    /// Adds what was committed of the rest of a unit.
    pub fn add(&mut self, more: Self) {
        self.created.extend(more.created);
        self.opened += more.opened;
        self.grouped += more.grouped;
        self.repeated += more.repeated;
        self.below_threshold += more.below_threshold;
        self.signals += more.signals;
        self.suppressed += more.suppressed;
        self.unrouted += more.unrouted;
        self.deliveries += more.deliveries;
    }
}

/// An alert that a commit made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub alert_id: String,
    pub class: Class,
    pub pack: Arc<str>,
    pub rule: Arc<str>,
    pub severity: Severity,
    /// It took the matches of an alert that was created before: nobody is told of it as of a new one.
    pub superseding: bool,
}

/// Which rejects to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RejectFilter {
    pub since_ms: Option<i64>,
    pub limit: Option<usize>,
}

/// Which failed pairs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PairFilter {
    /// With a larger id; 0 is all.
    pub after: i64,
    pub rule: Option<String>,
    pub since_ms: Option<i64>,
    /// Only those that were not run, and not of these.
    pub left_out: Option<Except>,
    pub limit: Option<usize>,
}

/// Packs and rules whose pairs are of no use for now. Of many, a store may list some all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Except {
    pub packs: Vec<String>,
    /// Pack and id.
    pub rules: Vec<(String, String)>,
}

/// Calls of a rule that are kept and were not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub pack: String,
    pub rule: String,
    pub calls: u64,
}
