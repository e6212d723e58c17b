//! The request to end a run early, as everything sees it that waits for a worker.

use std::sync::OnceLock;
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
