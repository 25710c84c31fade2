//! The writer: requests that wait together are committed together, each in a savepoint of its
//! own, all with one sync. Nobody is answered before that.

use std::sync::Arc;

use adb_model::{DbError, Fate, Response};
use async_channel::{Receiver, Sender};

use super::{Job, reply};
use crate::{
    directory::{Directory, WriteLock},
    error::{Error, ErrorKind},
    run::{Done, Run, Sequence, Undone},
    store::{Store, counter, set_counter},
    vectors::cache::VectorCache,
};

/// Requests that one commit takes at most: the first of them waits for all.
const MAX_GROUP: usize = 128;
/// Bytes of blobs after which a group takes no more.
const MAX_GROUP_BYTES: usize = 32 << 20;

/// The writing thread.
pub(crate) struct Writer {
    pub(crate) directory: Directory,
    pub(crate) vectors: Arc<VectorCache>,
    pub(crate) response_limit: usize,
    /// Taken with the first request, kept from then on.
    pub(crate) lock: Option<WriteLock>,
    pub(crate) open: Option<Open>,
}

/// A connection that may write, and the numbers that it goes on with.
pub(crate) struct Open {
    store: Store,
    sequence: Sequence,
}

impl Open {
    /// The caller holds the write lock.
    pub(crate) fn new(directory: &Directory) -> Result<Self, Error> {
        let store = Store::open_writer(directory)?;
        let read = |name| counter(&store.conn, name).map_err(|e| directory.error(e.into()));
        let sequence = Sequence { object: read("object")?, transaction: read("transaction")? };
        Ok(Self { store, sequence })
    }
}

/// A request that ran and waits for the commit.
struct Pending {
    to: Sender<Result<Response, DbError>>,
    answer: Response,
}

impl Writer {
    /// Answers until the channel closes and is empty.
    pub(crate) fn work(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv_blocking() {
            if let Err(error) = self.make_ready() {
                reply(&first.answer, Err(error.into()));
                continue;
            }
            self.group(first, jobs);
        }
    }

    fn make_ready(&mut self) -> Result<(), Error> {
        if self.lock.is_none() {
            self.lock = Some(self.directory.lock()?);
        }
        if self.open.is_none() {
            self.open = Some(Open::new(&self.directory)?);
        }
        Ok(())
    }

    /// Runs what waits, commits it, answers it.
    fn group(&mut self, first: Job, jobs: &Receiver<Job>) {
        let Some(open) = &mut self.open else { return };
        let before = open.sequence;
        if let Err(kind) = begin(&mut open.store) {
            reply(&first.answer, Err(self.directory.error(kind).into()));
            self.open = None;
            return;
        }
        let mut pending: Vec<Pending> = Vec::new();
        let (mut next, mut bytes) = (Some(first), 0);
        while let Some(job) = next.take() {
            bytes += job.blob_bytes();
            let to = job.answer.clone();
            match one(open, &self.vectors, self.response_limit, job) {
                Ok(answer) => pending.push(Pending { to, answer }),
                Err(kind) => {
                    reply(&to, Err(self.directory.error(kind).into()));
                    // Full disks and the like end the whole transaction.
                    if open.store.conn.is_autocommit() {
                        self.give_up(
                            pending,
                            "the store failed in the same group",
                            Fate::NotApplied,
                        );
                        return;
                    }
                }
            }
            if pending.len() < MAX_GROUP && bytes < MAX_GROUP_BYTES {
                next = jobs.try_recv().ok();
            }
        }
        match commit(open, before) {
            Ok(()) => {
                for Pending { to, answer } in pending {
                    reply(&to, Ok(answer));
                }
            }
            Err(e) => {
                // Part of the log may have reached the disk; only reading it again would tell.
                self.give_up(pending, &format!("the commit failed: {e}"), Fate::Unknown);
            }
        }
    }

    /// Refusals stand; the others are not, or perhaps not, applied. The next group starts from
    /// what the disk says.
    fn give_up(&mut self, pending: Vec<Pending>, why: &str, fate: Fate) {
        for Pending { to, answer } in pending {
            let answer = match answer {
                refused @ Response::Refused(_) => Ok(refused),
                Response::Done { .. } => {
                    let text = format!("{why} ({})", self.directory.root().display());
                    Err(DbError::transient(text).with_fate(fate))
                }
            };
            reply(&to, answer);
        }
        self.open = None;
    }
}

fn begin(store: &mut Store) -> Result<(), ErrorKind> {
    store.conn.execute_batch("BEGIN IMMEDIATE")?;
    store.refresh()
}

/// Runs one request in a savepoint. What failed leaves nothing behind but unused numbers.
fn one(
    open: &mut Open,
    vectors: &VectorCache,
    response_limit: usize,
    job: Job,
) -> Result<Response, ErrorKind> {
    let Open { store, sequence } = open;
    let catalog = store.catalog.clone();
    store.conn.prepare_cached("SAVEPOINT request")?.execute([])?;
    sequence.transaction += 1;
    let run = Run::new(store, vectors, Some(sequence), job.blobs, response_limit);
    let undone = match super::run(run, job.commands) {
        Ok(Done { answers, blobs }) => {
            store.conn.prepare_cached("RELEASE request")?.execute([])?;
            return Ok(Response::Done { answers, blobs });
        }
        Err(undone) => undone,
    };
    store.catalog = catalog;
    if !store.conn.is_autocommit() {
        store.conn.execute_batch("ROLLBACK TO request; RELEASE request")?;
    }
    match undone {
        Undone::Refused(refusal) => Ok(Response::Refused(refusal)),
        Undone::Store(kind) => Err(kind),
    }
}

fn commit(open: &Open, before: Sequence) -> rusqlite::Result<()> {
    let Open { store, sequence } = open;
    if sequence.object != before.object {
        set_counter(&store.conn, "object", sequence.object)?;
        set_counter(&store.conn, "transaction", sequence.transaction)?;
    }
    store.conn.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
