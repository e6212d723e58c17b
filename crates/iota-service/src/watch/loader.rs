//! Reads the rules again beside the loop, which goes on with those that it has: a pack may take minutes to load.

use super::wakes::{Wake, Waker};
use super::{Load, RuleSet};
use crate::pipeline::Stop;
use crate::watch::NotTaken;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

type Loaded = Result<RuleSet, NotTaken>;

/// One load at a time, of the files as they are last. Whoever drops it gives up what is under way.
#[derive(Debug)]
pub(super) struct Loader {
    asks: Sender<Arc<Stop>>,
    loaded: Receiver<Loaded>,
    under_way: Option<Loading>,
    /// Asked for while another one was under way, and why.
    next: Option<&'static str>,
}

#[derive(Debug)]
struct Loading {
    why: &'static str,
    stop: Arc<Stop>,
}

impl Loader {
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, load: &'scope mut Load<'_>, waker: Waker) -> Self {
        let (asks, asked) = channel();
        let (give, loaded) = channel();
        scope.spawn(move || {
            for stop in asked {
                if give.send(load(&stop)).is_err() {
                    return;
                }
                waker.wake(Wake::Loaded);
            }
        });
        Self { asks, loaded, under_way: None, next: None }
    }

    /// What is under way is given up for it.
    pub(super) fn ask(&mut self, why: &'static str) {
        if let Some(Loading { stop, .. }) = &self.under_way {
            stop.request();
            self.next = Some(why);
            return;
        }
        tracing::info!("{why}: reading the rules again; those that run go on meanwhile");
        let stop = Arc::new(Stop::default());
        self.asks.send(Arc::clone(&stop)).expect("it loads until this is dropped");
        self.under_way = Some(Loading { why, stop });
    }

    /// What has been loaded, and why.
    pub(super) fn take(&mut self) -> Option<(&'static str, Loaded)> {
        let loaded = self.loaded.try_recv().ok()?;
        let loading = self.under_way.take()?;
        if let Some(why) = self.next.take() {
            self.ask(why);
            // It was given up, unless it had come to its end by then: whoever loads has taken note of those rules.
            if loaded.is_err() {
                return None;
            }
        }
        Some((loading.why, loaded))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        if let Some(Loading { stop, .. }) = &self.under_way {
            stop.request();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::wakes;
    use iota_engine::decode::Limits;
    use jiff::Timestamp;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    fn not_taken(number: u32) -> Loaded {
        Err(NotTaken { why: number.to_string(), alerts: Vec::new(), files: None })
    }

    /// Why it was loaded, and why it is not taken, where it is not.
    fn wait(loader: &mut Loader, woken: &super::super::Wakes) -> (&'static str, Option<String>) {
        loop {
            if let Some((why, loaded)) = loader.take() {
                return (why, loaded.err().map(|not_taken| not_taken.why));
            }
            assert_eq!(woken.until(Instant::now() + Duration::from_secs(60)), Some(Wake::Loaded));
        }
    }

    #[test]
    fn what_is_under_way_is_given_up_for_what_is_newer_and_at_an_end() {
        let (waker, woken) = wakes();
        let begun = AtomicU32::new(0);
        // The first and the last one never come to an end by themselves.
        let mut load = |stop: &Arc<Stop>| {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            while number != 1 && !stop.is_requested() {
                thread::sleep(Duration::from_millis(1));
            }
            not_taken(number)
        };
        thread::scope(|scope| {
            let mut loader = Loader::start(scope, &mut load, waker);
            loader.ask("first");
            assert!(loader.take().is_none());
            loader.ask("second");
            loader.ask("third");
            assert_eq!(wait(&mut loader, &woken), ("third", Some("1".to_owned())));
            assert!(loader.take().is_none());
            loader.ask("last");
        });
        assert_eq!(begun.load(Ordering::Relaxed), 3);
    }

    /// Whoever has loaded it takes note of what is wrong with it, and compares what is newer with that.
    #[test]
    fn what_has_come_to_its_end_is_taken_before_what_is_newer() {
        let (waker, woken) = wakes();
        let mut first = true;
        let mut load = |stop: &Arc<Stop>| {
            if !std::mem::take(&mut first) {
                return not_taken(1);
            }
            while !stop.is_requested() {
                thread::sleep(Duration::from_millis(1));
            }
            let (limits, triage, read_at) = (Limits::default(), Arc::default(), Timestamp::UNIX_EPOCH);
            Ok(RuleSet { packs: Vec::new(), limits, triage, files: Vec::new(), read_at })
        };
        thread::scope(|scope| {
            let mut loader = Loader::start(scope, &mut load, waker);
            loader.ask("first");
            loader.ask("second");
            assert_eq!(wait(&mut loader, &woken), ("first", None));
            assert_eq!(wait(&mut loader, &woken), ("second", Some("1".to_owned())));
        });
    }
}
