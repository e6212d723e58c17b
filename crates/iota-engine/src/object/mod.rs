//! What the names of objects in a log bucket say: which service wrote them, for which account, region and day.
//! Looks at names only, never at content; the decoder decides what an object holds.

mod day;
mod digest_file;
mod key;

pub use day::Day;
pub use digest_file::{DigestFile, DigestFileError, LogFile};
pub use key::{DigestName, Kind, LogKey, Object, Root, is_account, is_organization};
