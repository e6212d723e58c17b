//! A part of a file that grows, by a name with which it can be read once more.

use super::files::FileAt;
use iota_engine::digest::{digest, hex};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Bytes in front of a place that tell what was read up to there from what another file has.
const PRINT: u64 = 4 << 10;

/// Where it begins and ends in bytes, and the print of what is in front of its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    start: u64,
    end: u64,
    print: String,
}

impl Part {
    /// `print` is that of its end.
    pub(super) fn new(start: u64, end: u64, print: &str) -> Self {
        Self { start, end, print: print.to_owned() }
    }

    /// As the version of an input: `START-END-PRINT`.
    pub(super) fn version(&self) -> String {
        format!("{}-{}-{}", self.start, self.end, self.print)
    }

    /// `None` of versions of whole files.
    pub fn of_version(version: &str) -> Option<Self> {
        let mut fields = version.split('-');
        let (start, end) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let print = fields.next().filter(|print| print.len() == 32)?;
        (fields.next().is_none() && start <= end).then(|| Self::new(start, end, print))
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn size(&self) -> u64 {
        self.end - self.start
    }

    /// An error where the file of that path is another one by now, or was cut.
    pub(super) fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let file = File::open(path)?;
        if file.metadata()?.len() < self.end || print(&file, self.end)? != self.print {
            let Self { start, end, .. } = self;
            let why = format!("what was read of it before, bytes {start} to {end}, is not in the file any more");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(Box::new(FileAt { file: Arc::new(file), at: self.start }.take(self.size())))
    }
}

/// Hash of the bytes in front of a place in a file.
pub(super) fn print(file: &File, end: u64) -> io::Result<String> {
    hash(file, end - PRINT.min(end), end)
}

/// Hash of the bytes at the start of a file, up to a place at most.
pub(super) fn print_of_start(file: &File, end: u64) -> io::Result<String> {
    hash(file, 0, PRINT.min(end))
}

fn hash(file: &File, from: u64, to: u64) -> io::Result<String> {
    let mut bytes = vec![0; usize::try_from(to - from).unwrap_or_default()];
    file.read_exact_at(&mut bytes, from)?;
    Ok(hex(&digest("iota-file-v1", [&bytes[..]])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_part_is_read_again_by_its_name_as_long_as_the_file_has_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.jsonl");
        fs::write(&path, "one\ntwo\n").unwrap();
        let part = Part::new(4, 8, &print(&File::open(&path).unwrap(), 8).unwrap());
        assert_eq!(Part::of_version(&part.version()), Some(part.clone()));
        let read = || part.open(&path).and_then(|mut bytes| io::read_to_string(&mut bytes));
        fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(read().unwrap(), "two\n", "whatever was added");
        for other in ["one\n", "one\nnew\nthree\n"] {
            fs::write(&path, other).unwrap();
            let error = read().unwrap_err().to_string();
            assert!(error.contains("bytes 4 to 8, is not in the file any more"), "{error}");
        }
        for version in ["8-1700000000.000000001", "8--1.000000001", "9-8-00000000000000000000000000000000", "etag", ""] {
            assert_eq!(Part::of_version(version), None, "{version}");
        }
    }
}
