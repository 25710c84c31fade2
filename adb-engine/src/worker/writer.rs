//! The writer: requests that wait together are committed together, each in a savepoint of its
//! own, all with one sync. Nobody is answered before that.

use std::sync::Arc;

use adb_model::{DbError, Fate, Response};
use async_channel::{Receiver, Sender};

use super::{Job, Record, Task, indexer::Indexing, reply};
use crate::{
    directory::{Directory, WriteLock},
    error::{Error, ErrorKind},
    run::{Done, Run, Sequence, Undone},
    store::{Store, counter, format::class_id, set_counter},
    vectors::{cache::VectorCache, files::SetFile},
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
    pub(crate) indexing: Arc<Indexing>,
    /// Why nothing more may be written, in the words for those who ask from then on.
    pub(crate) distrusted: Option<String>,
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
    pub(crate) fn work(mut self, tasks: &Receiver<Task>) {
        while let Ok(task) = tasks.recv_blocking() {
            let first = match task {
                Task::Request(job) => job,
                Task::Record(record) => {
                    self.record(record);
                    continue;
                }
            };
            if let Some(why) = &self.distrusted {
                reply(&first.answer, Err(DbError::permanent(why)));
                continue;
            }
            if let Err(error) = self.make_ready() {
                self.note(&error);
                reply(&first.answer, Err(error.into()));
                continue;
            }
            if let Some(record) = self.group(first, tasks) {
                self.record(record);
            }
            self.indexing.look();
            let settings = self.directory.settings;
            let moved =
                self.open.as_ref().map_or(Ok(()), |open| open.store.move_long_log(settings));
            if let Err(kind) = moved {
                self.note(&self.directory.error(kind));
            }
        }
    }

    /// Remembers an error after which nothing may be written.
    fn note(&mut self, error: &Error) {
        if matches!(error.kind(), ErrorKind::Distrusted(_)) {
            self.distrusted = Some(error.to_string());
            self.open = None;
        }
    }

    fn make_ready(&mut self) -> Result<(), Error> {
        if self.lock.is_none() {
            self.lock = Some(self.directory.lock()?);
            self.indexing.may_save();
        }
        if self.open.is_none() {
            self.open = Some(Open::new(&self.directory)?);
        }
        Ok(())
    }

    /// Notes a file in the database.
    fn record(&mut self, Record { file, done }: Record) {
        let noted = match &mut self.open {
            Some(open) if self.lock.is_some() => note_file(open, file).is_ok(),
            _ => false,
        };
        if !noted {
            // Whether it is committed is not known; the next one asks the disk.
            self.open = None;
        }
        // The indexer may have gone.
        let _ = done.send(noted);
    }

    /// Runs what waits, commits it, answers it. What it met on the way that is no request is left.
    fn group(&mut self, first: Job, tasks: &Receiver<Task>) -> Option<Record> {
        let open = self.open.as_mut()?;
        let before = open.sequence;
        if let Err(kind) = begin(&mut open.store) {
            reply(&first.answer, Err(self.directory.error(kind).into()));
            self.open = None;
            return None;
        }
        let mut pending: Vec<Pending> = Vec::new();
        let mut left = None;
        let (mut next, mut bytes) = (Some(first), 0);
        while let Some(job) = next.take() {
            bytes += job.blob_bytes();
            let to = job.answer.clone();
            match one(open, &self.vectors, self.response_limit, job) {
                Ok(answer) => pending.push(Pending { to, answer }),
                Err(Failure { kind, alone }) => {
                    let error = self.directory.error(kind);
                    if !alone {
                        let why = DbError::transient(format!(
                            "a request that was to be committed together with this one failed, send this one again: {error}"
                        ));
                        // Closing the connection takes back what was not committed.
                        self.open = None;
                        reply(&to, Err(error.into()));
                        give_up(pending, &why, Fate::NotApplied);
                        return None;
                    }
                    reply(&to, Err(error.into()));
                }
            }
            if pending.len() < MAX_GROUP && bytes < MAX_GROUP_BYTES {
                match tasks.try_recv() {
                    Ok(Task::Request(job)) => next = Some(job),
                    Ok(Task::Record(record)) => left = Some(record),
                    Err(_) => {}
                }
            }
        }
        match commit(open, before) {
            Ok(()) => {
                for Pending { to, answer } in pending {
                    reply(&to, Ok(answer));
                }
            }
            Err(e) => {
                // Part of the log may have reached the disk; only reading it again would tell. The
                // next group starts from what the disk says.
                self.open = None;
                let error = DbError::from(self.directory.error(e.into()));
                give_up(pending, &error, Fate::Unknown);
            }
        }
        left
    }
}

fn note_file(open: &mut Open, file: SetFile) -> Result<(), ErrorKind> {
    begin(&mut open.store)?;
    let conn = &open.store.conn;
    // The set may be gone by now.
    conn.prepare_cached(&format!(
        "INSERT INTO counter (name, value) SELECT ?, ? FROM c{} WHERE id = ?
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        class_id::DESCRIPTOR_SET
    ))?
    .execute(rusqlite::params![file.kind.counter(file.set), file.number, file.set])?;
    conn.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// Refusals stand; the others are not, or perhaps not, applied.
fn give_up(pending: Vec<Pending>, why: &DbError, fate: Fate) {
    for Pending { to, answer } in pending {
        let answer = match answer {
            refused @ Response::Refused(_) => Ok(refused),
            Response::Done { .. } => {
                let text = why.to_string();
                let error = if why.is_transient() {
                    DbError::transient(text)
                } else {
                    DbError::permanent(text)
                };
                Err(error.with_fate(fate))
            }
        };
        reply(&to, answer);
    }
}

/// Why a request could not be run.
struct Failure {
    kind: ErrorKind,
    /// Nothing of it is left, and the transaction goes on.
    alone: bool,
}

/// A savepoint that cannot be opened, closed or undone is in the transaction or not: nobody knows.
impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self { kind: error.into(), alone: false }
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
) -> Result<Response, Failure> {
    let Open { store, sequence } = open;
    let catalog = store.catalog.clone();
    store.conn.prepare_cached("SAVEPOINT request")?.execute([])?;
    sequence.transaction += 1;
    let run = Run::new(store, vectors, Some(sequence), job.blobs, response_limit);
    let undone = match super::run(run, &job.commands) {
        Ok(Done { answers, blobs }) => {
            store.conn.prepare_cached("RELEASE request")?.execute([])?;
            return Ok(Response::Done { answers, blobs });
        }
        Err(undone) => undone,
    };
    store.catalog = catalog;
    // Full disks and the like end the whole transaction.
    let alone = !store.conn.is_autocommit();
    if alone && let Err(e) = store.conn.execute_batch("ROLLBACK TO request; RELEASE request") {
        let kind = match undone {
            Undone::Store(kind) => kind,
            Undone::Refused(_) => e.into(),
        };
        return Err(Failure { kind, alone: false });
    }
    match undone {
        Undone::Refused(refusal) if alone => Ok(Response::Refused(refusal)),
        Undone::Refused(_) => {
            let kind = ErrorKind::Bug("a refusal ended the transaction".to_owned());
            Err(Failure { kind, alone })
        }
        Undone::Store(kind) => Err(Failure { kind, alone }),
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
