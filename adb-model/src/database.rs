//! The joint between what is stored and where: one trait, no runtime.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use serde_json::Value as Json;

/// A boxed future, as [`Database::execute`] returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Anything that answers the query language: the embedded engine, a server, a fake in a test.
pub trait Database: Send + Sync {
    /// Runs one request as one transaction: all of it or nothing.
    ///
    /// A request that the database refused is an answer ([`Response::Refused`]), not an error.
    /// Dropping the future does not undo what was sent.
    ///
    /// # Errors
    /// When no answer could be had; [`DbError::fate`] says what became of the request.
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>>;
}

impl<D: Database + ?Sized> Database for std::sync::Arc<D> {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        (**self).execute(request)
    }
}

/// Runs a request that ought to succeed: a refusal is an error here.
///
/// # Errors
/// When no answer could be had, or the database refused.
pub async fn ask(db: &dyn Database, request: Request) -> Result<(Vec<Json>, Vec<Bytes>), DbError> {
    Ok(db.execute(request).await?.done()?)
}

/// Whether a command of the query language changes nothing, by its name; of a name that is not known,
/// no.
#[must_use]
pub fn only_reads(command: &str) -> bool {
    ["Find", "Get", "Classify", "Extract", "RegionIoU", "BoundingBoxIoU"]
        .iter()
        .any(|beginning| command.starts_with(beginning))
}

/// Commands and the blobs that they take, in order.
#[derive(Clone, Default)]
pub struct Request {
    /// A JSON array of commands, each an object with one key.
    pub commands: Bytes,
    /// The blobs.
    pub blobs: Vec<Bytes>,
}

impl Request {
    /// A request from a JSON array and its blobs.
    #[must_use]
    pub fn new(commands: impl Into<Bytes>, blobs: Vec<Bytes>) -> Self {
        Self { commands: commands.into(), blobs }
    }

    /// A request from commands written with `serde_json::json!`.
    ///
    /// ```
    /// use adb_model::Request;
    /// let request = Request::json(&serde_json::json!([{"GetStatus": {}}]));
    /// assert_eq!(&request.commands[..], br#"[{"GetStatus":{}}]"#);
    /// ```
    #[must_use]
    pub fn json(commands: &Json) -> Self {
        Self::new(commands.to_string(), Vec::new())
    }

    /// The same request with a blob more.
    #[must_use]
    pub fn with_blob(mut self, blob: impl Into<Bytes>) -> Self {
        self.blobs.push(blob.into());
        self
    }
}

/// Commands as text, blobs by their sizes.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("commands", &String::from_utf8_lossy(&self.commands))
            .field("blobs", &self.blobs.iter().map(Bytes::len).collect::<Vec<_>>())
            .finish()
    }
}

/// What a database answered.
#[derive(Clone)]
pub enum Response {
    /// The transaction was committed.
    Done {
        /// One answer for each command: `{"<command>": {"status": …, …}}`.
        answers: Vec<Json>,
        /// The blobs that were asked for, in order.
        blobs: Vec<Bytes>,
    },
    /// The transaction was refused; nothing of it remains.
    Refused(Refusal),
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Response::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
            Response::Done { answers, blobs } => f
                .debug_struct("Done")
                .field("answers", answers)
                .field("blobs", &blobs.iter().map(Bytes::len).collect::<Vec<_>>())
                .finish(),
        }
    }
}

impl Response {
    /// The answers and blobs.
    ///
    /// # Errors
    /// The refusal, if it is one.
    pub fn done(self) -> Result<(Vec<Json>, Vec<Bytes>), Refusal> {
        match self {
            Response::Done { answers, blobs } => Ok((answers, blobs)),
            Response::Refused(refusal) => Err(refusal),
        }
    }
}

/// Why a database refused a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{info}")]
pub struct Refusal {
    /// −1: an error; 3: not unique; 4: the answer would be too large.
    pub status: i64,
    /// What was wrong, in words.
    pub info: String,
    /// A machine-readable reason, from servers that give one.
    pub code: Option<String>,
    /// Which command was at fault, counted from 0, where that is known.
    pub command: Option<usize>,
}

impl Refusal {
    /// A refusal with status −1.
    #[must_use]
    pub fn error(command: Option<usize>, info: impl Into<String>) -> Self {
        Self { status: -1, info: info.into(), code: None, command }
    }
}

/// What became of a request that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was not applied: sending it again is safe.
    NotApplied,
    /// It may or may not have been applied: sending it again is safe only when every Add in it is
    /// guarded by `if_not_found`.
    Unknown,
}

/// No answer could be had from a database.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DbError {
    message: String,
    fate: Fate,
    transient: bool,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl DbError {
    /// An error that another attempt would meet again.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            fate: Fate::NotApplied,
            transient: false,
            retry_after: None,
            source: None,
        }
    }

    /// An error that may pass.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self { transient: true, ..Self::permanent(message) }
    }

    /// Says what became of the request.
    #[must_use]
    pub fn with_fate(mut self, fate: Fate) -> Self {
        self.fate = fate;
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Says what caused it.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What became of the request.
    #[must_use]
    pub fn fate(&self) -> Fate {
        self.fate
    }

    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.transient
    }

    /// How long to wait before it, if the database said.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
