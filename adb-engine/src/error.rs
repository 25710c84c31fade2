//! What can go wrong outside of a request's own faults (those are refusals).

use std::path::{Path, PathBuf};

use adb_model::{DbError, Fate};

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
            ErrorKind::BeingMade { .. } => true,
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
    #[error(
        "{} is writing to this database, and one process writes at a time; wait until it ends, or stop it (reading works meanwhile)",
        holder(*pid)
    )]
    Locked {
        /// The process, where it could be learnt.
        pid: Option<u32>,
    },
    /// Another process is making it.
    #[error("{} is making this database just now; try again", holder(*pid))]
    BeingMade {
        /// The process, where it could be learnt.
        pid: Option<u32>,
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
    /// SQLite failed: the disk, the file, or memory.
    #[error("the store failed: {0}")]
    Store(#[source] StoreError),
    /// The store does not hold what its format says.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The engine's own fault; the request was not applied.
    #[error("adb failed where it must not, please report it: {0}")]
    Bug(String),
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

impl From<rusqlite::Error> for ErrorKind {
    fn from(error: rusqlite::Error) -> Self {
        ErrorKind::Store(StoreError(error))
    }
}

/// What SQLite said.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(rusqlite::Error);

impl StoreError {
    /// Whether it waited for a lock in vain.
    fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        matches!(self.0.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
    }
}
