//! `iota ingest`: the objects of CloudTrail's buckets as JSON lines on disk, each record once.
//! Knows no rules and no alerts.

mod config;
mod decode;
mod lister;
mod state;
mod sync;
mod unit;

pub use config::{IngestConfig, IngestConfigError, TrailConfig};
pub use lister::{Files, Range, Source};
pub use state::{Known, State, StateError};
pub use unit::OutputError;
pub use sync::{Counts, Job, Sync, SyncError};
