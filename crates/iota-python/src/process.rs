//! One worker process: started, loaded with a pack, asked for results, killed when it must be.
//! Decides nothing about what a death means; the runner does.

use crate::embedded;
use crate::frame::{FrameError, Patience, Pipes};
use crate::runner::Program;
use crate::spawn::command;
use iota_engine::rule::{Batch, Loaded, Outcome, Pair, RuleState, TestOutcome};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long a worker may take to start and to load its pack.
const LOAD_TIME: Duration = Duration::from_secs(30);
/// A batch may take this many times the time of one call, however its calls share it.
const BATCH_CALLS: u32 = 30;

/// How a worker ended while it was at work.
#[derive(Debug, Error)]
pub enum Death {
    #[error("the call ran longer than {0:?} and was stopped")]
    TooLong(Duration),
    #[error("the worker process ended: {0}")]
    Ended(String),
    #[error("the worker answered with something that is not the protocol: {0}")]
    Protocol(String),
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
        /// Index of the rule it was loading.
        rule: Option<u16>,
    },
}

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pipes: Pipes,
    /// Where the worker notes the pair it is working on, from 1; 0 when idle.
    progress: File,
    call_time: Duration,
    next_batch: u64,
}

impl Process {
    /// Starts a worker and loads a pack. `load_body` is the body of the frame `L`.
    pub(crate) fn start(program: &Program, load_body: &[u8]) -> Result<(Self, Loaded), StartError> {
        let spawn_error = |why| StartError::Spawn { path: program.interpreter.path.clone(), why };
        let progress = tempfile::tempfile().and_then(|file| file.set_len(8).map(|()| file)).map_err(spawn_error)?;
        let mut output = tempfile::tempfile().map_err(spawn_error)?;
        let child = command(program, &progress, &output).and_then(|mut command| command.spawn()).map_err(spawn_error)?;
        let mut process = Self::wrap(child, progress, program.call_time).map_err(spawn_error)?;
        match process.load(program.engine.is_none(), load_body) {
            Ok(loaded) => Ok((process, loaded?)),
            Err(error) => {
                let rule = process.working_on().and_then(|at| u16::try_from(at).ok());
                let death = process.death(error, LOAD_TIME);
                let mut said = Vec::new();
                if let Err(error) = output.seek(SeekFrom::Start(0)).and_then(|_| output.take(4000).read_to_end(&mut said)) {
                    tracing::debug!(%error, "what the worker said is lost");
                }
                Err(StartError::Died { death, output: String::from_utf8_lossy(&said).trim().to_owned(), rule })
            }
        }
    }

    fn wrap(mut child: Child, progress: File, call_time: Duration) -> io::Result<Self> {
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes to the worker"));
        };
        Ok(Self { pipes: Pipes::new(input, output)?, child, progress, call_time, next_batch: 0 })
    }

    fn load(&mut self, embedded: bool, body: &[u8]) -> Result<Result<Loaded, StartError>, FrameError> {
        let mut deadline = Instant::now() + LOAD_TIME;
        if embedded {
            self.pipes.send(b'W', &[&embedded::modules_json()], &mut deadline)?;
        }
        self.pipes.send(b'L', &[body], &mut deadline)?;
        let frame = self.pipes.receive(&mut deadline)?;
        if frame.kind != b'l' {
            return Err(FrameError::Malformed(format!("frame `{}` in answer to `L`", char::from(frame.kind))));
        }
        let answer: Json = parse(&frame.body)?;
        if let Some(refusal) = answer.get("error").and_then(Json::as_str) {
            return Ok(Err(StartError::Refused(refusal.to_owned())));
        }
        serde_json::from_value(answer).map(Ok).map_err(|error| FrameError::Malformed(error.to_string()))
    }

    /// Runs pairs. `state` answers the requests of stateful helpers.
    pub(crate) fn evaluate(&mut self, batch: &Batch, pairs: &[Pair], state: &dyn RuleState) -> Result<Outcome, Death> {
        let id = self.next_batch;
        self.next_batch += 1;
        let call_time = self.call_time;
        self.exchange(b'B', &batch_body(id, batch, pairs), state, b'b', true)
            .and_then(|body| {
                let (answered, json) =
                    body.split_first_chunk::<8>().ok_or_else(|| FrameError::Malformed("a short result".to_owned()))?;
                if u64::from_le_bytes(*answered) != id {
                    return Err(FrameError::Malformed("the result of another batch".to_owned()));
                }
                let mut outcome: Outcome = parse(json)?;
                place(&mut outcome, pairs)?;
                Ok(outcome)
            })
            .map_err(|error| self.death(error, call_time))
    }

    pub(crate) fn test(&mut self, request: &Json, state: &dyn RuleState) -> Result<TestOutcome, Death> {
        let call_time = self.call_time;
        self.exchange(b'T', request.to_string().as_bytes(), state, b't', false)
            .and_then(|body| parse(&body))
            .map_err(|error| self.death(error, call_time))
    }

    fn exchange(
        &mut self,
        kind: u8,
        body: &[u8],
        state: &dyn RuleState,
        answer: u8,
        progress: bool,
    ) -> Result<Vec<u8>, FrameError> {
        let mut patience = CallPatience::new(progress.then_some(&self.progress), self.call_time);
        self.pipes.send(kind, &[body], &mut patience)?;
        loop {
            let frame = self.pipes.receive(&mut patience)?;
            match frame.kind {
                b's' => {
                    let request: Json = parse(&frame.body)?;
                    let text = |name: &str| request.get(name).and_then(Json::as_str).unwrap_or_default();
                    let value = state.get(text("kind"), text("key"));
                    self.pipes.send(b'S', &[value.to_string().as_bytes()], &mut patience)?;
                }
                kind if kind == answer => return Ok(frame.body),
                kind => return Err(FrameError::Malformed(format!("unexpected frame `{}`", kind.escape_ascii()))),
            }
        }
    }

    /// Position of the pair (or, while loading, of the rule) that the worker is at, from 0.
    pub(crate) fn working_on(&self) -> Option<usize> {
        read_progress(&self.progress).checked_sub(1).and_then(|at| usize::try_from(at).ok())
    }

    /// Ends the process and says how it ended.
    fn death(&mut self, error: FrameError, call_time: Duration) -> Death {
        match error {
            FrameError::Timeout => {
                self.kill();
                Death::TooLong(call_time)
            }
            FrameError::Closed | FrameError::Io(_) => {
                // The pipe closes just before the process ends; give it a moment to say how.
                let status = (0..40).find_map(|_| {
                    let status = self.child.try_wait().ok().flatten();
                    if status.is_none() {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    status
                });
                self.kill();
                Death::Ended(status.map_or_else(|| "it closed its pipe".to_owned(), describe))
            }
            FrameError::Malformed(why) => {
                self.kill();
                Death::Protocol(why)
            }
        }
    }

    fn kill(&mut self) {
        // The worker leads a process group: whatever it started ends with it.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
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

/// Turns the worker's record numbers (positions in the frame) into those of the batch.
/// A result may only speak of pairs that were asked for, and once of each.
fn place(outcome: &mut Outcome, pairs: &[Pair]) -> Result<(), FrameError> {
    let mut records: Vec<u32> = pairs.iter().map(|pair| pair.record).collect();
    records.dedup();
    let place = |record: &mut u32, rule: u16| {
        let pair = records.get(*record as usize).map(|&record| Pair { record, rule });
        match pair.filter(|pair| pairs.binary_search(pair).is_ok()) {
            Some(pair) => {
                *record = pair.record;
                Ok(pair)
            }
            None => Err(FrameError::Malformed(format!("a result for record {record} and rule {rule}, which were not asked for"))),
        }
    };
    let twice = |pair: Pair| FrameError::Malformed(format!("two results for record {} and rule {}", pair.record, pair.rule));
    let mut decided = BTreeSet::new();
    for found in &mut outcome.matches {
        let pair = place(&mut found.record, found.rule)?;
        if !decided.insert(pair) {
            return Err(twice(pair));
        }
    }
    let mut failed = BTreeSet::new();
    for error in &mut outcome.errors {
        let pair = place(&mut error.record, error.rule)?;
        let undecided = error.function != "rule" || decided.insert(pair);
        if !undecided || !failed.insert((pair, error.function.clone())) {
            return Err(twice(pair));
        }
    }
    outcome.logs.iter_mut().try_for_each(|log| place(&mut log.record, log.rule).map(drop))?;
    outcome.state.iter_mut().try_for_each(|update| place(&mut update.record, update.rule).map(drop))?;
    match outcome.nanos.keys().find(|&&rule| !pairs.iter().any(|pair| pair.rule == rule)) {
        Some(rule) => Err(FrameError::Malformed(format!("a time for rule {rule}, which was not asked for"))),
        None => Ok(()),
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown status".to_owned(),
    }
}

fn read_progress(file: &File) -> u64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, 0).map_or(0, |()| u64::from_le_bytes(bytes))
}

/// Ends when one call takes too long, or all of them together far too long.
struct CallPatience<'a> {
    progress: Option<&'a File>,
    at: u64,
    call_time: Duration,
    call_ends: Instant,
    batch_ends: Instant,
}

impl<'a> CallPatience<'a> {
    fn new(progress: Option<&'a File>, call_time: Duration) -> Self {
        let now = Instant::now();
        // Without progress there is one call, with all its functions.
        let batch_ends = now + call_time * if progress.is_some() { BATCH_CALLS } else { 1 };
        Self { progress, at: 0, call_time, call_ends: now + call_time, batch_ends }
    }
}

impl Patience for CallPatience<'_> {
    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        if let Some(at) = self.progress.map(read_progress)
            && at != self.at
        {
            self.at = at;
            self.call_ends = now + self.call_time;
        }
        now >= self.call_ends || now >= self.batch_ends
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
