//! The evaluating part of a run: threads that take batches as they come.
//! Rules that keep state run in input order on a thread of their own.

use super::lanes::{Done, Lane, Lanes};
use super::sequence::Job;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a thread made of a batch.
pub(super) struct Evaluated {
    pub(super) job: Arc<Job>,
    /// By pack.
    pub(super) done: Vec<Done>,
    pub(super) time: Duration,
}

/// A worker that starts has as long before it is taken for one that does not keep up.
const START: Duration = Duration::from_millis(500);
/// How often a thread without work looks at the queue, and how many times in a row it must be at least half full: what
/// came while the worker before started is worked off in that time.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: u32 = 8;
/// Where batches take long, few of them wait: as many times in a row there must be any.
const LOOKS_AT_ANY: u32 = 30;

/// Of the threads that share a queue, each starts its workers only when those before it do not keep up: a start costs as
/// much CPU as some thousand matches.
pub(super) struct Turn {
    /// Of the thread before: a message when it has evaluated its first batch, closed when it has ended. The first thread has none.
    before: Option<Receiver<()>>,
    behind: Sender<()>,
}

impl Turn {
    /// For so many threads.
    pub(super) fn of(threads: usize) -> impl Iterator<Item = Self> {
        let mut before = None;
        (0..threads).map(move |_| {
            let (behind, next) = bounded(1);
            Self { before: before.replace(next), behind }
        })
    }

    /// For a thread that has a queue of its own.
    pub(super) fn alone() -> Self {
        Self { before: None, behind: bounded(1).0 }
    }

    /// Returns when there is work for this thread too, or none any more.
    fn wait<T>(&self, jobs: &Receiver<T>) {
        let Some(before) = &self.before else { return };
        let (mut full, mut any) = (0, 0);
        let mut ended = before.recv_timeout(START) == Err(RecvTimeoutError::Disconnected);
        while !ended && full < LOOKS && any < LOOKS_AT_ANY {
            ended = before.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected);
            let half = jobs.capacity().unwrap_or_default().div_ceil(2);
            full = if jobs.len() >= half { full + 1 } else { 0 };
            any = if jobs.is_empty() { 0 } else { any + 1 };
        }
    }

    /// The first batch was evaluated.
    fn note(&self) {
        // Full or closed: the thread behind knows, or there is none.
        let _ = self.behind.try_send(());
    }
}

/// A thread that evaluates, run after run: a worker ends with the thread that started it.
#[derive(Debug)]
pub(super) struct Evaluator {
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

/// What is evaluated in one run.
pub(super) struct Work {
    pub(super) turn: Turn,
    pub(super) jobs: Receiver<Arc<Job>>,
    pub(super) results: Sender<Evaluated>,
    /// How long a batch waits for one of several packs.
    pub(super) patience: Option<Duration>,
}

impl Evaluator {
    pub(super) fn start(lanes: Vec<Lane>) -> io::Result<Self> {
        let (mut lanes, (work, given)) = (Lanes::start(lanes)?, unbounded::<Work>());
        let run = move || {
            for work in given {
                evaluate(&mut lanes, &work);
            }
        };
        let thread = thread::Builder::new().name("evaluate".to_owned()).spawn(run)?;
        Ok(Self { work: Some(work), thread: Some(thread) })
    }

    /// Evaluates what comes, until there is no more.
    pub(super) fn take(&self, work: Work) {
        // A thread that has panicked drops the results, and what is missing is noticed.
        let _ = self.work.as_ref().map(|sender| sender.send(work));
    }

    /// Evaluates one batch, and waits for it. `None` when the thread has panicked.
    pub(super) fn one(&self, job: Arc<Job>, patience: Option<Duration>) -> Option<Vec<Done>> {
        let ((sender, jobs), (results, evaluated)) = (bounded(1), bounded(1));
        let _ = sender.send(job);
        drop(sender);
        self.take(Work { turn: Turn::alone(), jobs, results, patience });
        evaluated.recv().ok().map(|Evaluated { done, .. }| done)
    }
}

impl Drop for Evaluator {
    fn drop(&mut self) {
        self.work = None;
        // It has said why, if it panicked.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Evaluates batches until there are no more, or nobody wants the results.
fn evaluate(lanes: &mut Lanes, Work { turn, jobs, results, patience }: &Work) {
    turn.wait(jobs);
    for (nth, job) in jobs.iter().enumerate() {
        let started = Instant::now();
        let done = lanes.evaluate(&job, *patience);
        let evaluated = Evaluated { job, done, time: started.elapsed() };
        if nth == 0 {
            turn.note();
        }
        if results.send(evaluated).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts the second thread of two; gives when it need not wait any more.
    fn second(jobs: Receiver<()>) -> (Turn, Receiver<()>) {
        let mut turns = Turn::of(2);
        let (first, second) = (turns.next().expect("two"), turns.next().expect("two"));
        let (waited, until) = bounded(1);
        std::thread::spawn(move || {
            second.wait(&jobs);
            waited.send(())
        });
        (first, until)
    }

    #[test]
    fn a_thread_starts_when_work_waits_for_long_however_little() {
        let (queue, jobs) = bounded(100);
        let (first, started) = second(jobs);
        first.note();
        queue.send(()).expect("a queue");
        assert_eq!(started.recv_timeout(Duration::from_mins(1)), Ok(()));
    }

    #[test]
    fn a_thread_does_not_start_where_nothing_waits() {
        let (queue, jobs) = bounded::<()>(100);
        let (first, started) = second(jobs);
        first.note();
        assert_eq!(started.recv_timeout(START * 2), Err(RecvTimeoutError::Timeout));
        drop(first);
        assert_eq!(started.recv_timeout(Duration::from_mins(1)), Ok(()));
        drop(queue);
    }
}
