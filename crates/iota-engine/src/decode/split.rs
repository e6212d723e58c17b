//! Splits a stream of inflated bytes into records: JSON lines, concatenated or pretty-printed values, arrays, and
//! the lists inside `{"Records": [...]}` and its like, while streaming. Memory is bounded by the largest record.
//! What it finds never depends on the sizes of the reads.

use super::buffer::Buffer;
use super::classify::{Class, Service, Skip, Within, classify, foreign_format};
use super::inflate::Inflate;
use super::outline::{List, Member, Outline, Outliner};
use super::skip::{Before, Place, Skipper};
use super::{Fields, Item, Limits, Position, REJECT_BYTES, Record, Reject, RejectReason};
use crate::json::{Ignore, ScanError, Scanned, Syntax, escape_surrogates, is_space, scan, unescape};
use std::io::{self, Read};
use std::ops::Range;

/// As much of the first line, in bytes, as it takes to tell a text log by.
const HEAD: usize = 512;
/// As much of a line that is neither object nor array, in bytes, as is looked at to say what is wrong with it.
const TEXT: usize = 4096;
/// After so many values in a row that failed only behind the next line that starts a value, the lines up to the failure
/// are passed over: trying each of them would scan the same bytes once per level of nesting.
const OVERRUNS: u32 = 8;

/// Reads records from one input.
#[expect(missing_debug_implementations, reason = "holds the caller's reader")]
pub struct Decoder<R: Read> {
    input: Buffer<R>,
    limits: Limits,
    number: u64,
    state: State,
    overruns: u32,
    next_piece: NextPiece,
    /// Unescaped text of an event that stood inside a string.
    scratch: Vec<u8>,
    /// What was consumed of the reject that is under way, up to `REJECT_BYTES`.
    rejected: Vec<u8>,
    /// Members of the object that was scanned last.
    members: Vec<Member>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before anything was read.
    Start,
    /// Between values at the outermost level.
    Outermost,
    /// Before an element of a list, or its end.
    Element(Container),
    /// After an element of a list.
    AfterElement(Container),
    /// In the object that held a list, behind that list.
    Tail,
    End,
}

/// Where the piece of the input behind this one starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextPiece {
    None,
    At(u64),
    /// There, between two values.
    Reached,
    Passed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    List(List),
}

/// A step's finding, without borrows.
enum Step {
    Again,
    Record { scratch: bool, range: Range<usize>, fields: Fields, position: Position },
    Reject(RejectReason, Position),
    Skip(Skip, Position),
    End,
}

impl<R: Read> Decoder<R> {
    pub fn new(reader: R, limits: Limits) -> Self {
        Self::on(Buffer::new(Inflate::new(reader, limits.max_inflated), limits, 0), limits)
    }

    /// Reads a piece of a larger input of plain JSON lines. `reader` starts at byte `start` of the input, where a line
    /// starts with an object, and so does `end`, where the next piece starts. If `end` is reached between two values, the
    /// items of this piece and the next one are those of both read as one; otherwise decoding goes on behind `end`.
    /// Numbers and lines are counted from `start`, offsets from the start of the input.
    pub fn piece(reader: R, limits: Limits, start: u64, end: Option<u64>) -> Self {
        let mut decoder = Self::on(Buffer::new(Inflate::plain(reader), limits, start), limits);
        decoder.next_piece = end.map_or(NextPiece::None, NextPiece::At);
        if start > 0 {
            decoder.state = State::Outermost;
        }
        decoder
    }

    pub(super) fn on(input: Buffer<R>, limits: Limits) -> Self {
        let (scratch, rejected, members) = (Vec::new(), Vec::new(), Vec::new());
        let (state, next_piece) = (State::Start, NextPiece::None);
        Self { input, limits, number: 0, state, overruns: 0, next_piece, scratch, rejected, members }
    }

    /// The memory that held the input.
    pub(super) fn into_held(self) -> Vec<u8> {
        self.input.into_held()
    }

    /// Line in the inflated input that is decoded next, from 1.
    pub fn line(&self) -> u64 {
        self.input.line()
    }

    /// Records, rejects and skips so far.
    pub fn count(&self) -> u64 {
        self.number
    }

    /// A piece ended where the next one starts.
    pub fn reached_end(&self) -> bool {
        self.next_piece == NextPiece::Reached
    }

    /// A piece goes on behind the start of the next one, which is therefore not to be used.
    pub fn passed_end(&self) -> bool {
        match self.next_piece {
            NextPiece::At(end) => self.input.offset() > end,
            next => next == NextPiece::Passed,
        }
    }

    /// Bytes of inflated input consumed so far.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// The next record, reject or skip; `None` at the end. An error is one of the underlying reader.
    #[expect(clippy::should_implement_trait, reason = "an item borrows from the decoder, and reading may fail")]
    pub fn next(&mut self) -> io::Result<Option<Item<'_>>> {
        let step = loop {
            match self.step()? {
                Step::Again => {}
                step => break step,
            }
        };
        Ok(match step {
            Step::Again | Step::End => None,
            Step::Record { scratch, range, fields, position } => {
                let raw = if scratch { &self.scratch[range] } else { &self.input.held()[range] };
                Some(Item::Record(Record { raw, fields, members: &self.members, position }))
            }
            Step::Reject(reason, position) => {
                Some(Item::Rejected(Reject { reason, position, bytes: std::mem::take(&mut self.rejected) }))
            }
            Step::Skip(skip, position) => Some(Item::Skipped(skip, position)),
        })
    }

    fn step(&mut self) -> io::Result<Step> {
        match self.state {
            State::Start => self.start(),
            State::Outermost => self.outermost(),
            State::Element(container) => self.element(container),
            State::AfterElement(container) => self.after_element(container),
            State::Tail => self.tail(),
            State::End => Ok(self.input.damage.take().map_or(Step::End, |reason| Step::Reject(reason, self.here()))),
        }
    }

    fn start(&mut self) -> io::Result<Step> {
        self.input.fill_line(HEAD)?;
        self.state = State::Outermost;
        let head = self.input.unread();
        if head.is_empty() {
            self.state = State::End;
            return Ok(Step::Again);
        }
        if let Some(format) = foreign_format(head) {
            self.state = State::End;
            return Ok(Step::Reject(RejectReason::Format(format), self.here()));
        }
        let line = &head[..head.len().min(HEAD)];
        if let Some(service) = Service::of_text(line.split(|&byte| byte == b'\n').next().unwrap_or_default()) {
            self.state = State::End;
            return Ok(Step::Skip(Skip::OtherService(service), self.here()));
        }
        Ok(Step::Again)
    }

    fn outermost(&mut self) -> io::Result<Step> {
        let Some(byte) = self.input.peek()? else {
            self.state = State::End;
            return Ok(Step::Again);
        };
        let position = self.here();
        if let NextPiece::At(end) = self.next_piece
            && end <= position.offset
        {
            // With overruns before it a broken value would be left in another way.
            if position.offset == end && self.overruns == 0 {
                (self.state, self.next_piece) = (State::End, NextPiece::Reached);
                return Ok(Step::Again);
            }
            self.next_piece = NextPiece::Passed;
        }
        match byte {
            b'{' => {
                let start = self.input.start();
                let mut outliner = Outliner::new(start, true, &mut self.members);
                let scanned = scan(self.input.window(), start, &mut outliner);
                let outline = outliner.outline();
                match scanned {
                    Ok(Scanned::End(end)) => Ok(self.object(end, outline, position, Within::Nothing)),
                    Ok(Scanned::Stopped(at)) => {
                        let list = outline.list.unwrap_or(List::Records);
                        self.input.consume_to(at + 1);
                        self.state = State::Element(Container::List(list));
                        Ok(match list {
                            List::LogFiles => Step::Skip(Skip::Digest, self.numbered(position)),
                            List::ConfigurationItems => Step::Skip(Skip::OtherService(Service::Config), self.numbered(position)),
                            List::Records | List::Events | List::LogEvents => Step::Again,
                        })
                    }
                    Err(error) => self.broken(error, Place::Outermost, position),
                }
            }
            b'[' => {
                self.input.consume(1);
                self.state = State::Element(Container::Array);
                Ok(Step::Again)
            }
            // Left over from something broken, or between values that should stand in an array: the next may be good.
            b',' | b']' | b'}' => {
                while let Some(b',' | b']' | b'}') = self.input.peek()? {
                    self.leave(1);
                }
                Ok(Step::Reject(RejectReason::NotJson, self.numbered(position)))
            }
            _ => self.text(position),
        }
    }

    /// Something at the outermost level that can be no record.
    fn text(&mut self, position: Position) -> io::Result<Step> {
        self.input.fill_line(TEXT)?;
        let unread = self.input.unread();
        if let Some(rest) = unread.strip_prefix(b"\xEF\xBB\xBF") {
            self.input.consume(unread.len() - rest.len());
            return Ok(Step::Again);
        }
        let line = &unread[..unread.len().min(TEXT)];
        let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let reason = match scan(line, 0, &mut Ignore) {
            Ok(Scanned::End(end)) if line[end..].iter().copied().all(is_space) => RejectReason::NotAnObject,
            Err(ScanError::Invalid { why: why @ (Syntax::Utf8 | Syntax::NotFinite), .. }) => why.into(),
            _ => RejectReason::NotJson,
        };
        self.skip(Skipper::new(Place::Line))?;
        Ok(Step::Reject(reason, self.numbered(position)))
    }

    fn element(&mut self, container: Container) -> io::Result<Step> {
        let (object, position) = match self.input.peek()? {
            None => return Ok(self.truncated()),
            Some(b']') => {
                self.input.consume(1);
                self.close(container);
                return Ok(Step::Again);
            }
            Some(b'[') => {
                // Not scanned: it may be the `[` that is wrong, and the lines behind it records.
                let position = self.here();
                return self.reject_and_skip(RejectReason::NotAnObject, Place::Element, position, 0);
            }
            Some(byte) => (byte == b'{', self.here()),
        };
        let (start, window) = (self.input.start(), self.input.window());
        let mut outliner = Outliner::new(start, false, &mut self.members);
        let scanned = scan(window, start, &mut outliner);
        let outline = outliner.outline();
        match scanned {
            // A number that reaches the end of the buffer may go on behind it.
            Ok(Scanned::End(end)) if !object && end == window.len() => {
                self.broken(ScanError::Incomplete, Place::Element, position)
            }
            Ok(Scanned::End(end) | Scanned::Stopped(end)) => {
                self.state = State::AfterElement(container);
                if matches!(container, Container::List(List::LogFiles | List::ConfigurationItems)) {
                    self.input.consume_to(end);
                    return Ok(Step::Again);
                }
                if !object {
                    self.leave(end - self.input.start());
                    return Ok(Step::Reject(RejectReason::NotAnObject, self.numbered(position)));
                }
                let within = match container {
                    Container::List(List::LogEvents) => Within::LogEvents,
                    _ => Within::List,
                };
                Ok(self.object(end, outline, position, within))
            }
            Err(error) => self.broken(error, Place::Element, position),
        }
    }

    fn after_element(&mut self, container: Container) -> io::Result<Step> {
        let line = self.input.line();
        match self.input.peek()? {
            None => return Ok(self.truncated()),
            Some(b',') => {
                self.input.consume(1);
                self.state = State::Element(container);
                // A comma announces an element: a closing bracket here is an error, not the end.
                if self.input.peek()? == Some(b']') {
                    let position = self.here();
                    self.state = State::AfterElement(container);
                    return Ok(Step::Reject(Syntax::ExpectedValue.into(), self.numbered(position)));
                }
            }
            Some(b']') => {
                self.input.consume(1);
                self.close(container);
            }
            // Only the comma is missing; or, on a line of its own, the end of the list.
            Some(b'{') => {
                let position = self.here();
                self.state = if position.line > line { State::Outermost } else { State::Element(container) };
                return Ok(Step::Reject(Syntax::ExpectedCommaOrBracket.into(), self.numbered(position)));
            }
            Some(_) => {
                let position = self.here();
                return self.reject_and_skip(Syntax::ExpectedCommaOrBracket.into(), Place::Element, position, 0);
            }
        }
        Ok(Step::Again)
    }

    fn close(&mut self, container: Container) {
        self.state = if container == Container::Array { State::Outermost } else { State::Tail };
    }

    /// Behind a list: `}` ends the object, `,` brings another member.
    fn tail(&mut self) -> io::Result<Step> {
        let position = match self.input.peek()? {
            None => return Ok(self.truncated()),
            Some(b'}') => {
                self.input.consume(1);
                self.state = State::Outermost;
                return Ok(Step::Again);
            }
            Some(_) => self.here(),
        };
        match self.tail_member() {
            Ok((at, list)) => {
                self.input.consume_to(at);
                if let Some(list) = list {
                    self.state = State::Element(Container::List(list));
                }
                Ok(Step::Again)
            }
            Err(ScanError::Incomplete) if self.input.exceeds_window() => {
                self.leave_tail(RejectReason::TooLarge { limit: self.limits.max_record }, position)
            }
            Err(ScanError::Incomplete) if self.input.fill_value()? => Ok(Step::Again),
            Err(ScanError::Incomplete) => Ok(self.truncated()),
            // The end of the object is missing, or the list went on.
            Err(ScanError::Invalid { why, at }) if self.input.held()[at] == b'{' => {
                self.leave(at - self.input.start());
                self.state = State::Outermost;
                Ok(Step::Reject(why.into(), self.numbered(position)))
            }
            Err(ScanError::Invalid { why, .. }) => self.leave_tail(why.into(), position),
        }
    }

    /// Scans `, "name": value`; the position behind it, or behind the `[` of a list.
    fn tail_member(&self) -> Result<(usize, Option<List>), ScanError> {
        let buf = self.input.window();
        let space =
            |at: usize| buf[at..].iter().position(|&byte| !is_space(byte)).map(|count| at + count).ok_or(ScanError::Incomplete);
        let expect =
            |at: usize, byte: u8, why: Syntax| if buf[at] == byte { Ok(at + 1) } else { Err(ScanError::Invalid { at, why }) };
        // A number that reaches the end of the buffer may go on behind it; and something has to follow any value.
        let value_end = |at: usize| match scan(buf, at, &mut Ignore)? {
            Scanned::End(end) | Scanned::Stopped(end) if end < buf.len() => Ok(end),
            _ => Err(ScanError::Incomplete),
        };
        let name = space(expect(self.input.start(), b',', Syntax::ExpectedCommaOrBrace)?)?;
        expect(name, b'"', Syntax::ExpectedName)?;
        let name_end = value_end(name)?;
        let value = space(expect(space(name_end)?, b':', Syntax::ExpectedColon)?)?;
        match List::named(&unescape(&buf[name + 1..name_end - 1])) {
            Some(list) if buf[value] == b'[' => Ok((value + 1, Some(list))),
            _ => Ok((value_end(value)?, None)),
        }
    }

    fn leave_tail(&mut self, reason: RejectReason, position: Position) -> io::Result<Step> {
        self.state = State::Outermost;
        self.skip(Skipper::inside_object())?;
        Ok(Step::Reject(reason, self.numbered(position)))
    }

    /// A complete object that ends at `end`.
    fn object(&mut self, end: usize, outline: Outline, position: Position, within: Within) -> Step {
        let range = self.input.start()..end;
        let position = self.numbered(position);
        let step = self.unwrap(false, range, outline, position, within);
        match step {
            Step::Reject(..) => self.leave(end - self.input.start()),
            _ => self.input.consume_to(end),
        }
        self.overruns = 0;
        step
    }

    /// Follows wrappers down to the event.
    fn unwrap(&mut self, scratch: bool, range: Range<usize>, outline: Outline, position: Position, within: Within) -> Step {
        let source = if scratch { &self.scratch } else { self.input.held() };
        let raw = &source[range.clone()];
        match classify(raw, &outline, self.members.is_empty(), within) {
            Class::Event => Step::Record { scratch, range, fields: outline.fields, position },
            Class::Skip(skip) => Step::Skip(skip, position),
            Class::Reject(reason) => Step::Reject(reason, position),
            Class::Object(span) => {
                let Range { start, end } = span.range();
                self.unwrap_scanned(scratch, range.start + start..range.start + end, position, Within::Envelope)
            }
            Class::Text(span) => {
                let text = span.of(raw);
                self.scratch = escape_surrogates(unescape(&text[1..text.len() - 1])).into_owned();
                self.unwrap_scanned(true, 0..self.scratch.len(), position, Within::List)
            }
        }
    }

    fn unwrap_scanned(&mut self, scratch: bool, range: Range<usize>, position: Position, within: Within) -> Step {
        let source = if scratch { &self.scratch[..range.end] } else { &self.input.held()[..range.end] };
        let start = range.start + source[range].iter().copied().take_while(|&byte| is_space(byte)).count();
        if source.get(start).is_none_or(|&byte| byte != b'{') {
            let json = matches!(scan(source, start, &mut Ignore), Ok(Scanned::End(_)));
            return Step::Reject(if json { RejectReason::NotAnObject } else { RejectReason::NotJson }, position);
        }
        let mut outliner = Outliner::new(start, false, &mut self.members);
        let scanned = scan(source, start, &mut outliner);
        let outline = outliner.outline();
        match scanned {
            Ok(Scanned::End(end) | Scanned::Stopped(end)) => {
                if source[end..].iter().copied().all(is_space) {
                    self.unwrap(scratch, start..end, outline, position, within)
                } else {
                    Step::Reject(RejectReason::NotJson, position)
                }
            }
            Err(ScanError::Incomplete) => Step::Reject(RejectReason::Truncated, position),
            Err(ScanError::Invalid { why, .. }) => Step::Reject(why.into(), position),
        }
    }

    /// A value whose scan did not reach its end: read more, or give it up.
    fn broken(&mut self, error: ScanError, place: Place, position: Position) -> io::Result<Step> {
        match error {
            ScanError::Incomplete if self.input.exceeds_window() => {
                let limit = self.limits.max_record;
                self.reject_and_skip(RejectReason::TooLarge { limit }, place, position, limit)
            }
            ScanError::Incomplete if self.input.fill_value()? => Ok(Step::Again),
            ScanError::Incomplete => {
                // What damaged the input also cut this value: one cause, one reject.
                let reason = self.input.damage.take().unwrap_or(RejectReason::Truncated);
                let scanned = self.input.unread().len();
                let step = self.reject_and_skip(reason, place, position, scanned)?;
                if self.input.unread().is_empty() {
                    self.state = State::End;
                }
                Ok(step)
            }
            ScanError::Invalid { why, at } => {
                let scanned = at - self.input.start();
                self.reject_and_skip(why.into(), place, position, scanned)
            }
        }
    }

    /// The input ended where more had to come.
    fn truncated(&mut self) -> Step {
        self.state = State::End;
        let reason = self.input.damage.take().unwrap_or(RejectReason::Truncated);
        let position = self.here();
        let position = self.numbered(position);
        self.leave(self.input.unread().len());
        Step::Reject(reason, position)
    }

    /// Leaves a value that turned out to be broken after `scanned` bytes.
    fn reject_and_skip(&mut self, reason: RejectReason, place: Place, position: Position, scanned: usize) -> io::Result<Step> {
        let mut skipper = Skipper::new(place);
        if self.overruns == OVERRUNS {
            self.overruns = 0;
            // The line before the failing one may be good: the failure is then that it should not be there.
            let lines = &self.input.unread()[..scanned];
            let back = |end: usize| memchr::memrchr(b'\n', &lines[..end]);
            if let Some(line) = back(scanned).and_then(back) {
                self.leave(line);
                skipper = Skipper::to_next_line(place);
            }
        }
        let before = self.skip(skipper)?;
        let overrun = self.input.offset() < position.offset + scanned as u64;
        self.overruns = if overrun { self.overruns + 1 } else { 0 };
        if let State::Element(container) | State::AfterElement(container) = self.state {
            self.state = match before {
                Before::Next => State::AfterElement(container),
                Before::Line { after_comma: true } => State::Element(container),
                Before::Line { after_comma: false } => State::Outermost,
            };
        }
        Ok(Step::Reject(reason, self.numbered(position)))
    }

    fn skip(&mut self, mut skipper: Skipper) -> io::Result<Before> {
        loop {
            if let Some((count, before)) = skipper.feed(self.input.unread()) {
                self.leave(count);
                return Ok(before);
            }
            self.leave(self.input.unread().len());
            if !self.input.fill()? {
                return Ok(Before::Next);
            }
        }
    }

    /// Consumes what is part of a reject.
    fn leave(&mut self, count: usize) {
        let room = REJECT_BYTES - self.rejected.len();
        self.rejected.extend_from_slice(&self.input.unread()[..count.min(room)]);
        self.input.consume(count);
    }

    fn here(&self) -> Position {
        Position { number: self.number + 1, line: self.input.line(), offset: self.input.offset() }
    }

    /// Counts the thing at `position`.
    fn numbered(&mut self, position: Position) -> Position {
        self.number += 1;
        Position { number: self.number, ..position }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_by_the_largest_record() {
        let limits = Limits { max_record: 10_000, ..Limits::default() };
        for start in ["", "{\"a\":\"", "{\"Records\":[", "{\"Records\":[],\"a\":", "\"", "text", "[1", "[[", "{", "{\"a\":[\n"] {
            for filler in ["a", " ", "1", "[", "{\"a\":[\n", "[],", "\"", "\\", "\n"] {
                let text = [start, &filler.repeat(300_000 / filler.len())].concat();
                let mut decoder = Decoder::new(text.as_bytes(), limits);
                while decoder.next().expect("reads from memory").is_some() {}
                let held = decoder.input.held().len();
                assert!(held <= 2 * limits.max_record, "{start:?} {filler:?}: {held}");
            }
        }
    }
}
