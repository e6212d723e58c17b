//! The system's git, on repositories that nobody vouches for: fetched into a bare repository of our own, whose
//! configuration is ours, and read file by file. Nothing is ever checked out, so no hook, filter, submodule or link of
//! theirs is followed.

mod address;
mod process;
mod tree;

use super::manifest::is_plain;
use address::{check_address, check_name};
use iota_python::Stop;
use process::{Bounds, Ended};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thiserror::Error;

/// How a repository may be reached. `ext` would run a command.
const PROTOCOLS: &str = "file:https:ssh";
/// How long git may work on one repository, in all.
const TIME: Duration = Duration::from_secs(600);
/// What it may write to one file, in bytes: all that is fetched is one. And what memory each of its processes may take.
const FILE: u64 = 1 << 30;
const MEMORY: u64 = 2 << 30;
/// What of git's own environment says how the user reaches repositories, and which configuration is the user's. All other
/// variables that begin with `GIT_` speak of another repository (in a hook of git they are set), or change what it does.
const KEPT: [&str; 7] = [
    "GIT_ASKPASS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
];
const KEPT_PREFIXES: [&str; 3] = ["GIT_SSH_", "GIT_SSL_", "GIT_PROXY_SSL_"];
/// Stronger than any configuration.
const SETTINGS: [&str; 13] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.bigFileThreshold=16m",
    "credential.interactive=false",
    "fetch.fsckObjects=true",
    "fetch.recurseSubmodules=false",
    // One file, whose size is limited, however many objects come.
    "fetch.unpackLimit=1",
    "gc.auto=0",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "maintenance.auto=false",
    "pack.threads=1",
    // The one in which every server hands out a commit by its id.
    "protocol.version=2",
];
/// What GnuPG has to think of a key. When the user's own git does not say, it has to be certain whose it is: without this, any
/// key that got into the key ring would do.
const MIN_TRUST: &str = "gpg.minTrustLevel";

#[derive(Debug, Error)]
pub enum GitError {
    #[error("{0:?} is no address of a repository: https://, ssh://, user@host:path or a path is expected")]
    Address(String),
    #[error("{0:?} is no name of a {1}")]
    Name(String, &'static str),
    #[error("git cannot be started: {0}")]
    NoGit(io::Error),
    #[error("git {what} failed: {said}")]
    Failed { what: String, said: String },
    #[error("git was ended: a repository has {} minutes", TIME.as_secs() / 60)]
    TooSlow,
    #[error("interrupted")]
    Stopped,
    #[error("commit {commit} has no signature that is trusted here: {said}")]
    Unsigned { commit: String, said: String },
    #[error("the repository holds {0}")]
    Odd(String),
    #[error("{0}: there is no such commit, or the repository does not hand it out by its id; a branch or tag may do")]
    NoCommit(String),
    #[error("{0} is in no checkout of git")]
    NoCheckout(String),
    #[error("{0}: {1}")]
    Io(String, io::Error),
}

/// What of a repository is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// Where its HEAD stands.
    Default,
    Branch(String),
    Tag(String),
    /// In full, as hex.
    Commit(String),
}

/// A bare repository of our own, which goes away with this.
#[derive(Debug)]
pub(super) struct Repository {
    directory: TempDir,
    bounds: Bounds,
}

impl Repository {
    pub(super) fn new(below: &Path, stop: &Arc<Stop>) -> Result<Self, GitError> {
        let directory = tempfile::tempdir_in(below).map_err(|error| GitError::Io(below.display().to_string(), error))?;
        let bounds = Bounds { deadline: Instant::now() + TIME, stop: Arc::clone(stop), file: FILE, memory: MEMORY };
        let repository = Self { directory, bounds };
        repository.output(&["init", "--quiet", "--bare", "--template="])?;
        Ok(repository)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bounds.command("git");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let is_kept = KEPT.contains(&&*text) || KEPT_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
            if text.starts_with("GIT_") && !is_kept {
                command.env_remove(&name);
            }
        }
        command
            .env("GIT_DIR", self.directory.path())
            .env("GIT_ALLOW_PROTOCOL", PROTOCOLS)
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            // Nobody is there to answer.
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("LC_ALL", "C")
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .args(arguments)
            .current_dir(self.directory.path());
        command
    }

    /// What a command of git writes, or how it failed. The first argument is its name.
    fn read<T>(
        &self,
        arguments: &[&str],
        input: &[u8],
        read: impl FnOnce(&mut dyn BufRead) -> Result<T, GitError>,
    ) -> Result<T, GitError> {
        let what = arguments[0];
        let Ended { status, said, read } = self.bounds.run(what, &mut self.command(arguments), input, read)?;
        if status.success() { Ok(read) } else { Err(GitError::Failed { what: what.to_owned(), said }) }
    }

    /// Of a command that says little.
    fn output(&self, arguments: &[&str]) -> Result<String, GitError> {
        self.read(arguments, b"", |output| {
            let mut text = String::new();
            let read = output.take(1 << 16).read_to_string(&mut text);
            read.map_err(|error| GitError::Io(arguments[0].to_owned(), error))?;
            Ok(text)
        })
    }

    /// Fetches one revision and returns the commit that it is, as hex.
    pub(super) fn fetch(&self, address: &str, revision: &Revision) -> Result<String, GitError> {
        let address = check_address(address)?;
        let fetch = |what: &str| {
            let options = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--depth=1", "--", &address, what];
            self.output(&options).map_err(explain)
        };
        match revision {
            Revision::Default => fetch("HEAD")?,
            Revision::Branch(name) => {
                check_name(name, "branch")?;
                fetch(&format!("refs/heads/{name}"))?
            }
            Revision::Tag(name) => {
                check_name(name, "tag")?;
                fetch(&format!("refs/tags/{name}"))?
            }
            Revision::Commit(commit) => {
                if !matches!(commit.len(), 40 | 64) || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(GitError::Name(commit.clone(), "commit, in full"));
                }
                match fetch(commit) {
                    Err(GitError::Failed { said, .. }) if said.contains("not our ref") => {
                        return Err(GitError::NoCommit(commit.clone()));
                    }
                    fetched => fetched?,
                }
            }
        };
        let name = if let Revision::Commit(commit) = revision { commit } else { "FETCH_HEAD" };
        let found = self.output(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")]);
        match (found, revision) {
            (Ok(found), Revision::Commit(commit)) if !found.trim().eq_ignore_ascii_case(commit) => {
                Err(GitError::NoCommit(commit.clone()))
            }
            (found, _) => Ok(found?.trim().to_owned()),
        }
    }

    /// Fails unless the commit has a good signature by somebody whom the user's own git trusts.
    pub(super) fn verify_commit(&self, commit: &str) -> Result<(), GitError> {
        if self.output(&["config", "--get", MIN_TRUST]).is_err() {
            self.output(&["config", MIN_TRUST, "fully"])?;
        }
        self.output(&["verify-commit", commit]).map(drop).map_err(|error| match error {
            GitError::Failed { said, .. } => {
                let said = if said.is_empty() { "it has none at all".to_owned() } else { said };
                GitError::Unsigned { commit: commit.to_owned(), said }
            }
            error => error,
        })
    }

    /// The files below a directory of a commit.
    pub(super) fn files(&self, commit: &str, below: &str) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
        if !below.is_empty() && !is_plain(below) {
            return Err(GitError::Name(below.to_owned(), "directory in the repository"));
        }
        let tree = if below.is_empty() { commit.to_owned() } else { format!("{commit}:{below}") };
        // With the trees: where they hold nothing, they are still to be counted.
        let list = ["ls-tree", "-r", "-t", "-l", "-z", "--full-tree", "--end-of-options", &tree];
        let listed = self.read(&list, b"", tree::list)?;
        let objects: String = listed.iter().flat_map(|blob| [blob.object.as_str(), "\n"]).collect();
        self.read(&["cat-file", "--batch"], objects.as_bytes(), |output| tree::contents(listed, output))
    }
}

/// What git does not say itself.
fn explain(error: GitError) -> GitError {
    match error {
        GitError::Failed { what, said } if said.contains("index-pack") && !said.contains("fsck") => {
            let said = format!("{said} (what is fetched may have {} MiB)", FILE >> 20);
            GitError::Failed { what, said }
        }
        error => error,
    }
}
