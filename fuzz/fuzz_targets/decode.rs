//! Any bytes as an input: no panic, no endless run, positions in order, and the same items whatever the reads.

#![no_main]

use iota_engine::decode::{Decoder, Item, Limits, Position, Whole};
use iota_engine::json::{Ignore, Scanned, Value, minify, scan};
use libfuzzer_sys::fuzz_target;
use std::io::{self, Read};

/// Hands out few bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.size.min(buf.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(count);
        buf[..count].copy_from_slice(now);
        self.bytes = later;
        Ok(count)
    }
}

fn items(reader: impl Read, limits: Limits) -> Vec<(String, Position)> {
    items_of(&mut Decoder::new(reader, limits), limits)
}

fn items_of(decoder: &mut Decoder<impl Read>, limits: Limits) -> Vec<(String, Position)> {
    let mut items = Vec::new();
    while let Some(item) = decoder.next().expect("reads from memory") {
        items.push(match item {
            Item::Record(record) => {
                assert_eq!(scan(record.raw, 0, &mut Ignore), Ok(Scanned::End(record.raw.len())), "a record is valid JSON");
                assert!(record.raw.starts_with(b"{") && record.raw.len() <= limits.max_record);
                Value::parse(record.raw).canonical_into(&mut Vec::new());
                minify(record.raw);
                (String::from_utf8(record.raw.to_vec()).expect("a record is UTF-8"), record.position)
            }
            Item::Rejected(reject) => (format!("rejected: {:?}", reject.reason), reject.position),
            Item::Skipped(skip, position) => (format!("skipped: {skip:?}"), position),
        });
        // One thing is at least a byte; at the end one more may be said about the whole input.
        assert!(items.len() as u64 <= limits.max_inflated + 2, "items without end");
    }
    items
}

fuzz_target!(|data: &[u8]| {
    let [limit, size, bytes @ ..] = data else { return };
    let limits = Limits { max_record: if limit % 4 == 0 { 1 + usize::from(*limit) } else { 1 << 14 }, max_inflated: 1 << 20 };
    let whole = items(bytes, limits);
    assert!(whole.windows(2).all(|pair| pair[0].1.offset <= pair[1].1.offset), "positions in order");
    let trickled = items(Trickle { bytes, size: 1 + usize::from(*size) }, limits);
    assert_eq!(whole, trickled, "the sizes of the reads made a difference");
    let mut input = Whole::default();
    input.bytes().extend_from_slice(bytes);
    if let Some(at_once) = input.decode(limits, |decoder| items_of(decoder, limits)) {
        assert_eq!(whole, at_once, "decoding in one go made a difference");
    }
});
