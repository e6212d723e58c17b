//! Alerts as they are kept.

use super::outbox::DeliveryAction;
use super::unit::Route;
use crate::aggregate::GroupKey;
use crate::alert::Severity;
use crate::digest::digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What kind of alert the matches of a group make. Part of the group: matches of one class never count with another's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Alert,
    /// Came later than the lateness allows; sent, and marked `late`.
    Late,
    /// Of a rule with `CreateAlert: false`; kept and listed, not sent.
    Signal,
    /// Hidden by the suppression with this id; kept, counted and listed, not sent.
    Suppressed(String),
}

impl Class {
    /// Alerts of this class are sent to outputs.
    pub fn is_sent(&self) -> bool {
        matches!(self, Self::Alert | Self::Late)
    }

    /// As it is stored; which suppression it was is kept apart.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Late => "late",
            Self::Signal => "signal",
            Self::Suppressed(_) => "suppressed",
        }
    }

    /// Names a group and this class of its matches, in 16 bytes.
    pub fn group(&self, key: &GroupKey) -> [u8; 16] {
        match self {
            Self::Alert => key.digest(),
            Self::Late => digest("iota-late-group-v1", key.parts()),
            Self::Signal => digest("iota-signal-group-v1", key.parts()),
            Self::Suppressed(by) => digest("iota-suppressed-group-v1", key.parts().into_iter().chain([by.as_bytes()])),
        }
    }

    /// Id of the alert of a group, class and cell.
    pub fn alert_id(&self, key: &GroupKey, cell: i64) -> String {
        match self {
            Self::Alert => key.id("iota-alert-v1", cell, None),
            Self::Late => key.id("iota-late-v1", cell, None),
            Self::Signal => key.id("iota-signal-v1", cell, None),
            Self::Suppressed(by) => key.id("iota-suppressed-v1", cell, Some(by)),
        }
    }
}

/// What people have made of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Open,
    Acknowledged,
    Resolved,
    ClosedTruePositive,
    ClosedFalsePositive,
}

/// What somebody does to an alert: all of it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handling {
    pub status: Option<StatusChange>,
    /// Outputs that are told, and of what.
    pub outputs: BTreeSet<String>,
    pub action: DeliveryAction,
}

/// From the status that was seen, so that of two people who change an alert at once one is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusChange {
    pub from: Status,
    pub to: Status,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlert {
    pub alert_id: String,
    pub class: Class,
    pub pack: String,
    pub rule: String,
    pub dedup: String,
    pub title: String,
    pub severity: Severity,
    pub account_id: Option<String>,
    pub status: Status,
    /// The alert that took its matches over, when a late match moved the start back.
    pub superseded_by: Option<String>,
    pub count: u64,
    pub first_ms: i64,
    pub last_ms: i64,
    /// Wall clock when the alert was created.
    pub created_ms: i64,
    /// When it is said to be detected: the same, or what `--now` said.
    pub detected_ms: i64,
    pub routes: Vec<Route>,
    /// The alert as JSON on one line, as it stands now.
    pub json: Vec<u8>,
}

/// Which alerts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Signals, or suppressed ones, instead of what was sent.
    pub class: ClassFilter,
    pub rule: Option<String>,
    /// This severe or worse.
    pub severity: Option<Severity>,
    pub status: Option<Status>,
    /// Created since then.
    pub since_ms: Option<i64>,
    pub limit: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClassFilter {
    #[default]
    Sent,
    Signals,
    Suppressed,
    All,
}
