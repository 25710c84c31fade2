//! Files that are not SQLite's, on the same disk.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

use crate::{Disk, Event, Fault};

/// A file on a disk that may be watched.
#[derive(Debug)]
pub struct RawFile {
    file: File,
    watched: Option<(Arc<Disk>, String)>,
}

fn failed(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

impl RawFile {
    /// Makes a file that must not be there yet.
    ///
    /// # Errors
    /// Those of the operating system, and a full disk.
    pub fn create(path: &Path) -> io::Result<Self> {
        let watched = Disk::of(path);
        if let Some((disk, name)) = &watched
            && disk.fails(&[Fault::Full], name).is_some()
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let make = || OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = match &watched {
            None => make()?,
            Some((disk, name)) => {
                let mut made = Err(failed("nothing was made"));
                disk.opens(name, || {
                    made = make();
                    made.is_ok()
                });
                made?
            }
        };
        Ok(Self { file, watched })
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn open(path: &Path, write: bool) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(write).open(path)?;
        Ok(Self { file, watched: Disk::of(path) })
    }

    fn fails(&self, faults: &[Fault]) -> Option<Fault> {
        let (disk, name) = self.watched.as_ref()?;
        disk.fails(faults, name)
    }

    /// How long it is.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Fills the buffer from an offset.
    ///
    /// # Errors
    /// Those of the operating system, a failing read, and an end that comes early.
    pub fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        match self.fails(&[Fault::Read, Fault::ShortRead]) {
            Some(Fault::Read) => Err(failed("a read failed")),
            Some(_) => {
                let half = buffer.len() / 2;
                self.file.read_exact_at(&mut buffer[..half], at)?;
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            None => self.file.read_exact_at(buffer, at),
        }
    }

    /// Writes at an offset.
    ///
    /// # Errors
    /// Those of the operating system, a full disk, and a failing write, which writes the first half.
    pub fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let longer = at + bytes.len() as u64 > self.length()?;
        let faults: &[Fault] = if longer { &[Fault::Full, Fault::Write] } else { &[Fault::Write] };
        let (bytes, answer) = match self.fails(faults) {
            Some(Fault::Full) => return Err(io::ErrorKind::StorageFull.into()),
            Some(_) => (&bytes[..bytes.len() / 2], Err(failed("a write failed"))),
            None => (bytes, Ok(())),
        };
        let Some((disk, name)) = &self.watched else { return self.file.write_all_at(bytes, at) };
        disk.happens(|| match self.file.write_all_at(bytes, at) {
            Ok(()) => (answer, Some(Event::Written(name.clone(), at, bytes.into()))),
            Err(e) => (Err(e), None),
        })
    }

    /// Waits until all that was written is on the disk, as far as the tape is concerned.
    ///
    /// # Errors
    /// If the sync is to fail.
    pub fn sync(&self) -> io::Result<()> {
        let Some((disk, name)) = &self.watched else { return Ok(()) };
        let fails = disk.fails(&[Fault::Sync], name).is_some();
        disk.happens(|| match fails {
            true => (Err(failed("a sync failed")), Some(Event::SyncFailed(name.clone()))),
            false => (Ok(()), Some(Event::Synced(name.clone()))),
        })
    }
}

/// Puts a directory's names on the disk.
///
/// # Errors
/// If the sync is to fail.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    // Any name leads to the disk that watches the directory.
    let Some((disk, _)) = Disk::of(&path.join(".names")) else { return Ok(()) };
    match disk.fails(&[Fault::Sync], ".names") {
        Some(_) => Err(failed("a sync failed")),
        None => disk.happens(|| (Ok(()), Some(Event::NamesSynced))),
    }
}

/// Takes a file away.
///
/// # Errors
/// Those of the operating system.
pub fn remove(path: &Path) -> io::Result<()> {
    let Some((disk, name)) = Disk::of(path) else { return fs::remove_file(path) };
    disk.happens(|| match fs::remove_file(path) {
        Ok(()) => (Ok(()), Some(Event::Deleted(name, false))),
        Err(e) => (Err(e), None),
    })
}
