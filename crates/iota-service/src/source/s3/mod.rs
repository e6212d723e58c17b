//! Buckets that CloudTrail delivers to: what is in them, and the bytes of one object.
//! Knows no records, and nothing of what was read before.

mod bucket;
mod discover;
mod fetch;
mod retry;

pub use bucket::{Bucket, BucketConfig, Listed, Location, LocationError, Pages, Reach};
pub use discover::{Branch, Wanted, branches};
pub use fetch::Fetched;

use crate::aws::{AccessError, Fault};
use thiserror::Error;

/// Why something of a bucket could not be had, after all retries.
#[derive(Debug, Error)]
pub enum S3Error {
    #[error(transparent)]
    Access(#[from] AccessError),
    /// `what` is an object or a prefix, as an `s3://` URL.
    #[error("{what}: {}", fault.why)]
    Failed { what: String, fault: Fault },
    #[error("{0}: there is no such object")]
    Missing(String),
    #[error("{0}: was replaced after it was listed")]
    Changed(String),
    #[error("{what}: {why}")]
    Local { what: String, why: std::io::Error },
}

impl S3Error {
    /// The same will happen to every object: credentials, permissions, names, or a service that is down.
    pub fn is_general(&self) -> bool {
        matches!(self, Self::Access(_) | Self::Failed { .. } | Self::Local { .. })
    }
}
