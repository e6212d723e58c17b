//! Deliveries: one alert on its way to one output.

use serde::{Deserialize, Serialize};

/// Names a delivery. `revision` tells apart what is sent of one alert to one output: 0 is its creation, n the update at
/// count n; re-sends, acknowledgements and resolutions are numbered downwards from -1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct DeliveryId {
    pub alert_id: String,
    pub output: String,
    pub revision: i64,
}

/// What the output is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryAction {
    Create,
    Update,
    Acknowledge,
    Resolve,
}

impl DeliveryAction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Pending,
    Delivered,
    /// Held back by the storm limit; told in a summary, and listed.
    Limited,
    /// Could not be delivered, and is not tried again by itself.
    Dead,
    /// A dead delivery that somebody gave up.
    Dropped,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub id: DeliveryId,
    /// Id that outputs know the alert by: its own, or that of the first alert of those that took over from one another,
    /// which is the one that was told as new.
    pub known_as: String,
    pub action: DeliveryAction,
    pub state: DeliveryState,
    pub pack: String,
    pub rule: String,
    pub severity: crate::alert::Severity,
    /// Somebody asked for it: a re-send, a redriven dead letter. No limit holds it back.
    pub asked: bool,
    /// Attempts that were made before.
    pub attempts: u32,
    pub created_ms: i64,
    /// When it is to be tried next.
    pub due_ms: i64,
    /// Of the last attempt.
    pub last_error: Option<String>,
    /// Fencing token of the lease: changes with every lease, so that a caller whose lease ran out settles nothing.
    pub token: i64,
    /// The alert as JSON on one line, with the `action` of this delivery.
    pub json: Vec<u8>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    Delivered,
    /// Try again then. `counts` is false when the attempt says nothing of this delivery (the output is closed to all).
    Retry {
        due_ms: i64,
        why: String,
        counts: bool,
    },
    Limited,
    Dead {
        why: String,
    },
}

impl Settled {
    /// The state that a delivery is in from then on.
    pub fn state(&self) -> DeliveryState {
        match self {
            Self::Delivered => DeliveryState::Delivered,
            Self::Retry { .. } => DeliveryState::Pending,
            Self::Limited => DeliveryState::Limited,
            Self::Dead { .. } => DeliveryState::Dead,
        }
    }

    /// What went wrong.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Delivered | Self::Limited => None,
            Self::Retry { why, .. } | Self::Dead { why } => Some(why),
        }
    }

    /// It was an attempt.
    pub fn counts(&self) -> bool {
        match self {
            Self::Delivered | Self::Dead { .. } => true,
            Self::Retry { counts, .. } => *counts,
            Self::Limited => false,
        }
    }
}

/// What became of an output's deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    pub output: String,
    pub pending: u64,
    pub delivered: u64,
    pub limited: u64,
    pub dead: u64,
    pub dropped: u64,
    /// When the oldest pending delivery was added.
    pub oldest_pending_ms: Option<i64>,
}

/// Deliveries of one rule's alerts to one output that the storm limit held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited {
    pub output: String,
    pub pack: String,
    pub rule: String,
    pub count: u64,
}

/// Which dead deliveries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadFilter {
    pub output: Option<String>,
    pub alert_id: Option<String>,
    pub limit: Option<usize>,
}
