//! The same work on several things at once.

use std::iter;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many are worked on at once. A pack that is loaded waits for Python most of the time, or for nobody when it means no good.
const AT_ONCE: usize = 4;

/// What becomes of each, in their order.
pub(super) fn side_by_side<T: Send, R: Send>(all: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = all.len().min(AT_ONCE);
    let rest = Mutex::new(all.into_iter().enumerate());
    let next = || rest.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let work = || iter::from_fn(next).map(|(at, one)| (at, work(one))).collect::<Vec<_>>();
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn one_that_takes_its_time_holds_up_no_other() {
        let others_are_done = Barrier::new(2);
        let done = side_by_side((0..100).collect(), |number| {
            if number == 0 || number == 99 {
                others_are_done.wait();
            }
            number * 2
        });
        assert_eq!(done, (0..100).map(|number| number * 2).collect::<Vec<_>>());
        assert!(side_by_side(Vec::<u8>::new(), |number| number).is_empty());
    }
}
