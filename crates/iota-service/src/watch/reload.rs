//! Notices that rule files have changed.

use iota_engine::digest::digest;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use walkdir::WalkDir;

/// How often the files are looked at, and how many times as long as that took it waits at least.
const INTERVAL: Duration = Duration::from_secs(2);
const SHARE: u32 = 200;

/// Files and directories that rules, and what is set for them, are in.
#[derive(Debug)]
pub struct RuleFiles {
    paths: Vec<PathBuf>,
    /// What ran last was read from files that looked like this.
    noted: [u8; 16],
    /// As they looked the last time: a change is told when it has come to rest.
    last: [u8; 16],
    next: Instant,
}

impl RuleFiles {
    /// To be called before the rules are read, so that no change in between is missed.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let now = look(&paths);
        Self { paths, noted: now, last: now, next: Instant::now() + INTERVAL }
    }

    pub(super) fn next_look(&self) -> Instant {
        self.next
    }

    /// They differ from those that were noted, and not from a moment ago.
    pub(super) fn have_changed(&mut self) -> bool {
        let started = Instant::now();
        if started < self.next {
            return false;
        }
        let now = look(&self.paths);
        let rests = std::mem::replace(&mut self.last, now) == now;
        self.next = Instant::now() + INTERVAL.max(started.elapsed() * SHARE);
        rests && now != self.noted
    }

    /// These are looked at from now on.
    pub(super) fn follow(&mut self, paths: &[PathBuf]) {
        if self.paths != paths {
            paths.clone_into(&mut self.paths);
            // They were not looked at before they were read, so they are read once more.
            self.noted = [0; 16];
        }
    }

    /// The rules are read now.
    pub(super) fn note(&mut self) {
        self.last = look(&self.paths);
        self.noted = self.last;
    }
}

/// Names, inodes, sizes and times of all files.
fn look(paths: &[PathBuf]) -> [u8; 16] {
    let mut seen = Vec::new();
    for path in paths {
        let walk = WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| entry.file_name() != "__pycache__" && entry.file_name() != ".git") {
            match entry.and_then(|entry| Ok((entry.metadata()?, entry))) {
                Ok((metadata, entry)) if metadata.is_file() => {
                    let (size, changed) = (metadata.len(), (metadata.mtime(), metadata.mtime_nsec()));
                    seen.push(format!("{} {} {size} {changed:?}", entry.path().display(), metadata.ino()));
                }
                Ok(_) => {}
                Err(error) => seen.push(error.to_string()),
            }
        }
    }
    digest("iota-rule-files-v1", seen.iter().map(String::as_bytes))
}
