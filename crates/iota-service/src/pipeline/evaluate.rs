//! The evaluating part of a run: each thread has one worker per pack and takes batches as they come.
//! Rules that keep state run in input order on a thread of their own.

use super::sequence::Job;
use crossbeam_channel::{Receiver, Sender};
use iota_engine::rule::{Batch, Outcome, Pair, RuleRunner};
use iota_python::{PackRunner, RunError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One pack's part of a thread: its worker, and the rules it runs there.
pub(super) struct Lane {
    pub(super) pack: u16,
    pub(super) runner: PackRunner,
    pub(super) rules: BTreeSet<u16>,
}

/// What was asked of one pack, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What was handed to the runner: counted on its own, so that a pair that gets lost on the way is noticed.
    pub(super) given: Vec<Pair>,
    pub(super) outcome: Outcome,
}

impl Done {
    /// Adds another part of the same batch.
    pub(super) fn append(&mut self, mut other: Self) {
        self.given.append(&mut other.given);
        self.outcome.append(other.outcome);
    }
}

impl Lane {
    /// Without a candidate the worker is left alone, and not even started.
    fn evaluate(&mut self, batch: &Batch) -> Result<Done, RunError> {
        let given: Vec<Pair> = batch.pairs(self.pack).filter(|pair| self.rules.contains(&pair.rule)).collect();
        let outcome = if given.is_empty() { Outcome::default() } else { self.runner.evaluate(batch, &given)? };
        Ok(Done { given, outcome })
    }
}

/// What a thread made of a batch.
pub(super) struct Evaluated {
    pub(super) job: Arc<Job>,
    /// By pack; an error when no worker can be started any more.
    pub(super) done: Result<Vec<Done>, RunError>,
    pub(super) time: Duration,
}

/// Evaluates batches until there are no more, or nobody wants the results.
pub(super) fn evaluate(lanes: &mut [Lane], jobs: &Receiver<Arc<Job>>, results: &Sender<Evaluated>) {
    for job in jobs {
        let started = Instant::now();
        let done = lanes.iter_mut().map(|lane| lane.evaluate(&job.batch)).collect();
        let evaluated = Evaluated { job, done, time: started.elapsed() };
        let failed = evaluated.done.is_err();
        if results.send(evaluated).is_err() || failed {
            return;
        }
    }
}
