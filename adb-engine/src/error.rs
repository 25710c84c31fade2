//! What can go wrong outside of a request's own faults (those are refusals).

use std::path::{Path, PathBuf};

use adb_model::{DbError, Fate};

use crate::holder::Holder;

/// The database could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[error("{kind} ({})", path.display())]
pub struct Error {
    path: PathBuf,
    kind: Box<ErrorKind>,
}

impl Error {
    pub(crate) fn new(path: &Path, kind: ErrorKind) -> Self {
        Self { path: path.to_owned(), kind: Box::new(kind) }
    }

    /// The database's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    pub(crate) fn into_kind(self) -> ErrorKind {
        *self.kind
    }

    /// Whether another attempt, a little later, can help.
    ///
    /// A database that another process writes to is not counted: that process may take hours, and
    /// whoever waits for it should say so.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match &*self.kind {
            ErrorKind::Store(e) => e.is_busy(),
            ErrorKind::BeingMade { .. } | ErrorKind::Overtaken => true,
            _ => false,
        }
    }
}

/// A request that failed so was not applied; where that is not sure, the writer says otherwise.
impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let made = if error.is_transient() {
            DbError::transient(message)
        } else {
            DbError::permanent(message)
        };
        made.with_fate(Fate::NotApplied).with_source(error)
    }
}

/// What was wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The path leads to something that is not a directory.
    #[error("a database is a directory, and this is something else")]
    NotADirectory,
    /// There is no database, and none may be made.
    #[error("there is no database here, and one is not made when opening read-only")]
    Missing,
    /// A directory with other things in it.
    #[error(
        "the directory is not empty and holds no adb database; name an empty one, or one that does not exist yet"
    )]
    NotOurs,
    /// A database file of another program.
    #[error("`{file}` in the directory was not made by adb; name another directory")]
    Foreign {
        /// The file.
        file: &'static str,
    },
    /// A newer adb wrote it.
    #[error(
        "the database has format {found}, this adb knows formats up to {known}; use the newer adb that made it"
    )]
    Newer {
        /// The format number on disk.
        found: i64,
        /// The newest that this crate knows.
        known: i64,
    },
    /// An older adb wrote it, and it may not be upgraded.
    #[error(
        "the database has format {found}, this adb reads format {known}; open it for writing once, which upgrades it"
    )]
    Older {
        /// The format number on disk.
        found: i64,
        /// The one that this crate reads.
        known: i64,
    },
    /// Another process writes to it.
    #[error("{}", by.refuses())]
    Locked {
        /// Who.
        by: Holder,
    },
    /// Another process is making it.
    #[error("{by} is making this database just now; try again")]
    BeingMade {
        /// Who.
        by: Holder,
    },
    /// A write through an engine that was opened for reading.
    #[error("the database was opened read-only, and the request writes")]
    ReadOnly,
    /// The engine's threads have ended.
    #[error("the database has been closed")]
    Closed,
    /// The operating system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The disk is full.
    #[error("the disk is full; make room on it, then send the request again")]
    DiskFull,
    /// The file or its directory may not be written to, or not even be opened.
    #[error(
        "the files of the database cannot be opened or written ({0}); this process needs the right to write to the directory even for reading, so grant it, or copy the directory to where it has it"
    )]
    NoAccess(#[source] StoreError),
    /// The disk refused to read, to write, or to say that what was written is safe.
    #[error("the disk failed ({0}); look after the disk, and send the request again once it works")]
    Disk(#[source] StoreError),
    /// A log that was left, be it by a kill or a failed sync, could not be put on the disk.
    #[error(
        "the log that was left could not be written to the disk once more ({0}); look after the disk, and send the request again once it works"
    )]
    Log(#[source] std::io::Error),
    /// The disk did not confirm what was moved from the log into the database. All of it is still in
    /// the log, and nothing more is written until the database is opened again.
    #[error(
        "the disk failed while the log was moved into the database ({0}), so this process writes no more; nothing that was answered is lost: look after the disk, end all processes that have the database open, then open it again"
    )]
    Distrusted(#[source] StoreError),
    /// SQLite failed otherwise: locks or memory.
    #[error("the store failed: {0}")]
    Store(#[source] StoreError),
    /// The store does not hold what its format says.
    #[error(
        "the store is damaged: {0}; keep the directory as it is, and restore a copy of it elsewhere"
    )]
    Damaged(String),
    /// Another request deleted, meanwhile, what `if_not_found` had found.
    #[error(
        "an object that `if_not_found` had found was deleted while the request was on its way, and what is to be stored instead was not made ready; send the request again"
    )]
    Overtaken,
    /// The bytes of one object are not what was stored.
    #[error(
        "the object {object} {why}; restore a copy of the directory, or delete the object and add it again (all others can be read)"
    )]
    DamagedObject {
        /// Its `_uniqueid`.
        object: String,
        /// In what.
        why: String,
    },
    /// A file of blobs could not be read or written.
    #[error(
        "the disk failed ({doing}: {source}); look after the disk, and send the request again once it works"
    )]
    Pack {
        /// What was attempted.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The engine's own fault; the request was not applied.
    #[error("adb failed where it must not, please report it: {0}")]
    Bug(String),
}

impl From<rusqlite::Error> for ErrorKind {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseCorrupt, DiskFull, NotADatabase, PermissionDenied, ReadOnly,
            SystemIoFailure,
        };
        match error.sqlite_error_code() {
            Some(DiskFull) => ErrorKind::DiskFull,
            Some(DatabaseCorrupt | NotADatabase) => ErrorKind::Damaged(error.to_string()),
            Some(CannotOpen | PermissionDenied | ReadOnly) => {
                ErrorKind::NoAccess(StoreError(error))
            }
            Some(SystemIoFailure) => ErrorKind::Disk(StoreError(error)),
            None if is_misfit(&error) => ErrorKind::Damaged(error.to_string()),
            _ => ErrorKind::Store(StoreError(error)),
        }
    }
}

/// Whether rows are missing that are always there, or values have types that are never stored.
fn is_misfit(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows,
        Utf8Error,
    };
    matches!(
        error,
        FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | QueryReturnedNoRows
            | Utf8Error(..)
    )
}

/// What SQLite said, with the number that tells its causes apart.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", .0, extended(.0))]
pub struct StoreError(rusqlite::Error);

/// SQLite says "disk I/O error" to all that disks do; which of it happened is a number.
fn extended(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(e, _) => match e.extended_code {
            rusqlite::ffi::SQLITE_IOERR_FSYNC => ": a sync failed".to_owned(),
            rusqlite::ffi::SQLITE_IOERR_WRITE => ": a write failed".to_owned(),
            rusqlite::ffi::SQLITE_IOERR_READ => ": a read failed".to_owned(),
            rusqlite::ffi::SQLITE_IOERR_SHORT_READ => ": a file is too short".to_owned(),
            code => format!(": code {code}"),
        },
        _ => String::new(),
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl StoreError {
    /// Whether it waited for a lock in vain.
    fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        matches!(self.0.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
    }
}
