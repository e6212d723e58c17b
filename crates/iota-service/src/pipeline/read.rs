//! The reading end of a run: inputs to batches of records that were not seen before.

use super::run::{Clock, InputEnd, Note, Progress};
use crate::source::Input;
use crossbeam_channel::{Receiver, Sender};
use iota_engine::decode::{Decoder, Item, Limits, Position, Reject};
use iota_engine::dedup::{Seen, SeenRecords};
use iota_engine::event::{Fingerprint, Identity, event_time};
use iota_engine::rule::Batch;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A batch is handed on when it has this many records or bytes. 64 records amortise a round trip to a worker
/// (6 microseconds) to nothing; 256 KiB keep one batch of large records from holding up the order.
const BATCH_RECORDS: usize = 64;
const BATCH_BYTES: usize = 256 << 10;
/// Rejects, skips and duplicates that are handed on at the latest together.
const NOTES: usize = 4096;
/// Standard input counts as idle after 100 ms.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Rejected records that are logged one by one, per input.
const LOGGED_REJECTS: u64 = 20;

/// A batch with its place in the order.
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) batch: Batch,
    /// What else happened before the batch was complete.
    pub(super) notes: Vec<Note>,
}

/// What was read and not yet handed on.
pub(super) struct Pending {
    batch: Batch,
    notes: Vec<Note>,
    number: u64,
    /// One per group of evaluating threads; each gets every batch.
    jobs: Vec<Sender<Arc<Job>>>,
    /// A batch may only be handed on when one that was handed on before is finished, so that few are under way.
    credits: Receiver<()>,
    /// The other side has gone; nothing more is wanted.
    closed: bool,
}

impl Pending {
    fn hand_on(&mut self) {
        if self.closed || (self.batch.records().is_empty() && self.notes.is_empty()) {
            return;
        }
        self.closed = self.credits.recv().is_err();
        let job = Job { number: self.number, batch: std::mem::take(&mut self.batch), notes: std::mem::take(&mut self.notes) };
        self.number += 1;
        let job = Arc::new(job);
        for jobs in &self.jobs {
            self.closed |= jobs.send(Arc::clone(&job)).is_err();
        }
    }
}

/// What the reader did, to be compared with what arrived at the other end.
#[derive(Debug)]
pub(super) struct Reading {
    /// Spent on reading and decoding.
    pub(super) time: Duration,
    pub(super) batches: u64,
    /// Records of every kind, also rejected and skipped ones.
    pub(super) records: u64,
}

pub(super) struct Reader<'a> {
    inputs: &'a [Input],
    limits: Limits,
    clock: Clock,
    progress: &'a Progress,
    seen: SeenRecords,
    pending: Rc<RefCell<Pending>>,
    busy: Duration,
    records: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        inputs: &'a [Input],
        limits: Limits,
        clock: Clock,
        progress: &'a Progress,
        jobs: Vec<Sender<Arc<Job>>>,
        credits: Receiver<()>,
    ) -> Self {
        let pending = Pending { batch: Batch::default(), notes: Vec::new(), number: 0, jobs, credits, closed: false };
        let (seen, pending) = (SeenRecords::default(), Rc::new(RefCell::new(pending)));
        Self { inputs, limits, clock, progress, seen, pending, busy: Duration::ZERO, records: 0 }
    }

    /// Reads all inputs.
    pub(super) fn read(mut self) -> Reading {
        for (unit, input) in (0..).zip(self.inputs) {
            let end = if self.stopped() {
                InputEnd::Interrupted { bytes: 0 }
            } else {
                self.progress.inputs.fetch_add(1, Ordering::Relaxed);
                self.read_input(unit, input).unwrap_or_else(|error| {
                    tracing::error!("{}: could not be read to its end: {error}", input.name());
                    InputEnd::Unreadable
                })
            };
            self.pending.borrow_mut().notes.push(Note::Input(end));
        }
        let mut pending = self.pending.borrow_mut();
        pending.hand_on();
        Reading { time: self.busy, batches: pending.number, records: self.records }
    }

    fn stopped(&self) -> bool {
        self.pending.borrow().closed || self.progress.stop.load(Ordering::Relaxed)
    }

    fn read_input(&mut self, unit: u32, input: &Input) -> io::Result<InputEnd> {
        let delivered_ms = input.delivered_ms();
        let mut decoder = Decoder::new(self.open(input)?, self.limits);
        let (mut rejects, records_before) = (0, self.records);
        let mut complete = false;
        while !self.stopped() {
            let started = Instant::now();
            let item = decoder.next()?;
            let mut pending = self.pending.borrow_mut();
            self.records += u64::from(item.is_some());
            match item {
                None => {
                    complete = true;
                    break;
                }
                Some(Item::Record(record)) => {
                    let (identity, value) = (Identity::of(&record), Fingerprint::of(&record));
                    match self.seen.insert(identity, value) {
                        Seen::Duplicate => pending.notes.push(Note::Duplicate),
                        seen => {
                            let time = event_time(&record, delivered_ms.unwrap_or_else(|| self.clock.now_ms()));
                            pending.batch.push(&record, (identity, value), time, seen == Seen::Variant, unit);
                        }
                    }
                }
                Some(Item::Rejected(reject)) => {
                    rejects += 1;
                    if rejects <= LOGGED_REJECTS {
                        log_reject(input, &reject);
                    }
                    pending.notes.push(Note::Rejected(reject.reason));
                }
                Some(Item::Skipped(skip, position)) => {
                    let Position { number, line, .. } = position;
                    tracing::debug!("{}: record {number} (line {line}) skipped: {skip}", input.name());
                    pending.notes.push(Note::Skipped(skip));
                }
            }
            self.busy += started.elapsed();
            let full = pending.batch.records().len() >= BATCH_RECORDS || pending.batch.size() >= BATCH_BYTES;
            if full || pending.notes.len() >= NOTES {
                pending.hand_on();
            }
        }
        if rejects > LOGGED_REJECTS {
            tracing::warn!("{}: {} more records rejected; --stats counts them by reason", input.name(), rejects - LOGGED_REJECTS);
        }
        let bytes = decoder.offset();
        // Standard input ends early when the run is to stop.
        if !complete || (input.is_stdin() && self.stopped()) {
            return Ok(InputEnd::Interrupted { bytes });
        }
        Ok(InputEnd::Read { bytes, empty: self.records == records_before })
    }

    fn open(&self, input: &Input) -> io::Result<Box<dyn Read + 'a>> {
        if input.is_stdin() {
            // Not `io::stdin()`: what that has buffered, waiting on the descriptor does not see.
            let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
            return Ok(Box::new(FlushWhenIdle { stdin, pending: Rc::clone(&self.pending), progress: self.progress }));
        }
        Ok(Box::new(Counted { reader: input.open()?, bytes: &self.progress.bytes }))
    }
}

fn log_reject(input: &Input, reject: &Reject) {
    let Position { number, line, offset } = reject.position;
    tracing::warn!("{}: record {number} (line {line}, byte {offset}) rejected: {}", input.name(), reject.reason);
}

/// Counts the bytes that are read, for the progress bar.
struct Counted<'a, R> {
    reader: R,
    bytes: &'a AtomicU64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buf)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Standard input. When nothing comes for a while, what was read so far is handed on instead of waiting for a full batch.
struct FlushWhenIdle<'a> {
    stdin: File,
    pending: Rc<RefCell<Pending>>,
    progress: &'a Progress,
}

impl Read for FlushWhenIdle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match poll(&mut [PollFd::new(&self.stdin, PollFlags::IN)], Some(&IDLE)) {
                Ok(0) => self.pending.borrow_mut().hand_on(),
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return self.stdin.read(buf),
            }
            if self.progress.stop.load(Ordering::Relaxed) {
                return Ok(0);
            }
        }
    }
}
