//! The database's directory: what lies in it, and who may write.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::error::{Error, ErrorKind};

/// Everything that must not be lost.
pub(crate) const DATABASE_FILE: &str = "adb.sqlite";
/// Held by the writing process; its text is that process's id.
pub(crate) const LOCK_FILE: &str = "adb.lock";

/// How long a lock that this very process holds is waited for: an engine that was dropped a moment
/// ago may still be closing.
const OWN_LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// A directory that is, or may become, a database.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Looks at `path`; makes the directory if `create` and it is missing.
    pub(crate) fn open(path: &Path, create: bool) -> Result<Self, Error> {
        let fail = |kind| Error::new(path, kind);
        match fs::metadata(path) {
            Ok(meta) if !meta.is_dir() => return Err(fail(ErrorKind::NotADirectory)),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                if !create {
                    return Err(fail(ErrorKind::Missing));
                }
                fs::create_dir_all(path).map_err(|source| {
                    fail(ErrorKind::Io { doing: "making the directory", source })
                })?;
            }
            Err(source) => {
                return Err(fail(ErrorKind::Io { doing: "looking at the directory", source }));
            }
        }
        // One spelling for each directory, so that opening it twice in a process is noticed.
        let root = fs::canonicalize(path).map_err(|source| {
            fail(ErrorKind::Io { doing: "resolving the directory's path", source })
        })?;
        let directory = Self { root };
        if !directory.has_database() && !directory.is_empty()? {
            return Err(fail(ErrorKind::NotOurs));
        }
        Ok(directory)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join(DATABASE_FILE)
    }

    /// Whether the database's file is there; it may still be without tables.
    pub(crate) fn has_database(&self) -> bool {
        self.database().exists()
    }

    /// A lock file alone is what a process leaves that was killed before it made the database.
    fn is_empty(&self) -> Result<bool, Error> {
        let io = |source| self.error(ErrorKind::Io { doing: "listing the directory", source });
        for entry in fs::read_dir(&self.root).map_err(io)? {
            if entry.map_err(io)?.file_name() != LOCK_FILE {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(&self.root, kind)
    }

    /// Takes the write lock, which lasts until the answer is dropped or the process ends, however
    /// it ends.
    pub(crate) fn lock(&self) -> Result<WriteLock, Error> {
        let io = |source| self.error(ErrorKind::Io { doing: "opening the lock file", source });
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(self.root.join(LOCK_FILE))
            .map_err(io)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let pid = self.lock_holder();
                    if pid == Some(std::process::id()) && start.elapsed() < OWN_LOCK_PATIENCE {
                        std::thread::sleep(Duration::from_millis(5));
                        continue;
                    }
                    return Err(self.error(ErrorKind::Locked { pid }));
                }
                Err(TryLockError::Error(source)) => {
                    return Err(
                        self.error(ErrorKind::Io { doing: "locking the lock file", source })
                    );
                }
            }
        }
        // The pid is for people; the lock holds without it.
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(source) = written {
            return Err(self.error(ErrorKind::Io { doing: "writing the lock file", source }));
        }
        Ok(WriteLock { _file: file })
    }

    /// Who holds the lock, as the lock file says.
    pub(crate) fn lock_holder(&self) -> Option<u32> {
        let mut text = String::new();
        File::open(self.root.join(LOCK_FILE)).ok()?.take(32).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }
}

/// The right to write, until dropped.
#[derive(Debug)]
pub(crate) struct WriteLock {
    _file: File,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_directories_become_databases() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Directory::open(dir.path(), true).is_ok());
        fs::write(dir.path().join(LOCK_FILE), "1").unwrap();
        assert!(Directory::open(dir.path(), true).is_ok());
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        let error = Directory::open(dir.path(), true).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotOurs), "{error}");
        let file = dir.path().join("notes.txt");
        let error = Directory::open(&file, true).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotADirectory), "{error}");
        let error = Directory::open(&dir.path().join("none"), false).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Missing), "{error}");
    }

    #[test]
    fn the_lock_names_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path(), true).unwrap();
        let lock = directory.lock().unwrap();
        assert_eq!(directory.lock_holder(), Some(std::process::id()));
        drop(lock);
        assert!(directory.lock().is_ok());
    }
}
