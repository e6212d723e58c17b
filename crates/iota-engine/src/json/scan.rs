//! One pass over one JSON value: finds its end and validates it completely.
//! Knows nothing of records; a `Members` sink sees the members of the outermost object.

use super::text::is_space;
use std::ops::Range;
use thiserror::Error;

/// Deepest nesting of arrays and objects that is accepted. CPython's parser gives up near 1,000;
/// the deepest real CloudTrail record seen is 11.
pub const MAX_DEPTH: usize = 256;
/// Longest integer, in digits, that CPython converts (`sys.int_info.default_max_str_digits`).
pub const MAX_INTEGER_DIGITS: usize = 4300;

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Syntax {
    #[error("a value was expected")]
    ExpectedValue,
    #[error("a member name in double quotes was expected")]
    ExpectedName,
    #[error("`:` was expected after a member name")]
    ExpectedColon,
    #[error("`,` or `}}` was expected")]
    ExpectedCommaOrBrace,
    #[error("`,` or `]` was expected")]
    ExpectedCommaOrBracket,
    #[error("NaN and Infinity are not JSON")]
    NotFinite,
    #[error("malformed number")]
    Number,
    #[error("number overflows a double")]
    Overflow,
    #[error("integer of more than {MAX_INTEGER_DIGITS} digits")]
    IntegerTooLong,
    #[error("malformed escape in a string")]
    Escape,
    #[error("raw control character in a string")]
    ControlCharacter,
    #[error("a string that does not end on its line: the line may have been cut off")]
    LineEnd,
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("invalid UTF-8")]
    Utf8,
}

/// Why a scan stopped before the end of the value. Offsets are positions in the scanned buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanError {
    /// The buffer ended inside the value.
    Incomplete,
    Invalid {
        at: usize,
        why: Syntax,
    },
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanned {
    /// Position just behind the value.
    End(usize),
    /// The sink asked to stop at the value of a member; its position.
    Stopped(usize),
}

/// Sees the members of the outermost object, in document order.
pub trait Members {
    /// Before a member's value is scanned. `name` is raw: without quotes, escapes undecoded.
    /// `first` is the first byte of the value. True stops the scan there.
    fn before(&mut self, _name: &[u8], _first: u8) -> bool {
        false
    }
    /// After a member's value was scanned. Where name (without quotes) and value stand in the buffer `buf`.
    fn member(&mut self, buf: &[u8], name: Range<usize>, value: Range<usize>);
}

/// A sink that wants nothing.
#[derive(Debug)]
pub struct Ignore;

impl Members for Ignore {
    fn member(&mut self, _buf: &[u8], _name: Range<usize>, _value: Range<usize>) {}
}

/// Scans the value that starts at `start` (leading white space allowed).
pub fn scan(buf: &[u8], start: usize, sink: &mut impl Members) -> Result<Scanned, ScanError> {
    let mut scanner = Scanner { buf, pos: start, non_ascii: false };
    let found = scanner.value(sink)?;
    if scanner.non_ascii {
        let (Scanned::End(end) | Scanned::Stopped(end)) = found;
        check_utf8(buf, start, end)?;
    }
    Ok(found)
}

fn check_utf8(buf: &[u8], start: usize, end: usize) -> Result<(), ScanError> {
    match simdutf8::compat::from_utf8(&buf[start..end]) {
        Ok(_) => Ok(()),
        Err(error) => Err(ScanError::Invalid { at: start + error.valid_up_to(), why: Syntax::Utf8 }),
    }
}

struct Scanner<'a> {
    buf: &'a [u8],
    pos: usize,
    non_ascii: bool,
}

/// Which kind of container each open level is: bit set = object.
#[derive(Default)]
struct Nesting {
    objects: [u64; MAX_DEPTH / 64],
    depth: usize,
}

impl Nesting {
    fn push(&mut self, object: bool) -> bool {
        if self.depth == MAX_DEPTH {
            return false;
        }
        let (word, bit) = (self.depth / 64, self.depth % 64);
        self.objects[word] = (self.objects[word] & !(1 << bit)) | (u64::from(object) << bit);
        self.depth += 1;
        true
    }

    fn in_object(&self) -> bool {
        let top = self.depth - 1;
        self.objects[top / 64] >> (top % 64) & 1 == 1
    }
}

impl Scanner<'_> {
    fn value(&mut self, sink: &mut impl Members) -> Result<Scanned, ScanError> {
        let mut nesting = Nesting::default();
        // Name and value start of the member of the outermost object that is being scanned.
        let mut member: (Range<usize>, usize) = (0..0, 0);
        'value: loop {
            let byte = self.peek()?;
            match byte {
                b'{' => {
                    self.pos += 1;
                    self.open(&mut nesting, true)?;
                    if self.peek()? == b'}' {
                        self.pos += 1;
                        nesting.depth -= 1;
                    } else {
                        if self.name(&nesting, &mut member, sink)? {
                            return Ok(Scanned::Stopped(self.pos));
                        }
                        continue 'value;
                    }
                }
                b'[' => {
                    self.pos += 1;
                    self.open(&mut nesting, false)?;
                    if self.peek()? == b']' {
                        self.pos += 1;
                        nesting.depth -= 1;
                    } else {
                        continue 'value;
                    }
                }
                b'"' => {
                    self.pos += 1;
                    self.string()?;
                }
                b'-' | b'0'..=b'9' => self.number(nesting.depth == 0)?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                b'N' => return self.non_finite(b"NaN"),
                b'I' => return self.non_finite(b"Infinity"),
                _ => return self.fail(Syntax::ExpectedValue),
            }
            // A value ended: close what it closes, or go on to the next one.
            loop {
                if nesting.depth == 0 {
                    return Ok(Scanned::End(self.pos));
                }
                if nesting.depth == 1 && nesting.in_object() {
                    sink.member(self.buf, member.0.clone(), member.1..self.pos);
                }
                let byte = self.peek()?;
                if nesting.in_object() {
                    match byte {
                        b',' => {
                            self.pos += 1;
                            if self.name(&nesting, &mut member, sink)? {
                                return Ok(Scanned::Stopped(self.pos));
                            }
                            continue 'value;
                        }
                        b'}' => self.pos += 1,
                        _ => return self.fail(Syntax::ExpectedCommaOrBrace),
                    }
                } else {
                    match byte {
                        b',' => {
                            self.pos += 1;
                            continue 'value;
                        }
                        b']' => self.pos += 1,
                        _ => return self.fail(Syntax::ExpectedCommaOrBracket),
                    }
                }
                nesting.depth -= 1;
            }
        }
    }

    fn open(&self, nesting: &mut Nesting, object: bool) -> Result<(), ScanError> {
        if nesting.push(object) { Ok(()) } else { Err(ScanError::Invalid { at: self.pos - 1, why: Syntax::TooDeep }) }
    }

    /// Reads `"name" :` and moves to the value. True if the sink wants to stop there.
    fn name(
        &mut self,
        nesting: &Nesting,
        member: &mut (Range<usize>, usize),
        sink: &mut impl Members,
    ) -> Result<bool, ScanError> {
        if self.peek()? != b'"' {
            return self.fail(Syntax::ExpectedName);
        }
        self.pos += 1;
        let start = self.pos;
        self.string()?;
        let name = start..self.pos - 1;
        if self.peek()? != b':' {
            return self.fail(Syntax::ExpectedColon);
        }
        self.pos += 1;
        let first = self.peek()?;
        if nesting.depth != 1 {
            return Ok(false);
        }
        *member = (name.clone(), self.pos);
        Ok(sink.before(&self.buf[name], first))
    }

    /// Skips white space; the next byte.
    fn peek(&mut self) -> Result<u8, ScanError> {
        while let Some(&byte) = self.buf.get(self.pos) {
            if !is_space(byte) {
                return Ok(byte);
            }
            self.pos += 1;
        }
        Err(ScanError::Incomplete)
    }

    /// The rest of a string, behind its opening quote, through its closing quote.
    fn string(&mut self) -> Result<(), ScanError> {
        loop {
            self.pos = skip_plain(self.buf, self.pos);
            match self.buf.get(self.pos) {
                None => return Err(ScanError::Incomplete),
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(b'\n' | b'\r') => return self.fail(Syntax::LineEnd),
                Some(0..0x20) => return self.fail(Syntax::ControlCharacter),
                Some(byte) => {
                    self.non_ascii |= *byte >= 0x80;
                    self.pos += 1;
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        match self.buf.get(self.pos + 1) {
            None => Err(ScanError::Incomplete),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.pos += 2;
                Ok(())
            }
            Some(b'u') => {
                for at in self.pos + 2..self.pos + 6 {
                    match self.buf.get(at) {
                        None => return Err(ScanError::Incomplete),
                        Some(byte) if byte.is_ascii_hexdigit() => {}
                        Some(_) => return Err(ScanError::Invalid { at, why: Syntax::Escape }),
                    }
                }
                self.pos += 6;
                Ok(())
            }
            Some(_) => self.fail(Syntax::Escape),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), ScanError> {
        let rest = &self.buf[self.pos..];
        if rest.starts_with(word) {
            self.pos += word.len();
            Ok(())
        } else if word.starts_with(rest) {
            Err(ScanError::Incomplete)
        } else {
            self.fail(Syntax::ExpectedValue)
        }
    }

    fn non_finite<T>(&self, word: &[u8]) -> Result<T, ScanError> {
        let rest = &self.buf[self.pos..];
        if rest.len() < word.len() && word.starts_with(rest) {
            return Err(ScanError::Incomplete);
        }
        self.fail(if rest.starts_with(word) { Syntax::NotFinite } else { Syntax::ExpectedValue })
    }

    /// A number. One that reaches the end of the buffer may go on behind it, unless `outermost` (then it is
    /// the caller who knows whether more bytes follow; no record is a bare number).
    fn number(&mut self, outermost: bool) -> Result<(), ScanError> {
        let start = self.pos;
        if self.buf[self.pos] == b'-' {
            self.pos += 1;
        }
        let first = self.pos;
        let digits = self.digits();
        match (digits, self.buf.get(first)) {
            (0, None) => return Err(ScanError::Incomplete),
            (0, Some(b'I')) => return self.non_finite(b"Infinity"),
            (0, Some(_)) => return self.fail(Syntax::Number),
            (2.., Some(b'0')) => return Err(ScanError::Invalid { at: first, why: Syntax::Number }),
            _ => {}
        }
        let mut integer = true;
        let mut exponent = false;
        if self.buf.get(self.pos) == Some(&b'.') {
            integer = false;
            self.pos += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.buf.get(self.pos) {
            integer = false;
            exponent = true;
            self.pos += 1;
            if let Some(b'+' | b'-') = self.buf.get(self.pos) {
                self.pos += 1;
            }
            self.some_digits()?;
        }
        if self.pos == self.buf.len() && !outermost {
            return Err(ScanError::Incomplete);
        }
        if integer && digits > MAX_INTEGER_DIGITS {
            return Err(ScanError::Invalid { at: start, why: Syntax::IntegerTooLong });
        }
        // Below 300 digits nothing without an exponent reaches the largest double, 1.8e308.
        if !integer && (exponent || digits >= 300) && overflows(&self.buf[start..self.pos]) {
            return Err(ScanError::Invalid { at: start, why: Syntax::Overflow });
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.pos;
        while self.buf.get(self.pos).is_some_and(u8::is_ascii_digit) {
            self.pos += 1;
        }
        self.pos - start
    }

    fn some_digits(&mut self) -> Result<(), ScanError> {
        if self.digits() > 0 {
            Ok(())
        } else if self.pos == self.buf.len() {
            Err(ScanError::Incomplete)
        } else {
            self.fail(Syntax::Number)
        }
    }

    fn fail<T>(&self, why: Syntax) -> Result<T, ScanError> {
        Err(ScanError::Invalid { at: self.pos, why })
    }
}

fn overflows(number: &[u8]) -> bool {
    str::from_utf8(number).ok().and_then(|text| text.parse::<f64>().ok()).is_none_or(f64::is_infinite)
}

/// First position from `pos` on that holds a quote, a backslash, a control character or a non-ASCII byte
/// (or the end of the buffer). Eight bytes a step.
fn skip_plain(buf: &[u8], mut pos: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // High bit of each byte of `x` that is zero; exact for the lowest one, and no false positive when none is.
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    while let Some(chunk) = buf.get(pos..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let special = quote | backslash | control | (word & HIGH);
        if special != 0 {
            return pos + (special.trailing_zeros() / 8) as usize;
        }
        pos += 8;
    }
    while buf.get(pos).is_some_and(|&byte| !matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..)) {
        pos += 1;
    }
    pos
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn end(text: &[u8]) -> Result<usize, Syntax> {
        match scan(text, 0, &mut Ignore) {
            Ok(Scanned::End(end)) => Ok(end),
            Ok(Scanned::Stopped(_)) => panic!("nothing asked to stop"),
            Err(ScanError::Incomplete) => panic!("incomplete: {}", String::from_utf8_lossy(text)),
            Err(ScanError::Invalid { why, .. }) => Err(why),
        }
    }

    #[test]
    fn accepts_what_json_allows() {
        for text in [
            r#"{"a":[1,-0,2.5e-3,{"b":null}],"c":"\u00e9\ud800","":true}"#,
            "[]",
            "{}",
            " \n\t\r{ \"a\" : [ ] }",
            r#""text""#,
            "-12",
            "[1e308]",
            "[9007199254740993123456789]",
            "\"ü€😀\"",
        ] {
            assert_eq!(end(text.as_bytes()), Ok(text.len()), "{text}");
        }
    }

    #[test]
    fn names_what_is_wrong() {
        for (text, why) in [
            (r#"{"a":NaN}"#, Syntax::NotFinite),
            (r#"{"a":-Infinity}"#, Syntax::NotFinite),
            (r#"{"a":Infinity}"#, Syntax::NotFinite),
            (r#"{"a":1e400}"#, Syntax::Overflow),
            (r#"{"a":01}"#, Syntax::Number),
            (r#"{"a":1.}"#, Syntax::Number),
            (r#"{"a" 1}"#, Syntax::ExpectedColon),
            (r#"{"a":1,}"#, Syntax::ExpectedName),
            (r"{'a':1}", Syntax::ExpectedName),
            ("[1 2]", Syntax::ExpectedCommaOrBracket),
            (r#"{"a":1 "b":2}"#, Syntax::ExpectedCommaOrBrace),
            ("[\"a\tb\"]", Syntax::ControlCharacter),
            ("{\"a\":\"b\n{\"a\":\"b\"}", Syntax::LineEnd),
            (r#"["\x"]"#, Syntax::Escape),
            (r#"["\u12g4"]"#, Syntax::Escape),
            ("[tru]", Syntax::ExpectedValue),
        ] {
            assert_eq!(end(text.as_bytes()), Err(why), "{text}");
        }
        assert_eq!(end(b"[\"\xff\"]"), Err(Syntax::Utf8));
        assert_eq!(end(b"[\"\xed\xa0\x80\"]"), Err(Syntax::Utf8), "an encoded surrogate is not UTF-8");
    }

    #[test]
    fn limits() {
        let digits = |n: usize| format!("[{}]", "7".repeat(n));
        assert!(end(digits(MAX_INTEGER_DIGITS).as_bytes()).is_ok());
        assert_eq!(end(digits(MAX_INTEGER_DIGITS + 1).as_bytes()), Err(Syntax::IntegerTooLong));
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(end(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(end(nested(MAX_DEPTH + 1).as_bytes()), Err(Syntax::TooDeep));
        let fraction = format!("[{}.5]", "9".repeat(400));
        assert_eq!(end(fraction.as_bytes()), Err(Syntax::Overflow));
    }

    #[test]
    fn every_cut_is_incomplete() {
        let text = r#"{"eventName":"A\u00e9","n":-1.5e+3,"l":[true,false,null,{}]}"#;
        for cut in 0..text.len() {
            assert_eq!(scan(&text.as_bytes()[..cut], 0, &mut Ignore), Err(ScanError::Incomplete), "{}", &text[..cut]);
        }
        for text in ["[N", "[Na", "[I", "[Infinit", "[-I", "[-Infin"] {
            assert_eq!(scan(text.as_bytes(), 0, &mut Ignore), Err(ScanError::Incomplete), "{text}");
        }
    }

    proptest! {
        /// The scanner and serde_json agree on validity, where both have the same limits.
        #[test]
        fn agrees_with_serde_json(text in "[\\[\\]{}:,\"0-9eE.+\\-a-z \\\\]{0,40}") {
            let ours = match scan(text.as_bytes(), 0, &mut Ignore) {
                Ok(Scanned::End(end)) => text[end..].trim_matches([' ', '\n', '\r', '\t']).is_empty(),
                _ => false,
            };
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            // serde_json's raw values do not look at what number a token stands for.
            let overflow = serde_json::from_str::<serde_json::Value>(&text).is_err();
            prop_assert!(ours == theirs || (theirs && overflow), "{text}: ours {ours}, theirs {theirs}");
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = scan(&bytes, 0, &mut Ignore);
        }

        #[test]
        fn skips_to_the_first_special_byte(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let expected = bytes.iter().position(|&b| b == b'"' || b == b'\\' || !(0x20..0x80).contains(&b)).unwrap_or(bytes.len());
            prop_assert_eq!(skip_plain(&bytes, 0), expected);
        }
    }
}
