//! What the engine itself reads from a record: who, when, where, and which record it is.
//! Knows nothing of rules.

mod identity;
mod summary;
mod time;

/// The log type of the records iota reads.
pub const LOG_TYPE: &str = "AWS.CloudTrail";

pub use identity::{Fingerprint, Identity};
pub use summary::Summary;
pub use time::{EventTime, MAX_FUTURE_MS, event_time, format_ms, parse_ms};
