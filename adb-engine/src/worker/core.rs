//! What all handles of one directory share: its threads, and the ways to them.

use std::{
    collections::HashMap,
    num::NonZero,
    sync::{Arc, atomic::AtomicUsize},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use adb_model::{DbError, Fate, Response};
use async_channel::{Receiver, Sender};

use super::{
    Job, Task, Unprepared, Work,
    indexer::{Indexer, Indexing, Wakes},
    preparer::Preparer,
    queue::Queue,
    reader::{Read, Reader, Stores},
    writer::{Open, Writer},
};
use crate::{
    directory::{Directory, WriteLock},
    error::{Error, ErrorKind},
    options::Options,
    store::{Store, memo::Text},
    vectors::cache::VectorCache,
};

/// Requests that may wait before whoever sends the next one waits as well.
const QUEUE: usize = 1024;
/// How long another process may take to make the database that this one is to open.
const MAKING_PATIENCE: Duration = Duration::from_secs(10);

/// What all handles of one directory share.
pub(crate) struct Core {
    pub(crate) directory: Directory,
    reader: Arc<Reader>,
    reads: Sender<Read>,
    pub(crate) writes: Sender<Task>,
    /// Writes that need work before their transaction.
    preparations: Sender<Unprepared>,
    pub(crate) indexing: Arc<Indexing>,
    readers: Vec<JoinHandle<()>>,
    preparers: Vec<JoinHandle<()>>,
    indexer: Option<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Core {
    pub(crate) async fn read(&self, work: Work, text: Text) -> Result<Response, DbError> {
        if let Some(answer) = self.reader.here(&work, text).await {
            return answer;
        }
        let (answer, answered) = async_channel::bounded(1);
        let work = Arc::new(work);
        let job = Job { work: work.clone(), answer };
        let sent = self.reads.send(Read { job, text }).await;
        sent.map_err(|_| self.closed())?;
        self.answered(&answered, Some(work)).await
    }

    /// `prepares`: whether something of it is to be made ready before its transaction.
    pub(crate) async fn write(&self, work: Work, prepares: bool) -> Result<Response, DbError> {
        let (answer, answered) = async_channel::bounded(1);
        if prepares {
            let sent = self.preparations.send(Unprepared { work, answer }).await;
            sent.map_err(|_| self.closed())?;
            return self.answered(&answered, None).await;
        }
        let work = Arc::new(work);
        let job = Job { work: work.clone(), answer };
        let sent = self.writes.send(Task::Request(job)).await;
        sent.map_err(|_| self.closed())?;
        self.answered(&answered, Some(work)).await
    }

    /// Waits for an answer; `work` is given back by this thread then, see [`Job`].
    async fn answered(
        &self,
        answered: &Receiver<Result<Response, DbError>>,
        work: Option<Arc<Work>>,
    ) -> Result<Response, DbError> {
        let answer = answered.recv().await;
        drop(work);
        answer.unwrap_or_else(|_| Err(self.closed().with_fate(Fate::Unknown)))
    }

    pub(crate) fn closed(&self) -> DbError {
        self.directory.error(ErrorKind::Closed).into()
    }

    pub(crate) fn start(directory: &Directory, options: &Options) -> Result<Self, Error> {
        let (mut writer, mut reader) = (None, None);
        match existing(directory) {
            Ok(Some(store)) => reader = Some(store),
            Ok(None) if options.read_only => return Err(directory.error(ErrorKind::Missing)),
            Ok(None) => match make(directory)? {
                Made::ByUs(lock, open) => writer = Some((lock, open)),
                Made::ByAnother(store) => reader = Some(store),
            },
            Err(error) if matches!(error.kind(), ErrorKind::Older { .. }) && !options.read_only => {
                // The writer upgrades it before anybody reads.
                let lock = directory.lock()?;
                writer = Some((lock, Open::new(directory)?));
            }
            Err(error) => return Err(error),
        }
        let (reads, read_jobs) = async_channel::bounded(QUEUE);
        let (writes, write_jobs) = async_channel::bounded(QUEUE);
        let (preparations, preparation_jobs) = async_channel::bounded(QUEUE);
        let directory = directory.clone();
        let (indexing, wakes) = Indexing::new();
        let folder = options.map_vectors.then(|| directory.vectors());
        let (scan, index_from) = (options.exact_scan, options.policy.index_from);
        let vectors = Arc::new(VectorCache::new(scan, folder, index_from));
        let media = Arc::new(options.media.clone());
        let stores = Stores::default();
        if let Some(store) = reader {
            stores.put(store);
        }
        let reader = Arc::new(Reader {
            directory: directory.clone(),
            vectors: vectors.clone(),
            media: media.clone(),
            response_limit: options.response_limit,
            indexing: indexing.clone(),
            stores,
            arrivals: AtomicUsize::new(0),
        });
        let mut core = Self {
            directory: directory.clone(),
            reader: reader.clone(),
            reads,
            writes,
            preparations,
            indexing: indexing.clone(),
            readers: Vec::new(),
            preparers: Vec::new(),
            indexer: None,
            writer: None,
        };
        let (lock, open) = writer.unzip();
        let writer = Writer {
            directory: directory.clone(),
            vectors: vectors.clone(),
            media: media.clone(),
            response_limit: options.response_limit,
            indexing: indexing.clone(),
            lock,
            open,
            queue: Queue::new(write_jobs),
            careful: 0,
            distrusted: None,
        };
        if writer.lock.is_some() {
            indexing.may_save();
        }
        core.writer = Some(core.spawn("adb-writer", move || writer.work())?);
        for _ in 0..options.readers.unwrap_or_else(default_readers).get() {
            let (reader, jobs) = (reader.clone(), read_jobs.clone());
            let thread = core.spawn("adb-reader", move || reader.work(&jobs))?;
            core.readers.push(thread);
            let preparer = Preparer {
                directory: directory.clone(),
                vectors: vectors.clone(),
                media: media.clone(),
                writes: core.writes.clone(),
                store: None,
            };
            let jobs = preparation_jobs.clone();
            let thread = core.spawn("adb-preparer", move || preparer.work(&jobs))?;
            core.preparers.push(thread);
        }
        let indexer = Indexer {
            directory,
            vectors,
            indexing,
            policy: options.policy,
            tasks: core.writes.clone(),
            store: None,
            sets: HashMap::new(),
            swept: None,
        };
        core.start_indexer(indexer, wakes)?;
        Ok(core)
    }

    fn start_indexer(&mut self, indexer: Indexer, wakes: Wakes) -> Result<(), Error> {
        self.indexer = Some(self.spawn("adb-indexer", move || indexer.work(&wakes))?);
        // There may be graphs to load.
        self.indexing.look();
        Ok(())
    }

    fn spawn(
        &self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>, Error> {
        thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|source| {
            self.directory.error(ErrorKind::Io { doing: "starting a thread", source })
        })
    }
}

/// What was sent is finished; then the files are closed and the lock is free. The writer goes
/// last: only its connection can move the log into the database. Graphs are left as they are:
/// whoever opens the database next goes on with them.
impl Drop for Core {
    fn drop(&mut self) {
        self.reads.close();
        for reader in self.readers.drain(..) {
            // A panic has been answered where it happened.
            let _ = reader.join();
        }
        self.reader.stores.close();
        self.preparations.close();
        for preparer in self.preparers.drain(..) {
            let _ = preparer.join();
        }
        self.indexing.stop();
        if let Some(indexer) = self.indexer.take() {
            let _ = indexer.join();
        }
        self.writes.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn default_readers() -> NonZero<usize> {
    let cores = thread::available_parallelism().map_or(2, NonZero::get).clamp(2, 8);
    NonZero::new(cores).unwrap_or(NonZero::<usize>::MIN)
}

/// The database, if it is there.
fn existing(directory: &Directory) -> Result<Option<Store>, Error> {
    directory.has_database().then(|| Store::open_reader(directory)).transpose()
}

enum Made {
    ByUs(WriteLock, Open),
    ByAnother(Store),
}

/// Makes the database, or waits until another process has.
fn make(directory: &Directory) -> Result<Made, Error> {
    let start = Instant::now();
    loop {
        match directory.lock() {
            Ok(lock) => return Ok(Made::ByUs(lock, Open::new(directory)?)),
            Err(error) => {
                let ErrorKind::Locked { by } = error.kind() else { return Err(error) };
                if let Some(store) = existing(directory)? {
                    return Ok(Made::ByAnother(store));
                }
                if start.elapsed() > MAKING_PATIENCE {
                    return Err(directory.error(ErrorKind::BeingMade { by: by.clone() }));
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
