//! Fetching a pack: beside the one that runs, checked there, and put in its place in one step. The directory of the pack is
//! a link to the version in force; the one before is kept.

use super::git::{GitError, Repository, Revision};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum PullError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("{0} is there and was not made by `iota rules pull`: name another directory")]
    NotOurs(String),
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
}

/// What became of a version that was put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    New,
    /// It was in force before.
    Same,
}

/// Fetches a version of the pack that is to be at `target`.
pub fn stage(source: &Source, target: &Path) -> Result<Staged, PullError> {
    let io = |path: &Path, error: io::Error| PullError::Io(path.display().to_string(), error);
    let target = std::path::absolute(target).map_err(|error| io(target, error))?;
    let shown = target.display().to_string();
    let name = target.file_name().and_then(|name| name.to_str()).ok_or_else(|| PullError::Name(shown.clone()))?.to_owned();
    let parent = target.parent().ok_or(PullError::Name(shown.clone()))?;
    match fs::symlink_metadata(&target) {
        Ok(found) if !found.is_symlink() => return Err(PullError::NotOurs(shown)),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io(&target, error)),
    }
    // A name that is left out when packs are read.
    let versions = parent.join(format!(".{name}.versions"));
    fs::create_dir_all(&versions).map_err(|error| io(&versions, error))?;
    let staging = tempfile::Builder::new().prefix(".staged-").tempdir_in(&versions).map_err(|error| io(&versions, error))?;
    let repository = Repository::new(staging.path())?;
    let commit = repository.fetch(&source.address, &source.revision)?;
    if source.signed_commit {
        repository.verify_commit(&commit)?;
    }
    let directory = staging.path().join("version").join(&name);
    for (path, bytes) in repository.files(&commit, &source.below)? {
        let file = directory.join(path);
        let above = file.parent().unwrap_or(&directory);
        fs::create_dir_all(above).and_then(|()| fs::write(&file, bytes)).map_err(|error| io(&file, error))?;
    }
    if !directory.is_dir() {
        return Err(GitError::Odd("no files there".to_owned()).into());
    }
    Ok(Staged { commit, directory, target, versions, staging })
}

impl Staged {
    /// Puts it in force: whoever reads the directory sees all of the old version or all of this one.
    pub fn switch(self) -> Result<Pulled, PullError> {
        let Self { commit, directory, target, versions, staging } = self;
        let io = |path: &Path, error: io::Error| PullError::Io(path.display().to_string(), error);
        let (version, name) = (versions.join(&commit), directory.file_name().unwrap_or_default().to_owned());
        let link = PathBuf::from(versions.file_name().unwrap_or_default()).join(&commit).join(&name);
        let before = fs::read_link(&target).ok();
        let is_there = version.join(&name).is_dir();
        if is_there && before.as_ref() == Some(&link) && same(&directory, &version.join(&name)) {
            return Ok(Pulled::Same);
        }
        // Other files under the same commit: another directory of the repository, or somebody changed them.
        let version = if is_there && !same(&directory, &version.join(&name)) { numbered(&version) } else { version };
        let link =
            PathBuf::from(versions.file_name().unwrap_or_default()).join(version.file_name().unwrap_or_default()).join(&name);
        if !version.exists() {
            fs::rename(directory.parent().unwrap_or(&directory), &version).map_err(|error| io(&version, error))?;
        }
        // On the disk before the link is: a loss of power must not leave a link to nothing.
        File::open(&versions)
            .and_then(|versions| rustix::fs::syncfs(versions).map_err(Into::into))
            .map_err(|error| io(&versions, error))?;
        let new = staging.path().join("link");
        symlink(&link, &new).and_then(|()| fs::rename(&new, &target)).map_err(|error| io(&target, error))?;
        let kept = [Some(&link), before.as_ref()].map(|link| link.and_then(|link| link.iter().nth(1)).map(ToOwned::to_owned));
        for entry in fs::read_dir(&versions).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_staged = name.to_string_lossy().starts_with(".staged-");
            if !is_staged && kept.iter().flatten().all(|kept| *kept != name) {
                // One that stays is only in the way.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(Pulled::New)
    }
}

fn numbered(version: &Path) -> PathBuf {
    let name = |number: u32| version.with_extension(number.to_string());
    (2..).map(name).find(|path| !path.exists()).unwrap_or_else(|| version.to_owned())
}

/// Whether two directories hold the same files.
fn same(one: &Path, other: &Path) -> bool {
    let read = |directory: &Path| -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(directory).sort_by_file_name() {
            let entry = entry?;
            if !entry.file_type().is_dir() {
                files.push((entry.path().strip_prefix(directory).unwrap_or(entry.path()).to_owned(), fs::read(entry.path())?));
            }
        }
        Ok(files)
    };
    matches!((read(one), read(other)), (Ok(one), Ok(other)) if one == other)
}
