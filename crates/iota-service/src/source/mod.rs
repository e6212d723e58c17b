//! Where input comes from. Yields named streams of bytes; knows nothing of records.

mod directory;
pub mod feed;
mod files;
mod inputs;
mod part;
pub mod s3;

pub use directory::{Directory, From, OpenError};
pub(crate) use files::FileAt;
pub use files::{Data, Found, Input, SourceError, find_inputs};
pub use inputs::Inputs;
pub use part::Part;

/// The beginning of the minute: names of objects say when they were delivered without seconds.
fn minute_of(ms: i64) -> i64 {
    ms.div_euclid(60_000) * 60_000
}
