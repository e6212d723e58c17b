//! One worker process: started, loaded with a pack, asked for results, killed when it must be.
//! Decides nothing about what a death means; the runner does.

use crate::answer::{self, Fault};
use crate::embedded;
use crate::frame::{Frame, FrameError, Pipes};
use crate::patience::{Over, Patience, read_progress};
use crate::runner::Program;
use crate::spawn::{Group, command};
use crate::stop::{Cancel, Stop};
use iota_engine::rule::{Batch, Loaded, Outcome, Pair, RuleState, TestOutcome, TestRequest};
use rustix::io::Errno;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// How long a worker may take to start, and then to import each data model and each rule.
const LOAD_STEP: Duration = Duration::from_secs(30);
/// How long it may take to load a pack, and how much longer for each data model and rule; and at most. Importing a rule takes
/// about a quarter of a millisecond (docs/PERFORMANCE.md).
const LOAD_ALL: Duration = Duration::from_secs(60);
const LOAD_EACH: Duration = Duration::from_millis(50);
const LONGEST_LOAD: Duration = Duration::from_secs(600);
/// Steps of a load at most: a data model or a rule each, of which there are at most so many.
const LOAD_STEPS: u64 = 2 << 16;
/// A batch may take this many times the time of one call, however its calls share it, and a smaller one no more than its
/// calls may.
const BATCH_CALLS: u32 = 30;
/// How long a worker that closed its pipe gets to say how it ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How a worker ended while it was at work.
#[derive(Debug, Error)]
pub enum Death {
    #[error(transparent)]
    TooLong(Over),
    #[error("the worker process ended: {0}")]
    Ended(String),
    #[error("the worker answered with something that is not the protocol: {0}")]
    Protocol(String),
}

impl Death {
    /// The worker was ended because nobody wants its work any more, whatever it did.
    pub(crate) fn is_stop(&self) -> bool {
        matches!(self, Self::TooLong(Over::Stopped | Over::Cancelled))
    }
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error("{path} cannot be started: {why}")]
    Spawn { path: PathBuf, why: io::Error },
    #[error("{0}")]
    Refused(String),
    #[error("the worker died while loading the rules: {death}{}{output}", if output.is_empty() { "" } else { ": " })]
    Died {
        death: Death,
        output: String,
        /// Index of the rule it was loading, where that is to blame.
        rule: Option<u16>,
    },
    #[error("{}", Over::Stopped)]
    Stopped,
}

/// What a worker is given first.
#[derive(Debug)]
pub(crate) struct LoadRequest {
    /// Of the frame `L`.
    pub(crate) body: Vec<u8>,
    /// How long it may take, however many of the rules end their worker.
    pub(crate) time: Duration,
}

impl LoadRequest {
    /// `steps` are the data models and rules in it.
    pub(crate) fn new(body: Vec<u8>, steps: usize) -> Self {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        Self { body, time: LONGEST_LOAD.min(LOAD_ALL + LOAD_EACH.saturating_mul(steps)) }
    }
}

impl StartError {
    /// The system had no room for a process or its files, and may have some later.
    pub(crate) fn may_pass(&self) -> bool {
        let Self::Spawn { why, .. } = self else { return false };
        let passing = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::NOSPC];
        Errno::from_io_error(why).is_some_and(|why| passing.contains(&why))
    }
}

#[derive(Debug)]
pub(crate) struct Process {
    group: Group,
    pipes: Pipes,
    /// Where the worker notes the pair it is working on, from 1; 0 when idle.
    progress: File,
    call_time: Duration,
    stop: Arc<Stop>,
    next_batch: u64,
}

impl Process {
    /// Starts a worker and loads a pack, and counts that.
    pub(crate) fn start(program: &Program, request: &LoadRequest, cancel: &Cancel) -> Result<(Self, Loaded), StartError> {
        let started = Self::start_uncounted(program, request, cancel);
        match &started {
            Ok(_) => program.counts.has_started(),
            Err(StartError::Stopped) => {}
            Err(_) => program.counts.has_failed(),
        }
        started
    }

    fn start_uncounted(program: &Program, request: &LoadRequest, cancel: &Cancel) -> Result<(Self, Loaded), StartError> {
        let spawn_error = |why| StartError::Spawn { path: program.interpreter.path.clone(), why };
        let progress = tempfile::tempfile().and_then(|file| file.set_len(8).map(|()| file)).map_err(spawn_error)?;
        let mut output = tempfile::tempfile().map_err(spawn_error)?;
        let child = command(program, &progress, &output).and_then(|mut command| command.spawn()).map_err(spawn_error)?;
        let mut process = Self::wrap(child, progress, program).map_err(spawn_error)?;
        match process.load(program.engine.is_none(), request, cancel) {
            Ok(loaded) => Ok((process, loaded?)),
            Err(FrameError::Over(Over::Stopped | Over::Cancelled)) => Err(StartError::Stopped),
            Err(error) => {
                let all = matches!(error, FrameError::Over(Over::All(_)));
                let rule = process.working_on().filter(|_| !all).and_then(|at| u16::try_from(at).ok());
                let death = process.death(error);
                let mut said = Vec::new();
                if let Err(error) = output.seek(SeekFrom::Start(0)).and_then(|_| output.take(4000).read_to_end(&mut said)) {
                    tracing::debug!(%error, "what the worker said is lost");
                }
                Err(StartError::Died { death, output: String::from_utf8_lossy(&said).trim().to_owned(), rule })
            }
        }
    }

    fn wrap(mut child: Child, progress: File, program: &Program) -> io::Result<Self> {
        let pipes = child.stdin.take().zip(child.stdout.take());
        let group = Group::new(child);
        let (input, output) = pipes.ok_or_else(|| io::Error::other("no pipes to the worker"))?;
        let (call_time, stop) = (program.call_time, Arc::clone(&program.stop));
        Ok(Self { pipes: Pipes::new(input, output)?, group, progress, call_time, stop, next_batch: 0 })
    }

    fn load(&mut self, embedded: bool, request: &LoadRequest, cancel: &Cancel) -> Result<Result<Loaded, StartError>, FrameError> {
        let mut patience = Patience::new(&self.stop, &self.progress, LOAD_STEPS, LOAD_STEP, request.time).until(cancel);
        if embedded {
            self.pipes.send(b'W', &[&embedded::modules_json()], &mut patience)?;
        }
        self.pipes.send(b'L', &[&request.body], &mut patience)?;
        let frame = self.pipes.receive(&mut patience)?;
        if frame.kind != b'l' {
            return Err(unexpected(&frame));
        }
        match parse::<Refusal>(&frame.body)?.error {
            Some(refusal) => Ok(Err(StartError::Refused(refusal))),
            None => parse(&frame.body).map(Ok),
        }
    }

    /// Runs pairs. `state` answers the requests of stateful helpers.
    pub(crate) fn evaluate(
        &mut self,
        batch: &Batch,
        pairs: &[Pair],
        state: &dyn RuleState,
        cancel: &Cancel,
    ) -> Result<Outcome, Death> {
        let id = self.next_batch;
        self.next_batch += 1;
        let (mut outcome, mut size) = (Outcome::default(), 0);
        let calls = u32::try_from(pairs.len()).unwrap_or(BATCH_CALLS).clamp(2, BATCH_CALLS);
        let (each, all) = (self.call_time, self.call_time * calls);
        let patience = Patience::new(&self.stop, &self.progress, pairs.len() as u64, each, all).until(cancel);
        exchange(&mut self.pipes, patience, b'B', &batch_body(id, batch, pairs), state, |frame| {
            if !matches!(frame.kind, b'p' | b'b') {
                return Err(unexpected(frame));
            }
            size += frame.body.len();
            answer::check_size(size)?;
            let (answered, json) =
                frame.body.split_first_chunk::<8>().ok_or_else(|| FrameError::Malformed("a short result".to_owned()))?;
            if u64::from_le_bytes(*answered) != id {
                return Err(FrameError::Malformed("the result of another batch".to_owned()));
            }
            outcome.append(parse(json)?);
            answer::check(&outcome, pairs.len())?;
            Ok((frame.kind == b'b').then_some(()))
        })
        .and_then(|()| Ok(answer::place(&mut outcome, pairs)?))
        .map_err(|error| self.death(error))?;
        Ok(outcome)
    }

    pub(crate) fn test(&mut self, request: &TestRequest<'_>, state: &dyn RuleState) -> Result<TestOutcome, Death> {
        let request = serde_json::to_vec(request).expect("keys are text");
        let patience = Patience::once(&self.stop, self.call_time);
        exchange(&mut self.pipes, patience, b'T', &request, state, |frame| {
            if frame.kind != b't' {
                return Err(unexpected(frame));
            }
            let outcome = parse(&frame.body)?;
            answer::check_test(&outcome)?;
            Ok(Some(outcome))
        })
        .map_err(|error| self.death(error))
    }

    /// It has run nothing yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.next_batch == 0
    }

    /// Position of the pair (or, while loading, of the rule) that the worker is at, from 0.
    pub(crate) fn working_on(&self) -> Option<usize> {
        read_progress(&self.progress).checked_sub(1).and_then(|at| usize::try_from(at).ok())
    }

    /// Ends the process and says how it ended.
    fn death(&mut self, error: FrameError) -> Death {
        match error {
            FrameError::Over(over) => {
                self.group.end();
                Death::TooLong(over)
            }
            FrameError::Closed | FrameError::Io(_) => {
                let by_itself = self.group.ends_within(LAST_WORDS);
                let status = self.group.end().filter(|_| by_itself);
                Death::Ended(status.map_or_else(|| "it closed its pipe".to_owned(), describe))
            }
            FrameError::Malformed(why) => {
                self.group.end();
                Death::Protocol(why)
            }
        }
    }
}

/// Sends a request, answers requests for state, and gives every other frame to `take` until that has its answer.
fn exchange<T>(
    pipes: &mut Pipes,
    mut patience: Patience<'_>,
    kind: u8,
    body: &[u8],
    state: &dyn RuleState,
    mut take: impl FnMut(&Frame) -> Result<Option<T>, FrameError>,
) -> Result<T, FrameError> {
    pipes.send(kind, &[body], &mut patience)?;
    loop {
        let frame = pipes.receive(&mut patience)?;
        if frame.kind != b's'
            && let Some(answer) = take(&frame)?
        {
            return Ok(answer);
        }
        // A rule may ask, or answer in parts, without end, and then there is always something to read.
        if let Some(over) = patience.over() {
            return Err(over.into());
        }
        if frame.kind == b's' {
            let Question { kind, key } = parse(&frame.body)?;
            let value = state.get(&kind, &key);
            pipes.send(b'S', &[value.to_string().as_bytes()], &mut patience)?;
        }
    }
}

/// Why a worker serves nothing.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: Option<String>,
}

/// A request for state.
#[derive(Debug, Deserialize)]
struct Question {
    kind: String,
    key: String,
}

impl From<Fault> for FrameError {
    fn from(Fault(what): Fault) -> Self {
        Self::Malformed(what)
    }
}

fn unexpected(frame: &Frame) -> FrameError {
    FrameError::Malformed(format!("unexpected frame `{}`", frame.kind.escape_ascii()))
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|error| FrameError::Malformed(error.to_string()))
}

fn batch_body(id: u64, batch: &Batch, pairs: &[Pair]) -> Vec<u8> {
    let records: Vec<&[Pair]> = pairs.chunk_by(|a, b| a.record == b.record).collect();
    let mut body = Vec::with_capacity(batch.size() + pairs.len() * 2 + records.len() * 6 + 12);
    body.extend_from_slice(&id.to_le_bytes());
    body.extend_from_slice(&wire_u32(records.len()));
    for of_record in records {
        let raw = batch.raw(of_record[0].record as usize);
        body.extend_from_slice(&wire_u32(raw.len()));
        body.extend_from_slice(raw);
        // A pack has at most 65,535 rules, and a record each of them at most once.
        body.extend_from_slice(&u16::try_from(of_record.len()).unwrap_or(u16::MAX).to_le_bytes());
        for pair in of_record {
            body.extend_from_slice(&pair.rule.to_le_bytes());
        }
    }
    body
}

fn wire_u32(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown status".to_owned(),
    }
}

/// An empty answer for helpers when no state is kept.
#[derive(Debug)]
pub(crate) struct NoState;

impl RuleState for NoState {
    fn get(&self, _kind: &str, _key: &str) -> Json {
        json!({"value": null, "expires_at": null})
    }

    fn apply(&mut self, _ops: &[Json]) {}
}
