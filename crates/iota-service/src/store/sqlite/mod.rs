//! State in an embedded SQLite database: `iota.db` in the state directory.
//! The tables are those of `0001.sql`; what they mean is said in `iota_engine::store`.

mod alerts;
mod desk;
mod ledger;
mod look;
mod open;
mod outbox;
mod retain;
mod row;
mod rule_state;
#[cfg(test)]
mod tests;

pub use look::StateFile;

use iota_engine::store::{Damaged, Result, StoreError};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The database. One connection writes; readers have another one, so that they do not wait for a commit.
#[derive(Debug)]
pub struct Sqlite {
    /// How it is called in errors: its path.
    name: String,
    write: Mutex<Connection>,
    /// In memory there is only one connection.
    read: Option<Mutex<Connection>>,
    /// Held as long as this process may work on the state.
    _lock: Option<File>,
}

/// Why work on the database stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    #[error(transparent)]
    Cell(#[from] Damaged),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

pub(super) type Work<T> = std::result::Result<T, Trouble>;

impl Sqlite {
    /// Does everything in one transaction that is durable when this returns; nothing of it when it fails.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Work<T>) -> Result<T> {
        let mut connection = lock(&self.write);
        let done = (|| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })();
        done.map_err(|trouble| self.error(trouble))
    }

    /// Reads what was committed.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Work<T>) -> Result<T> {
        let connection = lock(self.read.as_ref().unwrap_or(&self.write));
        work(&connection).map_err(|trouble| self.error(trouble))
    }

    fn error(&self, trouble: Trouble) -> StoreError {
        let trouble = match trouble {
            Trouble::Sql(error) => return sql_error(&self.name, &error),
            other => other,
        };
        StoreError::Broken { what: self.name.clone(), why: trouble.to_string() }
    }
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sql_error(name: &str, error: &rusqlite::Error) -> StoreError {
    let (what, why) = (name.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { what },
        // What the device refuses now it may take later, also after somebody has made room: the journal's index cannot
        // grow on a full device, and that is told as a failed read or write.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => {
            StoreError::Unavailable { what, why }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Broken {
            what,
            why: format!("the database is damaged ({why}); restore a copy, or move it away to begin anew"),
        },
        _ => StoreError::Broken { what, why },
    }
}
