//! The manifest of a pack: the SHA-256 of every file, in the form that `sha256sum` writes.

use iota_engine::digest::hex;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// At the root of a pack.
pub const MANIFEST: &str = "MANIFEST.sha256";
/// The signature of the manifest, as minisign writes it.
pub const SIGNATURE: &str = "MANIFEST.sha256.minisig";

/// Path relative to the pack, with `/`, to SHA-256 in hex.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest(BTreeMap<String, String>);

/// How a pack differs from its manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    Changed(String),
    Missing(String),
    Unlisted(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(path) => write!(f, "{path} was changed"),
            Self::Missing(path) => write!(f, "{path} is missing"),
            Self::Unlisted(path) => write!(f, "{path} is not listed"),
        }
    }
}

impl Manifest {
    /// Reads lines of a SHA-256, two spaces (or a space and `*`) and a path. An error names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
            let wrong = || format!("{MANIFEST}:{number}: a SHA-256, two spaces and a path were expected");
            let (digest, path) = line.split_at_checked(64).ok_or_else(wrong)?;
            let path = path.strip_prefix("  ").or_else(|| path.strip_prefix(" *")).ok_or_else(wrong)?;
            let path = path.strip_prefix("./").unwrap_or(path);
            let is_digest = digest.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase());
            if !is_digest || !is_plain(path) {
                return Err(wrong());
            }
            if files.insert(path.to_owned(), digest.to_owned()).is_some() {
                return Err(format!("{MANIFEST}:{number}: {path} is listed twice"));
            }
        }
        if files.is_empty() { Err(format!("{MANIFEST} lists no files")) } else { Ok(Self(files)) }
    }

    /// What a manifest of these files says.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self(files.into_iter().map(|(path, bytes)| (path.to_owned(), hex(&Sha256::digest(bytes)))).collect())
    }

    /// Only the files that matter to somebody.
    #[must_use]
    pub fn only(mut self, matters: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|path, _| matters(path));
        self
    }

    /// How what is there differs.
    pub fn differences(&self, there: &Self) -> Vec<Difference> {
        let missing = self.0.keys().filter(|path| !there.0.contains_key(*path)).cloned().map(Difference::Missing);
        let other = there.0.iter().filter_map(|(path, digest)| match self.0.get(path) {
            None => Some(Difference::Unlisted(path.clone())),
            Some(listed) => (listed != digest).then(|| Difference::Changed(path.clone())),
        });
        let mut all: Vec<Difference> = missing.chain(other).collect();
        all.sort();
        all
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(path, digest)| writeln!(f, "{digest}  {path}"))
    }
}

/// A relative path that stays where it is.
pub(super) fn is_plain(path: &str) -> bool {
    let odd = |part: &str| part.is_empty() || part == "." || part == ".." || part.eq_ignore_ascii_case(".git");
    !path.chars().any(char::is_control) && !path.contains('\\') && !path.split('/').any(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_every_difference_named() {
        let files = [("a.py", &b"1"[..]), ("sub/b c.yml", b"2")];
        let manifest = Manifest::of(files);
        assert_eq!(Manifest::parse(&manifest.to_string()).unwrap(), manifest);
        let there = Manifest::of([("a.py", &b"x"[..]), ("new.py", b"3")]);
        let said: Vec<String> = manifest.differences(&there).iter().map(ToString::to_string).collect();
        assert_eq!(said, ["a.py was changed", "sub/b c.yml is missing", "new.py is not listed"]);
        assert_eq!(manifest.differences(&Manifest::of(files)), []);
    }

    #[test]
    fn odd_manifests_are_refused() {
        let digest = "0".repeat(64);
        for text in [
            "",
            "x",
            &format!("{digest} a"),
            &format!("{digest}  ../a"),
            &format!("{digest}  /a"),
            &format!("\\{digest}  a\\nb"),
            &format!("{}  a", "G".repeat(64)),
            &format!("{digest}  .git/config"),
            &format!("{digest}  a\n{digest}  a\n"),
            "é",
        ] {
            assert!(Manifest::parse(text).is_err(), "{text}");
        }
        assert!(Manifest::parse(&format!("{digest} *./a\n\n")).is_ok());
    }
}
