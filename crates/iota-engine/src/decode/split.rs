//! Splits a stream of inflated bytes into records: JSON lines, concatenated or pretty-printed values, arrays, and
//! the lists inside `{"Records": [...]}` and its like, while streaming. Memory is bounded by the largest record.

use super::classify::{Class, Service, Skip, classify, foreign_format};
use super::inflate::{Chunk, Inflate};
use super::outline::{List, Outline};
use super::skip::{Place, Skipper};
use super::{Fields, Item, Limits, Position, Record, Reject, RejectReason};
use crate::json::{Ignore, ScanError, Scanned, Syntax, scan, unescape};
use std::io::{self, Read};
use std::ops::Range;

/// First size of the buffer, in bytes; it grows up to the largest record.
const BUFFER: usize = 256 << 10;

/// Reads records from one input.
#[expect(missing_debug_implementations, reason = "holds the caller's reader")]
pub struct Decoder<R: Read> {
    input: Inflate<R>,
    limits: Limits,
    buf: Vec<u8>,
    /// The part of `buf` that holds unread bytes.
    unread: Range<usize>,
    /// Position in the stream of `unread.start`.
    offset: u64,
    lines: u64,
    number: u64,
    state: State,
    /// The input is exhausted; what ended it early, until it is reported.
    ended: bool,
    damage: Option<RejectReason>,
    /// Unescaped text of an event that stood inside a string.
    scratch: Vec<u8>,
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
        Self {
            input: Inflate::new(reader, limits.max_inflated),
            limits,
            buf: vec![0; BUFFER.min(limits.max_record.max(1) * 2)],
            unread: 0..0,
            offset: 0,
            lines: 1,
            number: 0,
            state: State::Start,
            ended: false,
            damage: None,
            scratch: Vec::new(),
        }
    }

    /// Bytes of inflated input consumed so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record, reject or skip; `None` at the end. An error is one of the underlying reader.
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
                let raw = if scratch { &self.scratch[range] } else { &self.buf[range] };
                Some(Item::Record(Record { raw, fields, position }))
            }
            Step::Reject(reason, position) => Some(Item::Rejected(Reject { reason, position })),
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
            State::End => Ok(self.damage.take().map_or(Step::End, |reason| Step::Reject(reason, self.here()))),
        }
    }

    fn start(&mut self) -> io::Result<Step> {
        while self.unread.len() < 512 && self.fill()? {}
        self.state = State::Outermost;
        if self.unread.is_empty() {
            self.state = State::End;
            return Ok(if self.damage.is_some() { Step::Again } else { Step::Skip(Skip::Empty, self.here()) });
        }
        let head = self.bytes();
        if let Some(format) = foreign_format(head) {
            self.state = State::End;
            return Ok(Step::Reject(RejectReason::Format(format), self.here()));
        }
        if head.starts_with(b"\xEF\xBB\xBF") {
            self.consume(3);
        } else if let Some(service) = Service::of_text(head.split(|&byte| byte == b'\n').next().unwrap_or_default()) {
            self.state = State::End;
            return Ok(Step::Skip(Skip::OtherService(service), self.here()));
        }
        Ok(Step::Again)
    }

    fn outermost(&mut self) -> io::Result<Step> {
        let Some(byte) = self.peek()? else {
            self.state = State::End;
            return Ok(Step::Again);
        };
        let position = self.here();
        match byte {
            b'{' => {
                let mut outline = Outline::new(self.unread.start, true);
                match scan(&self.buf[..self.unread.end], self.unread.start, &mut outline) {
                    Ok(Scanned::End(end)) => Ok(self.object(end, outline, position, false)),
                    Ok(Scanned::Stopped(at)) => {
                        let list = outline.list.unwrap_or(List::Records);
                        self.consume_to(at + 1);
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
                self.consume(1);
                self.state = State::Element(Container::Array);
                Ok(Step::Again)
            }
            _ => match scan(&self.buf[..self.unread.end], self.unread.start, &mut Ignore) {
                Ok(_) => self.reject_and_skip(RejectReason::NotAnObject, Place::Line, position),
                Err(ScanError::Incomplete) => self.broken(ScanError::Incomplete, Place::Line, position),
                Err(ScanError::Invalid { why: why @ (Syntax::Utf8 | Syntax::NotFinite), .. }) => {
                    self.reject_and_skip(why.into(), Place::Line, position)
                }
                Err(_) => self.reject_and_skip(RejectReason::NotJson, Place::Line, position),
            },
        }
    }

    fn element(&mut self, container: Container) -> io::Result<Step> {
        let position = match self.peek()? {
            None => return Ok(self.truncated()),
            Some(b']') => {
                self.consume(1);
                self.close(container);
                return Ok(Step::Again);
            }
            Some(_) => self.here(),
        };
        let mut outline = Outline::new(self.unread.start, false);
        let object = self.buf[self.unread.start] == b'{';
        match scan(&self.buf[..self.unread.end], self.unread.start, &mut outline) {
            Ok(Scanned::End(end) | Scanned::Stopped(end)) => {
                self.state = State::AfterElement(container);
                if matches!(container, Container::List(List::LogFiles | List::ConfigurationItems)) {
                    self.consume_to(end);
                    return Ok(Step::Again);
                }
                if !object {
                    self.consume_to(end);
                    return Ok(Step::Reject(RejectReason::NotAnObject, self.numbered(position)));
                }
                if container == Container::List(List::LogEvents) && !outline.message.is_missing() {
                    outline.cloud_trail_event = outline.message;
                }
                Ok(self.object(end, outline, position, true))
            }
            Err(error) => self.broken(error, Place::Element, position),
        }
    }

    fn after_element(&mut self, container: Container) -> io::Result<Step> {
        match self.peek()? {
            None => return Ok(self.truncated()),
            Some(b',') => {
                self.consume(1);
                self.state = State::Element(container);
                // A comma announces an element: a closing bracket here is an error, not the end.
                if self.peek()? == Some(b']') {
                    let position = self.here();
                    self.state = State::AfterElement(container);
                    return Ok(Step::Reject(Syntax::ExpectedValue.into(), self.numbered(position)));
                }
            }
            Some(b']') => {
                self.consume(1);
                self.close(container);
            }
            Some(_) => {
                let position = self.here();
                return self.reject_and_skip(Syntax::ExpectedCommaOrBracket.into(), Place::Element, position);
            }
        }
        Ok(Step::Again)
    }

    fn close(&mut self, container: Container) {
        self.state = if container == Container::Array { State::Outermost } else { State::Tail };
    }

    /// Behind a list: `}` ends the object, `,` brings another member.
    fn tail(&mut self) -> io::Result<Step> {
        let position = match self.peek()? {
            None => return Ok(self.truncated()),
            Some(b'}') => {
                self.consume(1);
                self.state = State::Outermost;
                return Ok(Step::Again);
            }
            Some(_) => self.here(),
        };
        loop {
            match self.tail_member() {
                Ok((at, list)) => {
                    self.consume_to(at);
                    if let Some(list) = list {
                        self.state = State::Element(Container::List(list));
                    }
                    return Ok(Step::Again);
                }
                Err(ScanError::Incomplete) if self.unread.len() > self.limits.max_record => {
                    return self.leave_tail(RejectReason::TooLarge { limit: self.limits.max_record }, position);
                }
                Err(ScanError::Incomplete) if self.fill()? => {}
                Err(ScanError::Incomplete) => return Ok(self.truncated()),
                Err(ScanError::Invalid { why, .. }) => return self.leave_tail(why.into(), position),
            }
        }
    }

    /// Scans `, "name": value`; the position behind it, or behind the `[` of a list.
    fn tail_member(&self) -> Result<(usize, Option<List>), ScanError> {
        let buf = &self.buf[..self.unread.end];
        let space = |at: usize| {
            buf[at..].iter().position(|byte| !byte.is_ascii_whitespace()).map(|n| at + n).ok_or(ScanError::Incomplete)
        };
        let expect =
            |at: usize, byte: u8, why: Syntax| if buf[at] == byte { Ok(at + 1) } else { Err(ScanError::Invalid { at, why }) };
        let end = |scanned| match scanned {
            Scanned::End(at) | Scanned::Stopped(at) => at,
        };
        let name = space(expect(self.unread.start, b',', Syntax::ExpectedCommaOrBrace)?)?;
        expect(name, b'"', Syntax::ExpectedName)?;
        let name_end = end(scan(buf, name, &mut Ignore)?);
        let value = space(expect(space(name_end)?, b':', Syntax::ExpectedColon)?)?;
        match List::named(&unescape(&buf[name + 1..name_end - 1])) {
            Some(list) if buf[value] == b'[' => Ok((value + 1, Some(list))),
            _ => Ok((end(scan(buf, value, &mut Ignore)?), None)),
        }
    }

    fn leave_tail(&mut self, reason: RejectReason, position: Position) -> io::Result<Step> {
        self.state = State::Outermost;
        self.skip(Skipper::inside_object())?;
        Ok(Step::Reject(reason, self.numbered(position)))
    }

    /// A complete object that ends at `end`.
    fn object(&mut self, end: usize, outline: Outline, position: Position, inside: bool) -> Step {
        let range = self.unread.start..end;
        let position = self.numbered(position);
        let step = self.unwrap(false, range, outline, position, inside);
        self.consume_to(end);
        step
    }

    /// Follows wrappers down to the event.
    fn unwrap(&mut self, scratch: bool, range: Range<usize>, outline: Outline, position: Position, inside: bool) -> Step {
        let source = if scratch { &self.scratch } else { &self.buf };
        let raw = &source[range.clone()];
        let inner = match classify(raw, &outline, inside) {
            Class::Event => return Step::Record { scratch, range, fields: outline.fields, position },
            Class::Skip(skip) => return Step::Skip(skip, position),
            Class::Reject(reason) => return Step::Reject(reason, position),
            Class::Object(span) => {
                let start = range.start + span.range().start;
                start..range.start + span.range().end
            }
            Class::Text(span) => {
                let text = span.of(raw);
                let text = unescape(&text[1..text.len() - 1]).into_owned();
                let inner = 0..text.len();
                self.scratch = text;
                return self.unwrap_scanned(true, inner, position);
            }
        };
        self.unwrap_scanned(scratch, inner, position)
    }

    fn unwrap_scanned(&mut self, scratch: bool, range: Range<usize>, position: Position) -> Step {
        let source = if scratch { &self.scratch[..range.end] } else { &self.buf[..range.end] };
        let start = range.start + source[range.clone()].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if source.get(start).is_none_or(|&byte| byte != b'{') {
            let json = matches!(scan(source, start, &mut Ignore), Ok(Scanned::End(_)));
            return Step::Reject(if json { RejectReason::NotAnObject } else { RejectReason::NotJson }, position);
        }
        let mut outline = Outline::new(start, false);
        match scan(source, start, &mut outline) {
            Ok(Scanned::End(end) | Scanned::Stopped(end)) => {
                if source[end..].iter().all(u8::is_ascii_whitespace) {
                    self.unwrap(scratch, start..end, outline, position, true)
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
            ScanError::Incomplete if self.unread.len() > self.limits.max_record => {
                self.reject_and_skip(RejectReason::TooLarge { limit: self.limits.max_record }, place, position)
            }
            ScanError::Incomplete if self.fill()? => Ok(Step::Again),
            ScanError::Incomplete if place == Place::Element => Ok(self.truncated()),
            ScanError::Incomplete => {
                // What damaged the input also cut this value: one cause, one reject.
                let reason = self.damage.take().unwrap_or(RejectReason::Truncated);
                self.reject_and_skip(reason, place, position)
            }
            ScanError::Invalid { why, .. } => self.reject_and_skip(why.into(), place, position),
        }
    }

    /// The input ended where more had to come.
    fn truncated(&mut self) -> Step {
        self.state = State::End;
        let reason = self.damage.take().unwrap_or(RejectReason::Truncated);
        let position = self.here();
        let position = self.numbered(position);
        self.consume(self.unread.len());
        Step::Reject(reason, position)
    }

    fn reject_and_skip(&mut self, reason: RejectReason, place: Place, position: Position) -> io::Result<Step> {
        if let State::Element(container) = self.state {
            self.state = State::AfterElement(container);
        }
        self.skip(Skipper::new(place))?;
        Ok(Step::Reject(reason, self.numbered(position)))
    }

    fn skip(&mut self, mut skipper: Skipper) -> io::Result<()> {
        loop {
            match skipper.feed(self.bytes()) {
                Some(at) => {
                    self.consume(at);
                    return Ok(());
                }
                None => self.consume(self.unread.len()),
            }
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.buf[self.unread.clone()]
    }

    /// The next byte that is not white space, without consuming it.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let space = self.bytes().iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
            self.consume(space);
            if let Some(&byte) = self.bytes().first() {
                return Ok(Some(byte));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn here(&self) -> Position {
        Position { number: self.number + 1, line: self.lines, offset: self.offset }
    }

    /// Counts the thing at `position`.
    fn numbered(&mut self, position: Position) -> Position {
        self.number += 1;
        Position { number: self.number, ..position }
    }

    fn consume_to(&mut self, at: usize) {
        self.consume(at - self.unread.start);
    }

    fn consume(&mut self, count: usize) {
        let end = self.unread.start + count;
        self.lines += memchr::memchr_iter(b'\n', &self.buf[self.unread.start..end]).count() as u64;
        self.offset += count as u64;
        self.unread.start = end;
    }

    /// Reads more. False at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.start >= self.buf.len() / 2 {
            self.buf.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.unread.end == self.buf.len() {
            if self.unread.start > 0 {
                self.buf.copy_within(self.unread.clone(), 0);
                self.unread = 0..self.unread.len();
            } else {
                self.buf.resize(self.buf.len() * 2, 0);
            }
        }
        match self.input.read(&mut self.buf[self.unread.end..])? {
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
}
