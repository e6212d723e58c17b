//! An object's bytes to lines, with what the committer needs to know of each. Bounded by the chunk, never by the object.

use super::state::SeenId;
use iota_engine::decode::{Decoder, Item, Limits, Record};
use iota_engine::digest::digest;
use iota_engine::event::event_time;
use iota_engine::json::Value;
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Size of a chunk, in bytes.
const CHUNK: usize = 1 << 20;
const HOUR_MS: i64 = 3_600_000;

/// Some of an object's records.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    lines: Vec<(usize, SeenId)>,
    pub(super) rejects: Vec<Rejected>,
    /// By their reason.
    pub(super) skipped: BTreeMap<&'static str, u64>,
}

/// What could not be read as a record.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) code: &'static str,
    pub(super) why: String,
    pub(super) number: u64,
    pub(super) line: u64,
    pub(super) offset: u64,
}

impl Chunk {
    /// Each line, without its end.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&[u8], SeenId)> {
        let mut start = 0;
        self.lines.iter().map(move |&(end, id)| {
            let line = &self.bytes[start..end];
            start = end;
            (line, id)
        })
    }

    fn add(&mut self, record: &Record<'_>, delivered_ms: i64) {
        let mut canonical = Vec::with_capacity(record.raw.len());
        Value::parse(record.raw).canonical_into(&mut canonical);
        let hour = event_time(record, delivered_ms).ms.div_euclid(HOUR_MS);
        // A line end in valid JSON stands between tokens.
        self.bytes.extend(record.raw.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        self.lines.push((self.bytes.len(), (hour, digest("iota-ingest-v1", [canonical.as_slice()]))));
    }
}

/// Gives the chunks to `give` until that returns false. An error is one of `body`.
pub(super) fn decode(body: impl Read, limits: Limits, delivered_ms: i64, mut give: impl FnMut(Chunk) -> bool) -> io::Result<()> {
    let mut decoder = Decoder::new(body, limits);
    let mut chunk = Chunk::default();
    while let Some(item) = decoder.next()? {
        match item {
            Item::Record(record) => chunk.add(&record, delivered_ms),
            Item::Rejected(reject) => chunk.rejects.push(Rejected {
                code: reject.reason.code(),
                why: reject.reason.to_string(),
                number: reject.position.number,
                line: reject.position.line,
                offset: reject.position.offset,
            }),
            Item::Skipped(skip, _) => *chunk.skipped.entry(skip.code()).or_default() += 1,
        }
        if (chunk.bytes.len() >= CHUNK || chunk.rejects.len() >= 1024) && !give(std::mem::take(&mut chunk)) {
            return Ok(());
        }
    }
    give(chunk);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(bytes: &[u8]) -> Vec<Chunk> {
        let mut all = Vec::new();
        decode(bytes, Limits::default(), 1_721_037_900_000, |chunk| {
            all.push(chunk);
            true
        })
        .unwrap();
        all
    }

    #[test]
    fn a_record_keeps_its_bytes_on_one_line() {
        let pretty = "{\"Records\":[{\n  \"eventName\": \"X\",\r\n  \"n\": 12345678901234567890123, \"a\":1, \"a\":2,\"s\":\"\\n\"\n}]}";
        let chunks = chunks(pretty.as_bytes());
        let line = str::from_utf8(chunks[0].lines().next().unwrap().0).unwrap().to_owned();
        assert_eq!(line, "{   \"eventName\": \"X\",    \"n\": 12345678901234567890123, \"a\":1, \"a\":2,\"s\":\"\\n\" }");
    }

    #[test]
    fn one_value_has_one_id_and_the_hour_is_that_of_the_event() {
        let text = "{\"eventID\":\"1\",\"eventName\":\"X\",\"eventTime\":\"2024-07-15T08:59:59Z\"}\n{\"eventName\":\"X\", \"eventID\":\"1\",\"eventTime\":\"2024-07-15T08:59:59Z\"}\n{\"eventID\":\"1\",\"eventName\":\"Y\",\"eventTime\":\"2099-01-01T00:00:00Z\"}";
        let chunks = chunks(text.as_bytes());
        let ids: Vec<_> = chunks[0].lines().map(|(_, id)| id).collect();
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0].1, ids[2].1);
        assert_eq!((ids[0].0, ids[2].0), (478_064, 478_066), "a time ahead of the delivery is not believed");
    }
}
