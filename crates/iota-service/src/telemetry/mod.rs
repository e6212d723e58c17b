//! Accounting: every record, pair, match and alert ends up in exactly one count.

mod stats;

pub use stats::{ErrorGroup, Inputs, Records, RuleStats, Stats, Times};
