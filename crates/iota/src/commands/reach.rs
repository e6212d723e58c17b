//! How much of the work for a rule is done without Python, as `explain` and `check` put it.

use iota_engine::guard::Guard;
use iota_engine::rule::{Code, Rule};
use serde::Serialize;

/// Which records reach the Python of a rule.
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
    /// Every record: there is no Python whose source could be read.
    Expressions,
}

impl Reach {
    pub(super) fn of(rule: &Rule, guard: &Guard) -> Self {
        match (&rule.code, &guard.entries) {
            (Code::Detection(_), _) => Self::Expressions,
            (_, Some(entries)) if entries.is_empty() => Self::NoRecord,
            (_, Some(_)) => Self::Indexed,
            // Where one way to a match asks nothing of the record, those that take other ways are skipped all the same.
            (_, None) if guard.skips => Self::LookedAt,
            (_, None) => Self::EveryRecord,
        }
    }

    pub(super) fn is_guarded(self) -> bool {
        matches!(self, Self::NoRecord | Self::Indexed | Self::LookedAt)
    }
}
