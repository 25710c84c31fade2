//! The SQLite side: one connection with the catalog that it has read.

pub(crate) mod bytes;
pub(crate) mod catalog;
pub(crate) mod compact;
pub(crate) mod format;
pub(crate) mod insert;
mod length;
pub(crate) mod memo;
pub(crate) mod pack;
pub(crate) mod sum;
pub(crate) mod system;
pub(crate) mod value;

use std::{
    collections::HashMap,
    ffi::CStr,
    fs::OpenOptions,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig, hooks::Wal};

use crate::{
    directory::{DATABASE_FILE, Directory},
    error::{Error, ErrorKind, StoreError},
};
use catalog::Catalog;
use format::Found;
use insert::InsertPlan;
use memo::Memo;
use pack::{
    Mark, PackReader, PackWriter,
    files::{PackFiles, SystemFiles},
};

/// KiB of the database's pages that the writer keeps: SQLite's own 2 MB are too few for the indexes
/// that a row goes into.
const WRITER_CACHE: i64 = 64 << 10;
/// Statements kept ready for each connection.
const STATEMENT_CACHE: usize = 512;
/// Pages in the write-ahead log before they are moved to the database (64 MB).
const AUTOCHECKPOINT: i64 = 8000;
/// Bytes of blobs from which on a pack is worth its sync: docs/benchmarks.md.
const PACK_FROM: usize = 256 << 10;
/// SQLite's own locks are held for moments only; this is for a machine that stutters.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
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
    /// Puts a file's bytes on the disk once more.
    pub(crate) write_anew: WriteAnew,
    pub(crate) pack_files: &'static dyn PackFiles,
    /// Bytes of blobs from which on a commit puts them into a pack.
    pub(crate) pack_from: usize,
    /// Bytes after which a pack is added to no more.
    pub(crate) pack_bytes: u64,
}

type WriteAnew = fn(&Path) -> std::io::Result<()>;

impl Default for Settings {
    fn default() -> Self {
        Self {
            vfs: None,
            checkpoint_pages: AUTOCHECKPOINT,
            sync: true,
            write_anew,
            pack_files: &SystemFiles,
            pack_from: PACK_FROM,
            pack_bytes: pack::PACK_BYTES,
        }
    }
}

/// A connection to the database.
pub(crate) struct Store {
    pub(crate) conn: Connection,
    /// As of the last [`Store::refresh`], and what this connection has changed since.
    pub(crate) catalog: Arc<Catalog>,
    /// Of a connection that only reads.
    pub(crate) memo: Option<Memo>,
    /// Pages in the log after the last commit of this connection.
    log_pages: Arc<AtomicI64>,
    /// By class.
    pub(crate) inserts: HashMap<i64, InsertPlan>,
    packs: PackReader,
    /// On the writer.
    pub(crate) tail: Option<PackWriter>,
    /// Whether the blobs of this transaction go to a pack.
    pub(crate) to_pack: bool,
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
            (directory.settings.write_anew)(&directory.log()).map_err(ErrorKind::Log)?;
            let mut conn = connect(&file, OpenFlags::SQLITE_OPEN_READ_WRITE, directory.settings)?;
            let found = format::inspect(&conn)?;
            length::check(&conn, directory)?;
            durable(&conn, directory.settings)?;
            // A copy that SQLite's VACUUM INTO made has another mode.
            conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            distrusting(&conn, settle_log(&conn))?;
            let log_pages = Arc::new(AtomicI64::default());
            let noted = log_pages.clone();
            // Takes the place of SQLite's own checkpoints, which keep silent about failed syncs.
            conn.wal_hook(Some(move |_: &mut Wal, pages| {
                noted.store(i64::from(pages), Ordering::Relaxed);
                Ok(())
            }))?;
            if let Found::Older(from) = found {
                format::upgrade(&conn, from)?;
            }
            pack::check_files(&conn, directory.root())?;
            // In KiB.
            conn.pragma_update(None, "cache_size", -WRITER_CACHE)?;
            let tail = PackWriter::new(&conn, directory.root(), directory.settings)?;
            Ok(Self { tail: Some(tail), ..Self::over(conn, directory, log_pages, None)? })
        };
        open().map_err(|kind| directory.error(kind))
    }

    /// Opens the database for reading.
    pub(crate) fn open_reader(directory: &Directory) -> Result<Self, Error> {
        let store = Self::open_as_it_is(directory)?;
        pack::check_files(&store.conn, directory.root()).map_err(|kind| directory.error(kind))?;
        Ok(store)
    }

    /// Opens the database for reading, be its packs there or not.
    pub(crate) fn open_as_it_is(directory: &Directory) -> Result<Self, Error> {
        let open = || -> Result<Self, ErrorKind> {
            let file = not_empty(directory)?;
            let conn = connect(&file, OpenFlags::SQLITE_OPEN_READ_ONLY, directory.settings)?;
            match format::inspect(&conn)? {
                Found::Ready => {
                    length::check(&conn, directory)?;
                    Self::over(conn, directory, Arc::default(), Some(Memo::default()))
                }
                Found::Older(found) => Err(ErrorKind::Older { found, known: format::FORMAT }),
            }
        };
        open().map_err(|kind| directory.error(kind))
    }

    fn over(
        conn: Connection,
        directory: &Directory,
        log_pages: Arc<AtomicI64>,
        memo: Option<Memo>,
    ) -> Result<Self, ErrorKind> {
        // One snapshot: a class that is made between two statements has properties all the same.
        conn.execute_batch("BEGIN")?;
        let catalog = Arc::new(Catalog::read(&conn)?);
        conn.execute_batch("COMMIT")?;
        let packs = PackReader::new(&conn, directory.root(), directory.settings)?;
        let inserts = HashMap::new();
        Ok(Self { conn, catalog, memo, log_pages, inserts, packs, tail: None, to_pack: false })
    }

    /// Moves the log into the database if it has grown long. What fails here is tried again after
    /// the next commit, but for a failed sync.
    pub(crate) fn move_long_log(&self, settings: Settings) -> Result<(), ErrorKind> {
        if self.log_pages.load(Ordering::Relaxed) < settings.checkpoint_pages {
            return Ok(());
        }
        let moved = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        match distrusting(&self.conn, moved) {
            Err(kind @ ErrorKind::Distrusted(_)) => Err(kind),
            _ => Ok(()),
        }
    }

    /// After a request that failed: what it made of classes and packs was not.
    pub(crate) fn go_back(&mut self, catalog: Arc<Catalog>, mark: Option<Mark>) {
        self.catalog = catalog;
        if let (Some(tail), Some(mark)) = (&mut self.tail, mark) {
            tail.go_back(mark);
        }
    }

    /// Begins to read; the first statement that does takes the snapshot that the others see.
    pub(crate) fn begin(&self) -> Result<(), ErrorKind> {
        self.conn.prepare_cached("BEGIN")?.execute([])?;
        Ok(())
    }

    /// Lets the snapshot go.
    pub(crate) fn end(&self) -> Result<(), ErrorKind> {
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Whether nobody has committed between the last [`Store::refresh`] and the snapshot of the
    /// transaction at hand, so far as a connection that only reads can tell.
    pub(crate) fn is_unchanged(&self) -> Result<bool, ErrorKind> {
        let Some(memo) = &self.memo else { return Ok(false) };
        Ok(memo.is_of(memo::data_version(&self.conn)?))
    }

    /// Reads the catalog again if another connection has changed it. Inside a transaction, so that
    /// catalog and tables are of one state.
    pub(crate) fn refresh(&mut self) -> Result<(), ErrorKind> {
        let version = match &self.memo {
            None => None,
            Some(memo) => {
                let version = memo::data_version(&self.conn)?;
                if memo.is_of(version) {
                    return Ok(());
                }
                Some((memo, version))
            }
        };
        if catalog::version(&self.conn)? != self.catalog.version {
            self.catalog = Arc::new(Catalog::read(&self.conn)?);
        }
        if let Some((memo, version)) = version {
            memo.begin(version);
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

/// Puts a log that an earlier connection left on the disk.
///
/// After a failed sync the system may show what the disk does not hold, and never write it, whatever
/// later syncs say. A log that is only shown must not be added to, for after a power failure it
/// would end before what was added; nor may it be moved, for a power failure midway would leave a
/// part in the database and nothing to mend it with. The same bytes, written again, do reach the
/// disk. Whoever reads meanwhile sees no difference.
fn write_anew(log: &Path) -> std::io::Result<()> {
    let mut file = match OpenOptions::new().read(true).write(true).open(log) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return file.sync_all();
        }
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(&buffer[..n])?;
        offset += n as u64;
    }
}

/// Moves a log that an earlier connection left into the database, and empties it: a log that was
/// whole when a process was killed need not be read by the next one again. Readers that hold the log
/// only delay this.
fn settle_log(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(LOG_PATIENCE)?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    conn.busy_timeout(BUSY_TIMEOUT)
}

/// What a failed sync means while the log is moved.
///
/// While a reader holds an older state SQLite moves a part of the log, does not sync, and notes that
/// part as moved. If the sync that follows later fails, the system may forget the part, and SQLite
/// would not move it again but begin the log anew. All is still in the log, so the log must stay
/// until the database is opened afresh, which moves all of it: this connection may not even do so
/// by closing.
fn distrusting(conn: &Connection, moved: rusqlite::Result<()>) -> Result<(), ErrorKind> {
    moved.map_err(|error| {
        let sync_failed = matches!(&error, rusqlite::Error::SqliteFailure(e, _)
            if e.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC);
        if !sync_failed {
            return error.into();
        }
        match conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
            Ok(_) => ErrorKind::Distrusted(StoreError::from(error)),
            Err(e) => e.into(),
        }
    })
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

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, atomic::AtomicBool};

    use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

    use super::{catalog::Target, value::PropertyType, *};

    /// Some classes, each with a property, made by whoever may write.
    fn add_classes(writer: &mut Store, names: &[&str]) {
        let Store { conn, catalog, .. } = writer;
        let catalog = Arc::make_mut(catalog);
        conn.execute_batch("BEGIN").unwrap();
        for name in names {
            let class = catalog.ensure_class(conn, Target::Entity, name).unwrap();
            catalog.ensure_property(conn, &class, "p", PropertyType::String).unwrap();
        }
        conn.execute_batch("COMMIT").unwrap();
    }

    #[test]
    fn a_class_that_is_made_while_a_reader_is_opened_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path(), true, Settings::default()).unwrap();
        let mut writer = Store::open_writer(&directory).unwrap();
        add_classes(&mut writer, &["First"]);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let mut conn = connect(&directory.database(), flags, directory.settings).unwrap();
        // Classes are read before their properties: the second one comes in between.
        let (writer, made) = (Mutex::new(writer), Arc::new(AtomicBool::new(false)));
        let done = made.clone();
        conn.authorizer(Some(move |context: AuthContext<'_>| {
            if matches!(context.action, AuthAction::Read { table_name: "property", .. })
                && !made.swap(true, Ordering::Relaxed)
            {
                add_classes(&mut writer.lock().unwrap(), &["Second"]);
            }
            Authorization::Allow
        }))
        .unwrap();
        let mut reader = Store::over(conn, &directory, Arc::default(), None).unwrap();
        assert!(done.load(Ordering::Relaxed));
        assert!(reader.catalog.class(Target::Entity, "First").is_some());
        reader.begin().unwrap();
        reader.refresh().unwrap();
        let second = reader.catalog.class(Target::Entity, "Second").unwrap();
        assert!(second.property("p").is_some());
    }
}
