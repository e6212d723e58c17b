//! The system's git, on repositories that nobody vouches for: fetched into a bare repository of our own, whose
//! configuration is ours, and read file by file. Nothing is ever checked out, so no hook, filter, submodule or link of
//! theirs is followed.

use super::manifest::is_plain;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use tempfile::TempDir;
use thiserror::Error;

/// Files of a pack, bytes of one, and bytes of all, at most.
const MAX_FILES: usize = 20_000;
const MAX_FILE: usize = 16 << 20;
const MAX_ALL: usize = 256 << 20;
/// How a repository may be reached. `ext` would run a command.
const PROTOCOLS: &str = "file:https:ssh";

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
    #[error("commit {commit} has no signature that is trusted here: {said}")]
    Unsigned { commit: String, said: String },
    #[error("the repository holds {0}")]
    Odd(String),
    #[error("{0}: there is no such commit, or the repository does not hand it out")]
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
pub(super) struct Repository(TempDir);

impl Repository {
    pub(super) fn new(below: &Path) -> Result<Self, GitError> {
        let directory = tempfile::tempdir_in(below).map_err(|error| GitError::Io(below.display().to_string(), error))?;
        let repository = Self(directory);
        repository.run(&["init", "--quiet", "--bare", "--template="])?;
        Ok(repository)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        // What tells git of another repository would have it ask that one.
        for name in [
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_OBJECT_DIRECTORY",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_CONFIG_PARAMETERS",
            "GIT_CONFIG_COUNT",
        ] {
            command.env_remove(name);
        }
        command
            .env("GIT_DIR", self.0.path())
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", PROTOCOLS)
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "core.fsmonitor=false",
                "-c",
                "gc.auto=0",
                "-c",
                "maintenance.auto=false",
            ])
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        command
    }

    fn output(&self, arguments: &[impl AsRef<OsStr>]) -> Result<Output, GitError> {
        self.command().args(arguments).output().map_err(GitError::NoGit)
    }

    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let output = self.output(arguments)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(GitError::Failed { what: arguments[0].to_owned(), said: said(&output) })
    }

    /// Fetches one revision and returns the commit that it is, as hex.
    pub(super) fn fetch(&self, address: &str, revision: &Revision) -> Result<String, GitError> {
        let address = check_address(address)?;
        let fetch = |what: &[&str], depth: &[&str]| {
            let options = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
            self.run(&[&options[..], depth, &["--", &address], what].concat())
        };
        let shallow = ["--depth=1"];
        let commit = match revision {
            Revision::Default => fetch(&["HEAD"], &shallow).and_then(|_| self.commit("FETCH_HEAD"))?,
            Revision::Branch(name) => {
                check_name(name, "branch")?;
                fetch(&[&format!("refs/heads/{name}")], &shallow).and_then(|_| self.commit("FETCH_HEAD"))?
            }
            Revision::Tag(name) => {
                check_name(name, "tag")?;
                fetch(&[&format!("refs/tags/{name}")], &shallow).and_then(|_| self.commit("FETCH_HEAD"))?
            }
            Revision::Commit(commit) => {
                if !matches!(commit.len(), 40 | 64) || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(GitError::Name(commit.clone(), "commit, in full"));
                }
                // Not everybody hands out a commit by its id; then everything is asked for.
                if fetch(&[commit], &shallow).is_err() {
                    fetch(&["+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/fetched/tags/*"], &[])?;
                }
                let found = self.commit(commit).map_err(|_| GitError::NoCommit(commit.clone()))?;
                if !found.eq_ignore_ascii_case(commit) {
                    return Err(GitError::NoCommit(commit.clone()));
                }
                found
            }
        };
        Ok(commit)
    }

    fn commit(&self, name: &str) -> Result<String, GitError> {
        let found = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")])?;
        Ok(String::from_utf8_lossy(&found).trim().to_owned())
    }

    /// Fails unless the commit has a good signature by somebody whom the user's own git trusts.
    pub(super) fn verify_commit(&self, commit: &str) -> Result<(), GitError> {
        let output = self.output(&["verify-commit", commit])?;
        if output.status.success() {
            return Ok(());
        }
        Err(GitError::Unsigned { commit: commit.to_owned(), said: said(&output) })
    }

    /// The files below a directory of a commit.
    pub(super) fn files(&self, commit: &str, below: &str) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
        if !below.is_empty() && !is_plain(below) {
            return Err(GitError::Name(below.to_owned(), "directory in the repository"));
        }
        let tree = if below.is_empty() { commit.to_owned() } else { format!("{commit}:{below}") };
        let listed = self.run(&["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", &tree])?;
        let mut wanted = Vec::new();
        for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let odd = || GitError::Odd(format!("an entry that cannot be read: {}", entry.escape_ascii()));
            let entry = std::str::from_utf8(entry).map_err(|_| odd())?;
            let (about, path) = entry.split_once('\t').ok_or_else(odd)?;
            let mut about = about.split(' ');
            let (mode, object) = (about.next().unwrap_or_default(), about.nth(1).ok_or_else(odd)?);
            match mode {
                "100644" | "100755" | "100664" if is_plain(path) => wanted.push((path.to_owned(), object.to_owned())),
                "120000" => return Err(GitError::Odd(format!("a symbolic link, {path:?}; put a file there"))),
                "160000" => return Err(GitError::Odd(format!("a submodule, {path:?}; put its files there"))),
                _ => return Err(GitError::Odd(format!("a file named {path:?}"))),
            }
        }
        if wanted.len() > MAX_FILES {
            return Err(GitError::Odd(format!("{} files, and {MAX_FILES} are taken", wanted.len())));
        }
        self.contents(wanted)
    }

    fn contents(&self, wanted: Vec<(String, String)>) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
        let broken = |error| GitError::Io("git cat-file".to_owned(), error);
        let mut command = self.command();
        let mut git = command
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(GitError::NoGit)?;
        let (input, output) = (git.stdin.take(), git.stdout.take());
        let objects: String = wanted.iter().map(|(_, object)| format!("{object}\n")).collect();
        let asking = thread::spawn(move || input.map(|mut input| input.write_all(objects.as_bytes())));
        let read = || -> Result<BTreeMap<String, Vec<u8>>, GitError> {
            let (mut files, mut all) = (BTreeMap::new(), 0);
            let mut output = BufReader::new(output.ok_or_else(|| broken(io::Error::other("no pipe")))?);
            for (path, _) in wanted {
                let mut head = String::new();
                output.by_ref().take(200).read_line(&mut head).map_err(broken)?;
                let size: usize = head
                    .trim()
                    .rsplit(' ')
                    .next()
                    .and_then(|size| size.parse().ok())
                    .ok_or_else(|| GitError::Odd(format!("no content of {path:?}")))?;
                all += size;
                if size > MAX_FILE || all > MAX_ALL {
                    return Err(GitError::Odd(format!(
                        "{path:?} of {size} bytes; {MAX_FILE} for a file and {MAX_ALL} for all are taken"
                    )));
                }
                let mut bytes = vec![0; size + 1];
                output.read_exact(&mut bytes).map_err(broken)?;
                bytes.truncate(size);
                files.insert(path, bytes);
            }
            Ok(files)
        };
        let files = read();
        // It may still be asked while nobody reads any more.
        let _ = git.kill();
        let _ = git.wait();
        let _ = asking.join();
        files
    }
}

fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.trim().lines().rev().take(5).collect();
    last.into_iter().rev().collect::<Vec<_>>().join("; ")
}

/// A local path becomes one that does not depend on where git runs.
fn check_address(address: &str) -> Result<String, GitError> {
    let wrong = || GitError::Address(address.to_owned());
    if address.is_empty() || address.starts_with('-') || address.contains("::") || address.chars().any(char::is_control) {
        return Err(wrong());
    }
    if let Some((scheme, _)) = address.split_once("://") {
        return if PROTOCOLS.split(':').any(|known| known == scheme) { Ok(address.to_owned()) } else { Err(wrong()) };
    }
    // user@host:path
    let is_remote = address.split_once(':').is_some_and(|(host, _)| !host.contains('/'));
    if is_remote {
        return Ok(address.to_owned());
    }
    let path: PathBuf = std::path::absolute(address).map_err(|error| GitError::Io(address.to_owned(), error))?;
    path.into_os_string().into_string().map_err(|_| wrong())
}

fn check_name(name: &str, what: &'static str) -> Result<(), GitError> {
    let odd = |character: char| character.is_control() || character.is_whitespace() || "~^:?*[\\".contains(character);
    let wrong = name.is_empty() || name.starts_with(['-', '+', '/']) || name.contains("..") || name.chars().any(odd);
    if wrong { Err(GitError::Name(name.to_owned(), what)) } else { Ok(()) }
}
