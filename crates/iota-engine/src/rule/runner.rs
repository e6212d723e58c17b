//! The seam to Python: batches of (record, rules) pairs in, matches and failures out.
//! Aggregation and outputs cannot tell what is on the other side.

use crate::alert::Severity;
use crate::event::{EventTime, Fingerprint, Identity};
use crate::index::Candidate;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

/// A batch is full when it has this many records or bytes. 64 records amortise a round trip to a worker (6 microseconds)
/// to nothing; 256 KiB keep one batch of large records from holding up the order.
const BATCH_RECORDS: usize = 64;
const BATCH_BYTES: usize = 256 << 10;

/// Records to evaluate with the rules that may match them, in input order.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The raw records, one after another.
    bytes: Vec<u8>,
    /// The candidates of the records, one record's after another's.
    candidates: Vec<Candidate>,
    records: Vec<BatchRecord>,
    /// Where each record ends in `bytes` and `candidates`; it starts where the one before ends.
    ends: Vec<(usize, usize)>,
}

/// What the pipeline knows of a record, besides its bytes.
#[derive(Debug, Clone, Copy)]
pub struct BatchRecord {
    pub identity: Identity,
    pub fingerprint: Fingerprint,
    pub time: EventTime,
    pub variant: bool,
    /// Which input it came from (an index that the pipeline knows), and its ordinal there.
    pub unit: u32,
    pub number: u64,
}

impl Batch {
    /// `candidates` are ordered by (pack, rule).
    pub fn push(&mut self, raw: &[u8], candidates: &[Candidate], record: BatchRecord) {
        self.bytes.extend_from_slice(raw);
        self.candidates.extend_from_slice(candidates);
        self.records.push(record);
        self.ends.push((self.bytes.len(), self.candidates.len()));
    }

    pub fn records(&self) -> &[BatchRecord] {
        &self.records
    }

    /// Bytes of all records together.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that records and candidates take.
    pub fn memory(&self) -> usize {
        self.size() + self.records.len() * size_of::<BatchRecord>() + self.candidates.len() * size_of::<Candidate>()
    }

    pub fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.size() >= BATCH_BYTES
    }

    /// The raw bytes of record `index`.
    pub fn raw(&self, index: usize) -> &[u8] {
        &self.bytes[self.start(index).0..self.ends[index].0]
    }

    /// The rules that may match record `index`.
    pub fn candidates(&self, index: usize) -> &[Candidate] {
        &self.candidates[self.start(index).1..self.ends[index].1]
    }

    /// The candidates of all records in one pack.
    pub fn pairs(&self, pack: u16) -> impl Iterator<Item = Pair> {
        (0..).zip(0..self.records.len()).flat_map(move |(record, index)| {
            let of_pack = self.candidates(index).iter().filter(move |candidate| candidate.pack == pack);
            of_pack.map(move |candidate| Pair { record, rule: candidate.rule })
        })
    }

    fn start(&self, index: usize) -> (usize, usize) {
        index.checked_sub(1).map_or((0, 0), |before| self.ends[before])
    }
}

/// A rule to be run on a record: indices into the pack and the batch. Ordered by record, then rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    pub record: u32,
    pub rule: u16,
}

/// What evaluating a batch gave. Pairs that are in none of the lists returned a falsy value.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Outcome {
    #[serde(default)]
    pub matches: Vec<RuleMatch>,
    #[serde(default)]
    pub errors: Vec<RuleError>,
    #[serde(default)]
    pub logs: Vec<RuleLog>,
    #[serde(default)]
    pub logs_dropped: u64,
    #[serde(default)]
    pub state: StateUpdates,
    /// Time per rule, in nanoseconds.
    #[serde(default)]
    pub nanos: BTreeMap<u16, u64>,
    /// Pairs that were not run: their rule kept killing workers, no worker could be started, it took too long, or the run was
    /// ended.
    #[serde(skip)]
    pub not_run: Vec<Pair>,
    /// Why the pack is to be paused as a whole.
    #[serde(skip)]
    pub pause: Option<String>,
}

impl Outcome {
    /// Adds what a later part of the same batch gave.
    pub fn append(&mut self, mut later: Outcome) {
        self.matches.append(&mut later.matches);
        self.errors.append(&mut later.errors);
        self.logs.append(&mut later.logs);
        self.logs_dropped = self.logs_dropped.saturating_add(later.logs_dropped);
        self.state.append(later.state);
        for (rule, nanos) in later.nanos {
            let sum = self.nanos.entry(rule).or_default();
            *sum = sum.saturating_add(nanos);
        }
        self.not_run.append(&mut later.not_run);
        self.pause = self.pause.take().or(later.pause);
    }
}

/// A match of a rule, as its functions describe it. `record` and `rule` are indices into the batch and the pack.
#[derive(Debug, Clone, Deserialize)]
pub struct RuleMatch {
    pub record: u32,
    pub rule: u16,
    pub title: String,
    pub dedup: String,
    pub severity: Severity,
    pub context: Option<Box<RawValue>>,
    pub description: Option<String>,
    pub reference: Option<String>,
    pub runbook: Option<String>,
    pub destinations: Option<Vec<String>>,
    pub unique: Option<String>,
}

/// A function of a rule that failed on a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleError {
    pub record: u32,
    pub rule: u16,
    /// Which function of the contract.
    pub function: String,
    #[serde(flatten)]
    pub failure: Failure,
    /// It ended the worker, or had to be ended with it.
    #[serde(skip)]
    pub fatal: bool,
}

/// What Python says of an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub r#type: String,
    pub message: String,
    /// Innermost place inside the pack.
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub line: Option<u64>,
    #[serde(default)]
    pub traceback: String,
}

/// What a rule printed or logged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RuleLog {
    pub record: u32,
    pub rule: u16,
    pub text: String,
}

/// State operations of one pair, to be applied with its commit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StateUpdate {
    pub record: u32,
    pub rule: u16,
    pub ops: Vec<serde_json::Value>,
}

/// Bytes of JSON that values are built from: as values they may take forty times as much memory.
pub const MAX_BUILT: usize = 4 << 20;

/// Reads JSON values of a worker that may be hostile: not more of them than memory has room for. Also returns the bytes
/// that they were built from.
fn built<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<(T, usize), D::Error> {
    let text = <Box<RawValue>>::deserialize(deserializer)?;
    let bytes = text.get().len();
    if bytes > MAX_BUILT {
        return Err(D::Error::custom(format!("values of {bytes} bytes, where there can be {MAX_BUILT}")));
    }
    Ok((serde_json::from_str(text.get()).map_err(D::Error::custom)?, bytes))
}

/// What a load report prepares.
fn prepared<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    built(deserializer).map(|(value, _)| value)
}

/// Changes of state, and how much JSON they were built from.
#[derive(Debug, Clone, Default)]
pub struct StateUpdates {
    updates: Vec<StateUpdate>,
    bytes: usize,
}

impl StateUpdates {
    /// Of JSON, over all parts of the result.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn append(&mut self, mut later: Self) {
        self.updates.append(&mut later.updates);
        self.bytes = self.bytes.saturating_add(later.bytes);
    }
}

impl Deref for StateUpdates {
    type Target = Vec<StateUpdate>;

    fn deref(&self) -> &Self::Target {
        &self.updates
    }
}

impl DerefMut for StateUpdates {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.updates
    }
}

impl<'de> Deserialize<'de> for StateUpdates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        built(deserializer).map(|(updates, bytes)| Self { updates, bytes })
    }
}

/// What loading a pack gave, per rule in the pack's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    pub python: String,
    pub rules: Vec<LoadedRule>,
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// What further workers of the pack are told, so that they need not read its files again.
    #[serde(default, deserialize_with = "prepared")]
    pub prepared: Option<serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedRule {
    pub index: u16,
    /// Line of the `def` of `rule` in the rule's file; none when the function is another one.
    #[serde(default)]
    pub defined_at: Option<u32>,
    #[serde(default)]
    pub uses_state: bool,
    #[serde(default)]
    pub warnings: Vec<Warning>,
    pub error: Option<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub line: Option<u64>,
    pub message: String,
}

/// Runs the rules of one pack.
pub trait RuleRunner {
    /// Runs every pair. Rules that crash, hang or raise are part of the outcome, and so are pairs that nothing can be run
    /// on.
    fn evaluate(&mut self, batch: &Batch, pairs: &[Pair]) -> Outcome;
}

/// Committed state of stateful helpers: counters, string sets and dictionaries of one pack.
pub trait RuleState: Send {
    /// The value kept under a key, in the protocol's JSON.
    fn get(&self, kind: &str, key: &str) -> serde_json::Value;
    /// Applies the operations of one pair, in order.
    fn apply(&mut self, ops: &[serde_json::Value]);
}
