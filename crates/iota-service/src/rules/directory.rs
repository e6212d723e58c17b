//! Reading a rule directory. The only place that touches its files.

use iota_engine::rule::{PACK_FILES, Snapshot};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;
use walkdir::{DirEntry, WalkDir};

/// Files of a pack that matter: Python, metadata, lookup tables.
const EXTENSIONS: [&str; 4] = ["py", "yml", "yaml", "json"];
/// Largest file of a pack, in bytes.
const MAX_FILE: u64 = 16 << 20;

#[derive(Debug, Error)]
pub enum DirectoryError {
    #[error("rules: {0} does not exist")]
    Missing(PathBuf),
    #[error("rules: {0} is not a directory")]
    NotADirectory(PathBuf),
    #[error("rules: {path}: {why}")]
    Unreadable { path: PathBuf, why: String },
}

/// Reads the pack in `directory`. Names that start with `.` or `_` are left out at every level (a mounted ConfigMap
/// holds `..data`), but for `__init__.py`. Symbolic links are followed.
pub fn read_snapshot(directory: &Path) -> Result<Snapshot, DirectoryError> {
    if !directory.exists() {
        return Err(DirectoryError::Missing(directory.to_owned()));
    }
    if !directory.is_dir() {
        return Err(DirectoryError::NotADirectory(directory.to_owned()));
    }
    let unreadable = |path: &Path, why: String| DirectoryError::Unreadable { path: path.to_owned(), why };
    let mut files = BTreeMap::new();
    let walk = WalkDir::new(directory).follow_links(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || is_wanted(entry)) {
        let entry = entry.map_err(|error| unreadable(error.path().unwrap_or(directory), error.to_string()))?;
        let extension = entry.path().extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !entry.file_type().is_file() || !EXTENSIONS.contains(&extension) {
            continue;
        }
        let path = entry.path();
        let relative = path.strip_prefix(directory).unwrap_or(path);
        let name: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
        let name = name.ok_or_else(|| unreadable(path, "the name is not valid UTF-8".to_owned()))?.join("/");
        let size = entry.metadata().map_or(0, |metadata| metadata.len());
        if size > MAX_FILE {
            return Err(unreadable(path, format!("{size} bytes; a file of a pack may have {MAX_FILE}")));
        }
        files.insert(name, fs::read(path).map_err(|error| unreadable(path, error.to_string()))?);
    }
    Ok(Snapshot::new(files))
}

fn is_wanted(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    name == "__init__.py" || !(name.starts_with('.') || name.starts_with('_'))
}

/// The packs that a path means: the one it lies in, which is the nearest directory from the path upwards that holds a
/// `pack.yaml`; else the packs below it; else the path itself, or the directory of a file.
pub fn packs_of(path: &Path) -> Vec<PathBuf> {
    let start = if path.is_dir() {
        path
    } else {
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    };
    let absolute = fs::canonicalize(start).unwrap_or_else(|_| start.to_owned());
    match absolute.ancestors().find(|directory| is_pack(directory)) {
        Some(found) if found != absolute => vec![found.to_owned()],
        None if path.is_dir() => match packs_below(start) {
            below if below.is_empty() => vec![start.to_owned()],
            below => below,
        },
        Some(_) | None => vec![start.to_owned()],
    }
}

/// The directories at or below one that hold a `pack.yaml`; what lies below a pack belongs to it.
pub(super) fn packs_below(directory: &Path) -> Vec<PathBuf> {
    if is_pack(directory) {
        return vec![directory.to_owned()];
    }
    let mut found = Vec::new();
    let mut walk = WalkDir::new(directory).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        if !entry.file_type().is_dir() {
            continue;
        }
        if entry.depth() > 0 && !is_wanted(&entry) {
            walk.skip_current_dir();
        } else if is_pack(entry.path()) {
            found.push(entry.path().to_owned());
            walk.skip_current_dir();
        }
    }
    found
}

fn is_pack(directory: &Path) -> bool {
    PACK_FILES.iter().any(|name| directory.join(name).is_file())
}
