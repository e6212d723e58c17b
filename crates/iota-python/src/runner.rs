//! Runs the rules of one pack on one worker, whatever happens to the worker.
//! A pair that kills it is found, reported as that rule's error, and the rest of the batch is run again without it.

use crate::interpreter::Interpreter;
use crate::load;
use crate::process::{Death, NoState, Process, StartError};
use iota_engine::rule::{Batch, Failure, Outcome, Pack, Pair, RuleError, RuleRunner, RuleState, TestOutcome};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;

/// Workers that one rule may kill in a row, without one completed batch in between, before its pairs are left out.
const KILLS_IN_A_ROW: u32 = 5;
/// Workers that may fail to start in a row.
const STARTS: u32 = 3;

/// What is needed to start a worker, besides a pack.
#[derive(Debug, Clone)]
pub struct Program {
    pub interpreter: Interpreter,
    /// Another engine file than the embedded worker.
    pub engine: Option<PathBuf>,
    /// How long one rule may take on one record.
    pub call_time: Duration,
    /// What rules see as the time of parsing, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

#[derive(Debug, Error)]
pub enum RunError {
    #[error("a worker cannot be started any more: {0}")]
    Start(#[from] StartError),
}

/// Shared by the runners of a pack: how often each rule has killed a worker in a row.
#[derive(Debug, Default)]
struct Kills(Mutex<BTreeMap<u16, u32>>);

impl Kills {
    fn with<T>(&self, use_it: impl FnOnce(&mut BTreeMap<u16, u32>) -> T) -> T {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn blame(&self, rule: u16) {
        self.with(|kills| *kills.entry(rule).or_default() += 1);
    }

    /// A rule that has reached the limit stays out for the rest of the run.
    fn completed(&self, pairs: &[Pair]) {
        self.with(|kills| kills.retain(|rule, count| *count >= KILLS_IN_A_ROW || !pairs.iter().any(|pair| pair.rule == *rule)));
    }

    fn left_out(&self, rule: u16) -> bool {
        self.with(|kills| kills.get(&rule).is_some_and(|count| *count >= KILLS_IN_A_ROW))
    }
}

/// One worker of a pack, started when it is first needed and replaced when it dies.
pub struct PackRunner {
    program: Program,
    /// Name of the pack.
    pack: Arc<str>,
    load_body: Arc<Vec<u8>>,
    kills: Arc<Kills>,
    state: Box<dyn RuleState>,
    process: Option<Process>,
}

impl std::fmt::Debug for PackRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackRunner").field("program", &self.program).field("process", &self.process).finish_non_exhaustive()
    }
}

impl PackRunner {
    /// `rules` are the indices of the rules that loaded.
    pub fn new(program: Program, pack: &Pack, rules: &[u16]) -> Self {
        let load_body = Arc::new(load::body(pack, rules, program.now_ms));
        let pack = pack.name.as_str().into();
        Self { program, pack, load_body, kills: Arc::default(), state: Box::new(NoState), process: None }
    }

    /// Another worker of the same pack.
    #[must_use]
    pub fn sibling(&self) -> Self {
        let (program, pack, load_body, kills) =
            (self.program.clone(), Arc::clone(&self.pack), Arc::clone(&self.load_body), Arc::clone(&self.kills));
        Self { program, pack, load_body, kills, state: Box::new(NoState), process: None }
    }

    /// Keeps the state of stateful helpers: for the one worker of a pack that runs the rules which use it.
    #[must_use]
    pub fn with_state(mut self, state: Box<dyn RuleState>) -> Self {
        self.state = state;
        self
    }

    /// Runs one test of a rule. An error of the second kind is the rule's: it killed the worker.
    pub fn test(&mut self, request: &Json) -> Result<Result<TestOutcome, Death>, RunError> {
        let mut process = self.take_process()?;
        let verdict = process.test(request, self.state.as_ref());
        if verdict.is_ok() {
            self.process = Some(process);
        }
        Ok(verdict)
    }

    fn take_process(&mut self) -> Result<Process, StartError> {
        if let Some(process) = self.process.take() {
            return Ok(process);
        }
        let mut attempt = 1;
        loop {
            match Process::start(&self.program, &self.load_body) {
                Ok((process, _)) => return Ok(process),
                Err(error) if attempt == STARTS => return Err(error),
                Err(error) => tracing::warn!(%error, attempt, "a worker did not start"),
            }
            attempt += 1;
        }
    }

    fn run(&mut self, batch: &Batch, pairs: &[Pair]) -> Result<Outcome, RunError> {
        if pairs.is_empty() {
            return Ok(Outcome::default());
        }
        let mut process = match self.take_process() {
            Ok(process) => process,
            Err(error @ StartError::Died { .. }) => {
                // The pack keeps its own workers from starting; the other packs go on.
                tracing::error!("pack {}: no worker can be started any more, its rules are not run: {error}", self.pack);
                return Ok(Outcome { not_run: pairs.to_vec(), ..Outcome::default() });
            }
            Err(error) => return Err(error.into()),
        };
        match process.evaluate(batch, pairs, self.state.as_ref()) {
            Ok(outcome) => {
                self.process = Some(process);
                self.kills.completed(pairs);
                for update in &outcome.state {
                    self.state.apply(&update.ops);
                }
                Ok(outcome)
            }
            Err(death) => self.without_culprit(batch, pairs, &death, process.working_on()),
        }
    }

    /// A worker died over these pairs. The pair it was working on is run alone, those before and behind it apart; where
    /// that is not known, halves are. What dies alone is to blame.
    fn without_culprit(
        &mut self,
        batch: &Batch,
        pairs: &[Pair],
        death: &Death,
        suspect: Option<usize>,
    ) -> Result<Outcome, RunError> {
        tracing::debug!(%death, pairs = pairs.len(), ?suspect, "a worker died");
        if let [pair] = pairs {
            self.kills.blame(pair.rule);
            return Ok(Outcome { errors: vec![blame(*pair, death)], ..Outcome::default() });
        }
        let cuts = match suspect.filter(|at| *at < pairs.len()) {
            Some(at) => [at, at + 1],
            None => [pairs.len() / 2, pairs.len() / 2],
        };
        let mut outcome = Outcome::default();
        for part in [&pairs[..cuts[0]], &pairs[cuts[0]..cuts[1]], &pairs[cuts[1]..]] {
            outcome.append(self.evaluate(batch, part)?);
        }
        Ok(outcome)
    }
}

impl RuleRunner for PackRunner {
    type Error = RunError;

    fn evaluate(&mut self, batch: &Batch, pairs: &[Pair]) -> Result<Outcome, RunError> {
        let (not_run, pairs): (Vec<Pair>, Vec<Pair>) = pairs.iter().partition(|pair| self.kills.left_out(pair.rule));
        let mut outcome = self.run(batch, &pairs)?;
        outcome.not_run.extend(not_run);
        outcome.not_run.sort_unstable();
        Ok(outcome)
    }
}

fn blame(pair: Pair, death: &Death) -> RuleError {
    let kind = match death {
        Death::TooLong(_) => "TimeoutError",
        Death::Ended(_) => "WorkerDied",
        Death::Protocol(_) => "ProtocolError",
    };
    let failure =
        Failure { r#type: kind.to_owned(), message: death.to_string(), path: None, line: None, traceback: String::new() };
    RuleError { record: pair.record, rule: pair.rule, function: "rule".to_owned(), failure }
}
