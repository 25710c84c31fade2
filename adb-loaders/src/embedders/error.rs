//! Why there is no embedder. Why there is no vector is an [`adb_model::EmbedError`].

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use adb_model::{DbError, EmbedError, ensure::FilledBy};

/// An embedder that could not be found, opened or used for a set.
///
/// Cheap to copy: a side that can't be loaded tells every caller so.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Arc<ErrorKind>);

/// Why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A bundle's description or one of its files says something that can't be used.
    #[error("{}: {message}", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong, and how to mend it.
        message: String,
    },
    /// A file is not the one that the bundle was made with.
    #[error("{} is not the file that its bundle.json describes (sha256 {got}, wanted {wanted}); `adb embedders get` mends what came from a hub; otherwise remove the bundle's directory and build it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What bundle.json says.
        wanted: String,
        /// What the file has.
        got: String,
    },
    /// A file can't be read or written.
    #[error("{}: {source}; check that it is there, the rights on it, and the free space", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// ONNX Runtime can't be had.
    #[error("{0}")]
    Runtime(String),
    /// The model hub did not give what was asked for.
    #[error("{hub}: {message}")]
    Hub {
        /// Its address.
        hub: String,
        /// What went wrong, and how to mend it.
        message: String,
        /// Whether another attempt can help.
        transient: bool,
    },
    /// The set holds vectors of another embedder than was asked for.
    #[error(
        "the set `{set}` is filled by {found}, not by {asked}: vectors of the two can't be compared; leave the choice of the embedder out, or use another database"
    )]
    OtherEmbedder {
        /// The set's name.
        set: String,
        /// Whose vectors it holds.
        found: FilledBy,
        /// Who was asked for, in words.
        asked: String,
    },
    /// The set is filled with vectors that the caller gives: no embedder makes vectors like them.
    #[error(
        "the set `{set}` is filled by the caller's own vectors, so no embedder can fill it or search it; give vectors, or use a set of another name"
    )]
    FilledByCaller {
        /// The set's name.
        set: String,
    },
    /// The embedder's vectors don't have the length that the set takes.
    #[error(
        "the embedder `{embedder}` makes vectors of {got} components, the set `{set}` takes {wanted}; choose an embedder of {wanted} components, or declare the set with one of {got}"
    )]
    Dimensions {
        /// The embedder's name.
        embedder: String,
        /// Components of its vectors.
        got: usize,
        /// The set's name.
        set: String,
        /// Components that the set takes.
        wanted: usize,
    },
    /// A set to be searched is not there.
    #[error("the database has no descriptor set `{set}`; ingest something first")]
    NoSet {
        /// The set's name.
        set: String,
    },
    /// None of a set's vectors that were looked at stands for a picture that can be read.
    #[error(
        "of the set `{set}` {looked_at} vectors were looked at, and none is connected to a single image that can be read{fault}; only vectors of images can be audited"
    )]
    NoPictures {
        /// The set's name.
        set: String,
        /// Vectors that were looked at.
        looked_at: usize,
        /// Why the first picture could not be read, in parentheses; empty if there was none.
        fault: String,
    },
    /// Inputs that were to be embedded gave no vectors.
    #[error("{input}: {source}")]
    Input {
        /// Which, counted from 0, and by name if it has one.
        input: String,
        /// Why.
        source: EmbedError,
    },
    /// There is no embedder for a set.
    #[error("{0}")]
    NoneFound(String),
    /// The database could not be asked what the set holds.
    #[error(transparent)]
    Database(DbError),
}

impl Error {
    /// What happened.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.kind() {
            ErrorKind::Hub { transient, .. } => *transient,
            ErrorKind::Database(e) => e.is_transient(),
            _ => false,
        }
    }

    pub(crate) fn bundle(path: &Path, message: impl Into<String>) -> Self {
        ErrorKind::Bundle { path: path.to_owned(), message: message.into() }.into()
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        ErrorKind::Io { path: path.to_owned(), source }.into()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Arc::new(kind))
    }
}
