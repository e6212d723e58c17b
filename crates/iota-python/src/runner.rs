//! Runs the rules of one pack on one worker, whatever happens to the worker.
//! A pair that kills it is found, reported as that rule's error, and the rest of the batch is run again without it.

use crate::counts::WorkerCounts;
use crate::interpreter::Interpreter;
use crate::left_out::LeftOut;
use crate::load;
use crate::process::{Death, LoadRequest, NoState, Process, StartError};
use crate::sandbox::Sandbox;
use crate::stop::{Cancel, Stop};
use iota_engine::rule::{Batch, Failure, Outcome, Pack, Pair, RuleError, RuleRunner, RuleState, TestOutcome, TestRequest};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Workers that one rule may kill before it is paused.
pub const KILLS: u32 = 10;
/// Workers that all rules of a pack may kill in one batch, before the rest of it is left out, or in all, before most of it
/// being of no use has the pack paused as a whole: each costs a start, and the other packs wait.
pub const PACK_KILLS: u32 = 50;
/// Workers that may die in a row while they load the pack.
const STARTS: u32 = 3;
/// Attempts to start a process while the system has no room for one.
const SPAWNS: u32 = 7;
/// The wait after the first of them; it doubles from one to the next, to about 3 seconds in all.
const SPAWN_WAIT: Duration = Duration::from_millis(50);

/// What is needed to start a worker, besides a pack.
#[derive(Debug, Clone)]
pub struct Program {
    pub interpreter: Interpreter,
    /// Another engine file than the embedded worker.
    pub engine: Option<PathBuf>,
    pub sandbox: Sandbox,
    /// Address space of a worker, in bytes.
    pub memory: u64,
    /// How long one rule may take on one record.
    pub call_time: Duration,
    /// What rules see as the time of parsing, in milliseconds since the Unix epoch; `None`: the real time.
    pub now_ms: Option<i64>,
    /// Ends the work of every worker.
    pub stop: Arc<Stop>,
    pub counts: Arc<WorkerCounts>,
}

/// One worker of a pack, started when it is first needed and replaced when it dies.
pub struct PackRunner {
    program: Program,
    /// Name of the pack.
    pack: Arc<str>,
    load: Arc<LoadRequest>,
    left_out: Arc<LeftOut>,
    state: Box<dyn RuleState>,
    process: Option<Process>,
    cancel: Arc<Cancel>,
    /// How many pairs it is given at once: fewer once nobody waited for the end of so many, so that some get done.
    at_once: usize,
}

impl std::fmt::Debug for PackRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackRunner").field("program", &self.program).field("process", &self.process).finish_non_exhaustive()
    }
}

impl PackRunner {
    /// `rules` are the indices of the rules that loaded; `prepared` is of their load report.
    pub fn new(program: Program, pack: &Pack, rules: &[u16], prepared: Option<&Json>) -> Self {
        let header = load::header(&program, pack, rules, prepared);
        Self::with_header(program, pack, &header)
    }

    /// For `test`: its workers can make mocks.
    pub fn for_tests(program: Program, pack: &Pack, rules: &[u16], prepared: Option<&Json>) -> Self {
        let mut header = load::header(&program, pack, rules, prepared);
        header["mocks"] = pack.rules.iter().flat_map(|rule| &rule.tests).any(|test| !test.mocks.is_empty()).into();
        Self::with_header(program, pack, &header)
    }

    fn with_header(program: Program, pack: &Pack, header: &Json) -> Self {
        let load = Arc::new(load::request(pack, header));
        let pack = pack.name.as_str().into();
        let (left_out, cancel) = (Arc::default(), Arc::default());
        Self { program, pack, load, left_out, state: Box::new(NoState), process: None, cancel, at_once: usize::MAX }
    }

    /// Another worker of the same pack.
    #[must_use]
    pub fn sibling(&self) -> Self {
        Self {
            program: self.program.clone(),
            pack: Arc::clone(&self.pack),
            load: Arc::clone(&self.load),
            left_out: Arc::clone(&self.left_out),
            state: Box::new(NoState),
            process: None,
            cancel: Arc::default(),
            at_once: usize::MAX,
        }
    }

    pub fn left_out(&self) -> Arc<LeftOut> {
        Arc::clone(&self.left_out)
    }

    /// Shares the rules to leave out with another runner of the same pack.
    #[must_use]
    pub fn leaving_out(mut self, left_out: Arc<LeftOut>) -> Self {
        self.left_out = left_out;
        self
    }

    /// Keeps the state of stateful helpers: for the one worker of a pack that runs the rules which use it.
    #[must_use]
    pub fn with_state(mut self, state: Box<dyn RuleState>) -> Self {
        self.state = state;
        self
    }

    /// What follows ends when this says so, as far as it has come: what is left counts as not run.
    pub fn until(&mut self, cancel: Arc<Cancel>) {
        self.cancel = cancel;
    }

    pub fn has_worker(&self) -> bool {
        self.process.is_some()
    }

    /// Starts a worker for such pairs, unless there is one, none is to be started, or none of them would be run.
    pub fn start_for(&mut self, pairs: &[Pair]) {
        if self.has_worker() || !self.left_out.may_start() || pairs.iter().all(|pair| self.left_out.holds(pair.rule)) {
            return;
        }
        match self.take_process() {
            Ok(process) => self.process = Some(process),
            Err(StartError::Stopped) => {}
            Err(error) => self.left_out.no_start(&error),
        }
    }

    /// Runs one test of a rule. An error of the second kind is the rule's: it killed the worker.
    pub fn test(&mut self, request: &TestRequest<'_>) -> Result<Result<TestOutcome, Death>, StartError> {
        let mut process = self.take_process()?;
        let verdict = process.test(request, self.state.as_ref());
        match &verdict {
            Ok(_) => self.process = Some(process),
            Err(death) if death.is_stop() => {}
            Err(_) => self.program.counts.has_died(),
        }
        Ok(verdict)
    }

    /// The worker there is, or a new one.
    fn take_process(&mut self) -> Result<Process, StartError> {
        if let Some(process) = self.process.take() {
            return Ok(process);
        }
        let (mut deaths, mut spawns) = (0, 0);
        loop {
            if self.program.stop.is_over() || self.cancel.is_cancelled() {
                return Err(StartError::Stopped);
            }
            match Process::start(&self.program, &self.load, &self.cancel) {
                Ok((process, _)) => return Ok(process),
                // One that took its time has had it.
                Err(error @ StartError::Died { death: Death::TooLong(_), .. }) => return Err(error),
                Err(error @ StartError::Died { .. }) if deaths + 1 < STARTS => {
                    deaths += 1;
                    tracing::warn!("pack {}: {error}", self.pack);
                }
                Err(error) if error.may_pass() && spawns + 1 < SPAWNS => {
                    tracing::debug!("pack {}: {error}", self.pack);
                    thread::sleep(SPAWN_WAIT * 2_u32.pow(spawns));
                    spawns += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs pairs on the worker there is, or a new one.
    fn run(&mut self, batch: &Batch, pairs: &[Pair]) -> Ran {
        if self.process.is_none() && !self.left_out.may_start() {
            return Ran::NotAtAll { pause: self.left_out.take_why(), cut: None };
        }
        let mut process = match self.take_process() {
            Ok(process) => process,
            Err(StartError::Stopped) => return Ran::NotAtAll { pause: None, cut: None },
            // Whatever the reason: the other packs go on, and do not wait for one attempt after the other.
            Err(error) => {
                self.left_out.no_start(&error);
                return Ran::NotAtAll { pause: self.left_out.take_why(), cut: None };
            }
        };
        let (started, fresh) = (Instant::now(), process.is_fresh());
        match process.evaluate(batch, pairs, self.state.as_ref(), &self.cancel) {
            Ok(outcome) => {
                self.process = Some(process);
                if pairs.len() == self.at_once {
                    self.at_once = self.at_once.saturating_mul(2);
                }
                for update in outcome.state.iter() {
                    self.state.apply(&update.ops);
                }
                Ran::Well(outcome)
            }
            Err(death) if death.is_stop() => {
                if self.cancel.is_cancelled() {
                    self.at_once = pairs.len().div_ceil(2);
                    let (pack, calls) = (&self.pack, pairs.len());
                    tracing::warn!(
                        "pack {pack}: other packs wait, so {calls} calls are cut short, and run later in smaller parts"
                    );
                }
                let rule = process.working_on().and_then(|at| pairs.get(at)).map(|pair| pair.rule);
                Ran::NotAtAll { pause: None, cut: rule.map(|rule| (rule, started.elapsed())) }
            }
            Err(death) => {
                let suspect = process.working_on().filter(|at| *at < pairs.len());
                tracing::debug!(%death, pairs = pairs.len(), ?suspect, "a worker died");
                self.program.counts.has_died();
                Ran::Died { death, suspect, fresh, time: started.elapsed() }
            }
        }
    }
}

/// What running some pairs on a worker came to.
enum Ran {
    Well(Outcome),
    Died {
        death: Death,
        /// Position of the pair it was working on.
        suspect: Option<usize>,
        /// It had run nothing before.
        fresh: bool,
        /// From being asked to its end.
        time: Duration,
    },
    /// There is no worker for these, nor for others of the batch. It says why the pack is to be paused, unless it is not or
    /// that was said before.
    NotAtAll {
        pause: Option<String>,
        /// The rule that was at work when nobody waited any longer, and how long all of them were.
        cut: Option<(u16, Duration)>,
    },
}

impl RuleRunner for PackRunner {
    /// When a worker dies over some pairs, the one it was working on is run alone, those before and behind it apart;
    /// where that is not known, halves are. Only what dies alone on a worker that ran nothing else is to blame.
    fn evaluate(&mut self, batch: &Batch, pairs: &[Pair]) -> Outcome {
        let (mut not_run, pairs): (Vec<Pair>, Vec<Pair>) = pairs.iter().partition(|pair| self.left_out.holds(pair.rule));
        let mut outcome = Outcome::default();
        // Parts still to be run, the next one last.
        let mut parts: Vec<Range<usize>> = Vec::new();
        parts.extend(
            (0..pairs.len()).step_by(self.at_once).map(|start| start..pairs.len().min(start.saturating_add(self.at_once))),
        );
        parts.reverse();
        let mut has_died = false;
        let mut kills: BTreeMap<u16, u32> = BTreeMap::new();
        let mut killed_by_all = 0;
        while let Some(part) = parts.pop() {
            // Here, or while this was at work in an earlier batch.
            let killed = |rule: &u16| kills.get(rule).is_some_and(|count| *count >= KILLS);
            let over = |pair: &Pair| killed_by_all >= PACK_KILLS || killed(&pair.rule) || self.left_out.holds(pair.rule);
            if pairs[part.clone()].iter().any(over) {
                let (over, rest): (Vec<usize>, Vec<usize>) = part.partition(|at| over(&pairs[*at]));
                not_run.extend(over.into_iter().map(|at| pairs[at]));
                // Unbroken runs of what is left, the first one last.
                parts.extend(rest.chunk_by(|a, b| a + 1 == *b).rev().map(|run| run[0]..run[run.len() - 1] + 1));
                continue;
            }
            if part.len() == 1 && has_died {
                // A suspect gets a worker of its own.
                self.process.take_if(|process| !process.is_fresh());
            }
            let (death, suspect, fresh, time) = match self.run(batch, &pairs[part.clone()]) {
                Ran::Well(more) => {
                    outcome.append(more);
                    continue;
                }
                Ran::NotAtAll { pause, cut } => {
                    outcome.pause = outcome.pause.or(pause);
                    if let Some((rule, time)) = cut {
                        // Which of them took how long is not known; whatever takes long is mostly what is at work.
                        add_time(&mut outcome, rule, time);
                    }
                    parts.push(part);
                    not_run.extend(parts.drain(..).flatten().map(|at| pairs[at]));
                    continue;
                }
                Ran::Died { death, suspect, fresh, time } => (death, suspect, fresh, time),
            };
            has_died = true;
            if part.len() > 1 {
                let cut = match suspect {
                    Some(at) => [part.start + at, part.start + at + 1],
                    None => [part.start + part.len() / 2; 2],
                };
                let cuts = [cut[1]..part.end, cut[0]..cut[1], part.start..cut[0]];
                parts.extend(cuts.into_iter().filter(|part| !part.is_empty()));
            } else if fresh {
                *kills.entry(pairs[part.start].rule).or_default() += 1;
                killed_by_all += 1;
                let pair = pairs[part.start];
                outcome.errors.push(blame(pair, &death));
                // Who dies cannot say how long that took.
                add_time(&mut outcome, pair.rule, time);
            } else {
                parts.push(part);
            }
        }
        not_run.sort_unstable();
        outcome.not_run = not_run;
        outcome
    }
}

fn add_time(outcome: &mut Outcome, rule: u16, time: Duration) {
    let nanos = outcome.nanos.entry(rule).or_default();
    *nanos = nanos.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}

fn blame(pair: Pair, death: &Death) -> RuleError {
    let kind = match death {
        Death::TooLong(_) => "TimeoutError",
        Death::Ended(_) => "WorkerDied",
        Death::Protocol(_) => "ProtocolError",
    };
    let failure =
        Failure { r#type: kind.to_owned(), message: death.to_string(), path: None, line: None, traceback: String::new() };
    RuleError { record: pair.record, rule: pair.rule, function: "rule".to_owned(), failure, fatal: true }
}
