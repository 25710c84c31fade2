//! The engine's threads: one writes, some read, some make ready what is to be written. Requests come through channels and are answered
//! through channels, so no caller's runtime matters, and a caller that goes away changes nothing.

pub(crate) mod preparer;
pub(crate) mod reader;
pub(crate) mod writer;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use adb_model::{DbError, Response};
use async_channel::Sender;
use bytes::Bytes;

use crate::{
    error::ErrorKind,
    request::{Command, Named},
    run::{Done, Run, Undone},
};

/// A request on its way.
pub(crate) struct Job {
    pub(crate) commands: Vec<Named>,
    pub(crate) blobs: Vec<Bytes>,
    pub(crate) answer: Sender<Result<Response, DbError>>,
}

impl Job {
    fn blob_bytes(&self) -> usize {
        let made = self.commands.iter().map(|named| match &named.command {
            Command::Add(add) => add.ready_bytes(),
            _ => 0,
        });
        self.blobs.iter().map(Bytes::len).chain(made).sum()
    }
}

/// Whoever asked may have gone; the answer is then nobody's.
fn reply(to: &Sender<Result<Response, DbError>>, answer: Result<Response, DbError>) {
    let _ = to.try_send(answer);
}

/// Runs a request. A fault of ours must not end the thread that everybody waits for.
fn run(run: Run<'_>, commands: Vec<Named>) -> Result<Done, Undone> {
    catch_unwind(AssertUnwindSafe(|| run.all(commands)))
        .unwrap_or_else(|panic| Err(Undone::Store(ErrorKind::Bug(panic_text(&*panic)))))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
