//! Wires reading, evaluation and collection together for one batch run.

use super::collect::{AlertSink, At, Collector, Emit, Memory};
use super::decode::Decoding;
use super::durable::Durable;
use super::evaluate::{Done, Evaluated, Evaluator, Lane, Turn, Work};
use super::ordered::Ordered;
use super::parts::Parts;
use super::persist::persist;
use super::sequence::{Ended, Job, Sequenced, Sequencer};
use super::state::CommittedState;
use super::trouble::Paused;
use crate::rules::{LoadedPack, Python};
use crate::source::{Input, Inputs};
use crate::telemetry::{Stats, Times};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use iota_engine::decode::Limits;
use iota_engine::index::Router;
use iota_engine::rule::{MemoryState, RuleState};
use iota_engine::store::{Desk, ObjectVersion, StoreError};
use iota_engine::triage::Triage;
use iota_python::{LeftOut, Stop};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;
use thiserror::Error;

/// Batches under way per worker: one at work, one waiting, two being read or collected.
const BATCHES_PER_WORKER: usize = 4;
/// Inputs that the ledger is asked about at once.
const OBJECTS_AT_ONCE: usize = 1_000;

/// What counts as the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    System,
    /// Milliseconds since the Unix epoch.
    Fixed(i64),
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub fn now_ms(self) -> i64 {
        match self {
            Self::System => Timestamp::now().as_millisecond(),
            Self::Fixed(ms) => ms,
        }
    }

    /// The time that was stated, if one was.
    pub fn stated_ms(self) -> Option<i64> {
        match self {
            Self::System => None,
            Self::Fixed(ms) => Some(ms),
        }
    }
}

/// What one run does.
#[derive(Debug)]
pub struct Run<'a> {
    pub packs: &'a [LoadedPack],
    pub python: &'a Python,
    pub inputs: Inputs<'a>,
    pub clock: Clock,
    pub limits: Limits,
    pub workers: usize,
    pub emit: Emit,
    /// Also write alerts again when they have grown (with `Emit::First`).
    pub updates: bool,
    pub fast_path: FastPath,
    pub keep: Keep<'a>,
}

/// What is kept beyond a run.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    /// Nothing: alerts go to the sink. What decides about them is here, with a single output for all that is printed.
    Nothing(&'a Triage),
    /// State: alerts leave through its outbox, and not through the sink.
    State(State<'a>),
}

/// Where state is kept: one store, as the pipeline and as people see it.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    pub durable: &'a Durable,
    pub desk: &'a dyn Desk,
}

impl<'a> Keep<'a> {
    pub(super) fn durable(self) -> Option<&'a Durable> {
        match self {
            Self::Nothing(_) => None,
            Self::State(State { durable, .. }) => Some(durable),
        }
    }

    pub(super) fn triage(self) -> &'a Triage {
        match self {
            Self::Nothing(triage) => triage,
            Self::State(State { durable, .. }) => &durable.triage,
        }
    }
}

/// Whether rules are skipped on records that they certainly do not match.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FastPath {
    /// Every rule is run on every record.
    Off,
    /// This part of the skipped pairs, from 0 to 1, is run all the same, to prove that they could be skipped.
    On { verify: f64 },
}

/// Shared with whoever watches a run.
#[derive(Debug, Default)]
pub struct Progress {
    /// Ends the run early: what was read is still evaluated where that is quick, and what was found is written. The
    /// same that the program of the workers has.
    pub stop: Arc<Stop>,
    /// Bytes read from files.
    pub bytes: AtomicU64,
    pub inputs: AtomicU64,
}

#[derive(Debug, Error)]
pub enum RunFailure {
    #[error("writing alerts")]
    Write(#[source] io::Error),
    #[error("starting threads")]
    Threads(#[source] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug)]
pub struct RunResult {
    pub stats: Stats,
    pub failure: Option<RunFailure>,
    /// What does not add up in a run without failure: a mistake in iota.
    pub imbalance: Option<String>,
    /// By input. Empty when it cannot be said of each, because the run failed or was abandoned: then none counts as read.
    pub ended: Vec<Ended>,
}

/// What is made once of a set of rules and serves many runs: the workers above all.
pub struct Engine {
    router: Router,
    evaluators: Vec<Evaluator>,
    /// Of rules that keep state, which run in the order of the input.
    stateful: Option<Evaluator>,
    /// Why there are fewer than there should be.
    broken: Option<io::Error>,
    pub(super) memory: Memory,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("threads", &self.evaluators.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// `run` says which rules and how many threads; its inputs do not matter.
    pub fn new(run: &Run<'_>) -> Self {
        let memory = Memory::new(run.packs.len());
        let lanes = run.lanes(false, memory.trouble.left_out()).unwrap_or_default();
        let mut broken = None;
        let mut start = |lanes| Evaluator::start(lanes).map_err(|error| broken = Some(error)).ok();
        let evaluators = siblings(lanes, run.workers).into_iter().filter_map(&mut start).collect();
        let stateful = run.lanes(true, memory.trouble.left_out()).and_then(&mut start);
        Self { router: run.router(), evaluators, stateful, broken, memory }
    }

    /// What is not run for now.
    pub(crate) fn paused(&self) -> Vec<Paused> {
        self.memory.trouble.paused().collect()
    }

    pub(crate) fn resume(&mut self, paused: Paused) {
        self.memory.trouble.resume(paused);
    }

    /// Whether calls were left out, since this was last asked, because no worker could be started.
    pub(crate) fn had_no_worker(&mut self) -> bool {
        std::mem::take(&mut self.memory.no_worker)
    }
}

impl Run<'_> {
    pub fn execute(&self, progress: &Progress, sink: &mut dyn AlertSink, stats: Stats) -> RunResult {
        let result = self.execute_on(&mut Engine::new(self), progress, sink, stats);
        let known = result.stats.inputs.already_finished;
        if known > 0 {
            tracing::info!("{known} of {} inputs were read in earlier runs, and were left out", self.inputs.len());
        }
        result
    }

    /// One of many runs on the same engine. `stats` goes on counting.
    pub fn execute_on(&self, engine: &mut Engine, progress: &Progress, sink: &mut dyn AlertSink, stats: Stats) -> RunResult {
        let started = Instant::now();
        if let Some(error) = engine.broken.take() {
            return RunResult { stats, failure: Some(RunFailure::Threads(error)), imbalance: None, ended: Vec::new() };
        }
        let (listed, finished) = match self.unfinished(progress) {
            Ok(listed) => listed,
            Err(error) => return RunResult { stats, failure: Some(error.into()), imbalance: None, ended: Vec::new() },
        };
        let inputs = Inputs { listed: &listed, ..self.inputs };
        let under_way = self.workers * BATCHES_PER_WORKER + 4;
        let (credit, credits) = bounded(under_way);
        let (results, evaluated) = bounded(under_way);
        let Engine { router, evaluators, stateful, memory, .. } = engine;
        let records_before = stats.records.read;
        let mut collector = {
            let at = At { packs: self.packs, inputs, clock: self.clock };
            Collector::new(at, (self.emit, self.updates), sink, stats, (self.keep, &progress.stop), memory)
        };
        let parts = if stateful.is_some() { 2 } else { 1 };
        for _ in 0..under_way {
            let _ = credit.send(());
        }
        let (cut, chunks) = (Parts::new(inputs, self.workers > 1), Ordered::new(self.workers));
        let (limits, clock, keep_rejects) = (self.limits, self.clock, self.keep.durable().is_some_and(|durable| !durable.again));
        let decoding = Decoding { parts: &cut, chunks: &chunks, router, limits, clock, progress, keep_rejects };
        collector.stats.inputs.total += self.inputs.len() as u64;
        collector.stats.inputs.already_finished += (self.inputs.len() - inputs.len()) as u64;
        let (collected, sequenced) = thread::scope(|scope| {
            // Long enough to tell whether the workers keep up.
            let (jobs, queue) = bounded::<Arc<Job>>(self.workers * BATCHES_PER_WORKER);
            let mut queues = vec![jobs];
            for (evaluator, turn) in evaluators.iter().zip(Turn::of(self.workers)) {
                evaluator.take(Work { turn, jobs: queue.clone(), results: results.clone() });
            }
            if let Some(evaluator) = stateful {
                let (queue, jobs) = bounded::<Arc<Job>>(self.workers);
                queues.push(queue);
                evaluator.take(Work { turn: Turn::alone(), jobs, results: results.clone() });
            }
            drop((results, queue));
            let decoders: Vec<_> = (0..self.workers).map(|_| scope.spawn(move || decoding.run())).collect();
            let ledger = self.keep.durable().and_then(Durable::ledger_of_input);
            let sequencer = Sequencer { inputs, chunks: decoding.chunks, progress, jobs: queues, credits, ledger };
            let sequencer = scope.spawn(move || sequencer.run());
            let collected = collect(&mut collector, &evaluated, parts, || {
                // Full or without a reader: either way nobody waits for it.
                let _ = credit.try_send(());
            });
            // Whoever still waits for the collector must see that it is gone.
            if collected.is_err() {
                progress.stop.request();
            }
            drop((evaluated, credit));
            for decoder in decoders {
                let time = decoder.join().unwrap_or_else(|panic| resume_unwind(panic));
                Times::add(&mut collector.stats.seconds.decode, time);
            }
            (collected, sequencer.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        collector.stats.python.workers = (self.workers + parts - 1) as u64 * self.packs.len() as u64;
        let finishing = Instant::now();
        let outcome = collected.and_then(|batches| {
            if let Some(failure) = sequenced.failure.clone() {
                return Err(failure.into());
            }
            make_up(&mut collector, &evaluators.first().into_iter().chain(&*stateful).collect::<Vec<_>>(), progress)?;
            collector.close().map_err(RunFailure::Write)?;
            Ok(imbalance(&collector, batches, &sequenced, records_before))
        });
        let whole = outcome.is_ok() && !collector.is_abandoned();
        if let Some(durable) = self.keep.durable().filter(|_| whole) {
            durable.begin_run();
        }
        let mut stats = collector.into_stats();
        stats.python.count_workers(&self.python.program.counts);
        Times::add(&mut stats.seconds.aggregate, finishing.elapsed());
        Times::add(&mut stats.seconds.total, started.elapsed());
        let ended = if whole { by_input(&finished, sequenced.ended) } else { Vec::new() };
        match outcome {
            Ok(imbalance) => RunResult { stats, failure: None, imbalance, ended },
            Err(failure) => RunResult { stats, failure: Some(failure), imbalance: None, ended },
        }
    }

    fn router(&self) -> Router {
        let packs = self.packs.iter().enumerate();
        let rules = packs.flat_map(|(pack, loaded)| loaded.runnable.iter().map(move |&rule| (index(pack), rule)));
        match self.fast_path {
            FastPath::Off => Router::everything(rules.collect()),
            FastPath::On { verify } => Router::new(rules.collect(), self.packs.iter().map(LoadedPack::guards).collect(), verify),
        }
    }

    /// The listed inputs that were not read to their end in an earlier run, and of each whether it was. Objects of buckets are
    /// left out when they are listed.
    fn unfinished(&self, progress: &Progress) -> Result<(Cow<'_, [Input]>, Vec<bool>), StoreError> {
        let listed = self.inputs.listed;
        let mut finished = vec![false; listed.len()];
        let Some(ledger) = self.keep.durable().and_then(Durable::ledger_of_input) else {
            return Ok((listed.into(), finished));
        };
        let object = |input: &Input| {
            let version = input.version.as_deref().filter(|_| input.checkpoint.is_none())?.to_owned();
            Some(ObjectVersion { object: input.name(), version })
        };
        for (inputs, finished) in listed.chunks(OBJECTS_AT_ONCE).zip(finished.chunks_mut(OBJECTS_AT_ONCE)) {
            let known = inputs.iter().zip(finished).filter_map(|(input, finished)| Some(((input, finished), object(input)?)));
            let (known, objects): (Vec<_>, Vec<_>) = known.unzip();
            let were = persist(&progress.stop, || ledger.are_finished(&objects))?;
            for (((input, finished), object), _) in known.into_iter().zip(&objects).zip(were).filter(|(_, was)| *was) {
                tracing::debug!("{}: was read in an earlier run; it is left out", object.object);
                progress.inputs.fetch_add(1, Ordering::Relaxed);
                progress.bytes.fetch_add(input.size, Ordering::Relaxed);
                *finished = true;
            }
        }
        if !finished.contains(&true) {
            return Ok((listed.into(), finished));
        }
        let left = listed.iter().zip(&finished).filter(|(_, finished)| !**finished);
        Ok((left.map(|(input, _)| input.clone()).collect(), finished))
    }

    fn rule_state(&self, pack: &str) -> Box<dyn RuleState> {
        let Some(durable) = self.keep.durable() else { return Box::new(MemoryState::default()) };
        Box::new(CommittedState::new(durable, pack.to_owned(), Arc::clone(&self.python.program.stop)))
    }

    /// The lanes of one thread: those of rules that keep state, or of all others. `None` where there is no state.
    fn lanes(&self, stateful: bool, left_out: &[Arc<LeftOut>]) -> Option<Vec<Lane>> {
        let lanes: Vec<Lane> = self
            .packs
            .iter()
            .zip(left_out)
            .enumerate()
            .map(|(number, (pack, left_out))| {
                let rules = pack.runnable.iter().copied().filter(|&rule| pack.uses_state(rule) == stateful).collect();
                let runner = pack.runner(self.python).leaving_out(Arc::clone(left_out));
                let runner = if stateful { runner.with_state(self.rule_state(&pack.pack.name)) } else { runner };
                Lane { pack: index(number), runner, rules }
            })
            .collect();
        (!stateful || lanes.iter().any(|lane| !lane.rules.is_empty())).then_some(lanes)
    }
}

/// The place of a pack as candidates name it.
pub(super) fn index(pack: usize) -> u16 {
    u16::try_from(pack).expect("a command line has no room for more packs")
}

/// The same lanes for `count` threads.
fn siblings(lanes: Vec<Lane>, count: usize) -> Vec<Vec<Lane>> {
    let copy = |lane: &Lane| Lane { pack: lane.pack, runner: lane.runner.sibling(), rules: lane.rules.clone() };
    let mut threads: Vec<Vec<Lane>> = (1..count).map(|_| lanes.iter().map(copy).collect()).collect();
    threads.push(lanes);
    threads
}

/// How it went with each input, also with those that were not read because they had been before.
fn by_input(finished: &[bool], ended: Vec<Ended>) -> Vec<Ended> {
    let mut ended = ended.into_iter();
    finished.iter().map(|&finished| if finished { Ended::Read } else { ended.next().unwrap_or(Ended::Interrupted) }).collect()
}

/// What does not add up in a run that went to its end.
fn imbalance(collector: &Collector<'_>, batches: u64, sequenced: &Sequenced, records_before: u64) -> Option<String> {
    let read = collector.stats.records.read - records_before;
    if batches != sequenced.batches {
        return Some(format!("{} batches were read, {batches} were collected", sequenced.batches));
    }
    if read != sequenced.records {
        return Some(format!("{} records were read, {read} were collected", sequenced.records));
    }
    collector.imbalance()
}

/// Runs the calls that were left out, where no state keeps them: until none are left, or it is of no use.
fn make_up(collector: &mut Collector<'_>, evaluators: &[&Evaluator], progress: &Progress) -> Result<(), RunFailure> {
    loop {
        let jobs = collector.deferred();
        if jobs.is_empty() || progress.stop.is_requested() {
            return Ok(());
        }
        for job in jobs.into_iter().map(Arc::new) {
            let mut parts = Vec::new();
            for evaluator in evaluators {
                let ended = || RunFailure::Threads(io::Error::other("one has ended"));
                parts.push((Arc::clone(&job), evaluator.one(Arc::clone(&job)).ok_or_else(ended)?));
            }
            if let Some((job, done)) = parts.into_iter().reduce(merge) {
                collector.take(&job, done).map_err(RunFailure::Write)?;
            }
        }
    }
}

/// What one group of threads made of a batch; by pack.
type Part = (Arc<Job>, Vec<Done>);

/// Takes results in the order of their batches, once all `parts` of a batch are there. Returns how many batches it took.
fn collect(
    collector: &mut Collector<'_>,
    evaluated: &Receiver<Evaluated>,
    parts: usize,
    taken: impl Fn(),
) -> Result<u64, RunFailure> {
    let mut waiting: BTreeMap<u64, Vec<Part>> = BTreeMap::new();
    let mut next = 0;
    loop {
        let evaluated = match collector.due() {
            Some(due) => evaluated.recv_deadline(due),
            None => evaluated.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let Evaluated { job, done, time } = match evaluated {
            Ok(evaluated) => evaluated,
            Err(RecvTimeoutError::Timeout) => {
                collector.commit(false)?;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        Times::add(&mut collector.stats.seconds.evaluate, time);
        waiting.entry(job.number).or_default().push((job, done));
        while waiting.get(&next).is_some_and(|found| found.len() == parts) {
            let started = Instant::now();
            let found = waiting.remove(&next).unwrap_or_default();
            if let Some((job, done)) = found.into_iter().reduce(merge) {
                collector.take(&job, done).map_err(RunFailure::Write)?;
            }
            Times::add(&mut collector.stats.seconds.aggregate, started.elapsed());
            collector.commit(false)?;
            next += 1;
            taken();
        }
    }
    collector.commit(true)?;
    Ok(next)
}

/// Puts the parts of a batch together, pack by pack.
fn merge(mut one: Part, other: Part) -> Part {
    for (done, more) in one.1.iter_mut().zip(other.1) {
        done.append(more);
    }
    for Done { outcome, .. } in &mut one.1 {
        outcome.errors.sort_by_key(|error| (error.record, error.rule));
        outcome.logs.sort_by_key(|log| (log.record, log.rule));
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Records;
    use iota_engine::alert::Severity;
    use std::time::Duration;

    struct Nowhere;

    impl AlertSink for Nowhere {
        fn alert(&mut self, _: &[u8], _: Severity) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is said when these batches come back, each with one duplicate, of so many batches and records.
    fn said(batches: &[u64], sequenced: &Sequenced) -> Option<String> {
        let mut sink = Nowhere;
        let (at, mut memory) = (At { packs: &[], inputs: Inputs::default(), clock: Clock::Fixed(0) }, Memory::new(0));
        let (triage, stop) = (Triage::default(), Stop::default());
        let keep = (Keep::Nothing(&triage), &stop);
        let mut collector = Collector::new(at, (Emit::Final, false), &mut sink, Stats::new(), keep, &mut memory);
        let (results, evaluated) = bounded(batches.len());
        for &number in batches {
            let job =
                Arc::new(Job { number, records: Records { read: 1, duplicates: 1, ..Records::default() }, ..Job::default() });
            results.send(Evaluated { job, done: Vec::new(), time: Duration::ZERO }).unwrap();
        }
        drop(results);
        let collected = collect(&mut collector, &evaluated, 1, || {}).unwrap();
        collector.close().unwrap();
        imbalance(&collector, collected, sequenced, 0)
    }

    #[test]
    fn a_batch_or_a_record_that_gets_lost_is_noticed() {
        let sequenced = |batches, records| Sequenced { batches, records, failure: None, ended: Vec::new() };
        assert_eq!(said(&[1, 0, 2], &sequenced(3, 3)), None);
        assert_eq!(said(&[0, 2], &sequenced(3, 3)).unwrap(), "3 batches were read, 1 were collected");
        assert_eq!(said(&[0, 1], &sequenced(3, 3)).unwrap(), "3 batches were read, 2 were collected");
        assert_eq!(said(&[0, 1], &sequenced(2, 3)).unwrap(), "3 records were read, 2 were collected");
    }
}
