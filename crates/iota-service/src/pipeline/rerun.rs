//! Evaluates (record, rule) pairs again that failed, or for the first time those that were left out, from their stored
//! bytes. Ids are those that the first time would have given, and nothing counts twice.

use super::collect::{AlertSink, At, Collector, Emit, Memory};
use super::commit::raise_counted;
use super::durable::Durable;
use super::lanes::{Done, patience};
use super::persist::persist;
use super::run::{Clock, Engine, FastPath, Keep, Progress, Run, RunFailure, State, index};
use super::sequence::Job;
use super::system;
use super::trouble::{Paused, RuleOfPack};
use crate::rules::{LoadedPack, Python};
use crate::source::{Input, Inputs};
use crate::telemetry::{Stats, Times};
use iota_engine::alert::Severity;
use iota_engine::decode::{Decoder, Item, Limits};
use iota_engine::event::{Fingerprint, event_time};
use iota_engine::index::Candidate;
use iota_engine::rule::BatchRecord;
use iota_engine::store::{Desk, Except, FailedPair, LeftOut, PairFilter};
use iota_engine::system::SystemAlert;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// The pair behind which a part of what was left out ended because of the time it took; `None`: there is no more.
    pub rest: Option<i64>,
    pub failure: Option<RunFailure>,
}

/// A pair of a batch.
struct OfBatch<'p> {
    pair: &'p FailedPair,
    record: u32,
    candidate: Candidate,
}

/// A batch, and its pairs.
type JobOf<'p> = (Arc<Job>, Vec<OfBatch<'p>>);

/// Which pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    /// Those that were not run, of rules that are not paused.
    LeftOut,
}

/// How a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Page {
    Done,
    /// Before its end, because of the time.
    Late,
    /// Calls of these packs were left out once more although their rule is not paused: further ones would be as well.
    LeftOut(BTreeSet<usize>),
}

/// A page of pairs at once, so that memory does not depend on how many there are.
const PAGE: usize = 500;
/// How long a part of what was left out may take, about: input waits meanwhile.
const PART: Duration = Duration::from_secs(5);

impl Rerun<'_> {
    pub fn execute(&self, filter: &PairFilter, progress: &Progress, stats: Stats) -> RerunResult {
        self.pass(filter, (Which::All, None), &mut self.engine(), progress, stats)
    }

    fn engine(&self) -> Engine {
        let Self { packs, python, clock, limits, durable, desk } = *self;
        Engine::new(&Run {
            packs,
            python,
            inputs: Inputs::default(),
            clock,
            limits,
            workers: 1,
            emit: Emit::First,
            updates: false,
            fast_path: FastPath::Off,
            keep: Keep::State(State { durable, desk }),
        })
    }

    /// Runs a part of what was left out, of rules that are not paused, from behind the pair `after` on. With the last part it
    /// says how many calls are left out all the same.
    pub fn part_of_left_out(&self, after: i64, engine: &mut Engine, progress: &Progress, stats: Stats) -> RerunResult {
        let filter = PairFilter { after, ..PairFilter::default() };
        let part = (Which::LeftOut, Some(Instant::now() + PART));
        let result = self.pass(&filter, part, engine, progress, stats);
        if result.rest.is_some() {
            return result;
        }
        match persist(&progress.stop, || self.desk.left_out()) {
            Ok(counts) => self.tell(&counts, engine, progress, result),
            Err(error) => RerunResult { failure: result.failure.or_else(|| Some(error.into())), ..result },
        }
    }

    /// Raises an alert for each rule and pack of which calls are left out.
    fn tell(&self, counts: &[LeftOut], engine: &Engine, progress: &Progress, mut result: RerunResult) -> RerunResult {
        let left = self.still_left_out(counts, &engine.memory, progress);
        let alert = |(paused, calls)| match paused {
            Paused::Rule((pack, rule)) => system::left_out(&self.packs[pack], rule, calls),
            Paused::Pack(pack) => system::pack_left_out(&self.packs[pack], calls),
        };
        let alerts: Vec<SystemAlert> = left.into_iter().map(alert).collect();
        let raised = raise_counted(&alerts, self.durable, self.clock, &progress.stop, &mut result.stats);
        result.failure = result.failure.or_else(|| raised.err().map(Into::into));
        result
    }

    /// Calls by what they wait for. What was not run because iota is to end waits for nothing.
    fn still_left_out(&self, counts: &[LeftOut], memory: &Memory, progress: &Progress) -> BTreeMap<Paused, u64> {
        let (trouble, mut left) = (&memory.trouble, BTreeMap::new());
        for (rule, calls) in self.known(counts) {
            if progress.stop.is_requested() && !trouble.is_paused(rule) && !memory.left_out {
                continue;
            }
            let paused = if trouble.is_pack_paused(rule.0) { Paused::Pack(rule.0) } else { Paused::Rule(rule) };
            *left.entry(paused).or_default() += calls;
        }
        left
    }

    /// Those of rules that run.
    fn known(&self, counts: &[LeftOut]) -> impl Iterator<Item = (RuleOfPack, u64)> {
        counts.iter().filter_map(|LeftOut { pack, rule, calls }| {
            let candidate = self.candidate(pack, rule)?;
            Some(((usize::from(candidate.pack), candidate.rule), *calls))
        })
    }

    /// At the end of a run: runs what was left out until nothing is, or it is of no use. Says of which rules calls are
    /// left out all the same.
    pub fn make_up(&self, engine: &mut Engine, progress: &Progress, mut stats: Stats) -> RerunResult {
        let mut waited = u64::MAX;
        loop {
            let trouble = &mut engine.memory.trouble;
            for paused in trouble.hopeful() {
                trouble.resume(paused);
            }
            let result = self.pass(&PairFilter::default(), (Which::LeftOut, None), engine, progress, stats);
            let counts = match persist(&progress.stop, || self.desk.left_out()) {
                Ok(counts) => counts,
                Err(error) => return RerunResult { failure: result.failure.or_else(|| Some(error.into())), ..result },
            };
            let over = result.failure.is_some() || progress.stop.is_requested();
            let trouble = &engine.memory.trouble;
            // Of rules that are not paused: of batches in which too many workers ended. Each pass makes some of them.
            let waiting = self.known(&counts).filter(|(rule, _)| !trouble.is_paused(*rule)).map(|(_, calls)| calls).sum();
            if over || trouble.hopeful().is_empty() && (waiting == 0 || waiting >= waited) {
                return self.tell(&counts, engine, progress, result);
            }
            (stats, waited) = (result.stats, waiting);
        }
    }

    /// At most about `until`; who is told when has others wait for it, too.
    fn pass(
        &self,
        filter: &PairFilter,
        (which, until): (Which, Option<Instant>),
        engine: &mut Engine,
        progress: &Progress,
        stats: Stats,
    ) -> RerunResult {
        let started = Instant::now();
        let failure = engine.broken.take().map(RunFailure::Threads);
        let mut result = RerunResult { stats, pairs: 0, settled: 0, unknown: 0, rest: None, failure };
        let mut filter = PairFilter { limit: Some(PAGE), ..filter.clone() };
        let mut left_out = BTreeSet::new();
        while !progress.stop.is_requested() && result.failure.is_none() {
            if which == Which::LeftOut {
                // Rules may have been paused since the last page.
                filter.left_out = Some(self.except(&engine.memory, &left_out));
            }
            let page = match persist(&progress.stop, || self.desk.failed_pairs(&filter)) {
                Ok(page) => page,
                Err(error) => {
                    result.failure = Some(error.into());
                    break;
                }
            };
            let Some(last) = page.last() else { break };
            match self.page(&page, (which, until), engine, progress, &mut result) {
                Page::Done => filter.after = last.id,
                Page::LeftOut(packs) => left_out.extend(packs),
                Page::Late => {}
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                result.rest = Some(filter.after);
                break;
            }
        }
        if result.failure.is_none() && !progress.stop.is_requested() {
            self.durable.begin_run();
        }
        result.stats.python.count_workers(&self.python.program.counts);
        Times::add(&mut result.stats.seconds.total, started.elapsed());
        result
    }

    /// What need not be read: it would be left out again, because it is paused or of these packs.
    fn except(&self, memory: &Memory, packs: &BTreeSet<usize>) -> Except {
        let name = |&pack: &usize| self.packs[pack].pack.name.clone();
        let mut except = Except { packs: packs.iter().map(name).collect(), ..Except::default() };
        for paused in memory.trouble.paused() {
            match paused {
                Paused::Pack(pack) => except.packs.push(self.packs[pack].pack.name.clone()),
                Paused::Rule((pack, rule)) => {
                    let (name, rule) = (&self.packs[pack].pack.name, self.packs[pack].rule(rule));
                    let ids = std::iter::once(&rule.id).chain(&rule.aliases);
                    except.rules.extend(ids.map(|id| (name.clone(), id.clone())));
                }
            }
        }
        except
    }

    fn page(
        &self,
        pairs: &[FailedPair],
        (which, until): (Which, Option<Instant>),
        Engine { threads, memory, .. }: &mut Engine,
        progress: &Progress,
        result: &mut RerunResult,
    ) -> Page {
        let (inputs, jobs) = self.jobs(pairs, which, memory, result);
        let keep = Keep::State(State { durable: self.durable, desk: self.desk });
        let mut sink = NoSink;
        let stats = std::mem::take(&mut result.stats);
        let at = At { packs: self.packs, inputs: inputs[..].into(), clock: self.clock };
        let mut collector = Collector::new(at, (Emit::First, false), &mut sink, stats, (keep, &progress.stop), memory);
        let mut end = Page::Done;
        let patience = until.map(|_| patience(self.python.program.call_time));
        let mut work = || {
            for (number, (job, pairs)) in jobs.iter().enumerate() {
                let done = threads.evaluate(job, patience)?;
                // What was not run because iota is to end stays as it is.
                if progress.stop.is_requested() && done.iter().any(|done| !done.outcome.not_run.is_empty()) {
                    break;
                }
                let mut failed = failed(&done);
                let not_run = collector.take(job, done).map_err(RunFailure::Write)?;
                collector.commit(true)?;
                if which == Which::LeftOut {
                    let again = not_run.iter().filter(|(_, rule)| !collector.is_paused(*rule));
                    let packs: BTreeSet<usize> = again.map(|(_, (pack, _))| *pack).collect();
                    if !packs.is_empty() {
                        end = Page::LeftOut(packs);
                    }
                }
                failed.extend(not_run.iter().map(|&(record, (pack, rule))| (pack, record, rule, RULE.to_owned())));
                let settled = settled(pairs, &failed);
                // A process that ends here evaluates them once more, and nothing counts twice.
                persist(&progress.stop, || self.desk.settle_pairs(&settled))?;
                result.pairs += pairs.len() as u64;
                result.settled += settled.len() as u64;
                if end == Page::Done && number + 1 < jobs.len() && until.is_some_and(|until| Instant::now() >= until) {
                    end = Page::Late;
                }
                if end != Page::Done {
                    break;
                }
            }
            collector.close().map_err(RunFailure::Write)
        };
        result.failure = work().err();
        result.stats = collector.into_stats();
        end
    }

    /// Batches with the pairs of each, and the objects they came from.
    fn jobs<'p>(
        &self,
        pairs: &'p [FailedPair],
        which: Which,
        memory: &Memory,
        result: &mut RerunResult,
    ) -> (Vec<Input>, Vec<JobOf<'p>>) {
        let (mut inputs, mut units) = (Vec::<Input>::new(), BTreeMap::new());
        let again = which == Which::LeftOut;
        let (mut jobs, mut job, mut of_batch) = (Vec::new(), Job { again, ..Job::default() }, Vec::new());
        let pairs = self.wanted(pairs, which, memory, result);
        for of_record in pairs.chunk_by(|(one, _), (next, _)| one.record == next.record) {
            let Some((first, _)) = of_record.first() else { continue };
            let unit = *units.entry((&first.origin.object, first.terms)).or_insert_with(|| {
                let (path, version) = (first.origin.object.clone().into(), first.origin.version.clone());
                inputs.push(Input { terms: Some(first.terms), ..Input::file(path, 0, version) });
                u32::try_from(inputs.len() - 1).unwrap_or(u32::MAX)
            });
            let Some(batch_record) = self.record(first, &inputs[unit as usize], unit) else { continue };
            let record = u32::try_from(job.batch.records().len()).unwrap_or(u32::MAX);
            let candidates: BTreeSet<Candidate> = of_record.iter().map(|(_, candidate)| *candidate).collect();
            job.batch.push(&first.raw, &candidates.into_iter().collect::<Vec<_>>(), batch_record);
            if !again {
                job.records.evaluated(false);
            }
            of_batch.extend(of_record.iter().map(|&(pair, candidate)| OfBatch { pair, record, candidate }));
            if job.batch.is_full() {
                let next = Job { number: job.number + 1, again, ..Job::default() };
                jobs.push((Arc::new(std::mem::replace(&mut job, next)), std::mem::take(&mut of_batch)));
            }
        }
        jobs.push((Arc::new(job), of_batch));
        (inputs, jobs)
    }

    /// Those that are run, in their order: the one in which they failed. What was left out, unless its rule keeps state,
    /// comes in an order that whoever makes the records does not choose: a row of records made to end a worker then does
    /// not stand in front of all others.
    fn wanted<'p>(
        &self,
        pairs: &'p [FailedPair],
        which: Which,
        memory: &Memory,
        result: &mut RerunResult,
    ) -> Vec<(&'p FailedPair, Candidate)> {
        let mut wanted = Vec::new();
        for pair in pairs.iter().filter(|pair| which == Which::All || pair.failure.is_none()) {
            let Some(candidate) = self.candidate(&pair.pack, &pair.rule) else {
                result.unknown += 1;
                continue;
            };
            let rule = (usize::from(candidate.pack), candidate.rule);
            if which == Which::All || !memory.trouble.is_paused(rule) {
                wanted.push((pair, candidate));
            }
        }
        if which == Which::LeftOut {
            let keeps_state = |candidate: &Candidate| self.packs[usize::from(candidate.pack)].uses_state(candidate.rule);
            wanted.sort_by_key(
                |(pair, candidate)| if keeps_state(candidate) { (pair.id, None) } else { (i64::MAX, Some(pair.record)) },
            );
        }
        wanted
    }

    fn candidate(&self, pack: &str, id: &str) -> Option<Candidate> {
        let (number, pack) = self.packs.iter().enumerate().find(|(_, of)| of.pack.name == pack)?;
        let runs = |id: &str| pack.runnable.iter().copied().find(|&rule| pack.rule(rule).id == id);
        let renamed = || pack.runnable.iter().copied().find(|&rule| pack.rule(rule).aliases.iter().any(|alias| alias == id));
        Some(Candidate { pack: index(number), rule: runs(id).or_else(renamed)?, verify: false })
    }

    fn record(&self, pair: &FailedPair, input: &Input, unit: u32) -> Option<BatchRecord> {
        let mut decoder = Decoder::new(&pair.raw[..], self.limits);
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
}

/// What failed: pack, record, rule, function.
type Failed = BTreeSet<(usize, u32, u16, String)>;

fn failed(done: &[Done]) -> Failed {
    let mut failed = Failed::new();
    for (pack, Done { outcome, .. }) in done.iter().enumerate() {
        failed.extend(outcome.errors.iter().map(|error| (pack, error.record, error.rule, error.function.clone())));
    }
    failed
}

/// Ids of the pairs whose function did not fail this time.
fn settled(pairs: &[OfBatch<'_>], failed: &Failed) -> Vec<i64> {
    let is_failed = |of: &OfBatch<'_>, function: &str| {
        let Candidate { pack, rule, .. } = of.candidate;
        failed.contains(&(usize::from(pack), of.record, rule, function.to_owned()))
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
