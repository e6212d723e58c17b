//! How many workers there were, counted by all that start them.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of a process; each only grows.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    started: AtomicU64,
    died: AtomicU64,
    failed: AtomicU64,
}

impl WorkerCounts {
    /// That have loaded their pack.
    pub fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// That ended at work, or had to be ended.
    pub fn died(&self) -> u64 {
        self.died.load(Ordering::Relaxed)
    }

    /// That did not start, or did not load their pack.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn has_started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn has_died(&self) {
        self.died.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn has_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}
