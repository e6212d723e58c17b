//! Reading a rule directory. The only place that touches its files.

use super::files::{Budget, MAX_FILE, MAX_FILES, read_within, within};
use iota_engine::rule::{PACK_FILES, Snapshot};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;
use walkdir::{DirEntry, WalkDir};

/// Files of a pack that matter: Python, metadata, lookup tables.
const EXTENSIONS: [&str; 4] = ["py", "yml", "yaml", "json"];
/// Files and directories in the directory of a pack, read or not.
pub(crate) const MAX_ENTRIES: usize = 10 * MAX_FILES;

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
/// holds `..data`), but for `__init__.py`. Symbolic links are followed
/// within the directory; one that leads out of it is an error: a pack must not make a file of somebody else its own.
pub fn read_snapshot(directory: &Path) -> Result<Snapshot, DirectoryError> {
    if !directory.exists() {
        return Err(DirectoryError::Missing(directory.to_owned()));
    }
    if !directory.is_dir() {
        return Err(DirectoryError::NotADirectory(directory.to_owned()));
    }
    let unreadable = |path: &Path, why: String| DirectoryError::Unreadable { path: path.to_owned(), why };
    let root = fs::canonicalize(directory).map_err(|error| unreadable(directory, error.to_string()))?;
    let (mut files, mut budget) = (BTreeMap::new(), Budget::default());
    let walk = WalkDir::new(directory).follow_links(true).sort_by_file_name().into_iter();
    let walk = walk.filter_entry(|entry| entry.depth() == 0 || is_wanted(entry));
    for (number, entry) in walk.enumerate() {
        let entry = entry.map_err(|error| unreadable(error.path().unwrap_or(directory), error.to_string()))?;
        let path = entry.path();
        if number > MAX_ENTRIES {
            return Err(unreadable(directory, format!("more than {MAX_ENTRIES} files and directories; is it a pack?")));
        }
        // Before it is walked through: it may lead to all that there is.
        if entry.depth() > 0 && entry.path_is_symlink() && entry.file_type().is_dir() {
            within(&root, path).map_err(|error| unreadable(path, error.to_string()))?;
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !entry.file_type().is_file() || !EXTENSIONS.contains(&extension) {
            continue;
        }
        let relative = path.strip_prefix(directory).unwrap_or(path);
        let name: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
        let name = name.ok_or_else(|| unreadable(path, "the name is not valid UTF-8".to_owned()))?.join("/");
        let bytes = read_within(&root, path, MAX_FILE).map_err(|error| unreadable(path, error.to_string()))?;
        budget.take(bytes.len() as u64).map_err(|why| unreadable(path, why))?;
        files.insert(name, bytes);
    }
    Ok(Snapshot::new(files))
}

/// Whether it is looked at: a file to be read, or a directory that may hold one.
pub(crate) fn is_wanted(entry: &DirEntry) -> bool {
    is_wanted_name(&entry.file_name().to_string_lossy())
}

/// Whether a file with this path in a pack is read.
pub(crate) fn is_read(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    path.split('/').all(is_wanted_name) && EXTENSIONS.contains(&extension)
}

fn is_wanted_name(name: &str) -> bool {
    name == "__init__.py" || !(name.starts_with('.') || name.starts_with('_'))
}

/// The packs that a path means: the one it lies in, which is the nearest directory from the path upwards that holds a
/// `pack.yaml`; else the packs below it; else the path itself, or the directory of a file.
pub fn packs_of(path: &Path) -> Result<Vec<PathBuf>, DirectoryError> {
    let start = if path.is_dir() {
        path
    } else {
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    };
    let absolute = fs::canonicalize(start).unwrap_or_else(|_| start.to_owned());
    Ok(match absolute.ancestors().find(|directory| is_pack(directory)) {
        Some(found) if found != absolute => vec![found.to_owned()],
        None if path.is_dir() => match packs_below(start)? {
            below if below.is_empty() => vec![start.to_owned()],
            below => below,
        },
        Some(_) | None => vec![start.to_owned()],
    })
}

/// The directories at or below one that hold a `pack.yaml`; what lies below a pack belongs to it.
pub(super) fn packs_below(directory: &Path) -> Result<Vec<PathBuf>, DirectoryError> {
    if is_pack(directory) {
        return Ok(vec![directory.to_owned()]);
    }
    let (mut found, mut looked_at) = (Vec::new(), 0);
    let mut walk = WalkDir::new(directory).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        looked_at += 1;
        if looked_at > MAX_ENTRIES {
            let why = format!("more than {MAX_ENTRIES} files and directories to look for packs in; name the packs");
            return Err(DirectoryError::Unreadable { path: directory.to_owned(), why });
        }
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
    Ok(found)
}

fn is_pack(directory: &Path) -> bool {
    PACK_FILES.iter().any(|name| directory.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_within_the_pack() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("credentials"), "secret").unwrap();
        let pack = tempfile::tempdir().unwrap();
        let root = pack.path();
        // As a mounted ConfigMap has it.
        fs::create_dir(root.join("..2026")).unwrap();
        fs::write(root.join("..2026/rule.py"), "def rule(event): return True").unwrap();
        symlink("..2026", root.join("..data")).unwrap();
        symlink("..data/rule.py", root.join("rule.py")).unwrap();
        let names = |snapshot: Snapshot| snapshot.python().map(|(path, _)| path.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(read_snapshot(root).unwrap()), ["rule.py"]);
        symlink(outside.path().join("credentials"), root.join("stolen.py")).unwrap();
        let error = read_snapshot(root).unwrap_err().to_string();
        assert!(error.contains("stolen.py: leads out of the pack"), "{error}");
        fs::remove_file(root.join("stolen.py")).unwrap();
        // Where nothing is that would be read, too: looking for it may take for ever.
        fs::create_dir(outside.path().join("elsewhere")).unwrap();
        symlink(outside.path().join("elsewhere"), root.join("all")).unwrap();
        let error = read_snapshot(root).unwrap_err().to_string();
        assert!(error.contains("all: leads out of the pack"), "{error}");
    }
}
