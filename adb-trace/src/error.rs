//! What can be wrong with a trace.

use std::{io, path::PathBuf};

/// What can be wrong with a trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file can't be made, read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is there already, and might be somebody's only copy.
    #[error("{0} is there already: name another file")]
    Exists(PathBuf),
    /// The file is no trace, or one of a newer adb.
    #[error("{path} can't be replayed: {fault}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// A line that can't be read.
    #[error("{path}, line {line}: {fault}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong.
        fault: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Chance(String),
}

impl Error {
    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::File { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}
