//! The reading end of a run, on several threads: parts of the input to chunks of records that rules may match.
//! Knows nothing of other parts: whether a record was read before is decided behind it.

use super::ordered::Ordered;
use super::parts::{Part, Parts, Piece};
use super::run::{Clock, Progress};
use crate::source::Input;
use crate::telemetry::Records;
use iota_engine::decode::{Decoder, Item, Limits, Position, Record, Reject, Skip, Whole};
use iota_engine::event::{EventTime, Fingerprint, Identity, event_time};
use iota_engine::index::{Candidate, Router, Scratch};
use iota_engine::rule::{Batch, BatchRecord};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Things to log that are handed on at the latest together.
const NOTICES: usize = 4096;
/// Bytes of rejects that are handed on at the latest together: as a batch.
const REJECT_ROOM: usize = 256 << 10;
/// What a chunk takes at least, in bytes: so their number is bounded, too.
const CHUNK_BYTES: usize = 1 << 10;
/// Standard input counts as idle after 100 ms.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Files up to this size, in bytes, are read as a whole; others as a stream, so that memory does not grow.
const WHOLE_FILE: u64 = 16 << 20;
/// Rejected records that are logged one by one, per input.
pub(super) const LOGGED_REJECTS: u64 = 20;

/// What was found in a part of the input, up to some point in it.
#[derive(Default)]
pub(super) struct Chunk {
    /// Numbers of its part and its input.
    pub(super) part: u64,
    pub(super) unit: u32,
    /// Records with candidates. Whether one is a variant is not known yet, and its number is counted within the part.
    pub(super) batch: Batch,
    /// Counts everything but the records of the batch.
    pub(super) counts: Records,
    pub(super) notices: Vec<Notice>,
    /// Bytes of the rejects among them.
    pub(super) reject_bytes: usize,
    /// Nothing more may come for a while.
    pub(super) idle: bool,
    /// The part goes on behind its end: the parts of the input behind it are void.
    pub(super) runs_on: Option<Arc<AtomicU64>>,
    pub(super) end: Option<End>,
}

/// Something to log, with its position in the part.
pub(super) enum Notice {
    Rejected(Reject),
    Skipped(Position, Skip),
}

/// How a part ended.
pub(super) struct End {
    /// Inflated bytes, line ends and numbered things of the part.
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) count: u64,
    /// What the decoder gave: records, rejects and skips, of which some have no number.
    pub(super) items: u64,
    /// Nothing of the input comes behind it.
    pub(super) last: bool,
    /// It was not read to its end because the run is to stop.
    pub(super) interrupted: bool,
    pub(super) failure: Option<io::Error>,
}

/// What every decoding thread needs.
#[derive(Clone, Copy)]
pub(super) struct Decoding<'a> {
    pub(super) parts: &'a Parts<'a>,
    pub(super) chunks: &'a Ordered<Chunk>,
    pub(super) router: &'a Router,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) progress: &'a Progress,
    /// Rejects are to be kept: all of them are handed on, with their bytes.
    pub(super) keep_rejects: bool,
}

impl Decoding<'_> {
    /// Decodes parts until there are no more. Returns the time it took, without waiting for the consumer.
    pub(super) fn run(self) -> Duration {
        let _producer = self.chunks.producer();
        let started = Instant::now();
        let mut waited = Duration::ZERO;
        let mut whole = Whole::default();
        while !self.progress.stop.is_requested()
            && let Some(part) = self.parts.next()
        {
            let output = RefCell::new(Output::new(self.chunks, &part));
            let end = self.part(&part, &mut whole, &output);
            let mut output = output.into_inner();
            output.chunk.end = Some(end);
            output.send();
            waited += output.waited;
            if output.closed {
                break;
            }
        }
        started.elapsed().saturating_sub(waited)
    }

    fn part(&self, part: &Part<'_>, whole: &mut Whole, output: &RefCell<Output<'_>>) -> End {
        if part.input.is_stdin() {
            // Not `io::stdin()`: what that has buffered, waiting on the descriptor does not see.
            let stdin = io::stdin().as_fd().try_clone_to_owned().map(File::from);
            let reader = stdin.map(|stdin| FlushWhenIdle { stdin, output, progress: self.progress });
            return self.stream(reader.map(|reader| Decoder::new(reader, self.limits)), part, output);
        }
        let bytes = &self.progress.bytes;
        if let Some(piece) = &part.piece {
            let reader = Counted { reader: piece.reader(), bytes };
            return self.records(&mut Decoder::piece(reader, self.limits, piece.start, piece.end), part, output);
        }
        if self.read_whole(&part.input, whole.bytes()) {
            let at_once = whole.decode(self.limits, |decoder| self.records(decoder, part, output));
            let stream = || self.records(&mut Decoder::new(whole.bytes().as_slice(), self.limits), part, output);
            return at_once.unwrap_or_else(stream);
        }
        let reader = part.input.open().map(|reader| Counted { reader, bytes });
        self.stream(reader.map(|reader| Decoder::new(reader, self.limits)), part, output)
    }

    /// False for what has to be read as a stream.
    fn read_whole(&self, input: &Input, bytes: &mut Vec<u8>) -> bool {
        bytes.clear();
        if input.size == 0 || input.size > WHOLE_FILE {
            return false;
        }
        // What cannot be read to its end is read again as a stream, as far as that goes. So is what has grown since.
        let read = input.open().and_then(|input| input.take(WHOLE_FILE + 1).read_to_end(bytes));
        let read = read.is_ok_and(|read| read as u64 <= WHOLE_FILE);
        if read {
            self.progress.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        read
    }

    fn stream<R: Read>(&self, decoder: io::Result<Decoder<R>>, part: &Part<'_>, output: &RefCell<Output<'_>>) -> End {
        match decoder {
            Ok(mut decoder) => self.records(&mut decoder, part, output),
            Err(error) => End { bytes: 0, lines: 0, count: 0, items: 0, last: true, interrupted: false, failure: Some(error) },
        }
    }

    fn records<R: Read>(&self, decoder: &mut Decoder<R>, part: &Part<'_>, output: &RefCell<Output<'_>>) -> End {
        let mut items = 0;
        let (complete, failure) = match self.read(decoder, part, output, &mut items) {
            Ok(complete) => (complete, None),
            Err(error) => (true, Some(error)),
        };
        // Standard input ends early when the run is to stop.
        let interrupted = !complete || part.input.is_stdin() && self.progress.stop.is_requested();
        End {
            bytes: decoder.offset() - part.piece.as_ref().map_or(0, |piece| piece.start),
            lines: decoder.line() - 1,
            count: decoder.count(),
            items,
            last: !decoder.reached_end(),
            interrupted,
            failure,
        }
    }

    /// False if it was not read to its end, because nothing more is wanted.
    fn read<R: Read>(
        &self,
        decoder: &mut Decoder<R>,
        part: &Part<'_>,
        output: &RefCell<Output<'_>>,
        items: &mut u64,
    ) -> io::Result<bool> {
        let delivered_ms = part.input.delivered_ms();
        let (mut scratch, mut candidates) = (Scratch::default(), Vec::new());
        loop {
            if decoder.passed_end() {
                output.borrow_mut().run_on(part.piece.as_ref());
            }
            let item = decoder.next()?;
            *items += u64::from(item.is_some());
            let mut output = output.borrow_mut();
            match item {
                None => return Ok(true),
                Some(Item::Record(record)) => {
                    candidates.clear();
                    self.router.route(&record, &mut scratch, &mut candidates);
                    if candidates.is_empty() {
                        output.chunk.counts.no_candidate();
                    } else {
                        let time = event_time(&record, delivered_ms.unwrap_or_else(|| self.clock.now_ms()));
                        output.record(&record, &candidates, time);
                    }
                }
                Some(Item::Rejected(reject)) => {
                    output.chunk.counts.rejected(&reject.reason);
                    output.rejects += 1;
                    if self.keep_rejects || output.rejects <= LOGGED_REJECTS {
                        output.chunk.reject_bytes += reject.bytes.len();
                        output.chunk.notices.push(Notice::Rejected(reject));
                    }
                }
                Some(Item::Skipped(skip, position)) => {
                    output.chunk.counts.skipped(skip);
                    if tracing::enabled!(tracing::Level::DEBUG) {
                        output.chunk.notices.push(Notice::Skipped(position, skip));
                    }
                }
            }
            if output.is_full() {
                output.send();
            }
            output.idle = false;
            if output.closed || part.is_void() || self.progress.stop.is_requested() {
                return Ok(false);
            }
        }
    }
}

impl Chunk {
    fn size(&self) -> usize {
        CHUNK_BYTES + self.batch.memory() + self.notices.len() * size_of::<Notice>() + self.reject_bytes
    }
}

/// The chunk that is being filled, and its way out.
struct Output<'a> {
    chunks: &'a Ordered<Chunk>,
    chunk: Chunk,
    rejects: u64,
    runs_on: bool,
    /// Nothing came since the consumer was told that nothing comes.
    idle: bool,
    /// The consumer is gone.
    closed: bool,
    waited: Duration,
}

impl<'a> Output<'a> {
    fn new(chunks: &'a Ordered<Chunk>, part: &Part<'_>) -> Self {
        let chunk = Chunk { part: part.number, unit: part.unit, ..Chunk::default() };
        Self { chunks, chunk, rejects: 0, runs_on: false, idle: false, closed: false, waited: Duration::ZERO }
    }

    fn record(&mut self, record: &Record<'_>, candidates: &[Candidate], time: EventTime) {
        let (identity, number) = (Identity::of(record), record.position.number);
        let fingerprint = Fingerprint::of(record);
        let of_batch = BatchRecord { identity, fingerprint, time, variant: false, unit: self.chunk.unit, number };
        self.chunk.batch.push(record.raw, candidates, of_batch);
    }

    fn run_on(&mut self, piece: Option<&Piece>) {
        if !std::mem::replace(&mut self.runs_on, true) {
            self.chunk.runs_on = piece.map(|piece| Arc::clone(&piece.goes_on));
            self.send();
        }
    }

    fn is_full(&self) -> bool {
        let chunk = &self.chunk;
        chunk.batch.is_full() || chunk.notices.len() >= NOTICES || chunk.reject_bytes >= REJECT_ROOM
    }

    fn send(&mut self) {
        let next = Chunk { part: self.chunk.part, unit: self.chunk.unit, ..Chunk::default() };
        let chunk = std::mem::replace(&mut self.chunk, next);
        let (part, size, started) = (chunk.part, chunk.size(), Instant::now());
        self.closed |= !self.chunks.put(part, chunk, size);
        self.waited += started.elapsed();
    }
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

/// Standard input. When nothing comes for a while, what was read so far is handed on instead of waiting for a full chunk.
struct FlushWhenIdle<'a, 'b> {
    stdin: File,
    output: &'a RefCell<Output<'b>>,
    progress: &'a Progress,
}

impl Read for FlushWhenIdle<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match poll(&mut [PollFd::new(&self.stdin, PollFlags::IN)], Some(&IDLE)) {
                Ok(0) => {
                    let mut output = self.output.borrow_mut();
                    if !std::mem::replace(&mut output.idle, true) {
                        output.chunk.idle = true;
                        output.send();
                    }
                }
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return self.stdin.read(buf),
            }
            if self.progress.stop.is_requested() {
                return Ok(0);
            }
        }
    }
}
