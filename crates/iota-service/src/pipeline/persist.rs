//! Asks a store again for as long as it may answer later: input waits meanwhile, and nothing is lost.

use iota_engine::store::{Result, StoreError};
use iota_python::Stop;
use std::thread;
use std::time::{Duration, Instant};

/// The first wait; it doubles up to the longest.
const WAIT: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);
/// How often it is said again that the store does not answer.
const SAY: Duration = Duration::from_secs(30);
/// How soon a request to stop is seen.
const TICK: Duration = Duration::from_millis(50);

/// The error of the last attempt when the run is to stop, or when trying again does not help.
pub(super) fn persist<T>(stop: &Stop, mut call: impl FnMut() -> Result<T>) -> Result<T> {
    let (mut wait, mut said) = (WAIT, None::<Instant>);
    loop {
        let error = match call() {
            Ok(done) => {
                if said.is_some() {
                    tracing::warn!("the state can be written again; going on");
                }
                return Ok(done);
            }
            Err(error) if !error.is_retryable() || stop.is_requested() => return Err(error),
            Err(error) => error,
        };
        if said.is_none_or(|at| at.elapsed() >= SAY) {
            said = Some(Instant::now());
            tracing::error!("{error}; {}", consequence(&error));
        }
        // Those that wait for the same thing should not all come back at once.
        let until = Instant::now() + wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        while Instant::now() < until && !stop.is_requested() {
            thread::sleep(TICK.min(until.saturating_duration_since(Instant::now())));
        }
        wait = (wait * 2).min(LONGEST);
    }
}

fn consequence(error: &StoreError) -> &'static str {
    match error {
        StoreError::Full { .. } => "no input is taken until there is room; what was committed is safe",
        _ => "no input is taken until this succeeds; what was committed is safe",
    }
}
