//! What git says of the files of a commit, taken as far as a pack may go: a few objects can make up any number of files.

use super::GitError;
use crate::rules::{Budget, MAX_FILES};
use crate::supply::manifest::is_plain;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

/// Bytes of an entry, which are those of a path and about 100 more.
const MAX_ENTRY: u64 = 4096;
/// Directories, to one file.
const TREES: usize = 10;

/// A file that is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) path: String,
    pub(super) object: String,
    pub(super) size: u64,
}

/// Reads what `ls-tree -r -t -l -z` writes.
pub(super) fn list(output: &mut dyn BufRead) -> Result<Vec<Blob>, GitError> {
    let (mut blobs, mut budget, mut trees) = (Vec::new(), Budget::default(), 0);
    loop {
        let mut entry = Vec::new();
        Read::take(&mut *output, MAX_ENTRY)
            .read_until(0, &mut entry)
            .map_err(|error| GitError::Io("git ls-tree".to_owned(), error))?;
        if entry.is_empty() {
            return Ok(blobs);
        }
        if entry.pop() != Some(0) {
            return Err(GitError::Odd(format!("a path of more than {} bytes", MAX_ENTRY - 100)));
        }
        match of_entry(&entry)? {
            None if trees == MAX_FILES * TREES => {
                return Err(GitError::Odd(format!("more than {} directories", MAX_FILES * TREES)));
            }
            None => trees += 1,
            Some(blob) => {
                budget.take(blob.size).map_err(|why| GitError::Odd(format!("{:?}: {why}", blob.path)))?;
                blobs.push(blob);
            }
        }
    }
}

/// `None`: a directory.
fn of_entry(entry: &[u8]) -> Result<Option<Blob>, GitError> {
    let odd = || GitError::Odd(format!("an entry that cannot be read: {}", entry.escape_ascii()));
    let entry = std::str::from_utf8(entry).map_err(|_| odd())?;
    let (about, path) = entry.split_once('\t').ok_or_else(odd)?;
    let [mode, _, object, size] = about.split_whitespace().collect::<Vec<_>>()[..] else { return Err(odd()) };
    match mode {
        "040000" => Ok(None),
        "100644" | "100755" | "100664" if is_plain(path) => {
            let size = size.parse().map_err(|_| GitError::Odd(format!("no content of {path:?}")))?;
            Ok(Some(Blob { path: path.to_owned(), object: object.to_owned(), size }))
        }
        "120000" => Err(GitError::Odd(format!("a symbolic link, {path:?}; put a file there"))),
        "160000" => Err(GitError::Odd(format!("a submodule, {path:?}; put its files there"))),
        _ => Err(GitError::Odd(format!("a file named {path:?}"))),
    }
}

/// Reads what `cat-file --batch` writes of these.
pub(super) fn contents(blobs: Vec<Blob>, output: &mut dyn BufRead) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
    let broken = |error: io::Error| GitError::Io("git cat-file".to_owned(), error);
    let mut files = BTreeMap::new();
    for Blob { path, object, size } in blobs {
        let mut head = String::new();
        Read::take(&mut *output, 200).read_line(&mut head).map_err(broken)?;
        if head.trim_end() != format!("{object} blob {size}") {
            return Err(GitError::Odd(format!("no content of {path:?}")));
        }
        let mut bytes = Vec::new();
        // And a line end.
        Read::take(&mut *output, size + 1).read_to_end(&mut bytes).map_err(broken)?;
        if bytes.pop() != Some(b'\n') || bytes.len() as u64 != size {
            return Err(GitError::Odd(format!("no content of {path:?}")));
        }
        files.insert(path, bytes);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "587be6b4c3f93f93c489c0111bba5596147a26cb";

    fn listed(entry: &str, times: usize) -> Result<Vec<Blob>, String> {
        let mut output = io::BufReader::new(io::Cursor::new(format!("{entry}\0").repeat(times).into_bytes()));
        list(&mut output).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_more_than_a_pack_may_hold_is_read_no_further() {
        let file = format!("100644 blob {ID}       2\tr.py");
        let blob = || Blob { path: "r.py".to_owned(), object: ID.to_owned(), size: 2 };
        assert_eq!(listed(&file, 2), Ok(vec![blob(), blob()]));
        for (entry, times, why) in [
            (file.clone(), MAX_FILES + 1, "a pack may have 20000 files"),
            (format!("040000 tree {ID}       -\td"), MAX_FILES * TREES + 1, "more than 200000 directories"),
            (format!("100644 blob {ID} 16777217\tr.py"), 1, "16777217 bytes; a file of a pack may have 16777216"),
            (format!("100644 blob {ID} 16777216\tr.py"), 17, "the files of a pack may have 268435456"),
            (format!("100644 blob {ID}       2\t{}", "x".repeat(5000)), 1, "a path of more than 3996 bytes"),
            (format!("100644 blob {ID}     BAD\tr.py"), 1, "no content of \"r.py\""),
            (format!("100644 blob {ID}       2\t../r.py"), 1, "a file named \"../r.py\""),
            (format!("100644 {ID} 2\tr.py"), 1, "an entry that cannot be read"),
        ] {
            let said = listed(&entry, times).unwrap_err();
            assert!(said.contains(why), "{why}: {said}");
        }
    }

    #[test]
    fn contents_are_those_that_were_listed() {
        let read = |output: &str, size| {
            let blobs = vec![Blob { path: "r.py".to_owned(), object: ID.to_owned(), size }];
            contents(blobs, &mut output.as_bytes()).map_err(|error| error.to_string())
        };
        assert_eq!(read(&format!("{ID} blob 2\nx\n\n"), 2), Ok(BTreeMap::from([("r.py".to_owned(), b"x\n".to_vec())])));
        for (output, size) in [
            (format!("{ID} blob 3\nx\n\n\n"), 2),
            (format!("{ID} missing\n"), 2),
            (format!("{ID} blob 2\nx"), 2),
            (format!("{ID} blob 2\nxyz\n"), 2),
            (String::new(), 2),
        ] {
            assert_eq!(read(&output, size).unwrap_err(), "the repository holds no content of \"r.py\"", "{output}");
        }
    }
}
