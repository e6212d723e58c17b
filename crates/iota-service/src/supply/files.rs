//! All files of a directory, within the limits of a pack.

use crate::rules::{Budget, MAX_FILE, read_within};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use thiserror::Error;
use walkdir::WalkDir;

#[derive(Debug, Error)]
#[error("{path}: {why}")]
pub struct Unreadable {
    pub path: String,
    pub why: String,
}

/// Path with `/` to content of every file, but for the repository that they came in, and what Python has compiled. Links are
/// followed to files within the directory.
pub(super) fn read_all(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>, Unreadable> {
    let unreadable = |path: &Path, why: String| Unreadable { path: path.display().to_string(), why };
    let root = fs::canonicalize(directory).map_err(|error| unreadable(directory, error.to_string()))?;
    let (mut files, mut budget) = (BTreeMap::new(), Budget::default());
    let not_ours = |name: &str| name == ".git" || name == "__pycache__";
    let walk = WalkDir::new(&root).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !not_ours(&entry.file_name().to_string_lossy())) {
        let entry = entry.map_err(|error| unreadable(error.path().unwrap_or(directory), error.to_string()))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = entry.path();
        let name = path.strip_prefix(&root).unwrap_or(path);
        let Some(name) = name.to_str() else { return Err(unreadable(name, "the name is not valid UTF-8".to_owned())) };
        let bytes = read_within(&root, path, MAX_FILE).map_err(|error| unreadable(Path::new(name), error.to_string()))?;
        budget.take(bytes.len() as u64).map_err(|why| unreadable(directory, why))?;
        files.insert(name.to_owned(), bytes);
    }
    Ok(files)
}
