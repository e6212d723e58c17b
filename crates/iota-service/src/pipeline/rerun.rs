//! Evaluates (record, rule) pairs that failed again, from their stored bytes. Ids are those that the first time would have
//! given, and nothing counts twice.

use super::collect::{AlertSink, At, Collector, Emit, Memory};
use super::commit::Durable;
use super::evaluate::{Done, Lane};
use super::persist::persist;
use super::run::{Clock, Progress, RunFailure, index};
use super::sequence::Job;
use super::state::CommittedState;
use crate::rules::{LoadedPack, Python};
use crate::source::Input;
use crate::telemetry::Stats;
use iota_engine::alert::Severity;
use iota_engine::decode::{Decoder, Item, Limits};
use iota_engine::event::{Fingerprint, event_time};
use iota_engine::index::Candidate;
use iota_engine::rule::BatchRecord;
use iota_engine::store::{Desk, FailedPair, PairFilter};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// What is evaluated again.
#[derive(Debug)]
pub struct Rerun<'a> {
    pub packs: &'a [LoadedPack],
    pub python: &'a Python,
    pub clock: Clock,
    pub limits: Limits,
    /// Made with `Durable::again`.
    pub durable: &'a Durable,
    pub desk: &'a dyn Desk,
}

#[derive(Debug)]
pub struct RerunResult {
    pub stats: Stats,
    /// Pairs that were evaluated again.
    pub pairs: u64,
    /// Of those: whose function returned now. They are no longer kept.
    pub settled: u64,
    /// Pairs whose rule is not among those that run.
    pub unknown: u64,
    pub failure: Option<RunFailure>,
}

/// A pair of a batch.
struct OfBatch<'p> {
    pair: &'p FailedPair,
    record: u32,
    candidate: Candidate,
}

/// A page of pairs at once, so that memory does not depend on how many there are.
const PAGE: usize = 500;

impl Rerun<'_> {
    pub fn execute(&self, filter: &PairFilter, progress: &Progress, stats: Stats) -> RerunResult {
        let mut result = RerunResult { stats, pairs: 0, settled: 0, unknown: 0, failure: None };
        let mut filter = PairFilter { limit: Some(PAGE), ..filter.clone() };
        let mut lanes = self.lanes(progress);
        let mut memory = Memory::new(self.packs.len());
        while !progress.stop.is_requested() && result.failure.is_none() {
            let page = match persist(&progress.stop, || self.desk.failed_pairs(&filter)) {
                Ok(page) => page,
                Err(error) => {
                    result.failure = Some(error.into());
                    break;
                }
            };
            let Some(last) = page.last() else { break };
            filter.after = last.id;
            self.page(&page, (&mut lanes, &mut memory), progress, &mut result);
        }
        result
    }

    fn page(
        &self,
        pairs: &[FailedPair],
        (lanes, memory): (&mut [Lane], &mut Memory),
        progress: &Progress,
        result: &mut RerunResult,
    ) {
        let (inputs, jobs) = self.jobs(pairs, &mut result.unknown);
        let (mut sink, durable) = (NoSink, Some((self.durable, &*progress.stop)));
        let stats = std::mem::take(&mut result.stats);
        let at = At { packs: self.packs, inputs: &inputs, clock: self.clock };
        let mut collector = Collector::new(at, (Emit::First, false), &mut sink, stats, durable, memory);
        let mut work = || {
            for (job, pairs) in &jobs {
                let done = lanes.iter_mut().map(|lane| lane.evaluate(&job.batch)).collect::<Result<Vec<_>, _>>()?;
                // What was not run because iota is to end stays as it is.
                if progress.stop.is_requested() && done.iter().any(|done| !done.outcome.not_run.is_empty()) {
                    break;
                }
                let settled = settled(pairs, &done);
                collector.take(job, done).map_err(RunFailure::Write)?;
                collector.commit(true)?;
                // A process that ends here evaluates them once more, and nothing counts twice.
                persist(&progress.stop, || self.desk.settle_pairs(&settled))?;
                result.pairs += pairs.len() as u64;
                result.settled += settled.len() as u64;
            }
            collector.close().map_err(RunFailure::Write)
        };
        result.failure = work().err();
        result.stats = collector.into_stats();
    }

    /// Batches, in the order in which the pairs failed, with the pairs of each; and the objects they came from.
    fn jobs<'p>(&self, pairs: &'p [FailedPair], unknown: &mut u64) -> (Vec<Input>, Vec<(Job, Vec<OfBatch<'p>>)>) {
        let (mut inputs, mut units) = (Vec::<Input>::new(), BTreeMap::new());
        let (mut jobs, mut job, mut of_batch) = (Vec::new(), Job::default(), Vec::new());
        let known = |pair: &'p FailedPair| self.candidate(pair).map(|candidate| (pair, candidate));
        *unknown += pairs.iter().filter(|pair| self.candidate(pair).is_none()).count() as u64;
        let pairs: Vec<_> = pairs.iter().filter_map(known).collect();
        for of_record in pairs.chunk_by(|(one, _), (next, _)| one.record == next.record) {
            let Some((first, _)) = of_record.first() else { continue };
            let unit = *units.entry(&first.origin.object).or_insert_with(|| {
                let version = first.origin.version.clone();
                inputs.push(Input::file(first.origin.object.clone().into(), 0, version));
                u32::try_from(inputs.len() - 1).unwrap_or(u32::MAX)
            });
            let Some(batch_record) = self.record(first, &inputs[unit as usize], unit) else { continue };
            let record = u32::try_from(job.batch.records().len()).unwrap_or(u32::MAX);
            let candidates: BTreeSet<Candidate> = of_record.iter().map(|(_, candidate)| *candidate).collect();
            job.batch.push(&first.raw, &candidates.into_iter().collect::<Vec<_>>(), batch_record);
            job.records.evaluated(false);
            of_batch.extend(of_record.iter().map(|&(pair, candidate)| OfBatch { pair, record, candidate }));
            if job.batch.is_full() {
                let next = Job { number: job.number + 1, ..Job::default() };
                jobs.push((std::mem::replace(&mut job, next), std::mem::take(&mut of_batch)));
            }
        }
        jobs.push((job, of_batch));
        (inputs, jobs)
    }

    fn candidate(&self, pair: &FailedPair) -> Option<Candidate> {
        let (number, pack) = self.packs.iter().enumerate().find(|(_, pack)| pack.pack.name == pair.pack)?;
        let runs = |id: &str| pack.runnable.iter().copied().find(|&rule| pack.rule(rule).id == id);
        let renamed = || pack.runnable.iter().copied().find(|&rule| pack.rule(rule).aliases.contains(&pair.rule));
        Some(Candidate { pack: index(number), rule: runs(&pair.rule).or_else(renamed)?, verify: false })
    }

    fn record(&self, pair: &FailedPair, input: &Input, unit: u32) -> Option<BatchRecord> {
        let mut decoder = Decoder::new(pair.raw.as_slice(), self.limits);
        let Ok(Some(Item::Record(record))) = decoder.next() else {
            tracing::error!(
                "{}: record {} cannot be read any more: is max_record smaller now?",
                pair.origin.object,
                pair.origin.record
            );
            return None;
        };
        let time = event_time(&record, input.delivered_ms().unwrap_or(pair.at_ms));
        let (fingerprint, number) = (Fingerprint::of(&record), pair.origin.record);
        Some(BatchRecord { identity: pair.record, fingerprint, time, variant: true, unit, number })
    }

    /// One for each pack: with state, in case a rule uses it.
    fn lanes(&self, progress: &Progress) -> Vec<Lane> {
        let packs = self.packs.iter().enumerate();
        packs
            .map(|(number, pack)| {
                let state = CommittedState::new(self.durable, pack.pack.name.clone(), Arc::clone(&progress.stop));
                let runner = pack.runner(self.python).with_state(Box::new(state));
                Lane { pack: index(number), runner, rules: pack.runnable.iter().copied().collect() }
            })
            .collect()
    }
}

/// Ids of the pairs whose function did not fail this time.
fn settled(pairs: &[OfBatch<'_>], done: &[Done]) -> Vec<i64> {
    let mut failed = BTreeSet::new();
    for (pack, Done { outcome, .. }) in (0..).zip(done) {
        failed.extend(outcome.errors.iter().map(|error| (pack, error.record, error.rule, error.function.as_str())));
        failed.extend(outcome.not_run.iter().map(|pair| (pack, pair.record, pair.rule, RULE)));
    }
    let is_failed = |of: &OfBatch<'_>, function: &str| {
        let Candidate { pack, rule, .. } = of.candidate;
        failed.contains(&(pack, of.record, rule, function))
    };
    // While `rule` fails, the other functions are not called.
    let settled = pairs.iter().filter(|of| !is_failed(of, RULE) && !is_failed(of, &of.pair.function));
    settled.map(|of| of.pair.id).collect()
}

/// The function that decides.
const RULE: &str = "rule";

/// Alerts leave through the outbox.
struct NoSink;

impl AlertSink for NoSink {
    fn alert(&mut self, _: &[u8], _: Severity) -> io::Result<()> {
        Err(io::Error::other("internal error, please report it: an alert passed the outbox by"))
    }
}
