//! What wakes the loop of `watch`: told from other threads, however often, and kept in bounded memory until the loop looks.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Paths that wait at most; when more have changed, all is looked through.
const PATHS: usize = 10_000;

/// What wakes the loop.
#[derive(Debug, PartialEq, Eq)]
pub enum Wake {
    /// These have changed.
    Changed(Vec<PathBuf>),
    /// Something has changed, and it is not known what.
    Rescan,
    /// A source has something to take, or has ended.
    Ready,
    /// Somebody asks for the rules to be read again.
    Reload,
    /// They were.
    Loaded,
    /// Somebody asks for an end.
    Stop,
}

/// In the order in which they are heard.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Stop,
    Reload,
    Loaded,
    Rescan,
    Changed,
    Ready,
}

/// Each kind once, however often it was told.
#[derive(Debug, Default)]
struct Told {
    kinds: BTreeSet<Kind>,
    changed: BTreeSet<PathBuf>,
}

impl Told {
    fn note(&mut self, wake: Wake) {
        self.kinds.insert(match wake {
            Wake::Stop => Kind::Stop,
            Wake::Reload => Kind::Reload,
            Wake::Loaded => Kind::Loaded,
            Wake::Rescan => Kind::Rescan,
            Wake::Ready => Kind::Ready,
            Wake::Changed(paths) => {
                self.changed.extend(paths);
                Kind::Changed
            }
        });
        if self.kinds.contains(&Kind::Rescan) || self.changed.len() > PATHS {
            self.kinds.remove(&Kind::Changed);
            self.changed.clear();
            self.kinds.insert(Kind::Rescan);
        }
    }

    fn next(&mut self) -> Option<Wake> {
        Some(match self.kinds.pop_first()? {
            Kind::Stop => Wake::Stop,
            Kind::Reload => Wake::Reload,
            Kind::Loaded => Wake::Loaded,
            Kind::Rescan => Wake::Rescan,
            Kind::Changed => Wake::Changed(std::mem::take(&mut self.changed).into_iter().collect()),
            Kind::Ready => Wake::Ready,
        })
    }
}

#[derive(Debug, Default)]
struct Shared {
    told: Mutex<Told>,
    woken: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes a loop from elsewhere.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    pub fn wake(&self, wake: Wake) {
        self.0.lock().note(wake);
        self.0.woken.notify_one();
    }
}

/// The side of the loop.
#[derive(Debug)]
pub struct Wakes(Arc<Shared>);

impl Wakes {
    /// What has been told.
    pub(super) fn now(&self) -> Option<Wake> {
        self.0.lock().next()
    }

    /// Waits until something is told, or until then.
    pub(super) fn until(&self, until: Instant) -> Option<Wake> {
        let mut told = self.0.lock();
        loop {
            let wake = told.next();
            let left = until.saturating_duration_since(Instant::now());
            if wake.is_some() || left.is_zero() {
                return wake;
            }
            told = self.0.woken.wait_timeout(told, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

pub fn wakes() -> (Waker, Wakes) {
    let shared = Arc::new(Shared::default());
    (Waker(Arc::clone(&shared)), Wakes(shared))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    fn paths(numbers: std::ops::Range<usize>) -> Vec<PathBuf> {
        numbers.map(|number| PathBuf::from(format!("{number:06}"))).collect()
    }

    #[test]
    fn what_is_told_often_is_heard_once_and_nothing_is_forgotten() {
        let (waker, woken) = wakes();
        for number in 0..100 {
            waker.wake(Wake::Ready);
            waker.wake(Wake::Changed(paths(number % 3..number % 3 + 1)));
        }
        waker.wake(Wake::Reload);
        assert_eq!(woken.now(), Some(Wake::Reload));
        assert_eq!(woken.now(), Some(Wake::Changed(paths(0..3))));
        assert_eq!((woken.now(), woken.now()), (Some(Wake::Ready), None));
        for number in 0..3 {
            waker.wake(Wake::Changed(paths(number * PATHS..number * PATHS + PATHS)));
            assert!(woken.0.lock().changed.len() <= PATHS);
        }
        waker.wake(Wake::Stop);
        assert_eq!((woken.now(), woken.now(), woken.now()), (Some(Wake::Stop), Some(Wake::Rescan), None));
    }

    #[test]
    fn a_loop_that_waits_is_woken() {
        let (waker, woken) = wakes();
        let waiting = thread::spawn(move || woken.until(Instant::now() + Duration::from_secs(600)));
        waker.wake(Wake::Ready);
        assert_eq!(waiting.join().unwrap(), Some(Wake::Ready));
        let (_, woken) = wakes();
        assert_eq!(woken.until(Instant::now()), None);
    }
}
