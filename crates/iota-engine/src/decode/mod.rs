//! Bytes to records. Accepts every shape in which CloudTrail hands out events, plain or gzip, told by content.
//! Knows nothing of rules: whether a record is accepted never depends on what will be done with it.

mod buffer;
mod classify;
mod deflate;
mod inflate;
mod outline;
mod skip;
mod split;
mod whole;

pub use classify::{Service, Skip};
pub use outline::{Fields, Member, Span};
pub use split::Decoder;
pub use whole::Whole;

use crate::json::Syntax;
use thiserror::Error;

/// Sizes above which input is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest record, in bytes. CloudTrail's own limit is 256 KB (1 MB in event data stores).
    pub max_record: usize,
    /// Most bytes that one gzip input may inflate to.
    pub max_inflated: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // 16 GiB: a legal 50 MB object inflates to about 1 GB; what is more is taken for a bomb.
        Self { max_record: 16 << 20, max_inflated: 16 << 30 }
    }
}

/// Where in its input something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Ordinal of the record in its input, from 1. Rejected and skipped ones count.
    pub number: u64,
    /// Line in the inflated input, from 1.
    pub line: u64,
    /// Byte offset in the inflated input, from 0.
    pub offset: u64,
}

/// One accepted record.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its bytes: one valid JSON object in UTF-8, as it stood in the input.
    pub raw: &'a [u8],
    pub fields: Fields,
    /// All its top-level members in document order, duplicates included.
    pub members: &'a [Member],
    pub position: Position,
}

/// What `Decoder::next` found.
#[derive(Debug)]
pub enum Item<'a> {
    Record(Record<'a>),
    Rejected(Reject),
    Skipped(Skip, Position),
}

/// Something that could not be read as a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub reason: RejectReason,
    pub position: Position,
    /// Its inflated bytes, from the position on; at most `REJECT_BYTES`. Empty when the input itself is damaged.
    pub bytes: Vec<u8>,
}

/// As much of a rejected record as is kept: enough to see what it is.
pub const REJECT_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RejectReason {
    #[error("{0}")]
    Syntax(#[from] Syntax),
    #[error("not JSON")]
    NotJson,
    #[error("the input ends inside a record")]
    Truncated,
    #[error("the gzip data ends early; what came before the cut was read")]
    TruncatedGzip,
    #[error("the gzip data is corrupt; what came before was read")]
    CorruptGzip,
    #[error("inflates to more than {limit} bytes (max_inflated); the rest was not read")]
    Bomb { limit: u64 },
    #[error("larger than {limit} bytes (max_record)")]
    TooLarge { limit: usize },
    #[error("a record must be a JSON object")]
    NotAnObject,
    #[error("`{0}` must be an array of records")]
    NotAnArray(&'static str),
    #[error("a list of records inside a list of records")]
    NestedList,
    #[error("{0} is not a format iota reads")]
    Format(&'static str),
}

impl RejectReason {
    /// Not about one record: what stands behind it in the input could not be read.
    pub fn is_of_input(&self) -> bool {
        matches!(self, Self::Truncated | Self::TruncatedGzip | Self::CorruptGzip | Self::Bomb { .. } | Self::Format(_))
    }

    /// A short stable name, for counting.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax(Syntax::NotFinite) => "not_finite",
            Self::Syntax(Syntax::Overflow) => "number_overflow",
            Self::Syntax(Syntax::IntegerTooLong) => "integer_too_long",
            Self::Syntax(Syntax::TooDeep) => "too_deep",
            Self::Syntax(Syntax::Utf8) => "invalid_utf8",
            Self::Syntax(_) => "invalid_json",
            Self::NotJson => "not_json",
            Self::Truncated => "truncated",
            Self::TruncatedGzip => "truncated_gzip",
            Self::CorruptGzip => "corrupt_gzip",
            Self::Bomb { .. } => "inflated_too_large",
            Self::TooLarge { .. } => "record_too_large",
            Self::NotAnObject => "not_an_object",
            Self::NotAnArray(_) => "not_an_array",
            Self::NestedList => "nested_list",
            Self::Format(_) => "unsupported_format",
        }
    }
}
