//! `iota ingest`: the objects of CloudTrail's buckets as JSON lines on disk, each record once.
//! Knows no rules and no alerts.

mod config;
mod decode;
mod state;
mod sync;
mod trails;
mod unit;

pub use config::{IngestConfig, IngestConfigError};
pub use state::{Known, State, StateError};
pub use sync::{Counts, Job, Sync, SyncError};
pub use trails::{TrailsError, trails_of_account};
pub use unit::OutputError;
