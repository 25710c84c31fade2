//! The database's directory: what lies in it, and who may write.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    error::{Error, ErrorKind},
    holder::Holder,
    store::{Settings, pack},
};

/// Everything that must not be lost.
pub(crate) const DATABASE_FILE: &str = "adb.sqlite";
/// A database that is being made, and what SQLite puts beside it meanwhile. It gets its name when
/// it is whole, so what has that name and no tables is damaged.
const UNFINISHED_FILES: [&str; 4] =
    ["adb.sqlite.new", "adb.sqlite.new-journal", "adb.sqlite.new-wal", "adb.sqlite.new-shm"];
/// What is made from the vectors, and may be thrown away.
const VECTORS_FOLDER: &str = "adb.vectors";
/// Held by the writing process; its text says which that is.
pub(crate) const LOCK_FILE: &str = "adb.lock";

/// How long a lock that this very process holds is waited for: an engine that was dropped a moment
/// ago may still be closing.
const OWN_LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// A directory that is, or may become, a database.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    root: PathBuf,
    /// How its database is opened.
    pub(crate) settings: Settings,
}

impl Directory {
    /// Looks at `path`; makes the directory if `create` and it is missing.
    pub(crate) fn open(path: &Path, create: bool, settings: Settings) -> Result<Self, Error> {
        let fail = |kind| Error::new(path, kind);
        match fs::metadata(path) {
            Ok(meta) if !meta.is_dir() => return Err(fail(ErrorKind::NotADirectory)),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                if !create {
                    return Err(fail(ErrorKind::Missing));
                }
                make_durable_dir(path).map_err(|source| {
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
        let directory = Self { root, settings };
        if directory.has_database() {
            return Ok(directory);
        }
        let others = directory.others()?;
        match others {
            // Another process has made it since.
            _ if directory.has_database() => Ok(directory),
            Others::None => Ok(directory),
            Others::Remains => Err(fail(ErrorKind::Damaged(format!(
                "`{DATABASE_FILE}` is gone, and its log or its packs are still there"
            )))),
            Others::Foreign => Err(fail(ErrorKind::NotOurs)),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join(DATABASE_FILE)
    }

    /// Where the files lie that are made from vectors. Not there until one is.
    pub(crate) fn vectors(&self) -> PathBuf {
        self.root.join(VECTORS_FOLDER)
    }

    /// SQLite's log of it.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join(format!("{DATABASE_FILE}-wal"))
    }

    /// Whether the database's file is there. It is never there without its tables, unless damaged.
    pub(crate) fn has_database(&self) -> bool {
        self.database().exists()
    }

    /// What lies in a directory that holds no database.
    fn others(&self) -> Result<Others, Error> {
        let io = |source| self.error(ErrorKind::Io { doing: "listing the directory", source });
        let mut others = Others::None;
        for entry in fs::read_dir(&self.root).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let name = name.to_string_lossy();
            // What a process leaves that was killed before it had made the database.
            if name == LOCK_FILE || UNFINISHED_FILES.contains(&&*name) {
                continue;
            }
            let of_sqlite = |rest: &str| rest.starts_with('-');
            if name.strip_prefix(DATABASE_FILE).is_some_and(of_sqlite)
                || pack::number(&name).is_some()
            {
                others = Others::Remains;
            } else {
                return Ok(Others::Foreign);
            }
        }
        Ok(others)
    }

    /// Where a database is made, with nothing there. The caller holds the write lock.
    pub(crate) fn unfinished(&self) -> Result<PathBuf, Error> {
        for name in UNFINISHED_FILES {
            match fs::remove_file(self.root.join(name)) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    let doing = "removing what an interrupted start left";
                    return Err(self.error(ErrorKind::Io { doing, source }));
                }
                _ => {}
            }
        }
        Ok(self.root.join(UNFINISHED_FILES[0]))
    }

    /// Gives a finished database its name, for good.
    pub(crate) fn finish(&self, made: &Path) -> Result<(), Error> {
        fs::rename(made, self.database()).and_then(|()| sync_directory(&self.root)).map_err(
            |source| self.error(ErrorKind::Io { doing: "naming the new database", source }),
        )
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(&self.root, kind)
    }

    /// Takes the write lock, which lasts until the answer is dropped or the process ends, however
    /// it ends.
    pub(crate) fn lock(&self) -> Result<WriteLock, Error> {
        let io = |source| self.error(ErrorKind::Io { doing: "opening the lock file", source });
        let file = OpenOptions::new()
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
                    let by = self.lock_holder();
                    if by.pid == Some(std::process::id()) && start.elapsed() < OWN_LOCK_PATIENCE {
                        std::thread::sleep(Duration::from_millis(5));
                        continue;
                    }
                    return Err(self.error(ErrorKind::Locked { by }));
                }
                Err(TryLockError::Error(source)) => {
                    return Err(
                        self.error(ErrorKind::Io { doing: "locking the lock file", source })
                    );
                }
            }
        }
        let mut lock = WriteLock { file };
        self.name(&mut lock, None, None)?;
        Ok(lock)
    }

    /// Says in the lock file who has the lock, and for what. That is for people; it holds without.
    pub(crate) fn name(
        &self,
        lock: &mut WriteLock,
        name: Option<&str>,
        address: Option<&str>,
    ) -> Result<(), Error> {
        let text = Holder::this(name, address).written();
        let file = &mut lock.file;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(|source| self.error(ErrorKind::Io { doing: "writing the lock file", source }))
    }

    /// Whether a process has the write lock. Sees it by sharing the lock for a moment.
    pub(crate) fn is_locked(&self) -> bool {
        File::open(self.root.join(LOCK_FILE))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Who holds the lock, as the lock file says.
    pub(crate) fn lock_holder(&self) -> Holder {
        let text = || {
            let mut text = Vec::new();
            File::open(self.root.join(LOCK_FILE)).ok()?.take(8192).read_to_end(&mut text).ok()?;
            Some(String::from_utf8_lossy(&text).into_owned())
        };
        text().map_or_else(Holder::default, |text| Holder::read(&text))
    }
}

/// What a directory without a database holds.
enum Others {
    None,
    /// What is kept beside a database.
    Remains,
    Foreign,
}

/// Makes a directory and its missing parents, so that a power failure does not take them away
/// again with all that was put into them.
fn make_durable_dir(path: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).collect();
    fs::create_dir_all(path)?;
    for made in missing {
        match made.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent)?,
            _ => sync_directory(Path::new("."))?,
        }
    }
    Ok(())
}

/// Makes what was made or renamed in a directory last.
pub(crate) fn sync_directory(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    // Elsewhere directories cannot be opened, and their entries are the file system's business.
    Ok(())
}

/// The right to write, until dropped.
#[derive(Debug)]
pub(crate) struct WriteLock {
    file: File,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_directories_become_databases() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Directory::open(dir.path(), true, Settings::default()).is_ok());
        fs::write(dir.path().join(LOCK_FILE), "1").unwrap();
        assert!(Directory::open(dir.path(), true, Settings::default()).is_ok());
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        let error = Directory::open(dir.path(), true, Settings::default()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotOurs), "{error}");
        let file = dir.path().join("notes.txt");
        let error = Directory::open(&file, true, Settings::default()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotADirectory), "{error}");
        let error =
            Directory::open(&dir.path().join("none"), false, Settings::default()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Missing), "{error}");
    }

    #[test]
    fn the_lock_names_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path(), true, Settings::default()).unwrap();
        let lock = directory.lock().unwrap();
        assert_eq!(directory.lock_holder(), Holder::this(None, None));
        assert!(directory.is_locked());
        drop(lock);
        assert!(!directory.is_locked());
        assert!(directory.lock().is_ok());
    }
}
