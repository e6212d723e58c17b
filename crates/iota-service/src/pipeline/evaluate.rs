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

impl Lane {
    /// Without a candidate the worker is left alone, and not even started.
    fn evaluate(&mut self, batch: &Batch) -> Result<Outcome, RunError> {
        let pairs: Vec<Pair> = batch.pairs(self.pack).filter(|pair| self.rules.contains(&pair.rule)).collect();
        if pairs.is_empty() { Ok(Outcome::default()) } else { self.runner.evaluate(batch, &pairs) }
    }
}

/// What a thread made of a batch.
pub(super) struct Evaluated {
    pub(super) job: Arc<Job>,
    /// By pack; `None` when the worker of a pack is gone for good.
    pub(super) outcomes: Result<Vec<Outcome>, RunError>,
    pub(super) time: Duration,
}

/// Evaluates batches until there are no more, or nobody wants the results.
pub(super) fn evaluate(mut lanes: Vec<Lane>, jobs: &Receiver<Arc<Job>>, results: &Sender<Evaluated>) {
    for job in jobs {
        let started = Instant::now();
        let outcomes = lanes.iter_mut().map(|lane| lane.evaluate(&job.batch)).collect();
        let evaluated = Evaluated { job, outcomes, time: started.elapsed() };
        let failed = evaluated.outcomes.is_err();
        if results.send(evaluated).is_err() || failed {
            return;
        }
    }
}
