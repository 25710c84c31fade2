//! The ledger's file.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use redb::{Database, DatabaseError, ReadableDatabase as _, TableDefinition};

use super::{Hash, Stamp};
use crate::error::panic_message;

/// By the hash of a path: size, time, and what was in it.
const FILES: TableDefinition<'_, u128, (u64, i128, [u8; 32])> = TableDefinition::new("files-1");

/// Memory that it may take, whatever its size.
const CACHE: usize = 16 << 20;

/// A ledger that can't be used. An ingestion goes on without it.
#[derive(Debug, thiserror::Error)]
#[error("the ledger {} {reason}", path.display())]
pub(crate) struct LedgerError {
    path: PathBuf,
    reason: String,
}

/// A small transactional database in one file; a kill at any moment leaves the last commit.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    db: Database,
}

impl Store {
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        let fault = |reason: String| LedgerError { path: path.to_owned(), reason };
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|e| fault(format!("can't be made: {e}")))?;
        }
        let db = match create(path) {
            Err(Fault::Other(DatabaseError::DatabaseAlreadyOpen)) => {
                return Err(fault("is in use by another run".to_owned()));
            }
            // Whatever it is, it is no ledger any more, and nothing is lost with it.
            Err(broken) => {
                tracing::warn!("the ledger {} is made anew: {broken}", path.display());
                remove(path).map_err(|e| fault(format!("can't be made anew: {e}")))?;
                create(path).map_err(|e| fault(format!("can't be opened: {e}")))?
            }
            Ok(db) => db,
        };
        Ok(Self { path: path.to_owned(), db })
    }

    pub(super) fn get(&self, key: u128) -> Option<(Stamp, Hash)> {
        let read = || -> Result<_, redb::Error> {
            let files = self.db.begin_read()?.open_table(FILES)?;
            Ok(files.get(key)?.map(|entry| entry.value()))
        };
        // A table that nobody has written to yet is an error too.
        let (size, modified, hash) = guarded(read).ok().flatten()?;
        Some((Stamp { size, modified }, hash))
    }

    pub(super) fn put(&self, entries: &[(u128, Stamp, Hash)]) -> Result<(), LedgerError> {
        let write = || -> Result<(), redb::Error> {
            let transaction = self.db.begin_write()?;
            {
                let mut files = transaction.open_table(FILES)?;
                for (key, stamp, hash) in entries {
                    files.insert(key, (stamp.size, stamp.modified, *hash))?;
                }
            }
            Ok(transaction.commit()?)
        };
        guarded(write).map_err(|e| LedgerError {
            path: self.path.clone(),
            reason: format!("can't be written: {e}"),
        })
    }
}

fn create(path: &Path) -> Result<Database, Fault<DatabaseError>> {
    guarded(|| Database::builder().set_cache_size(CACHE).create(path))
}

/// What went wrong with the file.
#[derive(Debug, thiserror::Error)]
enum Fault<E> {
    #[error("{0}")]
    Other(E),
    #[error("it is damaged: {0}")]
    Panicked(String),
}

/// The library panics at some files that were cut off, and no ledger is worth a run.
fn guarded<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<T, Fault<E>> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(Fault::Other),
        Err(panic) => Err(Fault::Panicked(panic_message(&*panic).to_owned())),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
