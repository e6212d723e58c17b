//! Finds where to go on after a value that cannot be read, without holding or validating it.
//! Resumable: it is fed the stream chunk by chunk, so a 2 GB line costs no memory.

/// Where the broken value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the outermost level: ends where its brackets close, or before a line that starts a new value.
    Outermost,
    /// In a list: ends before the `,` or `]` that follows it, or before a line that starts a new object.
    Element,
    /// Text at the outermost level that is no JSON: ends with its line.
    Line,
}

/// What a skipped value ended before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Whatever follows the value.
    Next,
    /// A line that starts with a value. `after_comma`: the line before ended with a comma.
    Line { after_comma: bool },
}

/// Follows brackets and strings.
#[derive(Debug, Default)]
pub(super) struct Brackets {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Brackets {
    /// Feeds bytes.
    pub(super) fn feed_all(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(next) = self.next_that_matters(bytes, at) {
            self.feed(bytes[next]);
            at = next + 1;
        }
    }

    /// Feeds bytes up to where some bracket or string at the outermost level closes, or a line ends inside a string
    /// (which no valid string does). False if nothing of that happens.
    pub(super) fn close_in(&mut self, bytes: &[u8]) -> bool {
        let mut at = 0;
        while let Some(next) = self.next_that_matters(bytes, at) {
            let byte = bytes[next];
            let broken = byte == b'\n' && self.in_string;
            self.feed(byte);
            if broken || self.depth == 0 && !self.in_string && matches!(byte, b'}' | b']' | b'"') {
                return true;
            }
            at = next + 1;
        }
        false
    }

    /// Position from `at` on of the next byte that has to be fed.
    fn next_that_matters(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let rest = bytes.get(at..)?;
        let found = if self.in_string && !self.escaped { memchr::memchr3(b'"', b'\\', b'\n', rest)? } else { 0 };
        (found < rest.len()).then_some(at + found)
    }

    fn feed(&mut self, byte: u8) {
        if std::mem::take(&mut self.escaped) {
            return;
        }
        match byte {
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[derive(Debug)]
pub(super) struct Skipper {
    place: Place,
    brackets: Brackets,
    /// The last byte that is not white space.
    last: u8,
    line_start: bool,
}

impl Skipper {
    pub(super) fn new(place: Place) -> Self {
        Self { place, brackets: Brackets::default(), last: 0, line_start: false }
    }

    /// For an error between the members of an object at the outermost level.
    pub(super) fn inside_object() -> Self {
        Self { brackets: Brackets { depth: 1, ..Brackets::default() }, ..Self::new(Place::Outermost) }
    }

    /// For an error so deep inside a value that only a new line can be trusted.
    pub(super) fn to_next_line(place: Place) -> Self {
        Self { brackets: Brackets { depth: usize::MAX / 2, ..Brackets::default() }, ..Self::new(place) }
    }

    /// Consumes bytes of the broken value. `Some((n, ..))`: it ends before byte `n`; `None`: feed more.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<(usize, Before)> {
        if self.place == Place::Line {
            return memchr::memchr(b'\n', bytes).map(|at| (at, Before::Next));
        }
        let mut at = 0;
        while at < bytes.len() {
            let next = self.brackets.next_that_matters(bytes, at);
            self.note_last(&bytes[at..next.unwrap_or(bytes.len())]);
            let next = next?;
            let byte = bytes[next];
            let starts_line = std::mem::take(&mut self.line_start);
            if starts_line && (byte == b'{' || byte == b'[' && self.place == Place::Outermost) {
                return Some((next, Before::Line { after_comma: self.last == b',' }));
            }
            let level = self.brackets.depth == 0 && !self.brackets.in_string;
            if level && self.place == Place::Element && matches!(byte, b',' | b']') {
                return Some((next, Before::Next));
            }
            if byte == b'\n' {
                // A string cannot hold a line end: if one seems to, its closing quote is missing.
                self.line_start = true;
                self.brackets.in_string = false;
                self.brackets.escaped = false;
            } else {
                self.brackets.feed(byte);
            }
            self.note_last(&[byte]);
            at = next + 1;
            let closed = self.brackets.depth == 0 && matches!(byte, b'}' | b']') && !self.brackets.in_string;
            if closed && self.place == Place::Outermost {
                return Some((at, Before::Next));
            }
        }
        None
    }

    fn note_last(&mut self, bytes: &[u8]) {
        if let Some(byte) = bytes.iter().rev().find(|byte| !byte.is_ascii_whitespace()) {
            self.last = *byte;
        }
    }
}
