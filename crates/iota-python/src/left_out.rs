//! What of a pack is not run for now, and how long others have waited for it.

use crate::process::StartError;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// What a pack may take for one batch without anybody minding: a batch of the shipped rules takes a hundredth of it.
const FREE: Duration = Duration::from_millis(250);
/// Beyond that, others wait for a pack for this part of the time, and so long before it is paused: enough for three rules,
/// each of which is paused when it has run into its deadline ten times.
const SHARE: u32 = 10;
const MOST: Duration = Duration::from_secs(60);

/// Shared by the runners of a pack. Decided by whoever sees their results in input order, so that the decision does not
/// depend on how many runners there are. Only that no worker starts, and that others wait too long, is found out here, for
/// all of them.
#[derive(Debug, Default)]
pub struct LeftOut(RwLock<Left>);

#[derive(Debug, Default)]
struct Left {
    rules: BTreeSet<u16>,
    /// All of them.
    pack: bool,
    /// No worker is started. Who has one goes on.
    no_starts: bool,
    /// Why, until somebody was told.
    why: Option<String>,
    /// How long others have waited, less what the time since then makes up for.
    waited: Duration,
    at: Option<Instant>,
}

impl LeftOut {
    pub fn add(&self, rule: u16) {
        self.write().rules.insert(rule);
    }

    pub fn remove(&self, rule: u16) {
        self.write().rules.remove(&rule);
    }

    pub fn add_pack(&self) {
        self.write().pack = true;
    }

    /// Its rules are run again, but for those that are left out themselves, and workers are started again.
    pub fn remove_pack(&self) {
        let mut left = self.write();
        (left.pack, left.no_starts, left.why) = (false, false, None);
    }

    /// Others have waited so long for one batch. Says why the pack is to be paused, when that is too much.
    pub fn waited_for(&self, time: Duration, now: Instant) -> Option<String> {
        let mut left = self.write();
        let since = left.at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        left.waited = (left.waited.saturating_sub(since / SHARE) + time.saturating_sub(FREE)).min(MOST);
        left.pack |= left.waited == MOST;
        left.pack.then(|| format!("other packs have waited for its rules for {MOST:?}"))
    }

    pub(crate) fn holds(&self, rule: u16) -> bool {
        let left = self.read();
        left.pack || left.rules.contains(&rule)
    }

    pub(crate) fn may_start(&self) -> bool {
        !self.read().no_starts
    }

    pub(crate) fn no_start(&self, error: &StartError) {
        let mut left = self.write();
        left.no_starts = true;
        left.why = Some(format!("no worker can be started, its rules are not run: {error}"));
    }

    pub(crate) fn take_why(&self) -> Option<String> {
        self.write().why.take()
    }

    fn read(&self) -> RwLockReadGuard<'_, Left> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Left> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_is_paused_when_others_wait_for_more_than_a_part_of_the_time() {
        let (left, start) = (LeftOut::default(), Instant::now());
        let second = Duration::from_secs(1);
        // An hour of batches that take long, but not too long.
        for n in 0..14_400 {
            assert_eq!(left.waited_for(FREE, start + FREE * n), None);
        }
        let start = start + second * 3_600;
        // A second in every ten, for an hour, is what it may take.
        for n in 0..360 {
            assert_eq!(left.waited_for(FREE + second, start + second * 10 * n), None);
        }
        let start = start + second * 3_600;
        let paused = (0..100).find(|n| left.waited_for(FREE + second * 5, start + second * 5 * *n).is_some());
        assert!(matches!(paused, Some(12..=14)), "{paused:?}");
        assert!(left.holds(7));
        left.remove_pack();
        assert!(!left.holds(7));
        // A minute later it has six seconds.
        let later = start + second * 125;
        assert_eq!(left.waited_for(FREE + second * 5, later), None);
        assert!(left.waited_for(FREE + second * 5, later + second).is_some());
    }
}
