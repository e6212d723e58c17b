//! The part of a stream that is held in memory, and the position in the stream.
//! Knows nothing of what the bytes mean.

use super::inflate::{Chunk, Inflate};
use super::skip::Brackets;
use super::{Limits, RejectReason};
use crate::json::is_space;
use std::io::{self, Read};
use std::ops::Range;

/// First size of the buffer, in bytes; it grows up to twice the largest record.
const SIZE: usize = 256 << 10;

pub(super) struct Buffer<R: Read> {
    input: Inflate<R>,
    max_record: usize,
    bytes: Vec<u8>,
    unread: Range<usize>,
    /// Position in the stream of the first unread byte.
    offset: u64,
    line: u64,
    ended: bool,
    /// What ended the input early, until it is reported.
    pub(super) damage: Option<RejectReason>,
}

impl Buffer<io::Empty> {
    /// Holds a whole input: the first `length` of `bytes`.
    pub(super) fn whole(bytes: Vec<u8>, length: usize, limits: Limits) -> Self {
        let max_record = limits.max_record.max(1);
        Self { input: Inflate::nothing(), max_record, bytes, unread: 0..length, offset: 0, line: 1, ended: true, damage: None }
    }
}

impl<R: Read> Buffer<R> {
    /// `offset` is where the input starts, as it is to be told.
    pub(super) fn new(input: Inflate<R>, limits: Limits, offset: u64) -> Self {
        Self {
            input,
            max_record: limits.max_record.max(1),
            bytes: vec![0; SIZE.min(limits.max_record.saturating_mul(2).max(2))],
            unread: 0..0,
            offset,
            line: 1,
            ended: false,
            damage: None,
        }
    }

    pub(super) fn into_held(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Everything held, from the start of the buffer: what `start` and ranges refer to.
    pub(super) fn held(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the unread bytes start.
    pub(super) fn start(&self) -> usize {
        self.unread.start
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.unread.clone()]
    }

    /// The buffer up to the end of what the largest record that starts here may fill.
    pub(super) fn window(&self) -> &[u8] {
        &self.bytes[..self.unread.end.min(self.unread.start.saturating_add(self.max_record))]
    }

    /// A value that does not end in the window is larger than the largest record.
    pub(super) fn exceeds_window(&self) -> bool {
        self.unread.len() > self.max_record
    }

    /// Skips white space; the byte behind it, without consuming it.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let space = self.unread().iter().take_while(|&&byte| is_space(byte)).count();
            self.consume(space);
            if let Some(&byte) = self.unread().first() {
                return Ok(Some(byte));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    pub(super) fn consume_to(&mut self, at: usize) {
        self.consume(at - self.unread.start);
    }

    pub(super) fn consume(&mut self, count: usize) {
        let end = self.unread.start + count;
        self.line += memchr::memchr_iter(b'\n', &self.bytes[self.unread.start..end]).count() as u64;
        self.offset += count as u64;
        self.unread.start = end;
    }

    /// Reads more. False at the end of the input.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.start >= self.bytes.len() / 2 || (self.unread.end == self.bytes.len() && self.unread.start > 0) {
            self.bytes.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.unread.end == self.bytes.len() {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
        match self.input.read(&mut self.bytes[self.unread.end..])? {
            Chunk::Bytes(read) => {
                self.unread.end += read;
                Ok(true)
            }
            Chunk::End => {
                self.ended = true;
                Ok(false)
            }
            Chunk::Damaged(reason) => {
                self.ended = true;
                self.damage = Some(reason);
                Ok(false)
            }
        }
    }

    /// Reads on until there are `count` unread bytes, or a line among them, or the input ends.
    pub(super) fn fill_line(&mut self, count: usize) -> io::Result<()> {
        while self.unread.len() < count && memchr::memchr(b'\n', self.unread()).is_none() && self.fill()? {}
        Ok(())
    }

    /// The value that starts here does not end in the buffer: reads on until a scan may tell more. That is when its
    /// brackets close, or when there is twice as much: so all scans together are linear in the size of the value,
    /// however small the reads are, and still no complete value waits for more input. False if there is no more.
    pub(super) fn fill_value(&mut self) -> io::Result<bool> {
        let scanned = self.unread.len();
        let mut brackets = Brackets::default();
        brackets.feed_all(self.unread());
        loop {
            let before = self.unread.len();
            if !self.fill()? {
                return Ok(before > scanned);
            }
            let closed = brackets.close_in(&self.unread()[before..]);
            if closed || self.unread.len() >= scanned * 2 || self.exceeds_window() {
                return Ok(true);
            }
        }
    }
}
