//! The engine's threads: one writes, some read. Requests come through channels and are answered
//! through channels, so no caller's runtime matters, and a caller that goes away changes nothing.

pub(crate) mod indexer;
pub(crate) mod reader;
pub(crate) mod writer;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
};

use adb_model::{DbError, Response};
use async_channel::Sender;
use bytes::Bytes;

use crate::{
    error::ErrorKind,
    request::Named,
    run::{Done, Run, Undone},
    vectors::files::SetFile,
};

/// A request on its way.
pub(crate) struct Job {
    pub(crate) commands: Vec<Named>,
    pub(crate) blobs: Vec<Bytes>,
    pub(crate) answer: Sender<Result<Response, DbError>>,
}

/// What the writer is asked for.
pub(crate) enum Task {
    Request(Job),
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
        self.blobs.iter().map(Bytes::len).sum()
    }
}

/// Whoever asked may have gone; the answer is then nobody's.
fn reply(to: &Sender<Result<Response, DbError>>, answer: Result<Response, DbError>) {
    let _ = to.try_send(answer);
}

/// Runs a request. A fault of ours must not end the thread that everybody waits for.
fn run(run: Run<'_>, commands: &[Named]) -> Result<Done, Undone> {
    catch_unwind(AssertUnwindSafe(|| run.all(commands))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Err(Undone::Store(ErrorKind::Bug(text.to_owned())))
    })
}
