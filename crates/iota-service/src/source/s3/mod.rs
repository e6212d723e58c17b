//! Buckets that CloudTrail delivers to: what is in them, and the bytes of one object.
//! Knows no records, and nothing of what was read before.

mod batch;
mod bucket;
mod buckets;
mod discover;
mod fetch;
mod lister;
mod object_list;
mod retry;
mod trail;

pub use batch::{Batch, BatchObject, Objects, Remote};
pub use bucket::{Bucket, Listed, Location, LocationError, Pages, Reach};
pub use buckets::Buckets;
pub use discover::{Branch, Discovered, Wanted, discover};
pub use fetch::{Fetched, Spool};
pub(crate) use lister::list_ahead;
pub use lister::{Files, Range, Source};
pub use object_list::ObjectList;
pub(crate) use retry::{Pace, patiently};
pub use trail::TrailConfig;

use crate::aws::{AccessError, Fault, Verdict};
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
    #[error("{0}: is in an archive storage class and has to be restored first")]
    Archived(String),
    #[error("{what}: is larger than {most} bytes")]
    TooLarge { what: String, most: u64 },
    #[error("{what}: {why}")]
    Local { what: String, why: std::io::Error },
}

impl S3Error {
    /// The same will happen to every object: credentials, permissions, names, or a service that is down.
    pub fn is_general(&self) -> bool {
        matches!(self, Self::Access(_) | Self::Failed { .. } | Self::Local { .. })
    }

    /// Nothing has to be changed for it to work again: a service that is slow or down.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Failed { fault, .. } if fault.verdict == Verdict::Retry)
    }

    /// Without `s3:ListBucket` this is also what a missing object gives.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Failed { fault, .. } if fault.code.as_deref() == Some("AccessDenied"))
    }
}
