//! Notices that rule files have changed.

use crate::rules::{MAX_ENTRIES, is_wanted};
use iota_engine::digest::digest;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use walkdir::{DirEntry, WalkDir};

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

/// Names, inodes, sizes and times of all files. What lies outside of a pack is none of its files, and may be all that there is.
/// More than a pack may have is not looked through: reading it says so.
fn look(paths: &[PathBuf]) -> [u8; 16] {
    look_at(paths, MAX_ENTRIES + 1)
}

fn look_at(paths: &[PathBuf], most: usize) -> [u8; 16] {
    let mut seen = Vec::new();
    for path in paths {
        let root = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let leads_out = |entry: &DirEntry| {
            entry.path_is_symlink() && !fs::canonicalize(entry.path()).is_ok_and(|real| real.starts_with(&root))
        };
        let is_looked_at = |entry: &DirEntry| entry.depth() == 0 || is_wanted(entry) && !leads_out(entry);
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter().filter_entry(is_looked_at).take(most) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_a_link_leads_to_outside_of_a_pack_is_not_looked_through() {
        let (pack, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(pack.path().join("sub")).unwrap();
        symlink("sub", pack.path().join("link")).unwrap();
        symlink(outside.path(), pack.path().join("all")).unwrap();
        let look = || look(&[pack.path().to_owned()]);
        let before = look();
        fs::write(outside.path().join("r.py"), "").unwrap();
        assert_eq!(look(), before);
        fs::write(pack.path().join("sub/r.py"), "").unwrap();
        assert_ne!(look(), before);
    }

    #[test]
    fn no_more_is_looked_at_than_a_pack_may_have() {
        let pack = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(pack.path().join(name), "").unwrap();
        }
        let look = |most| look_at(&[pack.path().to_owned()], most);
        let before = [look(3), look(4)];
        fs::write(pack.path().join("c"), "changed").unwrap();
        assert_eq!((look(3) == before[0], look(4) == before[1]), (true, false));
    }

    #[test]
    fn a_change_is_seen_beside_many_files_that_are_not_read() {
        let pack = tempfile::tempdir().unwrap();
        fs::create_dir(pack.path().join(".venv")).unwrap();
        for name in [".venv/a.py", ".venv/b.py", ".venv/c.py", "r.py"] {
            fs::write(pack.path().join(name), "").unwrap();
        }
        let look = || look_at(&[pack.path().to_owned()], 2);
        let before = look();
        fs::write(pack.path().join("r.py"), "changed").unwrap();
        assert_ne!(look(), before);
    }
}
