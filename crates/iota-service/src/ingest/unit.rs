//! Records of some objects on their way to disk. Files are staged, made durable, named in the state, and only then given
//! their names: after a crash each of them is either not known at all, or finished by `recover`.

use super::state::{DoneObject, SeenId, State, StateError};
use crate::crash::crash_point;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Below the events directory. Names that start with a dot are not read as input.
const STAGING: &str = ".staging";
const REJECTED: &str = ".rejected";
/// Lines kept in memory before they are written to their staged files, in bytes.
const IN_MEMORY: usize = 16 << 20;

#[derive(Debug, Error)]
pub enum OutputError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("{path}: {why}")]
    Io { path: PathBuf, why: io::Error },
    #[error("{staged} was written and is gone, and {target} is not there; remove the state and sync again to get its records")]
    Lost { staged: String, target: String },
    #[error("{0} is there already, and is not overwritten; move it away")]
    Taken(String),
}

/// A file that will hold records of one hour.
#[derive(Debug, Default)]
struct Staged {
    name: String,
    lines: Vec<u8>,
    records: usize,
}

/// What is committed together.
#[derive(Debug)]
pub(super) struct Unit<'a> {
    events: &'a Path,
    events_per_file: usize,
    /// The file that is written to, by directory.
    open: BTreeMap<PathBuf, Staged>,
    /// All files with their targets.
    files: Vec<(String, PathBuf)>,
    seen: HashSet<SeenId>,
    pub(super) objects: Vec<DoneObject>,
    in_memory: usize,
    pub(super) bytes: u64,
}

impl<'a> Unit<'a> {
    pub(super) fn new(events: &'a Path, events_per_file: usize) -> Self {
        let (open, files, seen, objects) = Default::default();
        Self { events, events_per_file, open, files, seen, objects, in_memory: 0, bytes: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether a record is new; from now on it is not.
    pub(super) fn is_new(&mut self, state: &State, id: SeenId) -> Result<bool, StateError> {
        Ok(!self.seen.contains(&id) && !state.has_seen(id)? && self.seen.insert(id))
    }

    /// Adds a line, without its end, to the file of a directory below the events directory.
    pub(super) fn line(&mut self, directory: &str, line: &[u8]) -> Result<(), OutputError> {
        let directory = self.events.join(directory);
        let full = self.open.get(&directory).is_some_and(|staged| staged.records >= self.events_per_file);
        if full && let Some(mut staged) = self.open.remove(&directory) {
            self.spill(&mut staged)?;
        }
        if !self.open.contains_key(&directory) {
            let name = format!("iota_{:016x}.jsonl", fastrand::u64(..));
            self.files.push((name.clone(), directory.join(&name)));
            self.open.insert(directory.clone(), Staged { name, ..Staged::default() });
        }
        let Some(staged) = self.open.get_mut(&directory) else { return Ok(()) };
        staged.lines.extend_from_slice(line);
        staged.lines.push(b'\n');
        staged.records += 1;
        self.in_memory += line.len() + 1;
        self.bytes += line.len() as u64 + 1;
        if self.in_memory > IN_MEMORY {
            let mut open = std::mem::take(&mut self.open);
            let spilled = open.values_mut().try_for_each(|staged| self.spill(staged));
            self.open = open;
            spilled?;
        }
        Ok(())
    }

    /// Keeps an object from which something was rejected, as it was read.
    pub(super) fn keep(&mut self, name: &str, body: &mut dyn io::Read) -> Result<(), OutputError> {
        let staged = format!("iota_{:016x}", fastrand::u64(..));
        let path = self.events.join(STAGING).join(&staged);
        let mut file = create(&path)?;
        io::copy(body, &mut file).map_err(|why| OutputError::Io { path, why })?;
        self.files.push((staged.clone(), self.events.join(REJECTED).join(format!("{staged}_{name}"))));
        Ok(())
    }

    /// Adds a line about something that was rejected.
    pub(super) fn reject(&mut self, line: &[u8]) -> Result<(), OutputError> {
        self.line(REJECTED, line)
    }

    fn spill(&mut self, staged: &mut Staged) -> Result<(), OutputError> {
        let path = self.events.join(STAGING).join(&staged.name);
        self.in_memory -= staged.lines.len();
        create(&path)?.write_all(&staged.lines).map_err(|why| OutputError::Io { path, why })?;
        staged.lines = Vec::new();
        Ok(())
    }

    /// Makes everything durable. Afterwards the unit is used up.
    pub(super) fn commit(mut self, state: &mut State) -> Result<usize, OutputError> {
        for (_, mut staged) in std::mem::take(&mut self.open) {
            self.spill(&mut staged)?;
        }
        let staging = self.events.join(STAGING);
        for (name, _) in &self.files {
            sync(&staging.join(name))?;
        }
        sync(&staging)?;
        crash_point("ingest-staged");
        let pending: Vec<_> = self.files.iter().map(|(name, target)| (name.clone(), relative(self.events, target))).collect();
        let seen: Vec<_> = {
            let mut seen: Vec<_> = self.seen.into_iter().collect();
            seen.sort_unstable();
            seen
        };
        state.commit(&self.objects, &seen, &pending)?;
        crash_point("ingest-recorded");
        name_all(self.events, &pending)?;
        Ok(pending.len())
    }
}

/// Finishes what a run that ended in the middle has begun. Before anything else is written.
pub(super) fn recover(events: &Path, state: &mut State) -> Result<(), OutputError> {
    let staging = events.join(STAGING);
    make_directory(&staging)?;
    let pending = state.pending()?;
    name_all(events, &pending)?;
    state.commit(&[], &[], &[])?;
    // What is left was never committed: its objects will be read again.
    let io = |why| OutputError::Io { path: staging.clone(), why };
    for entry in fs::read_dir(&staging).map_err(io)? {
        fs::remove_file(entry.map_err(io)?.path()).map_err(io)?;
    }
    Ok(())
}

fn name_all(events: &Path, pending: &[(String, String)]) -> Result<(), OutputError> {
    let mut directories = BTreeSet::new();
    for (name, target) in pending {
        crash_point("ingest-naming");
        let (staged, path) = (events.join(STAGING).join(name), events.join(target));
        if !staged.exists() {
            if path.exists() {
                continue;
            }
            return Err(OutputError::Lost { staged: staged.display().to_string(), target: target.clone() });
        }
        if let Some(parent) = path.parent() {
            make_directory(parent)?;
            directories.extend(parent.ancestors().take_while(|ancestor| ancestor.starts_with(events)).map(Path::to_owned));
        }
        match renameat_with(CWD, &staged, CWD, &path, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => return Err(OutputError::Taken(path.display().to_string())),
            // Some network file systems cannot refuse to replace; the name was made at random and nobody has it.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !path.exists() => {
                fs::rename(&staged, &path).map_err(|why| OutputError::Io { path: path.clone(), why })?;
            }
            Err(why) => return Err(OutputError::Io { path, why: why.into() }),
        }
    }
    directories.iter().try_for_each(|directory| sync(directory))
}

fn make_directory(path: &Path) -> Result<(), OutputError> {
    fs::create_dir_all(path).map_err(|why| OutputError::Io { path: path.to_owned(), why })
}

fn create(path: &Path) -> Result<File, OutputError> {
    OpenOptions::new().append(true).create(true).open(path).map_err(|why| OutputError::Io { path: path.to_owned(), why })
}

fn sync(path: &Path) -> Result<(), OutputError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|why| OutputError::Io { path: path.to_owned(), why })
}

fn relative(events: &Path, path: &Path) -> String {
    path.strip_prefix(events).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> DoneObject {
        let (bucket, key, etag) = ("b".to_owned(), "k".to_owned(), "e".to_owned());
        DoneObject { bucket, key, etag, records: 3, written: 3, duplicates: 0, rejected: 0 }
    }

    fn lines(directory: &Path) -> Vec<String> {
        let files =
            walkdir::WalkDir::new(directory).into_iter().filter_map(Result::ok).filter(|entry| entry.file_type().is_file());
        let mut all: Vec<_> = files
            .flat_map(|file| fs::read_to_string(file.path()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        all.sort();
        all
    }

    #[test]
    fn files_hold_so_many_records_and_none_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let events = directory.path().join("events");
        let mut state = State::open(&directory.path().join("s.db")).unwrap();
        recover(&events, &mut state).unwrap();
        for _ in 0..2 {
            let mut unit = Unit::new(&events, 2);
            for line in ["1", "2", "3"] {
                unit.line("a/h", line.as_bytes()).unwrap();
            }
            unit.objects.push(object());
            assert_eq!(unit.commit(&mut state).unwrap(), 2);
        }
        assert_eq!(fs::read_dir(events.join("a/h")).unwrap().count(), 4);
        assert_eq!(lines(&events), ["1", "1", "2", "2", "3", "3"]);
    }

    #[test]
    fn a_crash_before_the_commit_leaves_nothing_and_one_after_it_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let events = directory.path().join("events");
        let mut state = State::open(&directory.path().join("s.db")).unwrap();
        recover(&events, &mut state).unwrap();
        fs::write(events.join(STAGING).join("iota_1"), "never committed\n").unwrap();
        fs::write(events.join(STAGING).join("iota_2"), "committed\n").unwrap();
        state.commit(&[object()], &[], &[("iota_2".into(), "a/iota_2".into())]).unwrap();
        recover(&events, &mut state).unwrap();
        assert_eq!(lines(&events), ["committed"]);
        assert!(events.join("a/iota_2").exists());
        // Killed between the name and the end of it.
        state.commit(&[], &[], &[("iota_2".into(), "a/iota_2".into())]).unwrap();
        recover(&events, &mut state).unwrap();
        state.commit(&[], &[], &[("iota_3".into(), "a/iota_3".into())]).unwrap();
        assert!(matches!(recover(&events, &mut state), Err(OutputError::Lost { .. })));
    }
}
