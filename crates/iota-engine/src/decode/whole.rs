//! Inputs that are in memory as a whole: decoded where they stand, gzip inflated in one go.
//! What is found is what reading the same bytes as a stream finds.

use super::buffer::Buffer;
use super::deflate::{Decompressor, DeflateError, MemberSize};
use super::split::Decoder;
use super::{Limits, inflate};
use std::io;

/// Largest inflated size for which an input is inflated in one go, in bytes. CloudTrail's log files hold up to about
/// 10 MB; more is read as a stream, so that memory does not grow.
const MAX_INFLATED: usize = 32 << 20;

/// Flag of a gzip member whose header has a checksum (RFC 1952), which libdeflate does not look at.
const HEADER_CHECKSUM: u8 = 2;

/// Memory that is used again from input to input.
#[derive(Debug, Default)]
pub struct Whole {
    decompressor: Option<Decompressor>,
    bytes: Vec<u8>,
    inflated: Vec<u8>,
}

impl Whole {
    /// Where to put the bytes of the next input.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Decodes the bytes with `decode`. `None` where they have to be read as a stream: gzip that is damaged, inflates to
    /// too much, or has something else behind it.
    pub fn decode<T>(&mut self, limits: Limits, decode: impl FnOnce(&mut Decoder<io::Empty>) -> T) -> Option<T> {
        let (bytes, length) = if inflate::is_gzip(&self.bytes) {
            let length = self.inflate(limits)?;
            (&mut self.inflated, length)
        } else {
            let length = self.bytes.len();
            (&mut self.bytes, length)
        };
        let mut decoder = Decoder::on(Buffer::whole(std::mem::take(bytes), length, limits), limits);
        let result = decode(&mut decoder);
        *bytes = decoder.into_held();
        Some(result)
    }

    /// Inflates all members; how many bytes they fill.
    fn inflate(&mut self, limits: Limits) -> Option<usize> {
        let most = usize::try_from(limits.max_inflated).map_or(MAX_INFLATED, |most| most.min(MAX_INFLATED));
        if self.decompressor.is_none() {
            self.decompressor = Decompressor::new();
        }
        let decompressor = self.decompressor.as_mut()?;
        // The last four bytes say how much the last member holds (RFC 1952), if they are to be believed.
        let hint = self.bytes.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
        let mut rest = &self.bytes[..];
        let mut filled = 0;
        grow(&mut self.inflated, hint.max(self.bytes.len()).min(most), filled);
        while !rest.is_empty() {
            if rest.get(3).is_some_and(|flags| flags & HEADER_CHECKSUM != 0) {
                return None;
            }
            match decompressor.member(rest, &mut self.inflated[filled..]) {
                Ok(member) => {
                    let MemberSize { taken, filled: more } = member;
                    rest = inflate::behind_padding(&rest[taken..]);
                    filled += more;
                }
                Err(DeflateError::Space) if self.inflated.len() < most => {
                    let size = (self.inflated.len() * 2).min(most);
                    grow(&mut self.inflated, size, filled);
                }
                Err(DeflateError::Space | DeflateError::Damaged) => return None,
            }
        }
        (filled <= most).then_some(filled)
    }
}

/// Makes a buffer at least so large; its first `kept` bytes stay.
fn grow(buffer: &mut Vec<u8>, size: usize, kept: usize) {
    if buffer.len() < size {
        // A new one: what is not kept need not be copied, and fresh pages need not be zeroed.
        let mut larger = vec![0; size];
        larger[..kept].copy_from_slice(&buffer[..kept]);
        *buffer = larger;
    }
}
