//! Chunks from all decoding threads to batches of records that were not read before, in the order of the input.
//! What comes out does not depend on how many threads there are.

use super::decode::{Chunk, End, LOGGED_REJECTS, Notice};
use super::ordered::Ordered;
use super::persist::persist;
use super::run::{Clock, Progress};
use crate::source;
use crate::telemetry::{Inputs, Records};
use crossbeam_channel::{Receiver, Sender};
use iota_engine::alert::Origin;
use iota_engine::decode::{Position, RejectReason};
use iota_engine::dedup::{Seen, SeenRecords};
use iota_engine::event::{Fingerprint, Identity};
use iota_engine::rule::{Batch, BatchRecord};
use iota_engine::store::{Checkpoint, Ledger, ObjectVersion, Reject, StoreError};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A batch with its place in the order.
#[derive(Default)]
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) batch: Batch,
    /// What was counted until the batch was complete, its own records included.
    pub(super) inputs: Inputs,
    pub(super) records: Records,
    /// What else is to be committed with it: only where state is kept.
    pub(super) rejects: Vec<Reject>,
    pub(super) finished: Vec<ObjectVersion>,
    pub(super) checkpoints: Vec<Checkpoint>,
    /// Its pairs were left out before, and are counted.
    pub(super) again: bool,
}

impl Job {
    /// How much else is to be committed with it.
    fn waiting(&self) -> usize {
        self.rejects.len() + self.finished.len() + self.checkpoints.len()
    }
}

/// Rejects and finished objects that wait for the next batch, at most.
const WAITING: usize = 256;
/// Bytes of rejects per input that are kept; of further ones only where they stood.
const REJECT_BYTES: usize = 64 << 20;

/// What was handed on, to be compared with what arrived at the other end.
#[derive(Debug)]
pub(super) struct Sequenced {
    pub(super) batches: u64,
    /// Records of every kind, also rejected and skipped ones, as the decoders counted them.
    pub(super) records: u64,
    /// Why it ended early.
    pub(super) failure: Option<StoreError>,
    /// By input, how it went; behind the last one that was begun there is none, and of objects of buckets neither.
    pub(super) ended: Vec<Ended>,
}

pub(super) struct Sequencer<'a> {
    pub(super) inputs: source::Inputs<'a>,
    pub(super) chunks: &'a Ordered<Chunk>,
    pub(super) progress: &'a Progress,
    /// One per group of evaluating threads; each gets every batch.
    pub(super) jobs: Vec<Sender<Arc<Job>>>,
    /// A batch may only be handed on when one that was handed on before is finished, so that few are under way.
    pub(super) credits: Receiver<()>,
    /// Where state is kept: knows the records of earlier runs.
    pub(super) ledger: Option<&'a dyn Ledger>,
}

/// What is being put together.
#[derive(Default)]
struct Pending {
    next: Job,
    seen: SeenRecords,
    /// The input that is being read.
    input: Option<OfInput>,
    /// Inputs that were begun and ended, one way or another.
    inputs: u64,
    /// By the decoders' own counts.
    records: u64,
    /// The other side has gone; nothing more is wanted.
    closed: bool,
    failure: Option<StoreError>,
    ended: Vec<Ended>,
}

/// What is known of an input from its parts so far.
#[derive(Default)]
struct OfInput {
    unit: u32,
    /// Where it begins in its file.
    start: u64,
    bytes: u64,
    lines: u64,
    count: u64,
    items: u64,
    rejects: u64,
    /// Of the rejects, those that were logged.
    logged: u64,
    /// Bytes of rejects that were kept.
    kept: usize,
    /// Code of the first reject, and of the first that is about the input as a whole.
    first_reject: Option<&'static str>,
    damage: Option<&'static str>,
    /// Its last part was read; what else comes of it is void.
    ended: bool,
}

impl OfInput {
    /// Number and line in the input, and offset in its file, of a position in its part.
    fn place(&self, position: &Position) -> (u64, u64, u64) {
        (self.count + position.number, self.lines + position.line, self.start + position.offset)
    }

    fn rejected(&mut self, reason: &RejectReason) {
        self.first_reject.get_or_insert(reason.code());
        if reason.is_of_input() {
            self.damage.get_or_insert(reason.code());
        }
    }

    /// What is wrong with the input as a whole, its end included.
    fn damage(&self) -> Option<&'static str> {
        let nothing_else = self.items > 0 && self.rejects == self.items;
        self.damage.or(self.first_reject.filter(|_| nothing_else))
    }
}

/// How it went with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Read,
    /// Not to its end, and why.
    Unreadable(String),
    /// It cannot be decoded as a whole: the code of the reject. Only of inputs that count as read only when whole.
    Damaged(String),
    /// Not read to its end, because the run was to stop.
    Interrupted,
}

impl Sequencer<'_> {
    /// Takes chunks until there are no more.
    pub(super) fn run(self) -> Sequenced {
        let _consumer = self.chunks.consumer();
        let mut pending = Pending::default();
        while !pending.closed
            && let Some(chunk) = self.chunks.take()
        {
            self.chunk(&mut pending, &chunk);
        }
        if let Some(input) = pending.input.take_if(|input| !input.ended) {
            self.finish(&mut pending, &input, Ended::Interrupted);
        }
        pending.next.inputs.interrupted += self.inputs.len() as u64 - pending.inputs;
        self.hand_on(&mut pending, true);
        Sequenced { batches: pending.next.number, records: pending.records, failure: pending.failure, ended: pending.ended }
    }

    fn chunk(&self, pending: &mut Pending, chunk: &Chunk) {
        let ends = chunk.end.is_some();
        let mut input = match pending.input.take() {
            Some(input) if input.unit == chunk.unit => input,
            _ => OfInput { unit: chunk.unit, start: self.inputs.of(chunk.unit).start(), ..OfInput::default() },
        };
        if !input.ended {
            if let Some(goes_on) = &chunk.runs_on {
                goes_on.store(chunk.part, Ordering::Relaxed);
            }
            for notice in &chunk.notices {
                self.log(&mut input, notice);
                if let Notice::Rejected(reject) = notice {
                    input.rejected(&reject.reason);
                }
                if let (Some(_), Notice::Rejected(reject)) = (self.ledger, notice) {
                    pending.next.rejects.push(self.reject(&mut input, reject));
                }
            }
            input.rejects += chunk.counts.rejected;
            pending.next.records.add(&chunk.counts);
            self.records(pending, chunk, input.count);
            if chunk.idle || pending.next.waiting() >= WAITING {
                self.hand_on(pending, false);
            }
            if let Some(end) = &chunk.end {
                self.end(pending, &mut input, end);
            }
        }
        pending.input = Some(input);
        if ends {
            self.chunks.next_part();
        }
    }

    /// `before`: things of the input before the chunk's part.
    fn records(&self, pending: &mut Pending, chunk: &Chunk, before: u64) {
        for ((index, record), seen) in chunk.batch.records().iter().enumerate().zip(self.seen(pending, chunk)) {
            match seen {
                Seen::Duplicate => pending.next.records.duplicate(),
                seen => {
                    let (variant, number) = (seen == Seen::Variant, before + record.number);
                    let record = BatchRecord { variant, number, ..*record };
                    pending.next.batch.push(chunk.batch.raw(index), chunk.batch.candidates(index), record);
                    pending.next.records.evaluated(variant);
                }
            }
            if pending.next.batch.is_full() {
                self.hand_on(pending, false);
            }
        }
    }

    /// What is known of the records of a chunk, from this run and, where state is kept, from those before.
    fn seen(&self, pending: &mut Pending, chunk: &Chunk) -> Vec<Seen> {
        let records = chunk.batch.records().iter();
        let mut seen: Vec<Seen> = records.map(|record| pending.seen.insert(record.identity, record.fingerprint)).collect();
        let Some(ledger) = self.ledger else { return seen };
        let new: Vec<usize> = (0..seen.len()).filter(|&index| seen[index] == Seen::First).collect();
        let record = |&index: &usize| {
            let record = &chunk.batch.records()[index];
            (record.identity, record.fingerprint)
        };
        let asked: Vec<(Identity, Fingerprint)> = new.iter().map(record).collect();
        if asked.is_empty() {
            return seen;
        }
        match persist(&self.progress.stop, || ledger.seen(&asked)) {
            Ok(known) => {
                for (index, known) in new.into_iter().zip(known) {
                    seen[index] = known;
                }
            }
            Err(error) => {
                pending.failure.get_or_insert(error);
                pending.closed = true;
            }
        }
        seen
    }

    /// Of the first rejects of an input the bytes are kept, too.
    fn reject(&self, input: &mut OfInput, reject: &iota_engine::decode::Reject) -> Reject {
        let of = self.inputs.of(input.unit);
        let (record, line, offset) = input.place(&reject.position);
        let bytes = if input.kept < REJECT_BYTES { reject.bytes.clone() } else { Vec::new() };
        input.kept += bytes.len();
        let origin = Origin { object: of.name(), version: of.version.as_deref().map(str::to_owned), record };
        Reject { origin, reason: reject.reason.code().to_owned(), line, offset, bytes, at_ms: Clock::System.now_ms() }
    }

    fn end(&self, pending: &mut Pending, input: &mut OfInput, end: &End) {
        input.bytes += end.bytes;
        input.lines += end.lines;
        input.count += end.count;
        input.items += end.items;
        pending.records += end.items;
        if let Some(error) = &end.failure {
            tracing::error!("{}: could not be read to its end: {error}", self.inputs.of(input.unit).name());
        }
        if end.last {
            input.ended = true;
            let damage = input.damage().filter(|_| self.inputs.of(input.unit).whole_only);
            let ended = match (&end.failure, end.interrupted, damage) {
                (Some(error), ..) => Ended::Unreadable(error.to_string()),
                (None, true, _) => Ended::Interrupted,
                (None, false, Some(code)) => Ended::Damaged(code.to_owned()),
                (None, false, None) => Ended::Read,
            };
            self.finish(pending, input, ended);
        }
    }

    fn finish(&self, pending: &mut Pending, input: &OfInput, ended: Ended) {
        let more = input.rejects.saturating_sub(LOGGED_REJECTS);
        if more > 0 {
            let name = self.inputs.of(input.unit).name();
            tracing::warn!("{name}: {more} more records rejected; --stats counts them by reason");
        }
        pending.inputs += 1;
        let inputs = &mut pending.next.inputs;
        match &ended {
            Ended::Read => {
                inputs.read += 1;
                inputs.empty += u64::from(input.items == 0);
                inputs.bytes += input.bytes;
                let of = self.inputs.of(input.unit);
                if self.ledger.is_some() {
                    pending.next.checkpoints.extend(of.checkpoint.clone());
                    let version = of.version.as_deref().map(str::to_owned);
                    pending.next.finished.extend(version.map(|version| ObjectVersion { object: of.name(), version }));
                }
            }
            Ended::Unreadable(_) | Ended::Damaged(_) => inputs.unreadable += 1,
            Ended::Interrupted => {
                inputs.interrupted += 1;
                inputs.bytes += input.bytes;
            }
        }
        if pending.ended.len() < self.inputs.listed.len() {
            pending.ended.push(ended);
        }
        self.progress.inputs.fetch_add(1, Ordering::Relaxed);
    }

    fn log(&self, input: &mut OfInput, notice: &Notice) {
        let name = self.inputs.of(input.unit).name();
        match notice {
            Notice::Rejected(reject) => {
                let (number, line, offset) = input.place(&reject.position);
                if input.logged < LOGGED_REJECTS {
                    tracing::warn!("{name}: record {number} (line {line}, byte {offset}) rejected: {}", reject.reason);
                }
                input.logged += 1;
            }
            Notice::Skipped(position, skip) => {
                let (number, line, _) = input.place(position);
                tracing::debug!("{name}: record {number} (line {line}) skipped: {skip}");
            }
        }
    }

    /// `last`: also what was counted behind the last batch.
    fn hand_on(&self, pending: &mut Pending, last: bool) {
        let nothing = pending.next.batch.records().is_empty() && pending.next.waiting() == 0;
        if pending.closed || (nothing && !last) {
            return;
        }
        pending.closed = self.credits.recv().is_err();
        let next = Job { number: pending.next.number + 1, ..Job::default() };
        let job = Arc::new(std::mem::replace(&mut pending.next, next));
        for jobs in &self.jobs {
            pending.closed |= jobs.send(Arc::clone(&job)).is_err();
        }
    }
}
