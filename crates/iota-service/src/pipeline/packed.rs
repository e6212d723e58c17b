//! Values as bytes that compare like the values: what is sorted outside memory is compared by its bytes alone.

use super::scratch::damaged;
use std::io;

/// Appends a time, or any signed number.
pub(super) fn put_i64(out: &mut Vec<u8>, number: i64) {
    // With the sign bit flipped, negative numbers come before the others.
    out.extend_from_slice(&(number.cast_unsigned() ^ (1 << 63)).to_be_bytes());
}

/// Appends text; it ends with two zero bytes, and a zero byte inside is followed by 255.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(255);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// Takes values off the front of bytes. What does not fit is an error: the bytes are not those that were written.
pub(super) struct Unpack<'a>(pub(super) &'a [u8]);

impl Unpack<'_> {
    pub(super) fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> io::Result<u8> {
        self.bytes().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> io::Result<u16> {
        self.bytes().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> io::Result<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> io::Result<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> io::Result<i64> {
        Ok((self.u64()? ^ (1 << 63)).cast_signed())
    }

    pub(super) fn text(&mut self) -> io::Result<String> {
        let mut text = Vec::new();
        loop {
            match self.0 {
                [0, 0, rest @ ..] => {
                    self.0 = rest;
                    return String::from_utf8(text).map_err(|_| damaged());
                }
                [0, 255, rest @ ..] => {
                    text.push(0);
                    self.0 = rest;
                }
                [0, ..] | [] => return Err(damaged()),
                [byte, rest @ ..] => {
                    text.push(*byte);
                    self.0 = rest;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(text: &str, number: i64) -> Vec<u8> {
        let mut out = Vec::new();
        put_text(&mut out, text);
        put_i64(&mut out, number);
        out
    }

    proptest! {
        #[test]
        fn bytes_compare_like_values_and_come_back(
            a in ("[a\0\u{1}é]{0,4}", any::<i64>()),
            b in ("[a\0\u{1}é]{0,4}", any::<i64>()),
        ) {
            prop_assert_eq!(packed(&a.0, a.1).cmp(&packed(&b.0, b.1)), a.cmp(&b));
            let bytes = packed(&a.0, a.1);
            let mut bytes = Unpack(&bytes);
            prop_assert_eq!((bytes.text().unwrap(), bytes.i64().unwrap()), a);
            prop_assert!(bytes.u8().is_err());
        }
    }
}
