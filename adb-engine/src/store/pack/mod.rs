//! Packs: files that blobs of large requests are appended to, each blob once, where the database
//! would write it to its log and then again to its pages.
//!
//! A pack is put on the disk before the commit that names its extents. So an extent that a
//! transaction shows is there; what lies in a pack and is named by no row is garbage, be it of a
//! transaction that failed or of a deleted object, and [`super::compact`] takes it away. What was
//! committed is never written to again: a pack is only continued where it ends as the last commit
//! left it.

pub(crate) mod files;
mod flush;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use rusqlite::{Connection, params};

use crate::error::ErrorKind;

use super::{Settings, counter, set_counter};
use files::{PackFile, PackFiles};
use flush::{Flusher, Pieces};

const MAGIC: &[u8; 8] = b"adbpack1";
const HEADER: usize = 32;
/// Where the first blob begins, and what the blobs of a commit begin at a multiple of: no commit
/// shares a page of the disk with an earlier one.
const ALIGN: u64 = 4096;
/// Bytes after which a pack is added to no more.
pub(super) const PACK_BYTES: u64 = 256 << 20;
/// The share of a pack's bytes that is kept before it is written, while the transaction goes on, by
/// another thread: 1 MB.
const SPILL_SHARE: u64 = 256;
/// And so many bytes at least, however small packs are.
const SPILL_LEAST: u64 = 32 << 10;
/// Packs that a reader keeps open.
const MAX_OPEN: usize = 32;

/// Where a blob lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) pack: i64,
    pub(crate) at: u64,
    pub(crate) length: u64,
}

pub(crate) fn file_name(pack: i64) -> String {
    format!("adb-{pack:06}.pack")
}

/// The number of a pack's file.
pub(crate) fn number(file_name: &str) -> Option<i64> {
    file_name.strip_prefix("adb-")?.strip_suffix(".pack")?.parse().ok()
}

/// The numbers of all files that are named as packs are.
pub(crate) fn present(root: &Path) -> io::Result<Vec<i64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root)? {
        found.extend(entry?.file_name().to_str().and_then(number));
    }
    found.sort_unstable();
    Ok(found)
}

/// The packs that the database names, and how long each is at least.
pub(crate) fn listed(conn: &Connection) -> rusqlite::Result<Vec<(i64, u64)>> {
    let mut select = conn.prepare_cached("SELECT id, length FROM pack ORDER BY id")?;
    let rows =
        select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    rows.collect()
}

/// What is wrong with a pack's file, as far as its length tells.
pub(crate) fn misfit(root: &Path, pack: i64, length: u64) -> Option<String> {
    let name = file_name(pack);
    match std::fs::metadata(root.join(&name)) {
        Ok(meta) if meta.len() >= length => None,
        Ok(meta) => Some(format!("`{name}` was cut: it has {} bytes of {length}", meta.len())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Some(format!("`{name}` is gone")),
        Err(e) => Some(format!("`{name}` cannot be looked at: {e}")),
    }
}

/// Makes sure that the packs which the database names are there, and long enough.
pub(crate) fn check_files(conn: &Connection, root: &Path) -> Result<(), ErrorKind> {
    let missing = || -> rusqlite::Result<Option<String>> {
        Ok(listed(conn)?.into_iter().find_map(|(pack, length)| misfit(root, pack, length)))
    };
    // The second look: a pack may have been given up, and removed, between the list and the file.
    match missing()?.and(missing()?) {
        None => Ok(()),
        Some(what) => Err(ErrorKind::Damaged(what)),
    }
}

fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> ErrorKind {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::DiskFull,
        _ => ErrorKind::Pack { doing, source },
    }
}

fn header(identity: i64, pack: i64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&identity.to_le_bytes());
    header[16..24].copy_from_slice(&pack.to_le_bytes());
    let sum = crc32fast::hash(&header[..24]);
    header[24..28].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The packs that a connection reads.
#[derive(Debug)]
pub(crate) struct PackReader {
    root: PathBuf,
    files: &'static dyn PackFiles,
    identity: i64,
    open: HashMap<i64, Box<dyn PackFile>>,
}

impl PackReader {
    pub(super) fn new(
        conn: &Connection,
        root: &Path,
        settings: Settings,
    ) -> Result<Self, ErrorKind> {
        Ok(Self {
            root: root.to_owned(),
            files: settings.pack_files,
            identity: counter(conn, "identity")?,
            open: HashMap::new(),
        })
    }

    /// The bytes of an extent; `Err` inside if the pack does not hold them.
    pub(super) fn read(&mut self, extent: Extent) -> Result<Result<Vec<u8>, String>, ErrorKind> {
        let name = file_name(extent.pack);
        let length = usize::try_from(extent.length).unwrap_or(usize::MAX);
        let file = match self.file(extent.pack)? {
            Ok(file) => file,
            Err(why) => return Ok(Err(why)),
        };
        // A length that was damaged may be any number: it must not become a buffer of that size.
        let end = file.length().map_err(io_error("looking at a pack"))?;
        if extent.at.checked_add(extent.length).is_none_or(|last| last > end) {
            return Ok(Err(format!("`{name}` ends before them")));
        }
        let mut bytes = vec![0; length];
        match file.read(&mut bytes, extent.at) {
            Ok(()) => Ok(Ok(bytes)),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(Err(format!("`{name}` ends before them")))
            }
            Err(e) => Err(io_error("reading a pack")(e)),
        }
    }

    fn file(&mut self, pack: i64) -> Result<Result<&dyn PackFile, String>, ErrorKind> {
        if !self.open.contains_key(&pack) {
            if self.open.len() >= MAX_OPEN {
                self.open.clear();
            }
            let name = file_name(pack);
            let file = match self.files.open(&self.root.join(&name), false) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    return Ok(Err(format!("`{name}` is gone")));
                }
                Err(e) => return Err(io_error("opening a pack")(e)),
            };
            let mut found = [0; HEADER];
            match file.read(&mut found, 0) {
                Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => {
                    return Err(io_error("reading a pack")(e));
                }
                _ if found != header(self.identity, pack) => {
                    return Ok(Err(format!(
                        "`{name}` is not the pack that this database wrote under that name"
                    )));
                }
                _ => {}
            }
            self.open.insert(pack, file);
        }
        match self.open.get(&pack) {
            Some(file) => Ok(Ok(&**file)),
            None => Ok(Err(format!("`{}` is gone", file_name(pack)))),
        }
    }
}

/// The pack that the writer appends to.
#[derive(Debug)]
pub(crate) struct PackWriter {
    root: PathBuf,
    files: &'static dyn PackFiles,
    identity: i64,
    pack_bytes: u64,
    /// Whether a commit waits for the disk.
    sync: bool,
    /// The greatest number that a pack has had.
    last: i64,
    tail: Option<Tail>,
    /// Started when it is needed.
    flusher: Option<Flusher>,
}

/// A pack's end.
#[derive(Debug)]
struct Tail {
    pack: i64,
    file: Arc<dyn PackFile>,
    /// Where this transaction's blobs begin.
    begin: u64,
    /// Where the bytes that are kept belong.
    at: u64,
    kept: Pieces,
    /// Whether its name is not on the disk yet.
    fresh: bool,
}

impl Tail {
    fn new(pack: i64, file: Arc<dyn PackFile>, end: u64, fresh: bool) -> Self {
        let begin = end.next_multiple_of(ALIGN);
        Self { pack, file, begin, at: begin, kept: Pieces::default(), fresh }
    }

    fn end(&self) -> u64 {
        self.at + self.kept.len() as u64
    }

    /// Hands over what is kept, to be written.
    fn spill(&mut self, flusher: &mut Flusher) -> Result<(), ErrorKind> {
        let at = self.at;
        self.at = self.end();
        flusher.write(&self.file, at, std::mem::take(&mut self.kept))
    }

    /// Writes what is kept.
    fn write(&mut self) -> Result<(), ErrorKind> {
        self.kept.write(&*self.file, self.at).map_err(io_error("writing a pack"))?;
        self.at = self.end();
        self.kept = Pieces::default();
        Ok(())
    }
}

/// How far a transaction had come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(Option<(i64, u64)>);

impl PackWriter {
    /// Goes on with the newest pack if it ends where the last commit left it.
    pub(super) fn new(
        conn: &Connection,
        root: &Path,
        settings: Settings,
    ) -> Result<Self, ErrorKind> {
        let files = settings.pack_files;
        let mut writer = Self {
            root: root.to_owned(),
            files,
            identity: counter(conn, "identity")?,
            pack_bytes: settings.pack_bytes,
            sync: settings.sync,
            last: counter(conn, "pack")?,
            tail: None,
            flusher: None,
        };
        if let Some((pack, length)) =
            listed(conn)?.pop().filter(|(_, length)| *length < writer.pack_bytes)
            && let Ok(file) = files.open(&root.join(file_name(pack)), true)
            && file.length().is_ok_and(|found| found == length)
            && writer.wrote(pack, &*file)
        {
            writer.tail = Some(Tail::new(pack, file.into(), length, false));
        }
        Ok(writer)
    }

    /// Whether a file is what this database wrote under that number.
    fn wrote(&self, pack: i64, file: &dyn PackFile) -> bool {
        let mut found = [0; HEADER];
        file.read(&mut found, 0).is_ok() && found == header(self.identity, pack)
    }

    /// The pack that the next blob goes to, if there is one.
    pub(super) fn pack(&self) -> Option<i64> {
        self.tail.as_ref().map(|tail| tail.pack)
    }

    /// Takes a blob, to be written before the commit.
    pub(super) fn append(&mut self, bytes: &Bytes) -> Result<Extent, ErrorKind> {
        if self.tail.is_none() {
            self.tail = Some(self.begin()?);
        }
        let Some(tail) = &mut self.tail else {
            return Err(ErrorKind::Bug("there is no pack to write to".to_owned()));
        };
        let extent = Extent { pack: tail.pack, at: tail.end(), length: bytes.len() as u64 };
        tail.kept.push(bytes);
        let spill = (self.pack_bytes / SPILL_SHARE).max(SPILL_LEAST);
        if tail.kept.len() as u64 >= spill {
            let flusher = match &mut self.flusher {
                Some(flusher) => flusher,
                // What is on the disk before the end of a transaction need not be waited for there.
                none => none.insert(Flusher::start(self.files, self.sync.then_some(2 * spill))?),
            };
            tail.spill(flusher)?;
        }
        Ok(extent)
    }

    /// A new pack, under a number that no file has.
    fn begin(&mut self) -> Result<Tail, ErrorKind> {
        loop {
            self.last += 1;
            match self.files.create(&self.root.join(file_name(self.last))) {
                Ok(file) => {
                    let header = header(self.identity, self.last);
                    file.write(&header, 0).map_err(io_error("writing a pack"))?;
                    return Ok(Tail::new(self.last, file.into(), HEADER as u64, true));
                }
                // One that was given up before its transaction ended.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(io_error("making a pack")(e)),
            }
        }
    }

    /// The bytes of an extent that are not written yet. Those that another thread is to write are
    /// written when this is done.
    pub(super) fn kept(&mut self, extent: Extent) -> Result<Option<Vec<u8>>, ErrorKind> {
        let Some(tail) = self.tail.as_ref().filter(|tail| tail.pack == extent.pack) else {
            return Ok(None);
        };
        let (from, length) = (extent.at.checked_sub(tail.at), usize::try_from(extent.length));
        if let (Some(from), Ok(length)) = (from, length) {
            return Ok(usize::try_from(from).ok().and_then(|from| tail.kept.get(from, length)));
        }
        if let (true, Some(flusher)) = (extent.at >= tail.begin, &mut self.flusher)
            && flusher.is_busy()
        {
            flusher.drain()?;
        }
        Ok(None)
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.tail.as_ref().map(|tail| (tail.pack, tail.end())))
    }

    /// Forgets what was taken since.
    pub(crate) fn go_back(&mut self, mark: Mark) {
        let Some(tail) = &mut self.tail else { return };
        let end = match mark.0 {
            Some((pack, end)) if pack == tail.pack => end,
            _ => tail.begin,
        };
        match end.checked_sub(tail.at) {
            Some(left) => tail.kept.truncate(usize::try_from(left).unwrap_or(usize::MAX)),
            None => {
                // What has been written already will be written over: nothing names it.
                tail.kept = Pieces::default();
                tail.at = end;
            }
        }
    }

    /// Puts on the disk what the transaction's rows name. Its commit comes next.
    pub(crate) fn finish(&mut self, conn: &Connection) -> Result<(), ErrorKind> {
        let Some(tail) = &mut self.tail else { return Ok(()) };
        if tail.end() == tail.begin {
            return Ok(());
        }
        let flusher = self.flusher.as_mut().filter(|flusher| flusher.is_busy());
        let names = tail.fresh.then(|| self.root.clone());
        match flusher {
            // It does all of it, and meanwhile the row is written.
            Some(flusher) => {
                tail.spill(flusher)?;
                flusher.sync(&tail.file, names)?;
                let noted = note(conn, tail);
                flusher.wait()?;
                noted
            }
            None => {
                tail.write()?;
                if self.sync {
                    tail.file.sync().map_err(io_error("syncing a pack"))?;
                    if let Some(root) = names {
                        let named = self.files.sync_directory(&root);
                        named.map_err(io_error("syncing the directory"))?;
                    }
                }
                note(conn, tail)
            }
        }
    }

    /// After the commit: what comes next is another transaction's.
    pub(crate) fn committed(&mut self) {
        let Some(tail) = self.tail.take() else { return };
        if tail.end() == tail.begin {
            self.tail = Some(tail);
        } else if tail.end() < self.pack_bytes {
            self.tail = Some(Tail::new(tail.pack, tail.file, tail.at, false));
        }
    }

    /// Begins another pack with the next blob.
    pub(super) fn turn(&mut self) {
        self.tail = None;
        // What failed there is not the next one's.
        self.flusher = None;
    }
}

/// The row that says where a pack ends.
fn note(conn: &Connection, tail: &Tail) -> Result<(), ErrorKind> {
    conn.prepare_cached(
        "INSERT INTO pack (id, length) VALUES (?, ?)
         ON CONFLICT (id) DO UPDATE SET length = excluded.length",
    )?
    .execute(params![tail.pack, tail.end().cast_signed()])?;
    if tail.fresh {
        set_counter(conn, "pack", tail.pack)?;
    }
    Ok(())
}
