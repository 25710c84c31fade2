//! The engine: opening, asking, closing.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use adb_model::{BoxFuture, Database, DbError, Request, Response};

use crate::{
    directory::Directory,
    error::{Error, ErrorKind},
    holder::Holder,
    options::Options,
    request,
    store::{Settings, compact::Reclaimed, memo::Text},
    verify::{Report, verify},
    worker::{Task, Work, core::Core},
};

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

impl Options {
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

    /// Which process writes to the database in a directory now, or holds it, if any does. For people
    /// who ask what is going on: it may have ended when the answer is read.
    ///
    /// # Errors
    /// If there is no database.
    pub fn writer(path: impl AsRef<Path>) -> Result<Option<Holder>, Error> {
        let directory = Directory::open(path.as_ref(), false, Settings::default())?;
        Ok(directory.is_locked().then(|| directory.lock_holder()))
    }

    /// Takes the write lock now, and not with the first request that writes, and keeps it for as long
    /// as the engine is open: for whoever answers others' requests, and must not find out later that
    /// it can't. Other processes that want to write are told the name, such as `adb serve`, and that
    /// they had better ask this one.
    ///
    /// # Errors
    /// If another process has the lock ([`ErrorKind::Locked`]), or this engine was opened for reading.
    ///
    /// ```
    /// use adb_engine::Engine;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # let dir = tempfile::tempdir().unwrap();
    /// # runtime.block_on(async {
    /// let engine = Engine::open(dir.path())?;
    /// engine.hold("shop server").await?;
    /// let holder = Engine::writer(dir.path())?.unwrap();
    /// assert!(holder.to_string().ends_with(" (shop server)"));
    /// # Ok::<(), adb_model::DbError>(())
    /// # }).unwrap();
    /// ```
    pub async fn hold(&self, name: impl Into<String>) -> Result<(), DbError> {
        self.held(name.into(), None).await
    }

    /// The same for a server: others are told its address as well, with words such as `user:password`
    /// in the place of secrets, since whoever can read the directory can read it.
    ///
    /// # Errors
    /// As [`Engine::hold`].
    pub async fn hold_at(
        &self,
        name: impl Into<String>,
        address: impl Into<String>,
    ) -> Result<(), DbError> {
        self.held(name.into(), Some(address.into())).await
    }

    async fn held(&self, name: String, address: Option<String>) -> Result<(), DbError> {
        if self.read_only {
            return Err(self.core.directory.error(ErrorKind::ReadOnly).into());
        }
        let (answer, answered) = async_channel::bounded(1);
        let sent = self.core.writes.send(Task::Hold(name, address, answer)).await;
        sent.map_err(|_| self.core.closed())?;
        answered.recv().await.map_err(|_| self.core.closed())?
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
        let sent = self.core.writes.send(Task::Reclaim(answer)).await;
        sent.map_err(|_| self.core.closed())?;
        answered.recv().await.map_err(|_| self.core.closed())?
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
                Err(_) => Err(self.core.closed()),
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
            let work = Work { commands, blobs: request.blobs };
            match writes {
                true => self.core.write(work, prepares).await,
                false => self.core.read(work, Text::of(&request.commands)).await,
            }
        })
    }
}
