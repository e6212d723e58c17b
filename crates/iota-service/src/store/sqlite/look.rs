//! State as it is found from outside, without SQLite, which might write to it.

use super::Sqlite;
use super::open::{LOCK, check_header_version, newest_version};
use iota_engine::store::Result;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The database of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateFile {
    /// `None`: there is none yet.
    pub version: Option<usize>,
    /// The newest version that this iota knows.
    pub newest: usize,
}

impl Sqlite {
    /// Refuses what opening would refuse for its header.
    pub fn look(directory: &Path) -> Result<StateFile> {
        let newest = newest_version();
        Ok(StateFile { version: check_header_version(&directory.join("iota.db"), newest)?, newest })
    }

    /// Who takes input with this state now. Holds the lock for an instant, so that a process that starts in it is refused.
    pub fn holder(directory: &Path) -> io::Result<Option<String>> {
        let path = directory.join(LOCK);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let pid = text.trim();
                Ok(Some(if pid.is_empty() { "another process".to_owned() } else { format!("process {pid}") }))
            }
            Err(error) => Err(error.into()),
        }
    }
}
