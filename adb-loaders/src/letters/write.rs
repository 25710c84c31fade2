//! Writing dead letters: on a thread of its own, synced as they come.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use async_channel::{Receiver, Sender, bounded};

use super::{Header, Letter};
use crate::{Error, ErrorKind};

/// An open dead-letter file.
#[derive(Debug)]
pub struct LetterBox {
    path: PathBuf,
    to: Sender<Letter>,
    writing: Mutex<Option<JoinHandle<io::Result<u64>>>>,
    failed: Arc<Mutex<Option<io::Error>>>,
}

/// Letters that wait to be written; who has one more waits for the disk.
const WAITING: usize = 64;

impl LetterBox {
    pub(super) fn create(path: PathBuf, header: &Header) -> Result<Self, Error> {
        let open = || -> io::Result<BufWriter<File>> {
            let mut file =
                BufWriter::new(File::options().write(true).create_new(true).open(&path)?);
            line(&mut file, header)?;
            file.flush()?;
            file.get_ref().sync_all()?;
            Ok(file)
        };
        let file = open().map_err(|e| unwritable(&path, e))?;
        let (to, from) = bounded(WAITING);
        let failed = Arc::<Mutex<Option<io::Error>>>::default();
        let writing = std::thread::spawn({
            let failed = failed.clone();
            move || write(file, &from, &failed)
        });
        Ok(Self { path, to, writing: Mutex::new(Some(writing)), failed })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a letter; waits while the disk is behind. After [`close`](Self::close) it does
    /// nothing.
    pub fn put(&self, letter: Letter) {
        // Nobody receives any more once writing has failed, and that is told by `error`.
        let _ = self.to.send_blocking(letter);
    }

    /// Why letters can't be written any more, if so.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let e = failed.as_ref()?;
        Some(unwritable(&self.path, io::Error::new(e.kind(), e.to_string())))
    }

    /// Waits until all is on disk; answers where, if there were letters. Without any, the file
    /// goes.
    ///
    /// # Errors
    /// When a letter could not be written.
    pub fn close(&self) -> Result<Option<PathBuf>, Error> {
        self.to.close();
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writing) = writing else { return Ok(None) };
        let written =
            writing.join().unwrap_or_else(|_| Err(io::Error::other("its writer panicked")));
        match written {
            Ok(0) => {
                fs::remove_file(&self.path).map_err(|e| unwritable(&self.path, e))?;
                Ok(None)
            }
            Ok(_) => Ok(Some(self.path.clone())),
            Err(e) => Err(unwritable(&self.path, e)),
        }
    }
}

impl Drop for LetterBox {
    fn drop(&mut self) {
        // Who did not close it has broken off, and has said why.
        let _ = self.close();
    }
}

/// Writes letters until no more can come; answers how many.
fn write(
    mut file: BufWriter<File>,
    from: &Receiver<Letter>,
    failed: &Mutex<Option<io::Error>>,
) -> io::Result<u64> {
    let written = write_all(&mut file, from);
    if let Err(e) = &written {
        from.close();
        let e = io::Error::new(e.kind(), e.to_string());
        *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
    }
    written
}

fn write_all(file: &mut BufWriter<File>, from: &Receiver<Letter>) -> io::Result<u64> {
    let mut written = 0;
    while let Ok(letter) = from.recv_blocking() {
        line(file, &letter)?;
        written += 1;
        // All that is there goes to the disk at once.
        while let Ok(letter) = from.try_recv() {
            line(file, &letter)?;
            written += 1;
        }
        file.flush()?;
        file.get_ref().sync_data()?;
    }
    Ok(written)
}

fn line(file: &mut BufWriter<File>, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, value)?;
    file.write_all(b"\n")
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    ErrorKind::DeadLetters { path: path.to_owned(), source }.into()
}
