//! Opens the database: directory, lock, versions, migrations. Whatever is in doubt is refused, and nothing is changed then.

use super::{Sqlite, sql_error};
use crate::crash_point;
use iota_engine::store::{Result, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process;
use std::sync::Mutex;
use std::time::Duration;

/// From version 0, a new database, to the newest: what makes version n + 1 of version n.
const MIGRATIONS: &[&str] = &[include_str!("0001.sql"), include_str!("0002.sql")];
/// Who holds it takes input.
pub(super) const LOCK: &str = "iota.lock";
/// `iota` in ASCII: tells the database from those of other programs.
const APPLICATION: i32 = 0x696f_7461;
/// What every SQLite database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How long a write waits for that of another process (`iota alerts ack` beside a run).
const BUSY: Duration = Duration::from_secs(5);
/// Pages kept in memory per connection, in KiB: more groups than fit are read from the system's cache.
const CACHE_KIB: i64 = 32 << 10;
/// Pages that the journal holds before they are written to the database: a page that many units change is written once.
const JOURNAL_PAGES: i64 = (256 << 20) / PAGE;
/// Bytes of a page.
const PAGE: i64 = 8 << 10;

impl Sqlite {
    /// Opens the state for a process that takes input: the only one. Makes what is not there; migrates what is older,
    /// after a copy.
    pub fn open(directory: &Path) -> Result<Self> {
        Self::open_with(directory, MIGRATIONS)
    }

    pub(super) fn open_with(directory: &Path, migrations: &[&str]) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| broken(directory, &error))?;
        let lock = take_lock(directory)?;
        let path = directory.join("iota.db");
        let exists = check_header(&path, migrations.len())?;
        if !exists {
            private().create(true).write(true).open(&path).map_err(|error| broken(&path, &error))?;
        }
        crash_point("open.created");
        let name = path.display().to_string();
        let mut write = connect(&path, &name, migrations.len())?;
        crash_point("open.connected");
        if exists {
            check_pages(&write, &name)?;
        }
        migrate(&mut write, &path, migrations)?;
        crash_point("open.migrated");
        let read = connect(&path, &name, migrations.len())?;
        Ok(Self { name, write: Mutex::new(write), read: Some(Mutex::new(read)), _lock: Some(lock) })
    }

    /// Opens state that is there, to look and to change what people may change, also while another process takes input.
    pub fn open_beside(directory: &Path) -> Result<Self> {
        let path = directory.join("iota.db");
        let name = path.display().to_string();
        let broken = |why: &str| StoreError::Broken { what: name.clone(), why: why.to_owned() };
        if !check_header(&path, MIGRATIONS.len())? {
            return Err(broken("there is no state; `iota run --state` makes it"));
        }
        let write = connect(&path, &name, MIGRATIONS.len())?;
        if version(&write).map_err(|error| sql_error(&name, &error))? != MIGRATIONS.len() {
            return Err(broken("it is of an older version; `iota run --state` migrates it"));
        }
        let read = connect(&path, &name, MIGRATIONS.len())?;
        Ok(Self { name, write: Mutex::new(write), read: Some(Mutex::new(read)), _lock: None })
    }

    /// State that goes away with this value.
    pub fn memory() -> Result<Self> {
        let name = "state in memory".to_owned();
        let open = || {
            let mut connection = Connection::open_in_memory()?;
            let transaction = connection.transaction()?;
            MIGRATIONS.iter().try_for_each(|migration| transaction.execute_batch(migration))?;
            transaction.commit()?;
            Ok(connection)
        };
        let write = open().map_err(|error| sql_error(&name, &error))?;
        Ok(Self { name, write: Mutex::new(write), read: None, _lock: None })
    }
}

/// The version that this iota makes.
pub(super) fn newest_version() -> usize {
    MIGRATIONS.len()
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn broken(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Broken { what: path.display().to_string(), why: error.to_string() }
}

/// The lock goes away with the process, however that ends.
fn take_lock(directory: &Path) -> Result<File> {
    let path = directory.join(LOCK);
    let fail = |error: io::Error| broken(&path, &error);
    let mut file = private().create(true).truncate(false).read(true).write(true).open(&path).map_err(fail)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let by = Some(holder.trim()).filter(|pid| !pid.is_empty()).map(|pid| format!("pid {pid}"));
            return Err(StoreError::Locked { what: directory.display().to_string(), by });
        }
        Err(error) => return Err(fail(error.into())),
    }
    file.set_len(0).map_err(fail)?;
    file.rewind().map_err(fail)?;
    // Who holds the lock is a help for people; on a full device it is left out.
    let _ = writeln!(file, "{}", process::id());
    Ok(file)
}

/// False when there is no database yet.
fn check_header(path: &Path, newest: usize) -> Result<bool> {
    Ok(check_header_version(path, newest)?.is_some())
}

/// Looks at the file without SQLite, which might write to it. `None` when there is no database yet.
pub(super) fn check_header_version(path: &Path, newest: usize) -> Result<Option<usize>> {
    let broken = |why: String| StoreError::Broken { what: path.display().to_string(), why };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(broken(error.to_string())),
    };
    let mut header = Vec::new();
    file.take(100).read_to_end(&mut header).map_err(|error| broken(error.to_string()))?;
    if header.is_empty() {
        return Ok(None);
    }
    if header.len() < 100 || !header.starts_with(MAGIC) {
        return Err(broken("this is no SQLite database; it was left as it is".to_owned()));
    }
    let number = |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_be_bytes);
    check_version(number(68), number(60), newest).map(Some).map_err(broken)
}

/// Both are 0 as long as what was written first has not come from the journal into the file.
fn check_version(application: i32, version: i32, newest: usize) -> std::result::Result<usize, String> {
    if application != APPLICATION && (application, version) != (0, 0) {
        return Err("this is the database of another program; it was left as it is".to_owned());
    }
    usize::try_from(version).ok().filter(|version| *version <= newest).ok_or_else(|| {
        format!("it is of version {version}, this iota knows versions up to {newest}; it was left as it is: use the newer iota")
    })
}

fn connect(path: &Path, name: &str, newest: usize) -> Result<Connection> {
    let open = || {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok((connection, application, version))
    };
    let (connection, application, version) = open().map_err(|error| sql_error(name, &error))?;
    check_version(application, version, newest).map_err(|why| StoreError::Broken { what: name.to_owned(), why })?;
    let set_up = || {
        // Of a new database only. Of 4 KiB a row with the content of an alert, about 2 KB, would fill one alone.
        connection.pragma_update(None, "page_size", PAGE)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // With less, a commit that was reported may be gone after a loss of power, and with it an alert whose input is
        // not read again.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "wal_autocheckpoint", JOURNAL_PAGES)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(())
    };
    set_up().map_err(|error| sql_error(name, &error))?;
    Ok(connection)
}

fn check_pages(connection: &Connection, name: &str) -> Result<()> {
    let said: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| sql_error(name, &error))?;
    if said == "ok" {
        return Ok(());
    }
    let why = format!("the database is damaged ({said}); restore a copy, or move it away to begin anew");
    Err(StoreError::Broken { what: name.to_owned(), why })
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version as usize)
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<()> {
    let name = path.display().to_string();
    let fail = |error: rusqlite::Error| sql_error(&name, &error);
    let from = version(connection).map_err(fail)?;
    let Some(missing) = migrations.get(from..).filter(|missing| !missing.is_empty()) else { return Ok(()) };
    if from > 0 {
        let copy = path.with_extension(format!("db.version-{from}"));
        copy_to(connection, &copy)?;
        tracing::info!("{name}: migrating from version {from} to {}; a copy is in {}", migrations.len(), copy.display());
    }
    let mut run = || {
        let transaction = connection.transaction()?;
        for migration in missing {
            transaction.execute_batch(migration)?;
        }
        crash_point("open.migrating");
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", u32::try_from(migrations.len()).unwrap_or(u32::MAX))?;
        transaction.commit()?;
        // So that the file itself tells its version.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    };
    run().map_err(fail)
}

/// A copy that is whole, or not there.
fn copy_to(connection: &Connection, copy: &Path) -> Result<()> {
    let unfinished = copy.with_extension("unfinished");
    let fail = |error: io::Error| broken(copy, &error);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    // SQLite takes an empty file for a database that is yet to be made, with the permissions it has.
    private().create_new(true).write(true).open(&unfinished).map_err(fail)?;
    let name = copy.display().to_string();
    connection.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()]).map_err(|error| sql_error(&name, &error))?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(fail)?;
    fs::rename(&unfinished, copy).map_err(fail)
}
