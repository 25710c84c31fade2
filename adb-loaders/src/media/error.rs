//! Why media could not be had.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use adb_model::ObjectKind;

/// A picture, video or other file that could not be had: which, why, and how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{place} {kind}")]
pub struct MediaError {
    place: String,
    kind: Box<MediaErrorKind>,
}

/// Why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaErrorKind {
    /// There is no such file or object.
    #[error("does not exist")]
    NotFound,
    /// A path names a directory, or something else that is no file.
    #[error("is not a file")]
    NotAFile,
    /// There is not a byte in it.
    #[error("is empty")]
    Empty,
    /// It is larger than allowed.
    #[error("has {}, more than the limit of {limit}; raise the limit (`--max-media-bytes`) to take it", bytes_of(*bytes))]
    TooLarge {
        /// Its size in bytes, where that is told before it is read.
        bytes: Option<u64>,
        /// The limit in bytes.
        limit: u64,
    },
    /// The system refused.
    #[error("can't be read: {0}")]
    Io(std::io::Error),
    /// A row's path leaves the directory in which its media lie.
    #[error(
        "lies outside of {}, and rows may not name files there; name another directory (`--media-root`), or allow it if you trust the rows (`--allow-outside`)",
        root.display()
    )]
    Outside {
        /// The directory.
        root: PathBuf,
    },
    /// This program was built without what it takes.
    #[error("can't be fetched: this program was built without the feature `{0}`")]
    NoFeature(&'static str),
    /// It is no address that can be fetched.
    #[error("is no address that can be fetched: {0}")]
    Address(String),
    /// It leads to an address that is not of the public net.
    #[error(
        "leads to {0}, which is not an address of the public net; allow such addresses if you trust the rows (`--allow-private`)"
    )]
    Private(IpAddr),
    /// The server does not give it.
    #[error("can't be had: the server answers {status}{}", told(text))]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What the server says, if it says something short.
        text: String,
    },
    /// The server has no time.
    #[error("can't be had now: the server answers {status}{}{}", told(text), later(*wait))]
    Busy {
        /// The status of HTTP.
        status: u16,
        /// What the server says, if it says something short.
        text: String,
        /// When it wants to be asked again.
        wait: Option<Duration>,
    },
    /// It took too long.
    #[error("took too long: {what} within {} s", limit.as_secs_f64())]
    TimedOut {
        /// What did not happen in time.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The connection ended before all was there.
    #[error("was cut off after {got} bytes{}", of_bytes(*announced))]
    Cut {
        /// Bytes that came.
        got: u64,
        /// Bytes that the server had announced.
        announced: Option<u64>,
    },
    /// The server can't be reached, or does not speak HTTP.
    #[error("can't be fetched: {0}")]
    Network(String),
    /// Something else came than the model needs.
    #[error("is {found}, where {} is needed", wanted(*kind))]
    Other {
        /// What came.
        found: String,
        /// What is needed.
        kind: ObjectKind,
    },
    /// Media of a kind that can't be read, such as those that are in a database already.
    #[error("is of a kind that can't be read")]
    Unreadable,
    /// Whoever wanted it has stopped.
    #[error("was not fetched, since the run was stopped; run it again to go on from here")]
    Stopped,
}

impl MediaError {
    pub(crate) fn new(place: impl Into<String>, kind: MediaErrorKind) -> Self {
        Self { place: place.into(), kind: Box::new(kind) }
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> &MediaErrorKind {
        &self.kind
    }

    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }
}

impl MediaErrorKind {
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::TimedOut { .. }
                | Self::Cut { .. }
                | Self::Network(_)
                | Self::Stopped
        )
    }
}

/// Rows tell their failures in words.
impl From<MediaError> for String {
    fn from(e: MediaError) -> Self {
        e.to_string()
    }
}

fn bytes_of(bytes: Option<u64>) -> String {
    bytes.map_or("more bytes than are allowed".to_owned(), |n| format!("{n} bytes"))
}

fn of_bytes(announced: Option<u64>) -> String {
    announced.map_or(String::new(), |n| format!(" of the {n} that the server announced"))
}

fn told(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

fn later(wait: Option<Duration>) -> String {
    wait.map_or(String::new(), |w| format!(", and wants to be left alone for {} s", w.as_secs()))
}

fn wanted(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Image => "an image",
        ObjectKind::Video => "a video",
        _ => "a file",
    }
}
