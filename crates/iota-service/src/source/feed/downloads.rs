//! Who may download. Of one bucket never more than half of what the others leave, so that one that is slow holds up none of
//! them; what each takes in memory counts like their number.

use super::offer::{ROOM_KIB, kib};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Objects that are downloaded at once; of one bucket alone half as many.
const OBJECTS: usize = 64;

/// What downloads hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    objects: usize,
    kib: usize,
}

impl Held {
    fn add(&mut self, other: Self) {
        self.objects += other.objects;
        self.kib += other.kib;
    }

    fn remove(&mut self, other: Self) {
        self.objects -= other.objects;
        self.kib -= other.kib;
    }
}

#[derive(Debug, Default)]
struct State {
    all: Held,
    by_bucket: HashMap<String, Held>,
}

impl State {
    fn take(&mut self, bucket: &str, wanted: Held) -> bool {
        let own = self.by_bucket.get(bucket).copied().unwrap_or_default();
        // The first one of a bucket needs no more than a place.
        let fits = |own: usize, wanted: usize, all: usize, most: usize| {
            let left = most - (all - own);
            own + wanted <= left / 2 || own == 0 && wanted <= left
        };
        let admitted =
            fits(own.objects, wanted.objects, self.all.objects, OBJECTS) && fits(own.kib, wanted.kib, self.all.kib, ROOM_KIB);
        if admitted {
            self.all.add(wanted);
            self.by_bucket.entry(bucket.to_owned()).or_default().add(wanted);
        }
        admitted
    }

    fn give_back(&mut self, bucket: &str, held: Held) {
        self.all.remove(held);
        if let Some(own) = self.by_bucket.get_mut(bucket) {
            own.remove(held);
            if own.objects == 0 {
                self.by_bucket.remove(bucket);
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Downloads {
    state: Mutex<State>,
    changed: Notify,
}

/// Leave to download one object.
#[derive(Debug)]
pub(super) struct Download<'a> {
    downloads: &'a Downloads,
    bucket: &'a str,
    held: Held,
}

impl Drop for Download<'_> {
    fn drop(&mut self) {
        self.downloads.lock().give_back(self.bucket, self.held);
        self.downloads.changed.notify_waiters();
    }
}

impl Downloads {
    /// Waits for the turn of an object that takes so many bytes of memory.
    pub(super) async fn turn<'a>(&'a self, bucket: &'a str, bytes: u64) -> Download<'a> {
        let held = Held { objects: 1, kib: kib(bytes) };
        loop {
            // Before the look, so that no change falls between the two.
            let changed = self.changed.notified();
            if self.lock().take(bucket, held) {
                return Download { downloads: self, bucket, held };
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as come through at once, each of so many bytes.
    fn fill(state: &mut State, bucket: &str, bytes: u64) -> usize {
        (0..OBJECTS * 2).take_while(|_| state.take(bucket, Held { objects: 1, kib: kib(bytes) })).count()
    }

    #[test]
    fn whoever_comes_finds_a_place_however_many_objects_others_have() {
        let mut state = State::default();
        assert_eq!(fill(&mut state, "slow", 1), OBJECTS / 2);
        assert_eq!(fill(&mut state, "also slow", 1), OBJECTS / 4);
        assert!(fill(&mut state, "good", 1) > 0 && fill(&mut state, "another", 1) > 0);
        // What is given back goes to whoever wants it.
        let one = Held { objects: 1, kib: kib(1) };
        (0..OBJECTS / 4).for_each(|_| state.give_back("also slow", one));
        assert!(fill(&mut state, "good", 1) > 0);
        assert_eq!(fill(&mut state, "slow", 1), 0);
    }

    #[test]
    fn large_objects_of_one_bucket_leave_memory_to_others() {
        let mut state = State::default();
        let large = 4 << 20;
        assert_eq!(fill(&mut state, "slow", large), ROOM_KIB / 2 / kib(large));
        assert!(fill(&mut state, "good", large) > 0 && fill(&mut state, "small", 1) > 0);
        assert!(state.all.kib <= ROOM_KIB);
    }

    #[test]
    fn nothing_is_kept_of_a_bucket_that_downloads_nothing() {
        let mut state = State::default();
        let one = Held { objects: 1, kib: kib(1) };
        assert!(state.take("made up", one));
        state.give_back("made up", one);
        assert!(state.by_bucket.is_empty() && state.all == Held::default());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_ends_lets_the_next_one_in() {
        let downloads = Downloads::default();
        let mut taken = Vec::new();
        for _ in 0..OBJECTS / 2 {
            taken.push(downloads.turn("b", 1).await);
        }
        let mut next = Box::pin(downloads.turn("b", 1));
        assert!(tokio::time::timeout(std::time::Duration::from_secs(60), &mut next).await.is_err());
        taken.pop();
        tokio::time::timeout(std::time::Duration::from_secs(60), next).await.unwrap();
    }
}
