//! Requests to end work early, as everything sees them that waits for a worker: of a run, and of a single piece of work.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long work that is under way may go on after the request: enough to evaluate what was read, unless a rule loops.
const GRACE: Duration = Duration::from_secs(1);

/// Shared by whoever asks and whoever has to end.
#[derive(Debug, Default)]
pub struct Stop(OnceLock<Instant>);

impl Stop {
    /// Asks for the end. Asking again changes nothing.
    pub fn request(&self) {
        self.0.get_or_init(Instant::now);
    }

    /// Nothing new is to be begun.
    pub fn is_requested(&self) -> bool {
        self.0.get().is_some()
    }

    /// What is under way is to be given up, too.
    pub fn is_over(&self) -> bool {
        self.0.get().is_some_and(|asked| asked.elapsed() >= GRACE)
    }
}

/// Asks for the end of one piece of work, that nobody waits for any longer.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
