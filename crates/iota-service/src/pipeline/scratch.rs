//! A temporary file without a name: it goes away with the process, however that ends.
//! Created when something is first written; append-only.

use std::env::temp_dir;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

#[derive(Debug, Default)]
pub(super) struct Scratch {
    file: Option<File>,
    length: u64,
}

impl Scratch {
    /// Bytes written so far.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile().map_err(|error| explain(&error))?),
        };
        file.write_all_at(bytes, self.length).map_err(|error| explain(&error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Fills `bytes` from an offset on.
    pub(super) fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        match &self.file {
            Some(file) => file.read_exact_at(bytes, at).map_err(|error| explain(&error)),
            None => Err(damaged()),
        }
    }
}

/// What was read back is not what was written.
pub(super) fn damaged() -> io::Error {
    explain(&io::Error::new(io::ErrorKind::InvalidData, "what was read back is not what was written"))
}

fn explain(error: &io::Error) -> io::Error {
    let directory = temp_dir();
    let text = format!("temporary file in {}: {error}; TMPDIR names another directory", directory.display());
    io::Error::new(error.kind(), text)
}
