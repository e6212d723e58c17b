//! The evaluating part of a run: each thread has one worker per pack and takes batches as they come.
//! Rules that keep state run in input order on a thread of their own.

use super::read::Job;
use crossbeam_channel::{Receiver, Sender};
use iota_engine::rule::{Batch, Outcome, Pair, RuleRunner};
use iota_python::{PackRunner, RunError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One pack's part of a thread: its worker, and the rules it runs there.
pub(super) struct Lane {
    pub(super) runner: PackRunner,
    pub(super) rules: Vec<u16>,
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
    fn evaluate(&mut self, batch: &Batch) -> Result<Done, RunError> {
        let given = pairs(batch, &self.rules);
        let outcome = self.runner.evaluate(batch, &given)?;
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
pub(super) fn evaluate(mut lanes: Vec<Lane>, jobs: &Receiver<Arc<Job>>, results: &Sender<Evaluated>) {
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

/// Every record with every rule.
pub(super) fn pairs(batch: &Batch, rules: &[u16]) -> Vec<Pair> {
    let records = u32::try_from(batch.records().len()).unwrap_or(u32::MAX);
    (0..records).flat_map(|record| rules.iter().map(move |&rule| Pair { record, rule })).collect()
}
