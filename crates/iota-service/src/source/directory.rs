//! A directory that is written to while it is watched: which files, or parts of files, are ready to be read.
//! Asks for nothing to be told: whoever knows of changes says so, and a rescan finds what nobody was told of.

use super::files::{FileAt, Input, version};
use super::part::{Part, print, print_of_start};
use super::{Data, SourceError, minute_of};
use crate::pipeline::Ended;
use iota_engine::json::{Ignore, Scanned, scan};
use iota_engine::store::{Checkpoint, Ledger, StoreError, Unit};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use walkdir::WalkDir;

/// How long a file must not have changed before it is taken as complete: one that is no list of lines, or the last line
/// where that has no line end.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a last line waits that has no line end and is no whole record either.
const GIVE_UP: Duration = Duration::from_secs(60);
/// How much of a file that grows is read in one go.
const RANGE: u64 = 64 << 20;
/// As much of a file as is looked at to tell lines from a document by.
const FIRST_LINE: u64 = 512 << 10;
/// A last line without a line end that is longer is no record.
const LONGEST_RECORD: u64 = 16 << 20;
/// How far so many files were read is remembered; beyond that, only of those that are there.
const MARKS: usize = 100_000;
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// What of a directory is read that is watched for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// All that is there.
    Start,
    /// Only what comes from now on.
    Now,
    /// Files that were delivered since then: by the stamp in their name, else by their last change; milliseconds.
    Time(i64),
}

/// How far a file was read, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mark {
    offset: u64,
    /// Of the bytes at the start and before the offset.
    head: String,
    tail: String,
}

/// Tells one state of a file from another: inode, size and time of the last change.
type Stamp = (u64, u64, i64, i64);

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    /// When this stamp was first seen.
    since: Instant,
    /// With this stamp all of it was read.
    done: bool,
    failures: u32,
    /// Of the scan that saw it last.
    scan: u64,
}

#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    ledger: Arc<dyn Ledger>,
    from_ms: Option<i64>,
    known: HashMap<PathBuf, Known>,
    /// By inode.
    marks: HashMap<u64, Mark>,
    /// Files to be looked at.
    queue: BTreeSet<PathBuf>,
    /// Files to be looked at again at some time.
    later: BTreeMap<PathBuf, Instant>,
    /// Handed out and not settled.
    out: BTreeMap<PathBuf, Out>,
    scans: u64,
    /// What could not be read, so that it is told once; the directory itself once for each time that it is gone.
    unreadable: BTreeSet<PathBuf>,
    /// The directory of iota's own state, without links.
    own: Option<PathBuf>,
}

/// What is to be noted when it was read.
#[derive(Debug)]
struct Out {
    stamp: Stamp,
    mark: Option<Mark>,
    /// Nothing of the file was left out.
    whole: bool,
}

enum Ready {
    Now(Box<(Input, Out)>),
    /// To be looked at again.
    In(Duration),
    Done,
}

impl Directory {
    /// Reads from the store how far the files were read.
    pub fn open(root: &Path, ledger: Arc<dyn Ledger>, from: From, now_ms: i64) -> Result<Self, OpenError> {
        let fail = |why: io::Error| SourceError::Unreadable { path: root.to_owned(), why: why.to_string() };
        let root = root.canonicalize().map_err(fail)?;
        fs::read_dir(&root).map_err(fail)?;
        let prefix = format!("file:{}:", root.display());
        let mut marks = HashMap::new();
        for Checkpoint { key, value } in ledger.checkpoints(&prefix)? {
            let inode = key[prefix.len()..].parse().ok();
            if let (Some(inode), Ok(mark)) = (inode, serde_json::from_str(&value)) {
                marks.insert(inode, mark);
            } else {
                tracing::warn!("{key}: this checkpoint cannot be read; its file is read from the start");
            }
        }
        let mut directory = Self {
            root,
            ledger,
            from_ms: match from {
                From::Time(ms) => Some(ms),
                From::Start | From::Now => None,
            },
            known: HashMap::new(),
            marks,
            queue: BTreeSet::new(),
            later: BTreeMap::new(),
            out: BTreeMap::new(),
            scans: 0,
            unreadable: BTreeSet::new(),
            own: None,
        };
        if from == From::Now {
            directory.begin_now(now_ms)?;
        }
        Ok(directory)
    }

    /// Notes the time, and for files that may grow where they end. Does nothing where that was done before.
    fn begin_now(&mut self, now_ms: i64) -> Result<(), StoreError> {
        let key = format!("{}{}", Checkpoint::BEGIN, self.root.display());
        if let Some(begun) = self.ledger.checkpoints(&key)?.into_iter().find(|found| found.key == key) {
            self.from_ms = begun.value.parse().ok();
            return Ok(());
        }
        let mut unit = Unit { now_ms, ..Unit::default() };
        self.rescan(Instant::now());
        for path in std::mem::take(&mut self.queue) {
            let Ok(file) = File::open(&path) else { continue };
            let Ok(metadata) = file.metadata() else { continue };
            if let Ok(Form::Lines) = form(&file, metadata.len())
                && let Ok(Some(end)) = last_line_end(&file, 0, metadata.len())
                && let Ok(mark) = Mark::at(&file, end)
            {
                unit.checkpoints.push(self.checkpoint(metadata.ino(), &mark));
                self.marks.insert(metadata.ino(), mark);
            }
        }
        unit.checkpoints.push(Checkpoint { key, value: now_ms.to_string() });
        self.ledger.commit(&unit)?;
        self.known.clear();
        self.from_ms = Some(now_ms);
        Ok(())
    }

    /// Nothing in a directory below this one is read, as if it were hidden: iota's own state would grow with every look at it.
    #[must_use]
    pub fn leaving_out(mut self, own: &Path) -> Self {
        self.own = own.canonicalize().ok().filter(|own| own.starts_with(&self.root) && *own != self.root);
        self
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// These have changed, or may have.
    pub fn changed(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        for path in paths {
            if self.is_hidden(&path) {
                continue;
            }
            if path.is_dir() {
                self.walk(&path, Instant::now());
            } else {
                self.queue.insert(path);
            }
        }
    }

    /// Looks at all there is.
    pub fn rescan(&mut self, now: Instant) {
        self.scans += 1;
        let root = self.root.clone();
        if let Err(error) = fs::read_dir(&root) {
            // Perhaps it is mounted again later: what is known of its files is kept.
            if self.unreadable.insert(root.clone()) {
                tracing::error!("{}: {error}; trying again with every rescan", root.display());
            }
            return;
        }
        if self.unreadable.remove(&root) {
            tracing::info!("{}: can be read again", root.display());
        }
        self.walk(&root, now);
        let scan = self.scans;
        let out = &self.out;
        self.known.retain(|path, known| known.scan == scan || out.contains_key(path));
        self.forget_marks(MARKS);
    }

    /// Of files that are gone, when there are more than so many. The store has them still, for the next start.
    fn forget_marks(&mut self, most: usize) {
        if self.marks.len() > most {
            let there: HashSet<u64> = self.known.values().map(|known| known.stamp.0).collect();
            self.marks.retain(|inode, _| there.contains(inode));
        }
    }

    fn walk(&mut self, below: &Path, now: Instant) {
        let walk = WalkDir::new(below).follow_links(true).into_iter();
        let own = self.own.clone();
        let is_read = |entry: &walkdir::DirEntry| {
            let is_hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
            !is_hidden && own.as_deref() != Some(entry.path())
        };
        for entry in walk.filter_entry(is_read) {
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    let Ok(metadata) = entry.metadata() else { continue };
                    let known = self.see(entry.path(), stamp(&metadata), now);
                    if !known.done {
                        self.queue.insert(entry.into_path());
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(below).to_owned();
                    if self.unreadable.insert(path) {
                        tracing::error!("{error}");
                    }
                }
            }
        }
    }

    fn see(&mut self, path: &Path, stamp: Stamp, now: Instant) -> &mut Known {
        let (scan, new) = (self.scans, Known { stamp, since: now, done: false, failures: 0, scan: self.scans });
        let known = self.known.entry(path.to_owned()).or_insert(new);
        known.scan = scan;
        if known.stamp != stamp {
            *known = Known { stamp, since: now, done: false, failures: 0, scan };
        }
        known
    }

    fn is_hidden(&self, path: &Path) -> bool {
        if self.own.as_ref().is_some_and(|own| path.starts_with(own)) {
            return true;
        }
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        below.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
    }

    /// What is ready, up to so many inputs and about so many bytes. Each has to be settled.
    pub fn take(&mut self, inputs: usize, bytes: u64, now: Instant, now_ms: i64) -> Vec<Input> {
        let due: Vec<PathBuf> = self.later.iter().filter(|(_, at)| **at <= now).map(|(path, _)| path.clone()).collect();
        for path in due {
            self.later.remove(&path);
            self.queue.insert(path);
        }
        let (mut ready, mut taken, mut busy) = (Vec::new(), 0, Vec::new());
        while ready.len() < inputs
            && taken < bytes
            && let Some(path) = self.queue.pop_first()
        {
            if self.out.contains_key(&path) {
                busy.push(path);
                continue;
            }
            match self.look(&path, now, now_ms) {
                Ok(Ready::Now(found)) => {
                    let (input, out) = *found;
                    taken += input.size;
                    self.out.insert(path, out);
                    ready.push(input);
                }
                Ok(Ready::In(time)) => drop(self.later.insert(path, now + time)),
                Ok(Ready::Done) => {
                    if let Some(known) = self.known.get_mut(&path) {
                        known.done = true;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => drop(self.known.remove(&path)),
                Err(error) => self.retry(&path, &error.to_string(), now),
            }
        }
        self.queue.extend(busy);
        ready
    }

    /// More is ready, or may be.
    pub fn has_more(&self) -> bool {
        self.queue.iter().any(|path| !self.out.contains_key(path))
    }

    /// Something is ready, or may be.
    pub fn is_due(&self, now: Instant) -> bool {
        self.has_more() || self.later.values().any(|due| *due <= now)
    }

    /// When something may be ready that is not yet.
    pub fn next_due(&self) -> Option<Instant> {
        self.later.values().min().copied()
    }

    /// How it went with an input that was taken.
    pub fn settle(&mut self, input: &Input, ended: &Ended, now: Instant) {
        let Some(out) = self.out.remove(&*input.path) else { return };
        match ended {
            Ended::Read => {
                if let Some(mark) = out.mark {
                    self.marks.insert(out.stamp.0, mark);
                }
                if let Some(known) = self.known.get_mut(&*input.path) {
                    known.failures = 0;
                    known.done = out.whole && known.stamp == out.stamp;
                }
                // It may have grown while it was read, and nobody tells that twice.
                self.queue.insert(input.path.to_path_buf());
            }
            Ended::Unreadable(why) | Ended::Damaged(why) => self.retry(&input.path, why, now),
            Ended::Interrupted => drop(self.queue.insert(input.path.to_path_buf())),
        }
    }

    fn retry(&mut self, path: &Path, why: &str, now: Instant) {
        let failures = self.known.get_mut(path).map_or(1, |known| {
            known.failures += 1;
            known.failures
        });
        let wait = RETRY.saturating_mul(1 << failures.min(16)).min(LONGEST_RETRY);
        if failures == 1 {
            tracing::error!("{}: {why}; it is tried again until it can be read", path.display());
        }
        self.later.insert(path.to_owned(), now + wait);
    }

    fn look(&mut self, path: &Path, now: Instant, now_ms: i64) -> io::Result<Ready> {
        // A named pipe would wait for somebody who writes to it.
        let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Ready::Done);
        }
        let stamp = stamp(&metadata);
        let known = self.see(path, stamp, now);
        if known.done {
            return Ok(Ready::Done);
        }
        let rested = rested(&metadata, now_ms).max(now.saturating_duration_since(known.since));
        let mark = self.marks.get(&stamp.0).filter(|mark| mark.fits(&file, metadata.len()).unwrap_or_default()).cloned();
        if mark.is_none() {
            let input = Input::file(path.to_owned(), metadata.len(), version(&metadata));
            let delivered = input.delivered_ms().unwrap_or_else(|| changed_ms(&metadata));
            if self.from_ms.is_some_and(|from| delivered < minute_of(from)) || metadata.len() == 0 {
                return Ok(Ready::Done);
            }
            if form(&file, metadata.len())? == Form::Document {
                if rested < SETTLE {
                    return Ok(Ready::In(SETTLE.saturating_sub(rested)));
                }
                return Ok(Ready::Now(Box::new((input, Out { stamp, mark: None, whole: true }))));
            }
        }
        let start = mark.as_ref().map_or(0, |mark| mark.offset);
        let size = metadata.len();
        if start == size {
            return Ok(Ready::Done);
        }
        let complete = match last_line_end(&file, start, size.min(start + RANGE))? {
            None if size > start + RANGE => last_line_end(&file, start, size)?,
            found => found,
        };
        let end = match complete {
            Some(end) => end,
            None if rested < SETTLE => return Ok(Ready::In(SETTLE.saturating_sub(rested))),
            None if rested < GIVE_UP && !is_record(&file, start, size)? => return Ok(Ready::In(GIVE_UP.saturating_sub(rested))),
            None => size,
        };
        let mark = Mark::at(&file, end)?;
        let checkpoint = Some(self.checkpoint(stamp.0, &mark));
        let data = Data::Range { file: Arc::new(file), start };
        let version = Some(Part::new(start, end, &mark.tail).version());
        let input = Input { checkpoint, ..Input::new(path.into(), end - start, version.map(Into::into), data) };
        Ok(Ready::Now(Box::new((input, Out { stamp, mark: Some(mark), whole: end == size }))))
    }

    fn checkpoint(&self, inode: u64, mark: &Mark) -> Checkpoint {
        let value = serde_json::to_string(mark).unwrap_or_default();
        Checkpoint { key: format!("file:{}:{inode}", self.root.display()), value }
    }
}

/// Why a directory cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Mark {
    fn at(file: &File, offset: u64) -> io::Result<Self> {
        Ok(Self { offset, head: print_of_start(file, offset)?, tail: print(file, offset)? })
    }

    /// The file still begins with what was read of it.
    fn fits(&self, file: &File, size: u64) -> io::Result<bool> {
        let Self { offset, head, tail } = self;
        Ok(size >= *offset && print_of_start(file, *offset)? == *head && print(file, *offset)? == *tail)
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

fn changed_ms(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1000) + metadata.mtime_nsec() / 1_000_000
}

/// By its own clock, which a network volume may have of another machine.
fn rested(metadata: &Metadata, now_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms - changed_ms(metadata)).unwrap_or_default())
}

#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// Records on lines: grows, and is read as far as it goes.
    Lines,
    /// gzip, or JSON over several lines: read when it is complete.
    Document,
}

fn form(file: &File, size: u64) -> io::Result<Form> {
    let mut head = Vec::new();
    FileAt { file: Arc::new(file.try_clone()?), at: 0 }.take(FIRST_LINE.min(size)).read_to_end(&mut head)?;
    if head.starts_with(&[0x1f, 0x8b]) || b"\x1f\x8b".starts_with(&head) {
        return Ok(Form::Document);
    }
    let Some(end) = memchr::memchr(b'\n', &head) else { return Ok(Form::Lines) };
    let line = head[..end].trim_ascii();
    // The first line of a document opens what it does not close.
    let opens = line.starts_with(b"{") || line.starts_with(b"[");
    let document = line.is_empty() || opens && scan(line, 0, &mut Ignore) != Ok(Scanned::End(line.len()));
    Ok(if document { Form::Document } else { Form::Lines })
}

/// Behind the last line end in a range.
fn last_line_end(file: &File, start: u64, end: u64) -> io::Result<Option<u64>> {
    let mut buf = vec![0; 64 << 10];
    let mut to = end;
    while to > start {
        let from = to.saturating_sub(buf.len() as u64).max(start);
        let bytes = &mut buf[..usize::try_from(to - from).unwrap_or_default()];
        file.read_exact_at(bytes, from)?;
        if let Some(found) = memchr::memrchr(b'\n', bytes) {
            return Ok(Some(from + found as u64 + 1));
        }
        to = from;
    }
    Ok(None)
}

/// The bytes are one whole JSON value, of a size that records have.
fn is_record(file: &File, start: u64, end: u64) -> io::Result<bool> {
    if end - start > LONGEST_RECORD {
        return Ok(false);
    }
    let mut bytes = Vec::new();
    FileAt { file: Arc::new(file.try_clone()?), at: start }.take(end - start).read_to_end(&mut bytes)?;
    let line = bytes.trim_ascii();
    Ok(scan(line, 0, &mut Ignore) == Ok(Scanned::End(line.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sqlite;

    #[test]
    fn files_that_are_gone_do_not_fill_the_memory() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.jsonl"), "{}\n").unwrap();
        let mut directory = Directory::open(root.path(), Arc::new(Sqlite::memory().unwrap()), From::Start, 0).unwrap();
        directory.rescan(Instant::now());
        let there = directory.known.values().next().unwrap().stamp.0;
        let mark = Mark { offset: 0, head: String::new(), tail: String::new() };
        directory.marks.extend([(there, mark.clone()), (there + 1, mark)]);
        directory.forget_marks(2);
        assert_eq!(directory.marks.len(), 2, "as long as there is room");
        directory.forget_marks(1);
        assert!(directory.marks.len() == 1 && directory.marks.contains_key(&there));
    }
}
