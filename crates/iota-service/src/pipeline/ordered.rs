//! What several threads make of the parts of the input, on its way to one consumer who wants it part by part, in order.
//! Bounded in bytes. Knows nothing of what the items are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that may wait for the consumer: a few chunks per thread.
const WAITING_BYTES: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct Ordered<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// By part; each item with its size.
    waiting: BTreeMap<u64, VecDeque<(T, usize)>>,
    /// The part that the consumer is at.
    current: u64,
    bytes: usize,
    producers: usize,
    closed: bool,
}

impl<T> Ordered<T> {
    pub(super) fn new(producers: usize) -> Self {
        let state = State { waiting: BTreeMap::new(), current: 0, bytes: 0, producers, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds to a part; waits while too much is waiting. False when nothing is wanted any more.
    pub(super) fn put(&self, part: u64, item: T, size: usize) -> bool {
        let mut state = self.lock();
        loop {
            // The part that the consumer is at always gets one item through, however full it is with later parts.
            let awaited = part == state.current && !state.waiting.contains_key(&part);
            if state.closed || awaited || state.bytes + size <= WAITING_BYTES {
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.bytes += size;
        state.waiting.entry(part).or_default().push_back((item, size));
        self.changed.notify_all();
        true
    }

    /// The next item of the part the consumer is at. `None` when no producer is left.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            let current = state.current;
            if let Some(items) = state.waiting.get_mut(&current) {
                let item = items.pop_front();
                if items.is_empty() {
                    state.waiting.remove(&current);
                }
                if let Some((item, size)) = item {
                    state.bytes -= size;
                    self.changed.notify_all();
                    return Some(item);
                }
            } else if state.producers == 0 {
                return None;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// The consumer has the whole part it is at.
    pub(super) fn next_part(&self) {
        self.lock().current += 1;
        self.changed.notify_all();
    }

    /// To be held by each producer as long as it puts.
    pub(super) fn producer(&self) -> impl Drop {
        OnDrop(|| {
            let mut state = self.lock();
            state.producers -= 1;
            // The others would wait for the part that this one leaves behind.
            state.closed |= std::thread::panicking();
            self.changed.notify_all();
        })
    }

    /// To be held by the consumer as long as it takes.
    pub(super) fn consumer(&self) -> impl Drop {
        OnDrop(|| {
            self.lock().closed = true;
            self.changed.notify_all();
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    /// Sizes that do not fit together: whoever is ahead must wait, and the part in turn still gets through.
    #[test]
    fn parts_come_in_order_whatever_their_sizes() {
        for threads in [1, 3] {
            let (queue, parts) = (Ordered::new(threads), AtomicU64::new(0));
            let mut taken = Vec::new();
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        let _producer = queue.producer();
                        loop {
                            let part = parts.fetch_add(1, Ordering::Relaxed);
                            if part == 50 {
                                return parts.store(50, Ordering::Relaxed);
                            }
                            for item in 0..4 {
                                assert!(queue.put(part, (part, item), WAITING_BYTES / 2 + 1) || part >= 50);
                            }
                        }
                    });
                }
                while let Some((part, item)) = queue.take() {
                    taken.push((part, item));
                    if item == 3 {
                        queue.next_part();
                    }
                }
            });
            let expected: Vec<(u64, i32)> = (0..50).flat_map(|part| (0..4).map(move |item| (part, item))).collect();
            assert_eq!(taken, expected);
        }
    }

    #[test]
    fn nobody_waits_for_a_consumer_that_is_gone() {
        let queue = Ordered::new(1);
        drop(queue.consumer());
        assert!(!queue.put(7, (), 1));
    }
}
