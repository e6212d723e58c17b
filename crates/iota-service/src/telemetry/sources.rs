//! What came through sources that work beside the pipeline.

use serde::Serialize;
use std::collections::BTreeMap;

/// Counts of one process.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Sources {
    pub messages: Messages,
    pub objects: Objects,
    /// By URL, where a queue says so.
    pub queues: BTreeMap<String, QueueDepth>,
}

/// Messages of a queue, about, when it was asked last: at most a minute before.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct QueueDepth {
    pub visible: u64,
    /// Received by somebody and not yet deleted.
    pub in_flight: u64,
}

/// Messages of queues: received = deleted + returned + left + undeleted + `in_work`. One that is received twice counts twice.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Messages {
    pub received: u64,
    /// All that they asked for is done and committed.
    pub deleted: u64,
    /// To be received again: something of them could not be read now.
    pub returned: u64,
    /// Not deleted, because somebody has to look at them: of unknown or unsupported shape, about a bucket that is not to be
    /// read or an object that cannot be decoded.
    pub left: u64,
    /// All that they asked for is done, and they could not be deleted: they come again, and ask for nothing.
    pub undeleted: u64,
    /// Received, and not yet any of these.
    pub in_work: u64,
    /// Requests for messages that failed.
    pub receive_errors: u64,
    /// Events that came in the message itself.
    pub events: u64,
    /// Parts of messages that ask for nothing, by kind.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Parts of messages of no known shape.
    pub unknown: u64,
    /// Parts of messages of a kind that is known and not supported.
    pub unsupported: BTreeMap<&'static str, u64>,
}

/// Objects that messages and lists named: named = read + `already_finished` + skipped + returned + left + `in_work`. One that
/// is named twice counts twice.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Objects {
    pub named: u64,
    pub read: u64,
    /// Read before, by what the state says.
    pub already_finished: u64,
    /// Not to be read, by their names or times.
    pub skipped: u64,
    pub skipped_by_reason: BTreeMap<&'static str, u64>,
    /// Not read now, and to be tried again.
    pub returned: u64,
    /// Not read, because somebody has to look at them.
    pub left: u64,
    pub in_work: u64,
}

impl Sources {
    /// The first identity that does not hold, if one does not.
    pub(super) fn imbalance(&self) -> Option<String> {
        let Messages { received, deleted, returned, left, undeleted, in_work, .. } = &self.messages;
        if *received != deleted + returned + left + undeleted + in_work {
            return Some(format!("messages do not add up: {:?}", self.messages));
        }
        let Objects { named, read, already_finished, skipped, skipped_by_reason, returned, left, in_work } = &self.objects;
        if *named != read + already_finished + skipped + returned + left + in_work
            || *skipped != skipped_by_reason.values().sum::<u64>()
        {
            return Some(format!("objects do not add up: {:?}", self.objects));
        }
        None
    }
}
