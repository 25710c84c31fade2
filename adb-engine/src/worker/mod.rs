//! The engine's threads: one writes, some read, some make ready what is to be written. Requests come
//! through channels and are answered through channels, so no caller's runtime matters, and a caller
//! that goes away changes nothing. Reads that take no time are the exception: see [`reader`].

pub(crate) mod core;
pub(crate) mod indexer;
pub(crate) mod preparer;
pub(crate) mod queue;
pub(crate) mod reader;
pub(crate) mod writer;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
};

use adb_model::{DbError, Response};
use async_channel::Sender;
use bytes::Bytes;

use crate::{
    error::ErrorKind,
    request::{Command, Named},
    run::{Done, Run, Undone},
    store::compact::Reclaimed,
    vectors::files::SetFile,
};

/// A request on its way.
pub(crate) struct Job {
    /// Kept by whoever asked as well: many small pieces of memory are given back faster by the
    /// thread that took them, and the writer has better things to do.
    pub(crate) work: Arc<Work>,
    pub(crate) answer: Sender<Result<Response, DbError>>,
}

/// What is asked.
pub(crate) struct Work {
    pub(crate) commands: Vec<Named>,
    pub(crate) blobs: Vec<Bytes>,
}

/// A request whose bytes are to be made ready before the writer gets it.
pub(crate) struct Unprepared {
    pub(crate) work: Work,
    pub(crate) answer: Sender<Result<Response, DbError>>,
}

/// What the writer is asked for.
pub(crate) enum Task {
    Request(Job),
    Reclaim(Sender<Result<Reclaimed, DbError>>),
    /// The lock is to be taken and kept, under this name.
    Hold(String, Option<String>, Sender<Result<(), DbError>>),
    Record(Record),
}

/// A file that was made from a set's vectors, to be noted in the database.
pub(crate) struct Record {
    pub(crate) file: SetFile,
    /// Told whether it is.
    pub(crate) done: mpsc::Sender<bool>,
}

impl Job {
    fn blob_bytes(&self) -> usize {
        let made = self.work.commands.iter().map(|named| match &named.command {
            Command::Add(add) => add.ready_bytes(),
            _ => 0,
        });
        self.work.blobs.iter().map(Bytes::len).chain(made).sum()
    }
}

/// Whoever asked may have gone; the answer is then nobody's.
fn reply(to: &Sender<Result<Response, DbError>>, answer: Result<Response, DbError>) {
    let _ = to.try_send(answer);
}

/// Runs a request. A fault of ours must not end the thread that everybody waits for.
fn run(run: Run<'_>, commands: &[Named]) -> Result<Done, Undone> {
    catch_unwind(AssertUnwindSafe(|| run.all(commands)))
        .unwrap_or_else(|panic| Err(Undone::Store(ErrorKind::Bug(panic_text(&*panic)))))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
