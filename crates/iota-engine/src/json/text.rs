//! JSON text: decoding and encoding of strings, removal of white space.
//! Strings are WTF-8 bytes: UTF-8 in which a lone surrogate may stand, as Python's `json` keeps it.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Decodes the inside of a valid JSON string (without its quotes).
pub fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', raw) else { return Cow::Borrowed(raw) };
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    let mut next = Some(first);
    while let Some(at) = next {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let (&kind, tail) = rest.split_first().unwrap_or((&b'\\', &[]));
        rest = tail;
        match kind {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut unit = hex4(rest);
                rest = rest.get(4..).unwrap_or_default();
                // A high surrogate followed by an escaped low one is one character.
                if (0xD800..0xDC00).contains(&unit)
                    && let Some(low) = rest.strip_prefix(b"\\u").map(hex4)
                    && (0xDC00..0xE000).contains(&low)
                {
                    unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                    rest = &rest[6..];
                }
                push_code_point(&mut out, unit);
            }
            other => out.push(other),
        }
        next = memchr::memchr(b'\\', rest);
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

fn hex4(digits: &[u8]) -> u32 {
    digits.iter().take(4).fold(0, |value, &digit| value << 4 | (digit as char).to_digit(16).unwrap_or(0))
}

/// Appends a code point, a surrogate included, in the generalised form of UTF-8.
fn push_code_point(out: &mut Vec<u8>, code: u32) {
    if let Some(character) = char::from_u32(code) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let bits = |shift: u32| (code >> shift & 0x3F) as u8 | 0x80;
        out.extend_from_slice(&[0xE0 | (code >> 12 & 0x0F) as u8, bits(6), bits(0)]);
    }
}

/// Appends `text` as a JSON string, with the fewest escapes. Lone surrogates are written as `\udxxx`.
pub fn escape_into(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = first_special(rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let mut written = 1;
        match rest[0] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte @ 0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            0xED if rest.get(1).is_some_and(|&next| next >= 0xA0) => {
                push_escape(out, rest);
                written = 3;
            }
            byte => out.push(byte),
        }
        rest = rest.get(written..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// The first byte that may have to be written otherwise: a quote, a backslash, a control character, the first of a surrogate.
fn first_special(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20 | 0xED);
    // Eight bytes at a time: the high bit of a byte is set where it is special, and of others only above such a one.
    let (chunks, rest) = text.as_chunks::<8>();
    let is_special = |chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(*chunk);
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let equal = |byte: u8| zero(word ^ (ONES * u64::from(byte)));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        (equal(b'"') | equal(b'\\') | equal(0xED) | control) & HIGH != 0
    };
    match chunks.iter().position(is_special) {
        Some(chunk) => text[chunk * 8..].iter().position(special).map(|at| chunk * 8 + at),
        None => rest.iter().position(special).map(|at| text.len() - rest.len() + at),
    }
}

/// JSON text that came out of a string: its lone surrogates, which are no UTF-8, as escapes.
pub fn escape_surrogates(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let surrogate = |rest: &[u8]| memchr::memchr_iter(0xED, rest).find(|at| rest.get(at + 1).is_some_and(|&next| next >= 0xA0));
    if surrogate(&text).is_none() {
        return text;
    }
    let mut out = Vec::with_capacity(text.len() + 3);
    let mut rest = text.as_ref();
    while let Some(at) = surrogate(rest) {
        out.extend_from_slice(&rest[..at]);
        push_escape(&mut out, &rest[at..]);
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// Appends `\udxxx` for the surrogate that `text` starts with.
fn push_escape(out: &mut Vec<u8>, text: &[u8]) {
    let bits = |at: usize| u16::from(text.get(at).copied().unwrap_or(0x80) & 0x3F);
    let unit = 0xD000 | bits(1) << 6 | bits(2);
    out.extend_from_slice(b"\\u");
    out.extend((0..4).rev().map(|nibble| HEX[usize::from(unit >> (nibble * 4) & 15)]));
}

/// White space between the tokens of JSON (RFC 8259, section 2).
#[inline]
pub const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The same tokens without the white space between them.
pub fn minify(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => at = string_end(json, at),
            byte if is_space(byte) => {
                out.extend_from_slice(&json[kept..at]);
                at += 1;
                kept = at;
            }
            _ => at += 1,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    out.extend_from_slice(&json[kept..]);
    Cow::Owned(out)
}

/// Position behind the string that opens at `start`.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_survive_a_round_trip() {
        for raw in [r"plain", r"\u0045ventName", r"a\nb\t\u0001", r"\ud83d\ude00", r"\ud800", r"\ude00\ud83d x", r#"\"\\\/"#] {
            let decoded = unescape(raw.as_bytes()).into_owned();
            let mut encoded = Vec::new();
            escape_into(&mut encoded, &decoded);
            assert_eq!(unescape(&encoded[1..encoded.len() - 1]).as_ref(), decoded, "{raw}");
        }
        assert_eq!(unescape(br"\u0045vent").as_ref(), b"Event");
        assert_eq!(unescape(br"\ud83d\ude00").as_ref(), "😀".as_bytes());
    }

    #[test]
    fn special_bytes_are_found_wherever_they_stand() {
        for length in 0..20 {
            assert_eq!(first_special(&vec![b'a'; length]), None);
            for at in 0..length {
                for byte in 0..=255u8 {
                    let mut text = vec![0xC3; length];
                    text[at] = byte;
                    let expected = matches!(byte, b'"' | b'\\' | 0..0x20 | 0xED).then_some(at);
                    assert_eq!(first_special(&text), expected, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn minify_keeps_tokens_and_strings() {
        let pretty = b"{ \"a b\" : [ 1 , 2.0e1 ],\n\t\"c\\\" d\" : \" x \" }";
        assert_eq!(minify(pretty).as_ref(), b"{\"a b\":[1,2.0e1],\"c\\\" d\":\" x \"}");
        assert!(matches!(minify(b"{\"a\":1}"), Cow::Borrowed(_)));
    }
}
