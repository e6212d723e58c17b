//! What a queue message says: which objects are there to read, an event itself, or nothing that concerns us.
//! Knows shapes only; whether an object is ours, exists or is a log file is decided elsewhere.

mod envelope;
mod key;

pub use envelope::parse;

use std::collections::BTreeSet;

/// Everything that one message holds. A message may be deleted only when `is_understood`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notification {
    pub objects: Vec<ObjectRef>,
    /// Events that came in the message itself (EventBridge), each in a form that the decoder reads.
    pub events: Vec<String>,
    /// Parts that ask for nothing, by kind.
    pub ignored: Vec<Ignored>,
    /// Parts of a kind that is recognised and not supported.
    pub unsupported: BTreeSet<Unsupported>,
    /// Parts of no known shape: what they look like, for one alert per shape.
    pub unknown: BTreeSet<String>,
}

impl Notification {
    /// Nothing in it is left over that somebody has to look at.
    pub fn is_understood(&self) -> bool {
        self.unsupported.is_empty() && self.unknown.is_empty()
    }
}

/// An object that was created.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    pub bucket: String,
    /// The key, and where its encoding is not certain the other way to read it: to be tried in this order. Never empty.
    pub keys: Vec<String>,
    /// Region of the bucket, where the message says one that may be a region: it becomes part of a host name.
    pub region: Option<String>,
    pub etag: Option<String>,
    /// In bytes.
    pub size: Option<u64>,
}

/// Why a part of a message asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// S3 sends one when notifications are set up.
    TestEvent,
    /// CloudTrail sends one when a topic is set up.
    ValidationMessage,
    /// SNS: a subscription was asked for or ended.
    Subscription,
    /// An object was removed, restored, tagged or the like.
    NotCreated,
    /// A list without entries.
    Empty,
    /// An EventBridge event of another source than S3 and CloudTrail.
    OtherEvent,
}

impl Ignored {
    /// A short stable name, for counting.
    pub fn code(self) -> &'static str {
        match self {
            Self::TestEvent => "test_event",
            Self::ValidationMessage => "validation_message",
            Self::Subscription => "subscription",
            Self::NotCreated => "not_created",
            Self::Empty => "empty",
            Self::OtherEvent => "other_event",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unsupported {
    /// OCSF in Parquet: another shape than the records that rules expect.
    SecurityLake,
}

impl Unsupported {
    /// A short stable name, for counting.
    pub fn code(self) -> &'static str {
        match self {
            Self::SecurityLake => "security_lake",
        }
    }
}
