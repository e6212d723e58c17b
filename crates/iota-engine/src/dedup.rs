//! Exact detection of records that were seen before, in at most about 20 bytes each.
//! Knows identities only; what a duplicate means is decided elsewhere.

use crate::event::{Fingerprint, Identity};

/// What is known of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    First,
    /// Same identity, same value.
    Duplicate,
    /// Same identity, another value: evaluated, but can never count twice in one group.
    Variant,
}

/// Entries a page holds before it is split in two.
const PAGE: usize = 512;

/// A set of identities with their fingerprints.
///
/// Extendible hashing: `directory` maps the first `bits` bits of an identity to a page, a page is a sorted list that
/// splits when full. Unlike one big hash table it never doubles, so the cost stays near its 16 bytes an entry
/// whatever the size: 12 bytes of the identity (two of 10^9 records collide with probability 6e-12) and 4 of the value.
#[derive(Debug)]
pub struct SeenRecords {
    directory: Vec<u32>,
    bits: u32,
    pages: Vec<Page>,
}

#[derive(Debug, Default)]
struct Page {
    bits: u32,
    entries: Vec<Entry>,
}

type Key = [u8; 12];

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Key,
    value: Fingerprint,
}

impl Default for SeenRecords {
    fn default() -> Self {
        Self { directory: vec![0], bits: 0, pages: vec![Page::default()] }
    }
}

impl SeenRecords {
    /// Tells whether the record was seen, and remembers it. A variant replaces the value that is remembered.
    pub fn insert(&mut self, identity: Identity, value: Fingerprint) -> Seen {
        let mut key: Key = [0; 12];
        key.copy_from_slice(&identity.0[..12]);
        let index = self.directory[prefix(&key, self.bits)] as usize;
        let entries = &mut self.pages[index].entries;
        match entries.binary_search_by(|entry| entry.key.cmp(&key)) {
            Ok(at) if entries[at].value == value => Seen::Duplicate,
            Ok(at) => {
                entries[at].value = value;
                Seen::Variant
            }
            Err(at) => {
                if entries.len() == entries.capacity() {
                    entries.reserve_exact((entries.len() / 8).max(4));
                }
                entries.insert(at, Entry { key, value });
                if entries.len() > PAGE {
                    self.split(index, &key);
                }
                Seen::First
            }
        }
    }

    fn split(&mut self, index: usize, key: &Key) {
        let page = &mut self.pages[index];
        if page.bits == 32 {
            return;
        }
        page.bits += 1;
        let bits = page.bits;
        // Sorted by key, so the upper half by the next bit is a tail.
        let cut = page.entries.partition_point(|entry| prefix(&entry.key, bits) & 1 == 0);
        let entries = page.entries.split_off(cut);
        page.entries.shrink_to_fit();
        let upper = u32::try_from(self.pages.len()).unwrap_or(u32::MAX);
        self.pages.push(Page { bits, entries });
        if bits > self.bits {
            self.directory = self.directory.iter().flat_map(|&page| [page, page]).collect();
            self.bits = bits;
        }
        // All directory entries with the upper half's prefix lie side by side.
        let half = 1 << (self.bits - bits);
        let start = (prefix(key, bits - 1) * 2 + 1) * half;
        self.directory[start..start + half].fill(upper);
    }
}

/// The first `bits` bits of a key, as a number.
fn prefix(key: &Key, bits: u32) -> usize {
    let head = u32::from_be_bytes([key[0], key[1], key[2], key[3]]);
    // A shift by all 32 bits, for the one page at the start, leaves nothing.
    head.checked_shr(32 - bits).unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn identity(n: u32) -> Identity {
        Identity(crate::digest::digest("test", [&n.to_be_bytes()[..]]))
    }

    #[test]
    fn agrees_with_a_map() {
        let mut seen = SeenRecords::default();
        let mut map = BTreeMap::new();
        for n in 0..60_000_u32 {
            let (id, value) = (identity(n * 7919 % 25_000), Fingerprint((n / 40_000).to_be_bytes()));
            let expected = match map.insert(id, value.0) {
                None => Seen::First,
                Some(old) if old == value.0 => Seen::Duplicate,
                Some(_) => Seen::Variant,
            };
            assert_eq!(seen.insert(id, value), expected, "{n}");
        }
        assert!(seen.pages.len() > 40, "pages were split");
    }

    #[test]
    fn costs_about_twenty_bytes_an_entry() {
        let mut seen = SeenRecords::default();
        let count = 200_000;
        for n in 0..200_000 {
            seen.insert(identity(n), Fingerprint([0; 4]));
        }
        let bytes: usize =
            seen.pages.iter().map(|page| page.entries.capacity() * size_of::<Entry>() + size_of::<Page>()).sum::<usize>()
                + seen.directory.capacity() * 4;
        assert!(bytes < count * 20, "{} bytes an entry", bytes / count);
    }
}
