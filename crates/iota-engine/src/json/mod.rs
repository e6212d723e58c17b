//! JSON as CloudTrail uses it: a strict validating scanner over bytes and a small borrowed tree.
//! Knows nothing of records; never builds more than it is asked for.

mod scan;
mod text;
mod value;

pub use scan::{Ignore, MAX_DEPTH, MAX_INTEGER_DIGITS, Members, ScanError, Scanned, Syntax, scan};
pub use text::{escape_into, escape_surrogates, is_space, minify, unescape};
pub use value::Value;
