//! What sources have counted, for whoever writes the accounting while they go on.

use crate::telemetry::{Messages, Objects, QueueDepth, Sources};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Sources>);

impl Tally {
    pub(super) fn messages(&self, count: impl FnOnce(&mut Messages)) {
        count(&mut self.lock().messages);
    }

    pub(super) fn objects(&self, count: impl FnOnce(&mut Objects)) {
        count(&mut self.lock().objects);
    }

    pub(super) fn queue(&self, url: &str, depth: QueueDepth) {
        self.lock().queues.insert(url.to_owned(), depth);
    }

    /// As it is now.
    pub(super) fn sources(&self) -> Sources {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Sources> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
