//! Fetching a pack: beside the one that runs, checked there, and put in its place in one step. The directory of the pack is
//! a link to the version in force; the one before is kept.

use super::files::read_all;
use super::git::{GitError, Repository, Revision};
use crate::crash_point;
use iota_python::Stop;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum PullError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("{0} is there and was not made by `iota rules pull`: name another directory, or move it away")]
    NotOurs(String),
    #[error("another `iota rules pull` is at work on it: try again when that has ended")]
    Busy,
    #[error("{0:?} cannot be the directory of a pack")]
    Name(String),
    #[error("{0}: {1}")]
    Io(String, io::Error),
}

/// What is fetched.
#[derive(Debug, Clone)]
pub struct Source {
    pub address: String,
    pub revision: Revision,
    /// Where in the repository the pack is; empty: it is all of it.
    pub below: String,
    /// The commit has to be signed by somebody whom the user's git trusts.
    pub signed_commit: bool,
}

/// A version of a pack that is not in force yet.
#[derive(Debug)]
pub struct Staged {
    pub commit: String,
    /// The directory to check. Its name is that of the pack.
    pub directory: PathBuf,
    /// The link.
    target: PathBuf,
    versions: PathBuf,
    staging: TempDir,
    /// Nobody else works on it meanwhile.
    _lock: File,
}

/// Holds what is not a version: the next pull removes what a process that was killed has left.
const STAGED: &str = ".staged-";
const LOCK: &str = ".lock";

/// What became of a version that was put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    New,
    /// It was in force before.
    Same,
}

fn io_error(path: &Path, error: io::Error) -> PullError {
    PullError::Io(path.display().to_string(), error)
}

/// Fetches a version of the pack that is to be at `target`.
pub fn stage(source: &Source, target: &Path, stop: &Arc<Stop>) -> Result<Staged, PullError> {
    let target = std::path::absolute(target).map_err(|error| io_error(target, error))?;
    let shown = target.display().to_string();
    let name = target.file_name().and_then(|name| name.to_str()).ok_or_else(|| PullError::Name(shown.clone()))?.to_owned();
    let parent = target.parent().ok_or(PullError::Name(shown))?;
    // A name that is left out when packs are read.
    let versions = parent.join(format!(".{name}.versions"));
    is_link_of_ours(&target, &versions)?;
    let lock = lock(&versions)?;
    for entry in entries(&versions) {
        if entry.to_string_lossy().starts_with(STAGED) {
            // What stays is only in the way.
            let _ = fs::remove_dir_all(versions.join(entry));
        }
    }
    let staging = tempfile::Builder::new().prefix(STAGED).tempdir_in(&versions).map_err(|error| io_error(&versions, error))?;
    let repository = Repository::new(staging.path(), stop)?;
    let commit = repository.fetch(&source.address, &source.revision)?;
    if source.signed_commit {
        repository.verify_commit(&commit)?;
    }
    let directory = staging.path().join("version").join(&name);
    for (path, bytes) in repository.files(&commit, &source.below)? {
        let file = directory.join(path);
        let above = file.parent().unwrap_or(&directory);
        fs::create_dir_all(above).and_then(|()| fs::write(&file, bytes)).map_err(|error| io_error(&file, error))?;
    }
    if !directory.is_dir() {
        return Err(GitError::Odd("no files there".to_owned()).into());
    }
    Ok(Staged { commit, directory, target, versions, staging, _lock: lock })
}

/// Nothing is there, or a link that an earlier pull has made.
fn is_link_of_ours(target: &Path, versions: &Path) -> Result<(), PullError> {
    match fs::read_link(target) {
        Ok(link) => {
            let parts: Vec<&OsStr> = link.iter().collect();
            let is_ours =
                matches!(parts[..], [first, _, last] if Some(first) == versions.file_name() && Some(last) == target.file_name());
            if is_ours { Ok(()) } else { Err(PullError::NotOurs(target.display().to_string())) }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // It is no link.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(PullError::NotOurs(target.display().to_string())),
        Err(error) => Err(io_error(target, error)),
    }
}

/// The directory of the versions, for this process alone.
fn lock(versions: &Path) -> Result<File, PullError> {
    fs::create_dir_all(versions).map_err(|error| io_error(versions, error))?;
    if fs::symlink_metadata(versions).map_err(|error| io_error(versions, error))?.is_symlink() {
        return Err(PullError::NotOurs(versions.display().to_string()));
    }
    let path = versions.join(LOCK);
    let file = File::options().create(true).append(true).open(&path).map_err(|error| io_error(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PullError::Busy),
        Err(TryLockError::Error(error)) => Err(io_error(&path, error)),
    }
}

fn entries(directory: &Path) -> Vec<std::ffi::OsString> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}

impl Staged {
    /// Puts it in force: whoever reads the directory sees all of the old version or all of this one, also when this is cut at
    /// any instant.
    pub fn switch(self) -> Result<Pulled, PullError> {
        let Self { commit, directory, target, versions, staging, _lock } = self;
        let name = directory.file_name().unwrap_or_default().to_owned();
        let (version, is_there) = place_of(&versions, &commit, &directory);
        let link: PathBuf = [versions.file_name().unwrap_or_default(), OsStr::new(&version), &name].iter().collect();
        let before = fs::read_link(&target).ok();
        if is_there && before.as_ref() == Some(&link) {
            return Ok(Pulled::Same);
        }
        let place = versions.join(&version);
        if !is_there {
            fs::rename(directory.parent().unwrap_or(&directory), &place).map_err(|error| io_error(&place, error))?;
        }
        crash_point("pull.placed");
        // On the disk before the link is: a loss of power must not leave a link to nothing.
        File::open(&versions)
            .and_then(|versions| rustix::fs::syncfs(versions).map_err(Into::into))
            .map_err(|error| io_error(&versions, error))?;
        let new = staging.path().join("link");
        symlink(&link, &new).and_then(|()| fs::rename(&new, &target)).map_err(|error| io_error(&target, error))?;
        crash_point("pull.switched");
        let kept: Vec<&OsStr> =
            [Some(&link), before.as_ref()].into_iter().flatten().filter_map(|link| link.iter().nth(1)).collect();
        for entry in entries(&versions).into_iter().filter(|entry| is_version(entry) && !kept.contains(&entry.as_os_str())) {
            // A version is there as a whole or not at all. One that stays is only in the way.
            let _ = fs::rename(versions.join(&entry), staging.path().join(&entry));
        }
        crash_point("pull.cleaned");
        Ok(Pulled::New)
    }
}

/// Where a version with these files is, or is to be, and whether it is there. The same commit may have other files: it was
/// another directory of the repository, or somebody has changed them.
fn place_of(versions: &Path, commit: &str, directory: &Path) -> (String, bool) {
    let name = directory.file_name().unwrap_or_default();
    let mut number = 1_u32;
    loop {
        let version = if number == 1 { commit.to_owned() } else { format!("{commit}.{number}") };
        let place = versions.join(&version);
        if fs::symlink_metadata(&place).is_err() {
            return (version, false);
        }
        if same(directory, &place.join(name)) {
            return (version, true);
        }
        number += 1;
    }
}

/// A commit, and a number when there are several of it.
fn is_version(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let (commit, number) = name.split_once('.').unwrap_or((&name, "2"));
    let is_commit = matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit && number.parse::<u32>().is_ok()
}

/// Whether two directories hold the same files.
fn same(one: &Path, other: &Path) -> bool {
    matches!((read_all(one), read_all(other)), (Ok(one), Ok(other)) if one == other)
}
