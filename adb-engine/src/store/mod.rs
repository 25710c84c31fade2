//! The SQLite side: one connection with the catalog that it has read.

pub(crate) mod catalog;
pub(crate) mod format;
pub(crate) mod system;
pub(crate) mod value;

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, OpenFlags};

use crate::{
    directory::Directory,
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

/// A connection to the database.
pub(crate) struct Store {
    pub(crate) conn: Connection,
    /// As of the last [`Store::refresh`], and what this connection has changed since.
    pub(crate) catalog: Arc<Catalog>,
}

impl Store {
    /// Opens the file for writing, makes the tables if there are none or they are of old. The caller holds the write
    /// lock.
    pub(crate) fn open_writer(directory: &Directory) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> Result<Self, ErrorKind> {
            let conn = connect(&directory.database(), flags)?;
            match format::inspect(&conn)? {
                Found::Blank => format::create(&conn)?,
                Found::Older(from) => format::upgrade(&conn, from)?,
                Found::Ready => {}
            }
            // An answer is durable: it is not given before the log has reached the disk.
            conn.pragma_update(None, "synchronous", "FULL")?;
            if cfg!(target_os = "macos") {
                // Elsewhere fsync reaches the disk by itself.
                conn.pragma_update(None, "fullfsync", true)?;
            }
            conn.pragma_update_and_check(None, "wal_autocheckpoint", AUTOCHECKPOINT, |_| Ok(()))?;
            Self::over(conn)
        };
        open().map_err(|kind| directory.error(kind))
    }

    /// Opens the file for reading; nothing if it has no tables yet.
    pub(crate) fn open_reader(directory: &Directory) -> Result<Option<Self>, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> Result<Option<Self>, ErrorKind> {
            let conn = connect(&directory.database(), flags)?;
            match format::inspect(&conn)? {
                Found::Blank => Ok(None),
                Found::Older(found) => Err(ErrorKind::Older { found, known: format::FORMAT }),
                Found::Ready => Self::over(conn).map(Some),
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

fn connect(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(file, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    rusqlite::vtab::array::load_module(&conn)?;
    Ok(conn)
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
