//! One cell of a group: the matches whose event time falls into one window-long slice of time.
//! Keeps no more than what thresholds, ids and counts need.

use crate::event::{Fingerprint, Identity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Identities kept per cell when the threshold is lower. Counts are exact up to here.
const MIN_IDENTITIES: usize = 100;

/// One match, as far as counting cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub identity: Identity,
    /// Event time, in milliseconds since the Unix epoch.
    pub ms: i64,
    /// Tells the values apart with which a record came.
    pub fingerprint: Fingerprint,
    /// A value that `unique()` returned: then distinct values are counted against the threshold.
    pub unique: Option<String>,
    /// The record was seen before with another value: it counts only where its identity is known to be new.
    pub variant: bool,
}

/// Which match of a cell is the earliest: time, identity, value.
pub type Rank = (i64, Identity, Fingerprint);

impl Sighting {
    pub fn rank(&self) -> Rank {
        (self.ms, self.identity, self.fingerprint)
    }
}

/// `B` is the body: what the alert takes from its earliest match. The order of the fields is that of stored cells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cell<B> {
    pub(crate) count: u64,
    /// Sorted.
    identities: Vec<Identity>,
    /// The earliest event times, ascending; at most as many as the threshold.
    pub(super) times: Vec<i64>,
    /// First and last time per value; at most as many values as the threshold, those that came earliest.
    pub(super) unique: BTreeMap<String, (i64, i64)>,
    pub(crate) last: i64,
    /// The smallest of the matches that came with a body, also of those that count elsewhere.
    earliest: Option<(Rank, B)>,
}

impl<B> Default for Cell<B> {
    fn default() -> Self {
        Self { count: 0, identities: Vec::new(), times: Vec::new(), unique: BTreeMap::new(), last: i64::MIN, earliest: None }
    }
}

impl<B> Cell<B> {
    pub(crate) fn knows(&self, identity: &Identity) -> bool {
        self.identities.binary_search(identity).is_ok()
    }

    /// Time of the earliest match that counts here.
    pub(crate) fn first(&self) -> i64 {
        self.times.first().copied().unwrap_or(self.last)
    }

    pub(crate) fn body(&self) -> Option<&B> {
        self.earliest.as_ref().map(|(_, body)| body)
    }

    /// The alert has its body, and takes no other.
    pub(crate) fn drop_body(&mut self) {
        self.earliest = None;
    }

    /// Counts a match. False if it was counted before.
    pub(crate) fn add(&mut self, sighting: &Sighting, threshold: usize) -> bool {
        let full = self.identities.len() >= threshold.max(MIN_IDENTITIES);
        match self.identities.binary_search(&sighting.identity) {
            Ok(_) => return false,
            Err(_) if full && sighting.variant => return false,
            Err(_) if full => {}
            Err(at) => self.identities.insert(at, sighting.identity),
        }
        self.count_new(sighting, threshold);
        true
    }

    /// Counts a match that is known not to have been counted before.
    pub(crate) fn count_new(&mut self, sighting: &Sighting, threshold: usize) {
        self.count += 1;
        self.last = self.last.max(sighting.ms);
        let at = self.times.partition_point(|&time| time <= sighting.ms);
        if at < threshold {
            self.times.insert(at, sighting.ms);
            self.times.truncate(threshold);
        }
        if let Some(value) = &sighting.unique {
            self.add_unique(value, sighting.ms, threshold);
        }
    }

    /// The cell's alert takes this body if no smaller match has given one.
    pub(crate) fn offer(&mut self, rank: Rank, body: impl FnOnce() -> B) {
        if self.earliest.as_ref().is_none_or(|(earliest, _)| rank < *earliest) {
            self.earliest = Some((rank, body()));
        }
    }

    fn add_unique(&mut self, value: &str, ms: i64, threshold: usize) {
        if let Some((first, last)) = self.unique.get_mut(value) {
            *first = ms.min(*first);
            *last = ms.max(*last);
            return;
        }
        self.unique.insert(value.to_owned(), (ms, ms));
        if self.unique.len() > threshold {
            // A value that is dropped here cannot decide anything: as many others came before it.
            let latest = self.unique.iter().max_by_key(|(value, (first, _))| (*first, *value)).map(|(value, _)| value.clone());
            if let Some(latest) = latest {
                self.unique.remove(&latest);
            }
        }
    }

    /// What counts against the threshold, up to it.
    pub(crate) fn weight(&self) -> usize {
        if self.unique.is_empty() { self.times.len() } else { self.unique.len() }
    }
}
