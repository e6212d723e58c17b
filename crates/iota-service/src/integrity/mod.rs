//! Whether the log files are those that CloudTrail delivered, and all of them: its digest files checked against signatures,
//! each other, the hours that must be covered, and the log files; and which objects were never read.
//! Knows no records.

mod check;
mod gaps;
mod keys;
mod processed;
mod report;
mod store;

pub use check::{Expected, ValidateError, validate};
pub use gaps::{Gap, GapsError, gaps};
pub use keys::{KeyError, PublicKeys};
pub use processed::{Evaluated, Processed};
pub use report::{Code, Finding, Report};
pub use store::{LogStore, StoreError};
