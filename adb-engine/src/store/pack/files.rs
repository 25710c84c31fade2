//! How pack files are reached: a seam for the tests that let a disk fail or lose its power.

use std::{
    fmt::Debug,
    fs::{File, OpenOptions},
    io::{self, IoSlice},
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

    /// Writes all of these pieces one behind the other from an offset on.
    ///
    /// # Errors
    /// Those of [`PackFile::write`].
    fn write_pieces(&self, pieces: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
        for piece in pieces {
            self.write(piece, at)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

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

    /// One call for many pieces: the system then keeps them in large pages, which takes half the time.
    #[cfg(target_os = "linux")]
    fn write_pieces(&self, mut pieces: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
        // What one call takes at most.
        const MAX_PIECES: usize = 1024;
        IoSlice::advance_slices(&mut pieces, 0);
        while !pieces.is_empty() {
            let some = &pieces[..pieces.len().min(MAX_PIECES)];
            match rustix::io::pwritev(self, some, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    at += n as u64;
                    IoSlice::advance_slices(&mut pieces, n);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_written_one_behind_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let file = SystemFiles.create(&dir.path().join("pack")).unwrap();
        file.write(b"head", 0).unwrap();
        let all: Vec<Vec<u8>> = (0..3000_usize).map(|i| vec![i as u8; i % 7]).collect();
        let mut pieces: Vec<IoSlice<'_>> = all.iter().map(|piece| IoSlice::new(piece)).collect();
        file.write_pieces(&mut pieces, 4).unwrap();
        let mut found = vec![0; file.length().unwrap() as usize];
        file.read(&mut found, 0).unwrap();
        assert_eq!(found, [b"head".to_vec(), all.concat()].concat());
    }
}
