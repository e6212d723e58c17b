//! What benchmarks measure iota against: the least that any engine has to do with the bytes, in one thread.
//!
//! `ceiling fields PATH...`: libdeflate, then one validating pass of `serde_json` that takes six fields of every record.
//! `ceiling decode PATH...`: iota's decoder alone, for comparison. Both print the number of records.
//!
//! A path is a file or a directory of files, each with CloudTrail's `{"Records": [...]}` as gzip or JSON lines.

#![expect(clippy::print_stdout, reason = "its only result")]

use iota_engine::decode::{Item, Limits, Whole};
use serde::Deserialize;
use std::borrow::Cow;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    event_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_time: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "eventID")]
    event_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    recipient_account_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct LogFile<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<Fields<'a>>,
}

/// Bytes of a file that are held at once: lines are read in blocks, so that the size of a file costs nothing.
const BLOCK: usize = 4 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let count = match args.next().as_deref() {
        Some("fields") => fields,
        Some("decode") => decode,
        _ => return Err("usage: ceiling fields|decode PATH...".into()),
    };
    let mut files = Vec::new();
    for path in args.map(PathBuf::from) {
        if path.is_dir() {
            files.extend(fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?);
        } else {
            files.push(path);
        }
    }
    println!("{}", count(&files)?);
    Ok(())
}

fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

fn read(path: &Path, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
    bytes.clear();
    File::open(path)?.read_to_end(bytes)
}

fn fields(files: &[PathBuf]) -> Result<usize, Box<dyn Error>> {
    let mut decompressor = libdeflater::Decompressor::new();
    let (mut zipped, mut text, mut records) = (Vec::new(), Vec::new(), 0);
    for path in files {
        if is_gzip(path) {
            read(path, &mut zipped)?;
            let size = zipped.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
            text.resize(size.max(text.len()), 0);
            let size = decompressor.gzip_decompress(&zipped, &mut text)?;
            let file: LogFile<'_> = serde_json::from_str(simdutf8::basic::from_utf8(&text[..size])?)?;
            records += file.records.iter().map(touch).count();
        } else {
            records += lines(path, &mut text)?;
        }
    }
    Ok(records)
}

fn lines(path: &Path, text: &mut Vec<u8>) -> Result<usize, Box<dyn Error>> {
    let mut file = File::open(path)?;
    let (mut held, mut records) = (0, 0);
    text.resize(BLOCK.max(text.len()), 0);
    loop {
        let read = file.read(&mut text[held..])?;
        let end = held + read;
        let mut start = 0;
        for line_end in memchr::memchr_iter(b'\n', &text[..end]) {
            touch(&serde_json::from_str(simdutf8::basic::from_utf8(&text[start..line_end])?)?);
            records += 1;
            start = line_end + 1;
        }
        text.copy_within(start..end, 0);
        held = end - start;
        if read == 0 {
            return Ok(records);
        }
    }
}

/// Uses the fields, so that the pass over them cannot be left out.
fn touch(fields: &Fields<'_>) {
    let Fields { event_name, event_source, event_time, event_id, recipient_account_id, error_code } = fields;
    black_box([event_name, event_source, event_time, event_id, recipient_account_id, error_code]);
}

fn decode(files: &[PathBuf]) -> Result<usize, Box<dyn Error>> {
    let (mut whole, limits, mut records) = (Whole::default(), Limits::default(), 0);
    for path in files {
        let counted = if is_gzip(path) {
            read(path, whole.bytes())?;
            whole.decode(limits, count).ok_or("not sound gzip")?
        } else {
            count(&mut iota_engine::decode::Decoder::new(File::open(path)?, limits))
        };
        records += counted?;
    }
    Ok(records)
}

fn count<R: Read>(decoder: &mut iota_engine::decode::Decoder<R>) -> std::io::Result<usize> {
    let mut records = 0;
    while let Some(item) = decoder.next()? {
        if let Item::Record(record) = item {
            black_box((record.fields, record.members));
            records += 1;
        }
    }
    Ok(records)
}
