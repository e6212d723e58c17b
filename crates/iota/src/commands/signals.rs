//! Signals of commands that can stop between two objects.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the first signal; the second ends the process at once.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    pub(super) stop: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn watch() -> io::Result<Self> {
        let (stop, terminated) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        signal_hook::flag::register(SIGTERM, Arc::clone(&terminated))?;
        Ok(Self { stop, terminated })
    }

    /// The number of the signal that came, if one did.
    pub(super) fn received(&self) -> Option<u8> {
        let signal = if self.terminated.load(Ordering::Relaxed) { SIGTERM } else { SIGINT };
        self.stop.load(Ordering::Relaxed).then(|| u8::try_from(signal).unwrap_or_default())
    }
}
