//! The files of a pack as they were read once. Analysis, load result and every worker use the same bytes,
//! so what runs is always what was looked at, even while the directory changes.

use super::pack_file::PACK_FILES;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Path relative to the pack, with `/`, to content.
    files: BTreeMap<String, Vec<u8>>,
    digest: [u8; 32],
}

impl Snapshot {
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        let mut hash = Sha256::new();
        for (path, bytes) in &files {
            for part in [path.as_bytes(), bytes.as_slice()] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        Self { files, digest: hash.finalize().into() }
    }

    /// SHA-256 over paths and contents.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    pub fn python(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files().filter(|(path, _)| path.ends_with(".py"))
    }

    /// Metadata files; `pack.yaml` is not one.
    pub(super) fn yaml(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files().filter(|(path, _)| (path.ends_with(".yml") || path.ends_with(".yaml")) && !PACK_FILES.contains(path))
    }
}
