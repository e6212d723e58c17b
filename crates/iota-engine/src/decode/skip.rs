//! Finds where to go on after a value that cannot be read, without holding or validating it.
//! Resumable: it is fed the stream chunk by chunk, so a 2 GB line costs no memory.

/// Where the broken value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the outermost level: ends where its brackets close, or before a line that starts a new value.
    Outermost,
    /// In a list: ends before the `,` or `]` that follows it.
    Element,
    /// Text at the outermost level that is no JSON: ends with its line.
    Line,
}

#[derive(Debug)]
pub(super) struct Skipper {
    place: Place,
    depth: usize,
    in_string: bool,
    escaped: bool,
    line_start: bool,
    started: bool,
}

impl Skipper {
    pub(super) fn new(place: Place) -> Self {
        Self { place, depth: 0, in_string: false, escaped: false, line_start: false, started: false }
    }

    /// For an error between the members of an object at the outermost level.
    pub(super) fn inside_object() -> Self {
        Self { depth: 1, started: true, ..Self::new(Place::Outermost) }
    }

    /// Consumes bytes of the broken value. `Some(n)`: it ends before byte `n`; `None`: feed more.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.place == Place::Line {
            return memchr::memchr(b'\n', bytes);
        }
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.in_string && !self.escaped {
                // Only these end or matter inside a string.
                match memchr::memchr3(b'"', b'\\', b'\n', &bytes[at..]) {
                    Some(found) => at += found,
                    None => return None,
                }
            }
            if self.byte(bytes.get(at).copied().unwrap_or(byte)) {
                return Some(at);
            }
            at += 1;
            if self.closed() {
                return Some(at);
            }
        }
        None
    }

    /// True if the value ends before this byte.
    fn byte(&mut self, byte: u8) -> bool {
        let outermost = self.place == Place::Outermost;
        if outermost && std::mem::take(&mut self.line_start) && matches!(byte, b'{' | b'[') {
            return true;
        }
        if byte == b'\n' && outermost {
            // A string cannot hold a line end: if one seems to, its closing quote is missing.
            self.line_start = true;
            self.in_string = false;
            self.escaped = false;
            return false;
        }
        if self.escaped {
            self.escaped = false;
            return false;
        }
        match byte {
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => {
                self.depth += 1;
                self.started = true;
            }
            b'}' | b']' | b',' if self.place == Place::Element && self.depth == 0 => return true,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        false
    }

    fn closed(&self) -> bool {
        self.place == Place::Outermost && self.started && self.depth == 0 && !self.in_string
    }
}
