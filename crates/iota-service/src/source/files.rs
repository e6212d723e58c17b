//! Files, directories and standard input.

use super::part::Part;
use super::s3::Remote;
use iota_engine::event::parse_ms;
use iota_engine::store::{Checkpoint, Terms};
use std::fs::{self, File, Metadata};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use walkdir::WalkDir;

#[derive(Debug, Error)]
pub enum SourceError {
    #[error("{0} does not exist")]
    Missing(PathBuf),
    #[error("{path}: {why}")]
    Unreadable { path: PathBuf, why: String },
    #[error("standard input is named twice")]
    Twice,
}

/// One input: a file or a part of one, standard input, or bytes that came from elsewhere. What it is called is shared by all
/// that need it.
#[derive(Debug, Clone)]
pub struct Input {
    /// `-` is standard input. For bytes from elsewhere, what they are called: `s3://BUCKET/KEY`.
    pub path: Arc<Path>,
    /// Size in bytes, where it is known.
    pub size: u64,
    /// Tells the contents from earlier and later ones: of a file, size and time of the last change.
    pub version: Option<Arc<str>>,
    pub data: Data,
    /// Noted with the last record: where in a file that grows to go on. What there is of it is told by this, and not by the
    /// version, which is noted as well so that it can be read again.
    pub checkpoint: Option<Checkpoint>,
    /// It counts as read only when it is whole: whoever handed it in decides what becomes of damaged ones.
    pub whole_only: bool,
    /// It was read before: its events are judged as they were then.
    pub terms: Option<Terms>,
}

/// Where the bytes of an input are.
#[derive(Debug, Clone)]
pub enum Data {
    /// In the file that its path names.
    Path,
    /// In this file, `size` bytes from there on.
    Range {
        file: Arc<File>,
        start: u64,
    },
    Memory(Arc<[u8]>),
    /// In a part of the file that its path names, which was read before.
    Part(Part),
    /// In a bucket.
    Remote(Remote),
}

impl Input {
    /// A whole file.
    pub fn file(path: PathBuf, size: u64, version: Option<String>) -> Self {
        let (path, version) = (path.into(), version.map(Into::into));
        Self { path, size, version, data: Data::Path, checkpoint: None, whole_only: false, terms: None }
    }

    /// A part of a file.
    pub fn part(path: PathBuf, part: Part) -> Self {
        let version = Some(part.version().into());
        let (path, size, data) = (path.into(), part.size(), Data::Part(part));
        Self { path, size, version, data, checkpoint: None, whole_only: false, terms: None }
    }

    /// Bytes in memory.
    pub fn bytes(name: &str, version: Option<String>, bytes: Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        let (path, version) = (Path::new(name).into(), version.map(Into::into));
        Self { path, size, version, data: Data::Memory(bytes.into()), checkpoint: None, whole_only: false, terms: None }
    }

    pub fn is_stdin(&self) -> bool {
        matches!(self.data, Data::Path) && self.path.as_os_str() == "-"
    }

    /// Where its bytes begin in its file.
    pub(crate) fn start(&self) -> u64 {
        match &self.data {
            Data::Range { start, .. } => *start,
            Data::Part(part) => part.start(),
            Data::Path | Data::Memory(_) | Data::Remote(_) => 0,
        }
    }

    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.data {
            Data::Path => Box::new(File::open(&self.path)?),
            Data::Range { file, start } => Box::new(FileAt { file: Arc::clone(file), at: *start }.take(self.size)),
            Data::Part(part) => part.open(&self.path)?,
            Data::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
            Data::Remote(remote) => remote.open()?,
        })
    }

    /// When CloudTrail delivered the file, from the stamp in its name (`_YYYYMMDDTHHmmZ_`).
    pub fn delivered_ms(&self) -> Option<i64> {
        let name = self.path.file_name()?.to_str()?;
        let stamp =
            name.split('_').find(|part| part.len() == 14 && part.ends_with('Z') && part.as_bytes().get(8) == Some(&b'T'))?;
        let (date, time) = stamp.trim_end_matches('Z').split_once('T')?;
        let part = |text: &str, from: usize, to: usize| text.get(from..to).map(str::to_owned);
        let (year, month, day) = (part(date, 0, 4)?, part(date, 4, 6)?, part(date, 6, 8)?);
        parse_ms(&format!("{year}-{month}-{day}T{}:{}:00Z", part(time, 0, 2)?, part(time, 2, 4)?))
    }
}

/// A file, read from a place of its own.
#[derive(Debug)]
pub(crate) struct FileAt {
    pub(crate) file: Arc<File>,
    pub(crate) at: u64,
}

impl Read for FileAt {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buf, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// What paths stand for.
#[derive(Debug, Default)]
pub struct Found {
    pub inputs: Vec<Input>,
    /// What was found in a directory and cannot be read, such as a link to nowhere.
    pub unreadable: Vec<SourceError>,
}

/// A directory stands for all files below it, in order of their paths. Names that start with a dot are left out there. A
/// file that two paths lead to is read once for each. A path that cannot be read itself is an error.
pub fn find_inputs(paths: &[PathBuf]) -> Result<Found, SourceError> {
    let mut found = Found::default();
    for path in paths {
        if path.as_os_str() == "-" {
            // Two readers would tear its records apart.
            if found.inputs.iter().any(Input::is_stdin) {
                return Err(SourceError::Twice);
            }
            found.inputs.push(Input::file(path.clone(), 0, None));
            continue;
        }
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::Missing(path.clone()),
            _ => unreadable(path, &error),
        })?;
        if metadata.is_dir() {
            fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
            files_below(path, &mut found);
        } else {
            // Opening a pipe twice would lose its writer.
            if metadata.is_file() {
                File::open(path).map_err(|error| unreadable(path, &error))?;
            }
            found.inputs.push(Input::file(path.clone(), metadata.len(), version(&metadata)));
        }
    }
    Ok(found)
}

fn files_below(directory: &Path, found: &mut Found) {
    let walk = WalkDir::new(directory).follow_links(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                let metadata = entry.metadata().ok();
                let size = metadata.as_ref().map_or(0, Metadata::len);
                found.inputs.push(Input::file(entry.into_path(), size, metadata.as_ref().and_then(version)));
            }
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(directory).to_owned();
                let why = match error.loop_ancestor() {
                    Some(ancestor) => format!("a link back to {}", ancestor.display()),
                    None => error.io_error().map_or_else(|| error.to_string(), ToString::to_string),
                };
                found.unreadable.push(SourceError::Unreadable { path, why });
            }
        }
    }
}

/// Only of a file: a pipe has none.
pub(crate) fn version(metadata: &Metadata) -> Option<String> {
    let changed = format!("{}-{}.{:09}", metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    metadata.is_file().then_some(changed)
}

fn unreadable(path: &Path, error: &io::Error) -> SourceError {
    SourceError::Unreadable { path: path.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_in_the_name_is_the_time_of_delivery() {
        let input = |name: &str| Input::file(name.into(), 0, None);
        let name =
            "AWSLogs/1/CloudTrail/us-east-1/2024/07/15/111122223333_CloudTrail_us-east-1_20240715T1005Z_abcdefghijklmnop.json.gz";
        assert_eq!(input(name).delivered_ms(), parse_ms("2024-07-15T10:05:00Z"));
        assert_eq!(input("part-00000.jsonl").delivered_ms(), None);
    }

    #[test]
    fn directories_are_read_in_order_and_without_hidden_files() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        for name in ["b/2.json", "b/1.json", "a.jsonl", ".hidden/x.json", "b/.tmp"] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().ok_or("no parent")?)?;
            fs::write(path, "{}")?;
        }
        let names: Vec<_> = find_inputs(&[directory.path().to_owned()])?
            .inputs
            .into_iter()
            .map(|input| input.path.strip_prefix(directory.path()).map(|path| path.display().to_string()))
            .collect::<Result<_, _>>()?;
        assert_eq!(names, ["a.jsonl", "b/1.json", "b/2.json"]);
        assert!(matches!(find_inputs(&["nowhere".into()]), Err(SourceError::Missing(_))));
        std::os::unix::fs::symlink("/nonexistent", directory.path().join("dangling.json"))?;
        std::os::unix::fs::symlink(directory.path(), directory.path().join("b/loop"))?;
        let found = find_inputs(&[directory.path().to_owned()])?;
        assert_eq!((found.inputs.len(), found.unreadable.len()), (3, 2), "{:?}", found.unreadable);
        Ok(())
    }
}
