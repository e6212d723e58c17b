//! The stages of reading, each alone, over the real test records: bytes per second of JSON.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use flate2::{Compression, write::GzEncoder};
use iota_engine::decode::{Decoder, Item, Limits, Whole};
use iota_engine::json::{Ignore, Scanned, scan};
use std::io::{Read, Write};
use std::path::Path;

fn main() {
    divan::main();
}

fn lines() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/real-cloudtrail.jsonl");
    std::fs::read(path).expect("test data")
}

/// The same records as CloudTrail delivers them.
fn log_file() -> Vec<u8> {
    let text = String::from_utf8(lines()).expect("UTF-8");
    format!(r#"{{"Records":[{}]}}"#, text.trim_end().replace('\n', ",")).into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

fn records<R: Read>(decoder: &mut Decoder<R>) -> usize {
    let mut records = 0;
    while let Some(item) = decoder.next().expect("reads from memory") {
        if let Item::Record(record) = item {
            black_box(record.members);
            records += 1;
        }
    }
    records
}

#[divan::bench]
fn scan_lines(bencher: Bencher<'_, '_>) {
    let lines = lines();
    bencher.counter(BytesCount::of_slice(&lines)).bench(|| {
        let mut at = 0;
        while let Ok(Scanned::End(end)) = scan(&lines, at, &mut Ignore) {
            at = end;
        }
        at
    });
}

#[divan::bench]
fn decode_lines(bencher: Bencher<'_, '_>) {
    let lines = lines();
    bencher.counter(BytesCount::of_slice(&lines)).bench(|| records(&mut Decoder::new(lines.as_slice(), Limits::default())));
}

#[divan::bench]
fn decode_log_file(bencher: Bencher<'_, '_>) {
    let file = log_file();
    bencher.counter(BytesCount::of_slice(&file)).bench(|| records(&mut Decoder::new(file.as_slice(), Limits::default())));
}

#[divan::bench]
fn decode_gzip_at_once(bencher: Bencher<'_, '_>) {
    let (size, zipped) = (log_file().len(), gzip(&log_file()));
    let mut whole = Whole::default();
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        whole.bytes().clear();
        whole.bytes().extend_from_slice(&zipped);
        whole.decode(Limits::default(), records)
    });
}

#[divan::bench]
fn decode_gzip_stream(bencher: Bencher<'_, '_>) {
    let (size, zipped) = (log_file().len(), gzip(&log_file()));
    bencher.counter(BytesCount::new(size)).bench(|| records(&mut Decoder::new(zipped.as_slice(), Limits::default())));
}

#[divan::bench]
fn inflate_at_once(bencher: Bencher<'_, '_>) {
    let (size, zipped) = (log_file().len(), gzip(&log_file()));
    let mut whole = Whole::default();
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        whole.bytes().clear();
        whole.bytes().extend_from_slice(&zipped);
        whole.decode(Limits::default(), |_| ())
    });
}
