//! What is asked of a server, and what it says.

use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;

use super::http;
use crate::media::MediaErrorKind;

/// What a server said by which an object's state can be told from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) etag: Option<String>,
    pub(super) modified: Option<String>,
}

impl Tags {
    pub(super) fn is_empty(&self) -> bool {
        self.etag.is_none() && self.modified.is_none()
    }

    /// Whether two parts with these tags are of the same bytes; weak tags don't promise that.
    pub(super) fn is_strong(&self) -> bool {
        match &self.etag {
            Some(etag) => !etag.starts_with("W/"),
            None => self.modified.is_some(),
        }
    }

    /// Whether they are of two states; an answer of a part may leave tags out.
    pub(super) fn differ(&self, other: &Self) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        differ(&self.etag, &other.etag) || differ(&self.modified, &other.modified)
    }
}

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Ask {
    /// The first byte that is wanted.
    pub(super) from: u64,
    /// Of the object whose beginning is there.
    pub(super) tags: Tags,
    /// What the cache holds.
    pub(super) known: Option<Tags>,
}

impl Ask {
    pub(super) fn is_conditional(&self) -> bool {
        self.from == 0 && self.known.is_some()
    }
}

pub(super) enum Answer {
    Opened(Opened),
    /// The cache holds it.
    NotModified,
    /// It is no longer the object whose beginning is there.
    Other,
}

/// The beginning of an answer.
pub(super) struct Opened {
    /// Where the body begins.
    pub(super) start: u64,
    /// The size of the whole object.
    pub(super) total: Option<u64>,
    pub(super) tags: Tags,
    /// How long it may be used without asking again; nothing if it may not be kept.
    pub(super) fresh_for: Option<Duration>,
    pub(super) body: Body,
}

pub(super) enum Body {
    Http(Incoming),
    #[cfg(any(feature = "s3", feature = "gs"))]
    Object(super::store::Stream),
}

impl Body {
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, MediaErrorKind> {
        match self {
            Self::Http(body) => http::next(body).await,
            #[cfg(any(feature = "s3", feature = "gs"))]
            Self::Object(stream) => super::store::next(stream).await,
        }
    }
}

/// Why an attempt brought nothing.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: MediaErrorKind,
    /// When the server wants to be asked again.
    pub(super) wait: Option<Duration>,
    /// Whether it says so to all that ask it.
    pub(super) of_host: bool,
}

impl From<MediaErrorKind> for Fault {
    fn from(kind: MediaErrorKind) -> Self {
        Self { kind, wait: None, of_host: false }
    }
}
