//! The SQLite side: one connection with the catalog that it has read.

pub(crate) mod catalog;
pub(crate) mod format;
pub(crate) mod system;
pub(crate) mod value;

use std::{
    ffi::CStr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::{
    directory::{DATABASE_FILE, Directory},
    error::{Error, ErrorKind},
};
use catalog::Catalog;
use format::Found;

/// Statements kept ready for each connection.
const STATEMENT_CACHE: usize = 512;
/// Pages in the write-ahead log before they are moved to the database (64 MB).
const AUTOCHECKPOINT: i64 = 4000;
/// SQLite's own locks are held for moments only; this is for a machine that stutters.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a writer that opens waits for readers of other processes to let go of the old log.
const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// How SQLite is used. Tests differ from the default, nobody else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// SQLite's file layer; its own unless told.
    pub(crate) vfs: Option<&'static CStr>,
    pub(crate) checkpoint_pages: i64,
    /// Whether an answer waits until the disk has what was written.
    pub(crate) sync: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { vfs: None, checkpoint_pages: AUTOCHECKPOINT, sync: true }
    }
}

/// A connection to the database.
pub(crate) struct Store {
    pub(crate) conn: Connection,
    /// As of the last [`Store::refresh`], and what this connection has changed since.
    pub(crate) catalog: Arc<Catalog>,
}

impl Store {
    /// Opens the database for writing, makes it if it is not there. The caller holds the write
    /// lock.
    pub(crate) fn open_writer(directory: &Directory) -> Result<Self, Error> {
        if !directory.has_database() {
            let unfinished = directory.unfinished()?;
            make(&unfinished, directory.settings).map_err(|kind| directory.error(kind))?;
            directory.finish(&unfinished)?;
        }
        let open = || -> Result<Self, ErrorKind> {
            let file = not_empty(directory)?;
            let conn = connect(&file, OpenFlags::SQLITE_OPEN_READ_WRITE, directory.settings)?;
            let found = format::inspect(&conn)?;
            durable(&conn, directory.settings)?;
            let pages = directory.settings.checkpoint_pages;
            conn.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))?;
            settle_log(&conn)?;
            if let Found::Older(from) = found {
                format::upgrade(&conn, from)?;
            }
            Self::over(conn)
        };
        open().map_err(|kind| directory.error(kind))
    }

    /// Opens the database for reading.
    pub(crate) fn open_reader(directory: &Directory) -> Result<Self, Error> {
        let open = || -> Result<Self, ErrorKind> {
            let file = not_empty(directory)?;
            let conn = connect(&file, OpenFlags::SQLITE_OPEN_READ_ONLY, directory.settings)?;
            match format::inspect(&conn)? {
                Found::Ready => Self::over(conn),
                Found::Older(found) => Err(ErrorKind::Older { found, known: format::FORMAT }),
            }
        };
        open().map_err(|kind| directory.error(kind))
    }

    fn over(conn: Connection) -> Result<Self, ErrorKind> {
        let catalog = Arc::new(Catalog::read(&conn)?);
        Ok(Self { conn, catalog })
    }

    /// Reads the catalog again if another connection has changed it. Inside a transaction, so that
    /// catalog and tables are of one state.
    pub(crate) fn refresh(&mut self) -> Result<(), ErrorKind> {
        if catalog::version(&self.conn)? != self.catalog.version {
            self.catalog = Arc::new(Catalog::read(&self.conn)?);
        }
        Ok(())
    }
}

/// The database's file, if there is something in it. SQLite takes an empty file for a fresh start
/// and would delete the log beside it, which may hold all that is left.
fn not_empty(directory: &Directory) -> Result<PathBuf, ErrorKind> {
    let file = directory.database();
    match std::fs::metadata(&file) {
        Ok(meta) if meta.len() == 0 => {
            Err(ErrorKind::Damaged(format!("`{DATABASE_FILE}` is empty")))
        }
        // Whatever is wrong with it, SQLite will say.
        _ => Ok(file),
    }
}

fn connect(file: &Path, flags: OpenFlags, settings: Settings) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match settings.vfs {
        None => Connection::open_with_flags(file, flags)?,
        Some(vfs) => Connection::open_with_flags_and_vfs(file, flags, vfs)?,
    };
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    rusqlite::vtab::array::load_module(&conn)?;
    Ok(conn)
}

/// Makes a whole database under a name that is not its last one.
fn make(file: &Path, settings: Settings) -> Result<(), ErrorKind> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let conn = connect(file, flags, settings)?;
    durable(&conn, settings)?;
    format::create(&conn)?;
    // Closing moves the log into the file and removes it.
    conn.close().map_err(|(_, e)| e.into())
}

/// An answer is durable: it is not given before the log has reached the disk.
fn durable(conn: &Connection, settings: Settings) -> rusqlite::Result<()> {
    conn.pragma_update(None, "synchronous", if settings.sync { "FULL" } else { "OFF" })?;
    if cfg!(target_os = "macos") {
        // Elsewhere fsync reaches the disk by itself.
        conn.pragma_update(None, "fullfsync", true)?;
    }
    Ok(())
}

/// Moves a log that an earlier connection left into the database, and empties it.
///
/// After a failed sync the system may show what the disk does not hold, and never write it. Such a
/// log must not be added to: after a power failure it would end before what was added. The pages
/// are written anew by moving them. Readers that hold the log only delay this: what they see was
/// in the log before a sync failed.
fn settle_log(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(LOG_PATIENCE)?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    conn.busy_timeout(BUSY_TIMEOUT)
}

/// A number that grows by itself.
pub(crate) fn counter(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT value FROM counter WHERE name = ?")?
        .query_row([name], |row| row.get(0))
}

pub(crate) fn set_counter(conn: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE counter SET value = ? WHERE name = ?")?
        .execute(rusqlite::params![value, name])
        .map(drop)
}
