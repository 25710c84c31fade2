//! The engine: opening, asking, closing.

use std::{
    collections::HashMap,
    ffi::CStr,
    fmt,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use adb_model::{BoxFuture, Database, DbError, Fate, Request, Response};
use async_channel::Sender;

use crate::{
    directory::{Directory, WriteLock},
    error::{Error, ErrorKind},
    media::{Media, fetch::Fetcher},
    request,
    store::{Settings, Store, compact::Reclaimed, pack::files::PackFiles},
    vectors::{cache::VectorCache, scan::ExactScan},
    verify::{Report, verify},
    worker::{
        Job, Task, Unprepared, Work,
        indexer::{Indexer, Indexing, Policy, Wakes},
        preparer::Preparer,
        queue::Queue,
        reader::{Reader, Stores},
        writer::{Open, Writer},
    },
};

/// Requests that may wait before whoever sends the next one waits as well.
const QUEUE: usize = 1024;
/// How long another process may take to make the database that this one is to open.
const MAKING_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer, blobs included, as on a server.
const RESPONSE_LIMIT: usize = 256 << 20;

/// An embedded database: a directory on disk that answers the query language.
///
/// Reads see one committed state and never wait for writes. A write is on the disk when it is
/// answered. Dropping the engine finishes what was sent, then gives the write lock back.
///
/// ```
/// use adb_engine::Engine;
/// use adb_model::{Database, Request};
/// use serde_json::json;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("my-db");
/// let engine = Engine::open(&path)?;
/// # runtime.block_on(async {
/// let request = Request::json(&json!([
///     {"AddEntity": {"class": "Ingredient", "properties": {"name": "rice"}}},
///     {"FindEntity": {"with_class": "Ingredient", "results": {"list": ["name"]}}},
/// ]));
/// let (answers, _) = engine.execute(request).await?.done().unwrap();
/// assert_eq!(answers[1]["FindEntity"]["entities"], json!([{"name": "rice"}]));
/// # Ok::<(), adb_model::DbError>(())
/// # }).unwrap();
/// # Ok::<(), adb_engine::Error>(())
/// ```
pub struct Engine {
    core: Arc<Core>,
    read_only: bool,
}

/// How to open an [`Engine`].
#[derive(Debug, Clone)]
pub struct Options {
    read_only: bool,
    readers: Option<NonZero<usize>>,
    response_limit: usize,
    exact_scan: ExactScan,
    map_vectors: bool,
    policy: Policy,
    settings: Settings,
    media: Media,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_only: false,
            readers: None,
            response_limit: RESPONSE_LIMIT,
            exact_scan: ExactScan::default(),
            map_vectors: true,
            policy: Policy::default(),
            settings: Settings::default(),
            media: Media::new(RESPONSE_LIMIT),
        }
    }
}

impl Options {
    /// Refuses requests that write, and makes nothing.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// How many threads read; as many as the machine has cores (2 to 8) unless told. As many make
    /// ready what is to be stored (fetching, pictures, videos).
    #[must_use]
    pub fn readers(mut self, readers: NonZero<usize>) -> Self {
        self.readers = Some(readers);
        self
    }

    /// How many bytes an answer may have, blobs included; 256 MB unless told.
    #[must_use]
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Where the programs `ffmpeg` and `ffprobe` are, which the pictures of videos need; they are
    /// looked for in PATH unless told. They are run when a request asks for what only they can do,
    /// on a temporary file, without a shell and without the network.
    #[must_use]
    pub fn ffmpeg(mut self, ffmpeg: impl Into<PathBuf>, ffprobe: impl Into<PathBuf>) -> Self {
        self.media.ffmpeg = ffmpeg.into();
        self.media.ffprobe = ffprobe.into();
        self
    }

    /// How long those programs may work for one request; two minutes unless told.
    #[must_use]
    pub fn video_time_limit(mut self, limit: Duration) -> Self {
        self.media.time_limit = limit;
        self
    }

    /// How many bytes one image, blob or video may have that is fetched or made anew; 256 MB unless
    /// told.
    #[must_use]
    pub fn media_limit(mut self, bytes: usize) -> Self {
        self.media.size_limit = bytes;
        self
    }

    /// Who fetches what `url` of AddImage, AddBlob and AddVideo names; such commands are refused
    /// unless told.
    #[must_use]
    pub fn fetcher(mut self, fetcher: Arc<dyn Fetcher>) -> Self {
        self.media.fetcher = Some(fetcher);
        self
    }

    /// How exact searches read vectors; by [`ExactScan::Halved`] unless told. The answers are the
    /// same.
    #[must_use]
    pub fn exact_scan(mut self, scan: ExactScan) -> Self {
        self.exact_scan = scan;
        self
    }

    /// Whether vectors of large sets are kept in a file beside the database, too, and searched there
    /// (mapped into memory); true unless told.
    ///
    /// Without it each process reads the vectors from the tables before its first search, and holds
    /// them in memory of its own: 6 bytes a component (4 by [`ExactScan::Full`]), which the file
    /// takes on the disk. With it the system keeps in memory what is used.
    #[must_use]
    pub fn map_vectors(mut self, map: bool) -> Self {
        self.map_vectors = map;
        self
    }

    /// From how many vectors on a set with an approximate engine gets a graph; 8192 unless told.
    /// Smaller ones are scanned.
    #[must_use]
    pub fn index_from(mut self, vectors: usize) -> Self {
        self.policy.index_from = vectors;
        self
    }

    /// For tests of the files of graphs: saves them after so many vectors.
    #[doc(hidden)]
    #[must_use]
    pub fn save_indexes_after(mut self, vectors: usize) -> Self {
        self.policy.unsaved_least = vectors;
        self.policy.unsaved_share = usize::MAX;
        self
    }

    /// For the tests of durability: goes through another file layer of SQLite's (by its name), moves
    /// the log into the database after so many pages, and writes a file anew in this way.
    #[doc(hidden)]
    #[must_use]
    pub fn file_layer(
        mut self,
        vfs: &'static CStr,
        checkpoint_pages: i64,
        write_anew: fn(&Path) -> std::io::Result<()>,
    ) -> Self {
        self.settings.vfs = Some(vfs);
        self.settings.write_anew = write_anew;
        self.settings.checkpoint_pages = checkpoint_pages;
        self
    }

    /// For the tests of durability: reaches packs in this way.
    #[doc(hidden)]
    #[must_use]
    pub fn pack_files(mut self, files: &'static dyn PackFiles) -> Self {
        self.settings.pack_files = files;
        self
    }

    /// For tests and measurements: the blobs of a commit that has so many bytes of them go into
    /// packs, and those have about this length.
    #[doc(hidden)]
    #[must_use]
    pub fn pack_sizes(mut self, from_bytes: usize, pack_bytes: u64) -> Self {
        self.settings.pack_from = from_bytes;
        self.settings.pack_bytes = pack_bytes;
        self
    }

    /// For the test that must see losses: answers before the disk has what was written.
    #[doc(hidden)]
    #[must_use]
    pub fn without_sync(mut self) -> Self {
        self.settings.sync = false;
        self
    }

    /// Opens the database in a directory; makes both if they are missing.
    ///
    /// A process that opens one directory twice gets two handles of one engine; the options of the
    /// first hold, but for [`Options::read_only`], which is each handle's own.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Engine, Error> {
        let directory = Directory::open(path.as_ref(), !self.read_only, self.settings)?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.get_or_insert_default();
        open.retain(|_, core| core.strong_count() > 0);
        let core = match open.get(directory.root()).and_then(Weak::upgrade) {
            Some(core) => core,
            None => {
                let root = directory.root().to_owned();
                let core = Arc::new(Core::start(&directory, self)?);
                open.insert(root, Arc::downgrade(&core));
                core
            }
        };
        Ok(Engine { core, read_only: self.read_only })
    }
}

/// What this process has open.
static OPEN: Mutex<Option<HashMap<PathBuf, Weak<Core>>>> = Mutex::new(None);

impl Engine {
    /// Opens the database in a directory; makes both if they are missing.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::options().open(path)
    }

    /// Opens it otherwise.
    #[must_use]
    pub fn options() -> Options {
        Options::default()
    }

    /// Looks at everything in a database, which may be open meanwhile, also for writing: the
    /// structure of its files, every checksum, and whether rows that belong together are there.
    ///
    /// # Errors
    /// If there is no database, or one that cannot even be opened; see [`ErrorKind`]. All else that
    /// is wrong stands in the report.
    ///
    /// ```
    /// use adb_engine::Engine;
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// let engine = Engine::open(dir.path())?;
    /// let report = Engine::verify(engine.path())?;
    /// assert!(report.is_sound(), "{report}");
    /// # Ok::<(), adb_engine::Error>(())
    /// ```
    pub fn verify(path: impl AsRef<Path>) -> Result<Report, Error> {
        verify(path.as_ref())
    }

    /// Whether a process writes to the database in a directory now, and which, as far as that is
    /// known. For people who ask what is going on: it may have ended when the answer is read.
    ///
    /// # Errors
    /// If there is no database.
    pub fn writer(path: impl AsRef<Path>) -> Result<Option<Option<u32>>, Error> {
        let directory = Directory::open(path.as_ref(), false, Settings::default())?;
        Ok(directory.is_locked().then(|| directory.lock_holder()))
    }

    /// Gives the space of deleted blobs back, as far as they are in packs: packs that are a quarter
    /// empty or more are written anew, those that nothing names are removed. Writes wait meanwhile,
    /// reads do not.
    ///
    /// # Errors
    /// As of a request that writes; what was moved until then stays moved. Nothing is lost.
    pub async fn reclaim(&self) -> Result<Reclaimed, DbError> {
        if self.read_only {
            return Err(self.core.directory.error(ErrorKind::ReadOnly).into());
        }
        let (answer, answered) = async_channel::bounded(1);
        let closed = || DbError::from(self.core.directory.error(ErrorKind::Closed));
        self.core.writes.send(Task::Reclaim(answer)).await.map_err(|_| closed())?;
        answered.recv().await.map_err(|_| closed())?
    }

    /// Waits until the graphs of all sets with an approximate engine hold every vector that is
    /// committed now, and are saved (if this process is the one that writes).
    ///
    /// Searches need no such wait: what a graph lacks is scanned. It is for those who measure, and
    /// for whoever ends an ingestion and wants the next process to begin with a whole graph.
    ///
    /// # Errors
    /// If a graph can't be made or saved.
    pub fn settle_indexes(&self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(async move {
            let (done, settled) = async_channel::bounded(1);
            self.core.indexing.settle(done);
            match settled.recv().await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(text)) => Err(DbError::permanent(format!(
                    "the vector indexes of {}: {text}",
                    self.path().display()
                ))),
                Err(_) => Err(self.core.directory.error(ErrorKind::Closed).into()),
            }
        })
    }

    /// The database's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.core.directory.root()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("path", &self.path())
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl Database for Engine {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            let mut commands = match request::parse(&request) {
                Ok(commands) => commands,
                Err(refusal) => return Ok(Response::Refused(refusal)),
            };
            let writes = commands.iter().any(|c| c.command.writes());
            if writes && self.read_only {
                return Err(self.core.directory.error(ErrorKind::ReadOnly).into());
            }
            let prepares = writes && commands.iter_mut().any(|c| c.command.unprepared().is_some());
            let (answer, answered) = async_channel::bounded(1);
            let work = Work { commands, blobs: request.blobs };
            let (sent, kept) = if prepares {
                let unprepared = Unprepared { work, answer };
                (self.core.preparations.send(unprepared).await.is_ok(), None)
            } else {
                let work = Arc::new(work);
                let job = Job { work: work.clone(), answer };
                let sent = match writes {
                    true => self.core.writes.send(Task::Request(job)).await.is_ok(),
                    false => self.core.reads.send(job).await.is_ok(),
                };
                (sent, Some(work))
            };
            if !sent {
                return Err(self.core.directory.error(ErrorKind::Closed).into());
            }
            let answered = answered.recv().await;
            drop(kept);
            match answered {
                Ok(answer) => answer,
                Err(_) => {
                    let gone = self.core.directory.error(ErrorKind::Closed);
                    Err(DbError::from(gone).with_fate(Fate::Unknown))
                }
            }
        })
    }
}

/// What all handles of one directory share.
struct Core {
    directory: Directory,
    reads: Sender<Job>,
    writes: Sender<Task>,
    /// Writes that need work before their transaction.
    preparations: Sender<Unprepared>,
    indexing: Arc<Indexing>,
    readers: Vec<JoinHandle<()>>,
    preparers: Vec<JoinHandle<()>>,
    indexer: Option<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Core {
    fn start(directory: &Directory, options: &Options) -> Result<Self, Error> {
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
        let mut core = Self {
            directory: directory.clone(),
            reads,
            writes,
            preparations,
            indexing: indexing.clone(),
            readers: Vec::new(),
            preparers: Vec::new(),
            indexer: None,
            writer: None,
        };
        let folder = options.map_vectors.then(|| directory.vectors());
        let (scan, index_from) = (options.exact_scan, options.policy.index_from);
        let vectors = Arc::new(VectorCache::new(scan, folder, index_from));
        let media = Arc::new(options.media.clone());
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
        let stores = Arc::new(Stores::default());
        if let Some(store) = reader {
            stores.put(store);
        }
        for _ in 0..options.readers.unwrap_or_else(default_readers).get() {
            let reader = Reader {
                directory: directory.clone(),
                vectors: vectors.clone(),
                media: media.clone(),
                response_limit: options.response_limit,
                indexing: indexing.clone(),
                stores: stores.clone(),
            };
            let jobs = read_jobs.clone();
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
                let ErrorKind::Locked { pid } = *error.kind() else { return Err(error) };
                if let Some(store) = existing(directory)? {
                    return Ok(Made::ByAnother(store));
                }
                if start.elapsed() > MAKING_PATIENCE {
                    return Err(directory.error(ErrorKind::BeingMade { pid }));
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
