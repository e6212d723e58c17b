//! What has been read: one SQLite database, one writer. A row exists only for what is durable on disk.

use rusqlite::{Connection, OptionalExtension, params};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

const VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE object (
        bucket TEXT NOT NULL, key TEXT NOT NULL, etag TEXT NOT NULL,
        records INTEGER NOT NULL, written INTEGER NOT NULL, duplicates INTEGER NOT NULL, rejected INTEGER NOT NULL,
        PRIMARY KEY (bucket, key, etag)) WITHOUT ROWID;
    -- Hour of the event first: what is read together lies together.
    CREATE TABLE seen (hour INTEGER NOT NULL, id BLOB NOT NULL, PRIMARY KEY (hour, id)) WITHOUT ROWID;
    CREATE TABLE pending (staged TEXT PRIMARY KEY, target TEXT NOT NULL) WITHOUT ROWID;
    PRAGMA user_version = 1;";

#[derive(Debug, Error)]
pub enum StateError {
    #[error("{path}: {why}")]
    Io { path: PathBuf, why: io::Error },
    #[error("{path}: another iota ingest is using this state")]
    Locked { path: PathBuf },
    #[error("{path}: {why}")]
    Database { path: PathBuf, why: rusqlite::Error },
    #[error("{path}: was written by a newer iota (version {found}; this one knows {VERSION})")]
    Newer { path: PathBuf, found: i64 },
}

/// A record: hour of its event since 1970, and a digest of its value.
pub(super) type SeenId = (i64, [u8; 16]);

/// An object that was read to its end.
#[derive(Debug, Clone)]
pub(super) struct DoneObject {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) records: u64,
    pub(super) written: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: u64,
}

/// Whether an object is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    No,
    Yes,
    /// Under another etag.
    Changed,
}

#[derive(Debug)]
pub struct State {
    path: PathBuf,
    database: Connection,
    /// Held, not read; freed with the process, however that ends.
    _lock: Option<File>,
}

impl State {
    /// For writing, with the lock.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let io = |why| StateError::Io { path: path.to_owned(), why };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let private = |path: &Path| OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let lock = private(Path::new(&lock_path)).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(why)) => return Err(io(why)),
        }
        private(path).map_err(io)?;
        let state = Self { path: path.to_owned(), database: state_of(path, Connection::open(path))?, _lock: Some(lock) };
        state.with(|database| {
            database.pragma_update(None, "journal_mode", "WAL")?;
            database.pragma_update(None, "synchronous", "FULL")?;
            database.pragma_update(None, "cache_size", -65536)
        })?;
        match state.version()? {
            0 => state.with(|database| database.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;")))?,
            VERSION => {}
            found => return Err(StateError::Newer { path: state.path, found }),
        }
        Ok(state)
    }

    /// For reading, beside a writer. `None` where there is no state yet.
    pub fn reader(path: &Path) -> Result<Option<Self>, StateError> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let state = Self { path: path.to_owned(), database: state_of(path, Connection::open_with_flags(path, flags))?, _lock: None };
        match state.version()? {
            VERSION => Ok(Some(state)),
            0 => Ok(None),
            found => Err(StateError::Newer { path: state.path, found }),
        }
    }

    fn version(&self) -> Result<i64, StateError> {
        self.with(|database| database.query_row("PRAGMA user_version", [], |row| row.get(0)))
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StateError> {
        work(&self.database).map_err(|why| StateError::Database { path: self.path.clone(), why })
    }

    /// An empty etag stands for any.
    pub fn knows(&self, bucket: &str, key: &str, etag: &str) -> Result<Known, StateError> {
        self.with(|database| {
            let mut query = database.prepare_cached("SELECT etag FROM object WHERE bucket = ?1 AND key = ?2")?;
            let known = query.query_map(params![bucket, key], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            Ok(match known {
                known if known.is_empty() => Known::No,
                known if etag.is_empty() || known.iter().any(|known| known == etag) => Known::Yes,
                _ => Known::Changed,
            })
        })
    }

    pub(super) fn has_seen(&self, (hour, id): SeenId) -> Result<bool, StateError> {
        self.with(|database| {
            let mut query = database.prepare_cached("SELECT 1 FROM seen WHERE hour = ?1 AND id = ?2")?;
            Ok(query.query_row(params![hour, id], |_| Ok(())).optional()?.is_some())
        })
    }

    /// All or nothing, and durable when it returns. `pending` are files that are durable where they are staged and will be
    /// given their names next; those of before have them.
    pub(super) fn commit(&mut self, objects: &[DoneObject], seen: &[SeenId], pending: &[(String, String)]) -> Result<(), StateError> {
        let path = self.path.clone();
        let mut work = || {
            let transaction = self.database.transaction()?;
            transaction.execute("DELETE FROM pending", [])?;
            {
                let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO object VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
                for object in objects {
                    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
                    insert.execute(params![
                        object.bucket,
                        object.key,
                        object.etag,
                        count(object.records),
                        count(object.written),
                        count(object.duplicates),
                        count(object.rejected)
                    ])?;
                }
                let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO seen VALUES (?1, ?2)")?;
                for (hour, id) in seen {
                    insert.execute(params![hour, id])?;
                }
                let mut insert = transaction.prepare_cached("INSERT INTO pending VALUES (?1, ?2)")?;
                for (staged, target) in pending {
                    insert.execute(params![staged, target])?;
                }
            }
            transaction.commit()
        };
        work().map_err(|why| StateError::Database { path, why })
    }

    pub(super) fn pending(&self) -> Result<Vec<(String, String)>, StateError> {
        self.with(|database| {
            let mut query = database.prepare("SELECT staged, target FROM pending")?;
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }
}

fn state_of(path: &Path, opened: rusqlite::Result<Connection>) -> Result<Connection, StateError> {
    let database = |why| StateError::Database { path: path.to_owned(), why };
    let connection = opened.map_err(database)?;
    connection.busy_timeout(std::time::Duration::from_secs(30)).map_err(database)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(etag: &str) -> DoneObject {
        let (bucket, key, etag) = ("b".to_owned(), "k".to_owned(), etag.to_owned());
        DoneObject { bucket, key, etag, records: 1, written: 1, duplicates: 0, rejected: 0 }
    }

    #[test]
    fn what_is_committed_is_known_to_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/state.db");
        assert!(State::reader(&path).unwrap().is_none());
        let mut state = State::open(&path).unwrap();
        assert!(matches!(State::open(&path), Err(StateError::Locked { .. })));
        state.commit(&[object("e")], &[(1, [7; 16])], &[("s".into(), "t".into())]).unwrap();
        drop(state);
        let state = State::open(&path).unwrap();
        for (etag, expected) in [("e", Known::Yes), ("", Known::Yes), ("f", Known::Changed)] {
            assert_eq!(state.knows("b", "k", etag).unwrap(), expected);
        }
        assert_eq!(state.knows("b", "other", "e").unwrap(), Known::No);
        assert!(state.has_seen((1, [7; 16])).unwrap() && !state.has_seen((2, [7; 16])).unwrap());
        assert_eq!(state.pending().unwrap(), [("s".to_owned(), "t".to_owned())]);
    }

    #[test]
    fn a_newer_state_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
        assert!(matches!(State::open(&path), Err(StateError::Newer { found: 9, .. })));
        std::fs::write(&path, "no database at all, but long enough to be looked at as one").unwrap();
        assert!(matches!(State::open(&path), Err(StateError::Database { .. })));
    }
}
