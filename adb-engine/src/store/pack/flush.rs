//! A thread that puts a pack's bytes on the disk while the writer goes on with the transaction.
//!
//! Orders are carried out one after another. What fails is kept until somebody waits, and nothing
//! more is written until then.

use std::{
    io::{self, IoSlice},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TryRecvError, channel, sync_channel},
    },
    thread::{self, JoinHandle},
};

use bytes::Bytes;

use super::{
    files::{PackFile, PackFiles},
    io_error,
};
use crate::error::ErrorKind;

/// Orders that may wait: with the pieces of one each, the bytes that a slow disk keeps in memory.
const ORDERS: usize = 4;

/// Bytes that lie one behind the other.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    all: Vec<Piece>,
    length: usize,
}

#[derive(Debug)]
enum Piece {
    /// As the request has them.
    Shared(Bytes),
    /// Several small ones.
    Joined(Vec<u8>),
}

/// Blobs below this are put together: a write of its own costs more than copying them.
const SMALL: usize = 4096;
/// Bytes of small blobs that are put together.
const JOINED: usize = 256 << 10;

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Shared(bytes) => bytes,
            Piece::Joined(bytes) => bytes,
        }
    }
}

impl Pieces {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, bytes: &Bytes) {
        self.length += bytes.len();
        if bytes.len() >= SMALL {
            self.all.push(Piece::Shared(bytes.clone()));
            return;
        }
        match self.all.last_mut() {
            Some(Piece::Joined(joined)) if joined.len() < JOINED => {
                joined.extend_from_slice(bytes);
            }
            _ => self.all.push(Piece::Joined(bytes.to_vec())),
        }
    }

    /// Leaves the first ones, so many bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        while self.length > length {
            let Some(last) = self.all.last_mut() else { break };
            let excess = self.length - length;
            let of_last = last.bytes().len();
            if of_last <= excess {
                self.all.pop();
                self.length -= of_last;
                continue;
            }
            match last {
                Piece::Shared(bytes) => bytes.truncate(of_last - excess),
                Piece::Joined(bytes) => bytes.truncate(of_last - excess),
            }
            self.length = length;
        }
    }

    /// Some of the bytes; nothing if they do not all lie here.
    pub(super) fn get(&self, from: usize, length: usize) -> Option<Vec<u8>> {
        if from.checked_add(length)? > self.length {
            return None;
        }
        let mut found = Vec::with_capacity(length);
        let mut at = 0;
        for piece in self.all.iter().map(Piece::bytes) {
            let begin = (from + found.len()).saturating_sub(at);
            if found.len() < length && begin < piece.len() {
                let end = piece.len().min(begin + length - found.len());
                found.extend_from_slice(&piece[begin..end]);
            }
            at += piece.len();
        }
        Some(found)
    }

    pub(super) fn write(&self, file: &dyn PackFile, at: u64) -> io::Result<()> {
        let mut all: Vec<_> = self.all.iter().map(|piece| IoSlice::new(piece.bytes())).collect();
        file.write_pieces(&mut all, at)
    }
}

/// What is to be done.
enum Order {
    Write(Arc<dyn PackFile>, u64, Pieces),
    /// Answered when all before it is written.
    Drain,
    /// Answered when all that was written is on the disk; and the names of a directory, if one is
    /// given.
    Sync(Arc<dyn PackFile>, Option<PathBuf>),
}

/// The thread.
#[derive(Debug)]
pub(super) struct Flusher {
    /// Always there, until it is dropped.
    orders: Option<SyncSender<Order>>,
    answers: Receiver<Result<(), ErrorKind>>,
    thread: Option<JoinHandle<()>>,
    /// Whether something was handed over that nobody has waited for.
    busy: bool,
}

impl Flusher {
    /// `early`: after how many bytes to sync when nothing else is to be done, if syncs are wanted at
    /// all.
    pub(super) fn start(
        files: &'static dyn PackFiles,
        early: Option<u64>,
    ) -> Result<Self, ErrorKind> {
        let (orders, to_do) = sync_channel(ORDERS);
        let (answer, answers) = channel();
        let thread = thread::Builder::new()
            .name("adb-packs".to_owned())
            .spawn(move || {
                let mut work = Work { files, sync: early.is_some(), unsynced: 0, failed: None };
                let mut seen = None;
                while let Some(order) = seen.take().or_else(|| to_do.recv().ok()) {
                    let answered = match order {
                        Order::Write(file, at, pieces) => {
                            work.write(&*file, at, &pieces);
                            // The request's memory is its owner's to give back.
                            drop(pieces);
                            if early.is_some_and(|early| work.unsynced >= early) {
                                match to_do.try_recv() {
                                    Ok(next) => seen = Some(next),
                                    Err(TryRecvError::Empty) => work.sync(&*file),
                                    Err(TryRecvError::Disconnected) => {}
                                }
                            }
                            continue;
                        }
                        Order::Drain => work.answer(),
                        Order::Sync(file, names) => {
                            work.sync(&*file);
                            work.sync_names(names);
                            work.answer()
                        }
                    };
                    if answer.send(answered).is_err() {
                        break;
                    }
                }
            })
            .map_err(|source| ErrorKind::Io { doing: "starting a thread", source })?;
        Ok(Self { orders: Some(orders), answers, thread: Some(thread), busy: false })
    }

    /// Whether something was handed over that nobody has waited for.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Hands bytes over.
    pub(super) fn write(
        &mut self,
        file: &Arc<dyn PackFile>,
        at: u64,
        pieces: Pieces,
    ) -> Result<(), ErrorKind> {
        self.busy = true;
        self.order(Order::Write(file.clone(), at, pieces))
    }

    /// Waits until all that was handed over is written.
    pub(super) fn drain(&mut self) -> Result<(), ErrorKind> {
        self.order(Order::Drain)?;
        self.wait()
    }

    /// Has all of it put on the disk. [`Flusher::wait`] comes next.
    pub(super) fn sync(
        &mut self,
        file: &Arc<dyn PackFile>,
        names: Option<PathBuf>,
    ) -> Result<(), ErrorKind> {
        self.order(Order::Sync(file.clone(), names))
    }

    /// Waits for what [`Flusher::sync`] ordered; says what has failed since the last wait.
    pub(super) fn wait(&mut self) -> Result<(), ErrorKind> {
        self.busy = false;
        self.answers.recv().unwrap_or_else(|_| Err(gone()))
    }

    fn order(&self, order: Order) -> Result<(), ErrorKind> {
        match &self.orders {
            Some(orders) => orders.send(order).map_err(|_| gone()),
            None => Err(gone()),
        }
    }
}

fn gone() -> ErrorKind {
    ErrorKind::Bug("the thread that writes packs has ended".to_owned())
}

/// Nothing is written any more when this is done: the file may be opened again.
impl Drop for Flusher {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic shows as a missing answer.
            let _ = thread.join();
        }
    }
}

/// What the thread knows.
struct Work {
    files: &'static dyn PackFiles,
    sync: bool,
    unsynced: u64,
    failed: Option<ErrorKind>,
}

impl Work {
    fn write(&mut self, file: &dyn PackFile, at: u64, pieces: &Pieces) {
        if self.failed.is_none() {
            self.unsynced += pieces.len() as u64;
            self.failed = pieces.write(file, at).err().map(io_error("writing a pack"));
        }
    }

    fn sync(&mut self, file: &dyn PackFile) {
        if self.sync && self.unsynced > 0 && self.failed.is_none() {
            self.unsynced = 0;
            self.failed = file.sync().err().map(io_error("syncing a pack"));
        }
    }

    fn sync_names(&mut self, directory: Option<PathBuf>) {
        if let (true, None, Some(directory)) = (self.sync, &self.failed, directory) {
            let named = self.files.sync_directory(&directory);
            self.failed = named.err().map(io_error("syncing the directory"));
        }
    }

    fn answer(&mut self) -> Result<(), ErrorKind> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_one_run_of_bytes() {
        let mut pieces = Pieces::default();
        let mut all = Vec::new();
        for length in [5000, 3, 0, 4096, 7, 100, 9000] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
            all.extend_from_slice(&bytes);
            pieces.push(&Bytes::from(bytes));
        }
        for length in [all.len(), 9300, 9207, 9106, 9100, 5003, 5001, 1, 0] {
            pieces.truncate(length);
            assert_eq!(pieces.len(), length);
            for from in [0, 1, 4999, 5002, 9105] {
                for of in [0, 1, 4, 5000] {
                    let expected = all[..length].get(from..from + of).map(<[u8]>::to_vec);
                    assert_eq!(pieces.get(from, of), expected, "{length} {from} {of}");
                }
            }
        }
        pieces.push(&Bytes::from_static(b"new"));
        assert_eq!(pieces.get(0, 3).unwrap(), b"new");
    }
}
