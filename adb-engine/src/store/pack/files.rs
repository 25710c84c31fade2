//! How pack files are reached: a seam for the tests that let a disk fail or lose its power.

use std::{
    fmt::Debug,
    fs::{File, OpenOptions},
    io,
    path::Path,
};

/// The calls by which packs are made, written and read.
///
/// Not for users: tests put a disk that fails in its place.
pub trait PackFiles: Debug + Send + Sync {
    /// Makes a file that must not be there yet.
    ///
    /// # Errors
    /// Those of the operating system; that it exists is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn PackFile>>;

    /// Opens a file, to be written as well if so.
    ///
    /// # Errors
    /// Those of the operating system.
    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn PackFile>>;

    /// Puts the names of a directory on the disk.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Takes a file away.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// An open file.
pub trait PackFile: Debug + Send + Sync {
    /// How long it is, in bytes.
    ///
    /// # Errors
    /// Those of the operating system.
    fn length(&self) -> io::Result<u64>;

    /// Fills the buffer from an offset.
    ///
    /// # Errors
    /// Those of the operating system; `UnexpectedEof` if the file ends before.
    fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;

    /// Writes all of these bytes at an offset.
    ///
    /// # Errors
    /// Those of the operating system; some of the bytes may have been written then.
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    /// Those of the operating system; what was written since the last call is in doubt then.
    fn sync(&self) -> io::Result<()>;
}

/// The operating system's.
#[derive(Debug)]
pub(crate) struct SystemFiles;

impl PackFiles for SystemFiles {
    fn create(&self, path: &Path) -> io::Result<Box<dyn PackFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn PackFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(write).open(path)?))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        crate::directory::sync_directory(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

impl PackFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    #[cfg(unix)]
    fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, at)
    }

    #[cfg(unix)]
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, at)
    }

    #[cfg(windows)]
    fn read(&self, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(self, buffer, at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => (buffer, at) = (&mut buffer[n..], at + n as u64),
            }
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write(&self, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = std::os::windows::fs::FileExt::seek_write(self, bytes, at)?;
            (bytes, at) = (&bytes[n..], at + n as u64);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
