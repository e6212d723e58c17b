//! How much of the work for a rule is done without Python, as `explain` and `check` put it.

use iota_engine::guard::Guard;
use serde::Serialize;

/// Which records a rule is called on in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reach {
    /// None of the usual shape: the rule cannot match one.
    NoRecord,
    /// Some of those that the index finds.
    Indexed,
    /// Some; every record is looked at natively.
    LookedAt,
    /// Every record.
    EveryRecord,
}

impl Reach {
    pub(super) fn of(guard: &Guard) -> Self {
        match &guard.entries {
            Some(entries) if entries.is_empty() => Self::NoRecord,
            Some(_) => Self::Indexed,
            // Where one way to a match asks nothing of the record, those that take other ways are skipped all the same.
            None if guard.skips => Self::LookedAt,
            None => Self::EveryRecord,
        }
    }

    pub(super) fn is_guarded(self) -> bool {
        matches!(self, Self::NoRecord | Self::Indexed | Self::LookedAt)
    }
}
