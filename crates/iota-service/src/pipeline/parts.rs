//! What the decoding threads take one after another: inputs, and pieces of large files of JSON lines.
//! A piece is a guess: whether the input can be cut there, decoding what stands before it shows.

use crate::source::{Data, FileAt, Input, Inputs};
use iota_engine::json::{Ignore, Scanned, scan};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Large enough that opening and cutting cost nothing, small enough that two threads end at the same time.
const PIECE: u64 = 8 << 20;
/// As much of a file as is looked at to tell JSON lines by. The largest records that were seen are 256 KB.
const FIRST_LINE: usize = 512 << 10;

/// One input, or a piece of it.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// Its place among all parts, from 0.
    pub(super) number: u64,
    /// Its input's place among all inputs, from 0.
    pub(super) unit: u32,
    pub(super) input: Cow<'a, Input>,
    pub(super) piece: Option<Piece>,
}

/// Where a piece stands in its file.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// One for all pieces: another file may take its name meanwhile.
    file: Arc<File>,
    pub(super) start: u64,
    /// Where the next one starts. `None`: it goes to the end of the file.
    pub(super) end: Option<u64>,
    /// Number of the part of this file that goes on to the end of the file, because it could not be cut where the next
    /// piece starts: parts behind it are void.
    pub(super) goes_on: Arc<AtomicU64>,
}

impl Piece {
    /// From its start to the end of the file.
    pub(super) fn reader(&self) -> impl Read {
        FileAt { file: Arc::clone(&self.file), at: self.start }
    }
}

impl Part<'_> {
    pub(super) fn is_void(&self) -> bool {
        self.piece.as_ref().is_some_and(|piece| self.number > piece.goes_on.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
pub(super) struct Parts<'a> {
    inputs: Inputs<'a>,
    /// With one thread there is nothing to gain by cutting.
    cut: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    parts: u64,
    units: u32,
    cutting: Option<Cutting>,
}

/// A file of which some pieces are still to be handed out.
#[derive(Debug)]
struct Cutting {
    file: Arc<File>,
    size: u64,
    start: u64,
    goes_on: Arc<AtomicU64>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(inputs: Inputs<'a>, cut: bool) -> Self {
        Self { inputs, cut, state: Mutex::default() }
    }

    pub(super) fn next(&self) -> Option<Part<'a>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(piece) = state.next_piece() {
            let input = self.inputs.of(state.units - 1);
            return Some(state.part(input, Some(piece)));
        }
        let input = self.inputs.get(state.units as usize)?;
        state.units += 1;
        // What cannot be opened is told by whoever reads it.
        state.cutting = if self.cut && matches!(input.data, Data::Path) && input.size >= 2 * PIECE {
            Cutting::of(&input).unwrap_or_default()
        } else {
            None
        };
        let piece = state.next_piece();
        Some(state.part(input, piece))
    }
}

impl State {
    /// The next part, of the input that was begun last.
    fn part<'a>(&mut self, input: Cow<'a, Input>, piece: Option<Piece>) -> Part<'a> {
        let (number, unit) = (self.parts, self.units - 1);
        self.parts += 1;
        Part { number, unit, input, piece }
    }

    fn next_piece(&mut self) -> Option<Piece> {
        let cutting = self.cutting.as_mut().filter(|cutting| cutting.goes_on.load(Ordering::Relaxed) == u64::MAX)?;
        let (start, end) = (cutting.start, cutting.next_cut());
        let piece = Piece { file: Arc::clone(&cutting.file), start, end, goes_on: Arc::clone(&cutting.goes_on) };
        match end {
            Some(end) => cutting.start = end,
            None => self.cutting = None,
        }
        Some(piece)
    }
}

impl Cutting {
    /// `None` if the file does not look like JSON lines.
    fn of(input: &Input) -> io::Result<Option<Self>> {
        let file = File::open(&input.path)?;
        let mut head = Vec::new();
        (&file).take(FIRST_LINE as u64).read_to_end(&mut head)?;
        let line = &head[..memchr::memchr(b'\n', &head).unwrap_or(0)];
        let object = line.starts_with(b"{") && scan(line, 0, &mut Ignore) == Ok(Scanned::End(line.trim_ascii_end().len()));
        Ok(object.then(|| Self { file: Arc::new(file), size: input.size, start: 0, goes_on: Arc::new(AtomicU64::new(u64::MAX)) }))
    }

    /// The first line about a piece further on that starts with an object. An error ends the cutting, not the reading.
    fn next_cut(&self) -> Option<u64> {
        let mut at = self.start + PIECE;
        let mut buf = [0; 16 << 10];
        while at < self.size {
            let read = self.file.read_at(&mut buf, at).ok().filter(|read| *read > 1)?;
            if let Some(found) = memchr::memmem::find(&buf[..read], b"\n{") {
                return Some(at + found as u64 + 1);
            }
            // The last byte may be the line end.
            at += read as u64 - 1;
        }
        None
    }
}
