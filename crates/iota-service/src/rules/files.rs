//! Reading the files of a pack, which anybody may have put there: what is no file, or too large, is an error and not waited for.

use rustix::fs::{Mode, OFlags, open};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Files of a pack, bytes of one, and bytes of all, at most.
pub(crate) const MAX_FILES: usize = 20_000;
pub(crate) const MAX_FILE: u64 = 16 << 20;
const MAX_ALL: u64 = 256 << 20;

/// What was taken of what a pack may hold.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    files: usize,
    bytes: u64,
}

impl Budget {
    /// One more file. The error says what is too much.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), String> {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if bytes > MAX_FILE {
            return Err(format!("{bytes} bytes; a file of a pack may have {MAX_FILE}"));
        }
        if self.files > MAX_FILES {
            return Err(format!("a pack may have {MAX_FILES} files"));
        }
        if self.bytes > MAX_ALL {
            return Err(format!("the files of a pack may have {MAX_ALL} bytes in all"));
        }
        Ok(())
    }
}

/// The content of a regular file of at most so many bytes. The path is no link; it is not followed if it becomes one.
pub(crate) fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Without waiting: a pipe has no writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let too_large = |size: u64| io::Error::other(format!("{size} bytes; {most} are read"));
    if found.len() > most {
        return Err(too_large(found.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
    // It may grow meanwhile.
    file.take(most + 1).read_to_end(&mut bytes)?;
    let size = bytes.len() as u64;
    if size > most { Err(too_large(size)) } else { Ok(bytes) }
}

/// The same for a path that may be a link, as long as it leads to somewhere below `root`, which has none.
pub(crate) fn read_within(root: &Path, path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_file(&within(root, path)?, most)
}

/// Where a path leads, which has to be below `root`: a pack must not make a file of somebody else its own.
pub(crate) fn within(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let real = std::fs::canonicalize(path)?;
    if real.starts_with(root) {
        return Ok(real);
    }
    let why = format!("leads out of the pack, to {}; put a copy there instead of the link", real.display());
    Err(io::Error::other(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_no_file_is_an_error_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        fs::write(root.join("file"), "12345").unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        symlink("/dev/zero", root.join("device")).unwrap();
        symlink("file", root.join("link")).unwrap();
        symlink("pipe", root.join("to pipe")).unwrap();
        let within = |name: &str, most| {
            let read = read_within(&root, &root.join(name), most).map(|bytes| bytes.len());
            read.map_err(|error| error.to_string())
        };
        assert_eq!((within("file", 5), within("link", 5)), (Ok(5), Ok(5)));
        assert_eq!(within("file", 4), Err("5 bytes; 4 are read".to_owned()));
        for name in ["pipe", "to pipe", "."] {
            assert_eq!(within(name, 5), Err("it is no file".to_owned()), "{name}");
        }
        assert!(within("device", 5).unwrap_err().starts_with("leads out of the pack, to /dev/zero"));
        // One that has become a link since it was looked at, and a device.
        assert!(read_file(&root.join("link"), 5).is_err());
        assert_eq!(read_file(Path::new("/dev/zero"), 5).unwrap_err().to_string(), "it is no file");
    }

    #[test]
    fn a_pack_has_limits() {
        let mut budget = Budget::default();
        assert!((0..16).all(|_| budget.take(MAX_FILE).is_ok()));
        assert!(budget.take(1).unwrap_err().contains("in all"));
        let mut budget = Budget::default();
        assert!((0..MAX_FILES).all(|_| budget.take(0).is_ok()));
        assert_eq!(budget.take(0), Err("a pack may have 20000 files".to_owned()));
        assert!(Budget::default().take(MAX_FILE + 1).unwrap_err().contains("a file of a pack may have"));
    }
}
