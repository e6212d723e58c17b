//! Whether a pack is what somebody signed whose key is trusted.

use super::git::{GitError, Repository};
use super::manifest::{Difference, MANIFEST, Manifest, SIGNATURE};
use crate::rules::is_read;
use iota_engine::rule::Snapshot;
use minisign_verify::{PublicKey, Signature};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use thiserror::Error;
use walkdir::WalkDir;

/// Keys of whoever may sign packs.
#[derive(Debug, Clone, Default)]
pub struct PublicKeys(Vec<PublicKey>);

#[derive(Debug, Error)]
pub enum SignatureError {
    #[error("it is not signed: {0} is missing")]
    Unsigned(&'static str),
    #[error("{path}: {why}")]
    Unreadable { path: String, why: String },
    #[error("{SIGNATURE} is by none of the trusted keys, or {MANIFEST} was changed")]
    Untrusted,
    #[error("it is not what was signed: {}", list(.0))]
    Differs(Vec<Difference>),
    #[error("there is no key to check it with")]
    NoKeys,
}

/// The first few.
fn list(differences: &[Difference]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = differences.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = differences.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &rest
}

impl PublicKeys {
    /// Keys as minisign prints them: 56 characters that begin with `RW`. The error says which one is none.
    pub fn parse(keys: &[String]) -> Result<Self, String> {
        let parse = |key: &String| {
            let why = "a key of minisign is expected: the second line of its .pub file, which begins with RW";
            PublicKey::from_base64(key.trim()).map_err(|_| format!("{key:?}: {why}"))
        };
        keys.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The manifest of a directory, if one of these keys has signed it.
    fn manifest(&self, directory: &Path) -> Result<Manifest, SignatureError> {
        if self.is_empty() {
            return Err(SignatureError::NoKeys);
        }
        let unreadable = |path: &str, why: String| SignatureError::Unreadable { path: path.to_owned(), why };
        let read = |name: &'static str| match fs::read_to_string(directory.join(name)) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(SignatureError::Unsigned(name)),
            Err(error) => Err(unreadable(name, error.to_string())),
        };
        let (text, signature) = (read(MANIFEST)?, read(SIGNATURE)?);
        let signature = Signature::decode(&signature).map_err(|error| unreadable(SIGNATURE, error.to_string()))?;
        // Legacy signatures, without a hash of their own, are not taken.
        if !self.0.iter().any(|key| key.verify(text.as_bytes(), &signature, false).is_ok()) {
            return Err(SignatureError::Untrusted);
        }
        Manifest::parse(&text).map_err(|why| unreadable(MANIFEST, why))
    }
}

/// Whether what iota has read of a pack is what was signed: no more and no less.
pub fn check_snapshot(directory: &Path, snapshot: &Snapshot, keys: &PublicKeys) -> Result<(), SignatureError> {
    let signed = keys.manifest(directory)?.only(is_read);
    same(&signed, &Manifest::of(snapshot.files()))
}

/// Whether all files of a pack are what was signed.
pub fn check_directory(directory: &Path, keys: &PublicKeys) -> Result<(), SignatureError> {
    let signed = keys.manifest(directory)?;
    let files = read_all(directory)?;
    same(&signed, &Manifest::of(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))))
}

fn same(signed: &Manifest, there: &Manifest) -> Result<(), SignatureError> {
    let differences = signed.differences(there);
    if differences.is_empty() { Ok(()) } else { Err(SignatureError::Differs(differences)) }
}

/// Whether the commit that a checkout stands at is signed, and how the files of a directory in it differ from that commit.
/// What the repository itself is configured to do is not asked: whoever made it may have made that, too.
pub fn commit_differences(directory: &Path) -> Result<(String, Vec<Difference>), GitError> {
    let directory = fs::canonicalize(directory).map_err(|error| GitError::Io(directory.display().to_string(), error))?;
    let top = directory.ancestors().find(|above| above.join(".git").exists());
    let top = top.ok_or_else(|| GitError::NoCheckout(directory.display().to_string()))?;
    let repository = Repository::new(&std::env::temp_dir())?;
    let commit = repository.fetch(&format!("file://{}", top.display()), &super::git::Revision::Default)?;
    repository.verify_commit(&commit)?;
    let below = directory.strip_prefix(top).unwrap_or(Path::new("")).to_string_lossy().into_owned();
    let committed = repository.files(&commit, &below)?;
    let there = read_all(&directory).map_err(|error| GitError::Odd(error.to_string()))?;
    let of =
        |files: &BTreeMap<String, Vec<u8>>| Manifest::of(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    Ok((commit, of(&committed).differences(&of(&there))))
}

/// Every file, but for the manifest itself, the repository it came in, and what Python has compiled.
fn read_all(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>, SignatureError> {
    let mut files = BTreeMap::new();
    let ours = |name: &str| name == ".git" || name == "__pycache__";
    let walk = WalkDir::new(directory).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !ours(&entry.file_name().to_string_lossy())) {
        let unreadable = |path: &Path, why: String| SignatureError::Unreadable { path: path.display().to_string(), why };
        let entry = entry.map_err(|error| unreadable(error.path().unwrap_or(directory), error.to_string()))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let name = entry.path().strip_prefix(directory).unwrap_or(entry.path()).to_string_lossy().into_owned();
        if name != MANIFEST && name != SIGNATURE {
            files.insert(name, fs::read(entry.path()).map_err(|error| unreadable(entry.path(), error.to_string()))?);
        }
    }
    Ok(files)
}
