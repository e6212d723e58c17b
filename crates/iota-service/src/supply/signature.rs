//! Whether a pack is what somebody signed whose key is trusted, and whether it is the one that was signed for this place.

use super::files::{Unreadable, read_all};
use super::git::{GitError, Repository};
use super::manifest::{Difference, MANIFEST, Manifest, SIGNATURE};
use crate::rules::{MAX_FILE, is_read, read_within};
use iota_engine::rule::Snapshot;
use iota_python::Stop;
use minisign_verify::{PublicKey, Signature};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// Bytes of a signature: four lines, of which two are comments.
const MAX_SIGNATURE: u64 = 64 << 10;
/// Begins the word of a trusted comment that says which pack was signed.
const PACK: &str = "pack:";

/// Keys of whoever may sign packs.
#[derive(Debug, Clone, Default)]
pub struct PublicKeys(Vec<PublicKey>);

#[derive(Debug, Error)]
pub enum SignatureError {
    #[error("it is not signed: {0} is missing")]
    Unsigned(&'static str),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("{SIGNATURE} does not say which pack it is for; sign it with `minisign -S -m {MANIFEST} -t \"pack:{0}\"`")]
    Unnamed(String),
    #[error("{SIGNATURE} is for {}, and the directory is called {called:?}: put the pack that is meant there", words(.named))]
    OtherPack { named: Vec<String>, called: String },
    #[error("{SIGNATURE} is by none of the trusted keys, or {MANIFEST} was changed")]
    Untrusted,
    #[error("it is not what was signed: {}", list(.0))]
    Differs(Vec<Difference>),
    #[error("there is no key to check it with")]
    NoKeys,
}

/// What is signed for a place.
struct Signed {
    manifest: Manifest,
    /// The trusted comment.
    comment: String,
}

fn words(packs: &[String]) -> String {
    packs.iter().map(|pack| format!("{PACK}{pack}")).collect::<Vec<_>>().join(" or ")
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

    /// The manifest of a directory, if one of these keys has signed it, for a pack of this name.
    fn signed(&self, directory: &Path) -> Result<Signed, SignatureError> {
        if self.is_empty() {
            return Err(SignatureError::NoKeys);
        }
        let unreadable = |path: &str, why: String| Unreadable { path: path.to_owned(), why };
        let root = fs::canonicalize(directory).map_err(|error| unreadable(".", error.to_string()))?;
        let read = |name: &'static str, most| match read_within(&root, &root.join(name), most) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| unreadable(name, "it is no text".to_owned()).into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SignatureError::Unsigned(name)),
            Err(error) => Err(unreadable(name, error.to_string()).into()),
        };
        let (text, signature) = (read(MANIFEST, MAX_FILE)?, read(SIGNATURE, MAX_SIGNATURE)?);
        let signature = Signature::decode(&signature).map_err(|error| unreadable(SIGNATURE, error.to_string()))?;
        // Legacy signatures, without a hash of their own, are not taken. The trusted comment is checked, too.
        if !self.0.iter().any(|key| key.verify(text.as_bytes(), &signature, false).is_ok()) {
            return Err(SignatureError::Untrusted);
        }
        let comment = signature.trusted_comment().to_owned();
        check_name(&comment, &called(directory))?;
        let manifest = Manifest::parse(&text).map_err(|why| unreadable(MANIFEST, why))?;
        Ok(Signed { manifest, comment })
    }
}

/// What the operator calls the pack. Not what a link there leads to, nor what the pack calls itself: whoever puts another pack
/// in its place chooses both.
fn called(directory: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    name(&absolute).or_else(|| fs::canonicalize(directory).ok().as_deref().and_then(name)).unwrap_or_default()
}

/// All packs that a signer has signed have the same key, so a signature is good for those that it names alone.
fn check_name(comment: &str, called: &str) -> Result<(), SignatureError> {
    let named: Vec<String> =
        comment.split_whitespace().filter_map(|word| word.strip_prefix(PACK)).map(ToOwned::to_owned).collect();
    if named.is_empty() {
        return Err(SignatureError::Unnamed(called.to_owned()));
    }
    if named.iter().any(|name| name == called) {
        return Ok(());
    }
    Err(SignatureError::OtherPack { named, called: called.to_owned() })
}

/// Whether what iota has read of a pack is what was signed: no more and no less. Returns the trusted comment.
pub fn check_snapshot(directory: &Path, snapshot: &Snapshot, keys: &PublicKeys) -> Result<String, SignatureError> {
    let Signed { manifest, comment } = keys.signed(directory)?;
    same(&manifest.only(is_read), &Manifest::of(snapshot.files())).map(|()| comment)
}

/// Whether all files of a pack are what was signed. Returns the trusted comment.
pub fn check_directory(directory: &Path, keys: &PublicKeys) -> Result<String, SignatureError> {
    let Signed { manifest, comment } = keys.signed(directory)?;
    let there = manifest_of(&read_all(directory)?).only(|path| path != MANIFEST && path != SIGNATURE);
    same(&manifest, &there).map(|()| comment)
}

fn same(signed: &Manifest, there: &Manifest) -> Result<(), SignatureError> {
    let differences = signed.differences(there);
    if differences.is_empty() { Ok(()) } else { Err(SignatureError::Differs(differences)) }
}

/// Whether the commit that a checkout stands at is signed, and how the files of a directory in it differ from that commit.
/// What the repository itself is configured to do is not asked: whoever made it may have made that, too.
pub fn commit_differences(directory: &Path, stop: &Arc<Stop>) -> Result<(String, Vec<Difference>), GitError> {
    let directory = fs::canonicalize(directory).map_err(|error| GitError::Io(directory.display().to_string(), error))?;
    let top = directory.ancestors().find(|above| above.join(".git").exists());
    let top = top.ok_or_else(|| GitError::NoCheckout(directory.display().to_string()))?;
    let text = |path: &Path| match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(GitError::Name(path.display().to_string(), "directory, as UTF-8")),
    };
    let below = text(directory.strip_prefix(top).unwrap_or(Path::new("")))?;
    let repository = Repository::new(&std::env::temp_dir(), stop)?;
    // A path and no URL, in which %41 would be an A.
    let commit = repository.fetch(&text(top)?, &super::git::Revision::Default)?;
    repository.verify_commit(&commit)?;
    let committed = repository.files(&commit, &below)?;
    let there = read_all(&directory).map_err(|error| GitError::Odd(error.to_string()))?;
    Ok((commit, manifest_of(&committed).differences(&manifest_of(&there))))
}

fn manifest_of(files: &BTreeMap<String, Vec<u8>>) -> Manifest {
    Manifest::of(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_the_packs_that_it_names() {
        let check = |comment: &str| check_name(comment, "team").map_err(|error| error.to_string());
        for comment in ["pack:team", "version:3 pack:team 2026-01-01", "pack:other pack:team", "timestamp:1\tpack:team\thashed"] {
            assert_eq!(check(comment), Ok(()), "{comment}");
        }
        for comment in ["", "timestamp:1\tfile:MANIFEST.sha256\thashed", "xpack:team", "team"] {
            assert!(check(comment).unwrap_err().contains("-t \"pack:team\""), "{comment}");
        }
        for comment in ["pack:other", "pack:team2 pack:Team", "pack:"] {
            assert!(check(comment).unwrap_err().contains("the directory is called \"team\""), "{comment}");
        }
    }

    #[test]
    fn a_pack_is_called_as_its_directory_is_and_not_as_what_that_leads_to() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("other/x")).unwrap();
        std::os::unix::fs::symlink("other", directory.path().join("team")).unwrap();
        assert_eq!(called(&directory.path().join("team")), "team");
        assert_eq!(called(&directory.path().join("team/")), "team");
        assert_eq!(called(&directory.path().join("other/.")), "other");
        assert_eq!(called(&directory.path().join("other/x/..")), "other");
    }
}
