//! How long the engine waits for a worker: for each of its steps, for all of them together, and no longer than the run
//! itself is to last.

use crate::stop::{Cancel, Stop};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Why the engine waited no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Over {
    /// One step: a rule on one record, or the import of one rule.
    #[error("it ran longer than {0:?} and was stopped")]
    Step(Duration),
    /// All steps of a batch or a load.
    #[error("the work as a whole took longer than {0:?} and was stopped")]
    All(Duration),
    #[error("iota was asked to end")]
    Stopped,
    #[error("nobody waits for it any longer")]
    Cancelled,
}

/// The patience with one piece of work.
#[derive(Debug)]
pub(crate) struct Patience<'a> {
    stop: &'a Stop,
    cancel: Option<&'a Cancel>,
    /// Where the worker notes the step it is at.
    progress: Option<&'a File>,
    at: u64,
    /// Rules can write there as well: no more steps are believed than there are.
    steps: u64,
    each: Duration,
    each_ends: Instant,
    all: Duration,
    all_ends: Instant,
}

impl<'a> Patience<'a> {
    /// `each` is for each of the `steps` that `progress` tells of, `all` for the whole.
    pub(crate) fn new(stop: &'a Stop, progress: &'a File, steps: u64, each: Duration, all: Duration) -> Self {
        let now = Instant::now();
        Self {
            stop,
            cancel: None,
            progress: Some(progress),
            at: read_progress(progress),
            steps,
            each,
            each_ends: now + each,
            all,
            all_ends: now + all,
        }
    }

    /// For work that is one step.
    pub(crate) fn once(stop: &'a Stop, time: Duration) -> Self {
        let ends = Instant::now() + time;
        Self { stop, cancel: None, progress: None, at: 0, steps: 0, each: time, each_ends: ends, all: time, all_ends: ends }
    }

    /// It also ends when this says so.
    pub(crate) fn until(self, cancel: &'a Cancel) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// Whether the wait has lasted too long.
    pub(crate) fn over(&mut self) -> Option<Over> {
        let now = Instant::now();
        if let Some(at) = self.progress.map(read_progress)
            && at != self.at
            && self.steps > 0
        {
            self.at = at;
            self.steps -= 1;
            self.each_ends = now + self.each;
        }
        if self.stop.is_over() {
            Some(Over::Stopped)
        } else if self.cancel.is_some_and(Cancel::is_cancelled) {
            Some(Over::Cancelled)
        } else if now >= self.each_ends {
            Some(Over::Step(self.each))
        } else {
            (now >= self.all_ends).then_some(Over::All(self.all))
        }
    }
}

/// The number of the step that the worker is at, from 1; 0 when idle.
pub(crate) fn read_progress(file: &File) -> u64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, 0).map_or(0, |()| u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    const STEP: Duration = Duration::from_millis(200);

    fn note(progress: &File, step: u64) {
        progress.write_all_at(&step.to_le_bytes(), 0).expect("written");
    }

    #[test]
    fn each_step_has_its_own_time_and_the_whole_an_end() {
        let (stop, progress) = (Stop::default(), tempfile::tempfile().expect("a file"));
        let all = STEP * 10;
        let mut patience = Patience::new(&stop, &progress, 1_000, STEP, all);
        let over = (1..).find_map(|step| {
            note(&progress, step);
            let over = patience.over();
            sleep(STEP / 2);
            over
        });
        assert_eq!(over, Some(Over::All(all)), "many steps may take longer than one, and none of them is to blame");
        let mut patience = Patience::new(&stop, &progress, 2, STEP, all);
        let begun = patience.each_ends;
        for step in [7, 3] {
            note(&progress, step);
            patience.over();
        }
        let ends = patience.each_ends;
        assert!(ends >= begun);
        for step in [7, 8, u64::MAX] {
            note(&progress, step);
            patience.over();
            assert_eq!(patience.each_ends, ends, "there are no more than two steps");
        }
        sleep(ends.saturating_duration_since(Instant::now()));
        assert_eq!(patience.over(), Some(Over::Step(STEP)));
    }

    #[test]
    fn an_end_that_was_asked_for_leaves_a_moment() {
        let stop = Stop::default();
        let mut patience = Patience::once(&stop, Duration::from_secs(60));
        stop.request();
        assert!(stop.is_requested());
        assert_eq!(patience.over(), None);
        sleep(Duration::from_millis(1100));
        assert_eq!(patience.over(), Some(Over::Stopped));
    }
}
