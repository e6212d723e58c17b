//! Accounting: every record, pair, match, alert, message and object ends up in exactly one count.

mod sources;
mod stats;

pub use sources::{Messages, Objects, QueueDepth, Sources};
pub use stats::{DeliveryCounts, ErrorGroup, Inputs, Records, RuleStats, Stats, Times};
