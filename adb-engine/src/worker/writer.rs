//! The writer: requests that wait together are committed together, with one sync. Nobody is answered
//! before that.
//!
//! A request that fails leaves nothing, while those beside it stay. Savepoints do that, and make
//! SQLite keep the old content of every page that a request changes, which for small requests costs
//! more than the request. So a group is run without them, and once more with them if one fails.

use std::sync::Arc;

use adb_model::{DbError, Fate, Response};
use async_channel::Sender;

use super::{Job, Record, Task, Work, indexer::Indexing, queue::Queue, reply};
use crate::{
    directory::{Directory, WriteLock},
    error::{Error, ErrorKind},
    media::Media,
    run::{Done, Run, Sequence, Undone},
    store::{
        Store,
        compact::{Reclaimed, reclaim},
        counter,
        format::class_id,
        pack::PackWriter,
        set_counter,
    },
    vectors::{cache::VectorCache, files::SetFile},
};

/// Requests that one commit takes at most: the first of them waits for all.
const MAX_GROUP: usize = 128;
/// Bytes of blobs after which a group takes no more: its syncs are cheap beside it then, and who sent
/// it makes the next request while others' are run.
const MAX_GROUP_BYTES: usize = 8 << 20;

/// Groups that are run with savepoints after a request has failed: more may come that fail.
const CAREFUL_GROUPS: usize = 32;

/// The writing thread.
pub(crate) struct Writer {
    pub(crate) directory: Directory,
    pub(crate) vectors: Arc<VectorCache>,
    pub(crate) media: Arc<Media>,
    pub(crate) response_limit: usize,
    /// Taken with the first request, kept from then on.
    pub(crate) lock: Option<WriteLock>,
    pub(crate) open: Option<Open>,
    pub(crate) queue: Queue,
    /// Groups that are yet to be run with savepoints.
    pub(crate) careful: usize,
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
    pub(crate) fn work(mut self) {
        while let Some(task) = self.queue.wait() {
            if let Err(error) = self.make_ready() {
                match task {
                    Task::Request(job) => reply(&job.answer, Err(error)),
                    Task::Reclaim(to) => drop(to.try_send(Err(error))),
                    Task::Hold(_, _, to) => drop(to.try_send(Err(error))),
                    Task::Record(record) => drop(record.done.send(false)),
                }
                continue;
            }
            match task {
                Task::Request(first) => self.group(first),
                Task::Reclaim(to) => drop(to.try_send(self.reclaim())),
                Task::Hold(name, address, to) => {
                    drop(to.try_send(self.hold(&name, address.as_deref())));
                }
                Task::Record(record) => self.record(record),
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

    fn make_ready(&mut self) -> Result<(), DbError> {
        if let Some(why) = &self.distrusted {
            return Err(DbError::permanent(why));
        }
        self.open().map_err(|error| {
            self.note(&error);
            error.into()
        })
    }

    fn open(&mut self) -> Result<(), Error> {
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

    fn hold(&mut self, name: &str, address: Option<&str>) -> Result<(), DbError> {
        let Some(lock) = &mut self.lock else {
            return Err(self.directory.error(ErrorKind::Closed).into());
        };
        Ok(self.directory.name(lock, Some(name), address)?)
    }

    fn reclaim(&mut self) -> Result<Reclaimed, DbError> {
        let Some(open) = &mut self.open else {
            return Err(self.directory.error(ErrorKind::Closed).into());
        };
        let Directory { settings, .. } = self.directory;
        reclaim(&mut open.store, self.directory.root(), settings).map_err(|kind| {
            let error = self.directory.error(kind);
            // The next task starts from what the disk says.
            self.open = None;
            self.note(&error);
            error.into()
        })
    }

    /// Runs what waits, commits it, answers it.
    fn group(&mut self, first: Job) {
        // What waits already decides where blobs go; more may come meanwhile.
        let waiting = self.queue.blob_bytes(MAX_GROUP - 1, MAX_GROUP_BYTES);
        let to_pack = first.blob_bytes() + waiting >= self.directory.settings.pack_from;
        let Some(open) = &mut self.open else { return };
        let before = open.sequence;
        open.store.to_pack = to_pack;
        if let Err(kind) = begin(&mut open.store) {
            reply(&first.answer, Err(self.directory.error(kind).into()));
            self.open = None;
            return;
        }
        let pending = match self.careful {
            0 => self.run_hopefully(first),
            _ => {
                self.careful -= 1;
                self.run_carefully(first)
            }
        };
        let (Some(pending), Some(open)) = (pending, &mut self.open) else { return };
        match commit(open, before) {
            Ok(()) => {
                for Pending { to, answer } in pending {
                    reply(&to, Ok(answer));
                }
            }
            Err((kind, fate)) => {
                // The next group starts from what the disk says.
                self.open = None;
                let error = DbError::from(self.directory.error(kind));
                give_up(pending, &error, fate);
            }
        }
    }

    /// Runs requests one after another as if none could fail. If one does, all of them wait to be
    /// run carefully.
    fn run_hopefully(&mut self, first: Job) -> Option<Vec<Pending>> {
        let open = self.open.as_mut()?;
        let (catalog, before) = (open.store.catalog.clone(), open.sequence);
        let mark = open.store.tail.as_ref().map(PackWriter::mark);
        let (mut jobs, mut answers) = (Vec::new(), Vec::new());
        let (mut next, mut bytes) = (Some(first), 0);
        while let Some(job) = next.take() {
            bytes += job.blob_bytes();
            let done = execute(open, &self.vectors, &self.media, self.response_limit, &job);
            jobs.push(job);
            match done {
                Ok(Done { answers: all, blobs }) => {
                    answers.push(Response::Done { answers: all, blobs });
                }
                Err(_) => {
                    open.sequence = before;
                    open.store.go_back(catalog, mark);
                    if !open.store.conn.is_autocommit()
                        && open.store.conn.execute_batch("ROLLBACK").is_err()
                    {
                        // Closing the connection takes back what was not committed.
                        self.open = None;
                    }
                    self.queue.put_back(jobs);
                    self.careful = CAREFUL_GROUPS;
                    return None;
                }
            }
            if jobs.len() < MAX_GROUP && bytes < MAX_GROUP_BYTES {
                next = self.queue.request();
            }
        }
        let pending = jobs.into_iter().zip(answers);
        Some(pending.map(|(job, answer)| Pending { to: job.answer, answer }).collect())
    }

    /// Runs requests one after another, each in a savepoint.
    fn run_carefully(&mut self, first: Job) -> Option<Vec<Pending>> {
        let open = self.open.as_mut()?;
        let mut pending: Vec<Pending> = Vec::new();
        let (mut next, mut bytes) = (Some(first), 0);
        while let Some(job) = next.take() {
            bytes += job.blob_bytes();
            let to = job.answer.clone();
            match one(open, &self.vectors, &self.media, self.response_limit, &job) {
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
                next = self.queue.request();
            }
        }
        Some(pending)
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
    store.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    store.refresh()
}

/// Runs one request.
fn execute(
    open: &mut Open,
    vectors: &VectorCache,
    media: &Media,
    response_limit: usize,
    job: &Job,
) -> Result<Done, Undone> {
    let Open { store, sequence } = open;
    sequence.transaction += 1;
    let Work { commands, blobs } = &*job.work;
    super::run(Run::new(store, vectors, media, Some(sequence), blobs, response_limit), commands)
}

/// Runs one request in a savepoint. What failed leaves nothing behind but unused numbers.
fn one(
    open: &mut Open,
    vectors: &VectorCache,
    media: &Media,
    response_limit: usize,
    job: &Job,
) -> Result<Response, Failure> {
    let store = &mut open.store;
    let catalog = store.catalog.clone();
    let mark = store.tail.as_ref().map(PackWriter::mark);
    store.conn.prepare_cached("SAVEPOINT request")?.execute([])?;
    let done = execute(open, vectors, media, response_limit, job);
    let store = &mut open.store;
    let undone = match done {
        Ok(Done { answers, blobs }) => {
            store.conn.prepare_cached("RELEASE request")?.execute([])?;
            return Ok(Response::Done { answers, blobs });
        }
        Err(undone) => undone,
    };
    store.go_back(catalog, mark);
    // Full disks and the like end the whole transaction.
    let alone = !store.conn.is_autocommit();
    if alone && let Err(e) = store.conn.execute_batch("ROLLBACK TO request; RELEASE request") {
        let kind = match undone {
            Undone::Store(kind) => kind,
            Undone::Refused(_) | Undone::Slow => e.into(),
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
        Undone::Slow => {
            let kind = ErrorKind::Bug("the writer was in a hurry".to_owned());
            Err(Failure { kind, alone })
        }
    }
}

/// Commits what was run; what an error says of its fate.
fn commit(open: &mut Open, before: Sequence) -> Result<(), (ErrorKind, Fate)> {
    let Open { store, sequence } = open;
    let mut prepare = || -> Result<(), ErrorKind> {
        if let Some(tail) = &mut store.tail {
            tail.finish(&store.conn)?;
        }
        if sequence.object != before.object {
            set_counter(&store.conn, "object", sequence.object)?;
            set_counter(&store.conn, "transaction", sequence.transaction)?;
        }
        Ok(())
    };
    prepare().map_err(|kind| (kind, Fate::NotApplied))?;
    let committed = || store.conn.prepare_cached("COMMIT")?.execute([]);
    // Part of the log may have reached the disk; only reading it again would tell.
    committed().map_err(|e| (e.into(), Fate::Unknown))?;
    if let Some(tail) = &mut store.tail {
        tail.committed();
    }
    Ok(())
}
