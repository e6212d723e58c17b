//! Where input comes from. Yields named streams of bytes; knows nothing of records.

mod files;
pub mod s3;

pub use files::{Found, Input, SourceError, find_inputs};
