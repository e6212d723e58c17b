//! Digests that name things for good: records, groups, alerts.
//! Knows nothing of what is digested.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// First 16 bytes of SHA-256 over a version tag and parts, each prefixed with its length in bytes (u32, big endian).
pub fn digest<'a>(tag: &'a str, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in std::iter::once(tag.as_bytes()).chain(parts) {
        hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(part);
    }
    let full: [u8; 32] = hash.finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&full[..16]);
    first
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
