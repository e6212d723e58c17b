//! A borrowed tree of a valid JSON value, for the few records that need more than their raw bytes.
//! Numbers stay tokens and strings WTF-8, so nothing is lost.

use super::text::{escape_into, is_space, unescape};
use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// The token as written.
    Number(&'a [u8]),
    String(Cow<'a, [u8]>),
    Array(Vec<Value<'a>>),
    /// Members in document order, duplicates included.
    Object(Vec<(Cow<'a, [u8]>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Parses bytes that `scan` accepted. Bytes it did not accept give some value, never a panic.
    pub fn parse(json: &'a [u8]) -> Self {
        Parser { json, at: 0, depth: 0 }.value()
    }

    /// The member named `name`; the last one if it occurs more than once, as in Python.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        match self {
            Value::Object(members) => {
                members.iter().rev().find(|(key, _)| key.as_ref() == name.as_bytes()).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The string at a path of member names, if there is one.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        let mut value = self;
        for name in path {
            value = value.get(name)?;
        }
        match value {
            Value::String(text) => str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// Appends the canonical form: member names sorted, the last of equal names kept, no white space, fewest
    /// escapes, and numbers that are equal written equally. Equal values have equal canonical forms.
    pub fn canonical_into(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Number(token) => canonical_number(out, token),
            Value::String(text) => escape_into(out, text),
            Value::Array(items) => {
                out.push(b'[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    item.canonical_into(out);
                }
                out.push(b']');
            }
            Value::Object(members) => {
                let mut sorted: Vec<_> = members.iter().rev().collect();
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
                // The sort is stable and the list reversed: of equal names the last written stands first.
                sorted.dedup_by(|later, first| later.0 == first.0);
                out.push(b'{');
                for (n, (name, value)) in sorted.into_iter().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    escape_into(out, name);
                    out.push(b':');
                    value.canonical_into(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Integers keep their digits; everything else is the shortest form of the double it stands for, which for very large
/// and very small ones needs an exponent: without one, `1e308` would grow to 309 bytes.
fn canonical_number(out: &mut Vec<u8>, token: &[u8]) {
    let integer = token.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    let double = str::from_utf8(token).ok().and_then(|text| text.parse::<f64>().ok());
    match double {
        Some(double) if !integer || double == 0.0 => {
            // Powers of ten are exact doubles up to 1e22, and as such equal to integers.
            let text = match double.abs() {
                // Either sign.
                0.0 => "0".to_owned(),
                1e-7..1e23 => double.to_string(),
                _ => format!("{double:e}"),
            };
            out.extend_from_slice(text.as_bytes());
        }
        _ => out.extend_from_slice(token),
    }
}

struct Parser<'a> {
    json: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Value<'a> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Value::String(self.string()),
            Some(b't') => self.word(4, Value::Bool(true)),
            Some(b'f') => self.word(5, Value::Bool(false)),
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                while self.json.get(self.at).is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
                    self.at += 1;
                }
                Value::Number(&self.json[start..self.at])
            }
            _ => self.word(4, Value::Null),
        }
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Value<'a>) -> Value<'a> {
        if self.depth == super::MAX_DEPTH {
            self.at = self.json.len();
            return Value::Null;
        }
        self.depth += 1;
        self.at += 1;
        let value = parse(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Value<'a> {
        let mut members = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    let name = self.string();
                    self.peek();
                    self.at += 1;
                    members.push((name, self.value()));
                }
                b',' => self.at += 1,
                _ => {
                    self.at += 1;
                    break;
                }
            }
        }
        Value::Object(members)
    }

    fn array(&mut self) -> Value<'a> {
        let mut items = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b']' => {
                    self.at += 1;
                    break;
                }
                b',' => self.at += 1,
                _ => items.push(self.value()),
            }
        }
        Value::Array(items)
    }

    fn string(&mut self) -> Cow<'a, [u8]> {
        let start = self.at + 1;
        let mut at = start;
        while let Some(found) = self.json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            at += found;
            if self.json[at] == b'"' {
                self.at = at + 1;
                return unescape(&self.json[start..at]);
            }
            at += 2;
        }
        self.at = self.json.len();
        Cow::Borrowed(&[])
    }

    fn word(&mut self, length: usize, value: Value<'a>) -> Value<'a> {
        self.at = (self.at + length).min(self.json.len());
        value
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.json.get(self.at) {
            if !is_space(byte) {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(json: &str) -> String {
        let mut out = Vec::new();
        Value::parse(json.as_bytes()).canonical_into(&mut out);
        String::from_utf8(out).expect("no lone surrogates in this test")
    }

    #[test]
    fn equal_values_have_one_canonical_form() {
        let expected = r#"{"a":[1,100,0.5,0],"b":"é/","c":{"x":null,"y":true}}"#;
        for json in [
            r#"{"a":[1,1e2,0.5,-0],"b":"é/","c":{"x":null,"y":true}}"#,
            r#"{ "c":{"y":true,"x":null}, "b":"\u00e9\/", "a":[1.0,100,5e-1,0.0] }"#,
            r#"{"b":"lost","a":[1,100,0.5,0],"\u0062":"é/","c":{"x":1,"x":null,"y":true}}"#,
        ] {
            assert_eq!(canonical(json), expected, "{json}");
        }
        assert_ne!(canonical("[9007199254740993]"), canonical("[9007199254740992]"));
        assert_eq!(canonical("[1e22,-1E+3,1e-3]"), "[10000000000000000000000,-1000,0.001]");
    }

    #[test]
    fn the_canonical_form_is_not_much_longer() {
        assert_eq!(canonical("[1e308,-1.5E300,5e-324,0e9]"), "[1e308,-1.5e300,5e-324,0]");
    }

    #[test]
    fn the_last_duplicate_wins() {
        let value = Value::parse(br#"{"a":{"b":"1"},"a":{"b":"2"}}"#);
        assert_eq!(value.text(&["a", "b"]), Some("2"));
        assert_eq!(value.text(&["a"]), None);
    }

    proptest! {
        #[test]
        fn parses_anything_without_panicking(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            Value::parse(&bytes).canonical_into(&mut out);
        }
    }
}
