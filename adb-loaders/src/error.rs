//! What ends an ingestion. What costs one row only is a [`RowFailure`](crate::RowFailure).

use std::path::{Path, PathBuf};

use adb_model::{DbError, ensure::EnsureError};

/// An ingestion that could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Box<ErrorKind>);

/// Why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A source can't be read.
    #[error("{}: {source}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A source is broken in a way that hides where its next row begins.
    #[error("{}, line {line}, column {column}: {message}; rows before it were ingested, nothing after it can be read until this is mended", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A row is larger than one may be, so that where the next begins can't be told without holding
    /// it.
    #[error("{}: row {row}{} has more than {most} bytes, which is as many as a row may have; mend it (in CSV, look for a quote that is left open), or allow more; rows before it were ingested", path.display(), on_line(*line))]
    RowTooLong {
        /// The file.
        path: PathBuf,
        /// The row, counted from 1; 0 for a header.
        row: u64,
        /// The line on which it begins, where that is known.
        line: Option<u64>,
        /// Bytes that it may have.
        most: u64,
    },
    /// A program that gives or changes rows does not do so.
    #[error("the command `{command}`: {what}")]
    Command {
        /// Its command line.
        command: String,
        /// What went wrong.
        what: String,
    },
    /// Failed rows can't be kept.
    #[error("the dead-letter file {} can't be written: {source}{}", path.display(), way_out(source))]
    DeadLetters {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A dead-letter file can't be read.
    #[error("{}, line {line}: {message}", path.display())]
    Letters {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The beginning of a file is not what it should be, or a row of a table that is read whole.
    #[error("{}: {message}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong, and how to mend it.
        message: String,
    },
    /// A model declares children that nobody makes.
    #[error(
        "the model declares that `{maker}` makes the children of {field}, and there is no such maker (there are: {known}); in code `Ingest::maker` takes it, the command line has no other: there the rows must bring the children"
    )]
    NoMaker {
        /// The maker's name.
        maker: String,
        /// Model and field.
        field: String,
        /// The makers that there are.
        known: String,
    },
    /// A maker bears the name that a model means, and makes or reads something else.
    #[error("the maker `{maker}` is not the one that {field} means: {fault}")]
    OtherMaker {
        /// The maker's name.
        maker: String,
        /// Model and field.
        field: String,
        /// What does not fit.
        fault: String,
    },
    /// Nothing could be made: there is neither an embedder for a set nor a maker.
    #[error(
        "nothing of what `{model}` declares can be made: no field with `from` has an embedder for its set, none a maker; name an embedder (`--embedder`; in code `embedder`, `embedder_for`), or ask for another model"
    )]
    NothingToMake {
        /// The model.
        model: String,
    },
    /// There is no embedder for a set that is to be filled.
    #[error(
        "there is no embedder for the set `{set}`; name one (`--embedder`; in code `embedder`, `embedder_for`), or let the rows bring the vectors"
    )]
    NoEmbedder {
        /// The set.
        set: String,
    },
    /// A set that is to be read is not there, or is the one to be filled.
    #[error("the set `{set}` can't be embedded again: {why}")]
    NoSource {
        /// The set.
        set: String,
        /// What is wrong.
        why: String,
    },
    /// There is no such run.
    #[error("there is no run `{id}` in this database; `adb runs` lists those that there are")]
    NoRun {
        /// The id that was asked for.
        id: String,
    },
    /// What left the source can't be told.
    #[error("the database can't be made a mirror of this source: {why}")]
    NoMirror {
        /// What is missing.
        why: String,
    },
    /// Model and database don't fit.
    #[error(transparent)]
    Ensure(EnsureError),
    /// The database is gone, or refuses all, and waiting did not help.
    #[error("the database did not go on: {0}; run it again to go on from here")]
    Database(DbError),
    /// A worker ended in a way that is our fault.
    #[error("a worker of the pipeline broke off: {0}; this is a bug in adb")]
    Worker(String),
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
        match &*self.0 {
            ErrorKind::Database(e) => e.is_transient(),
            ErrorKind::Ensure(e) => e.is_transient(),
            _ => false,
        }
    }

    pub(crate) fn header(path: &Path, message: impl Into<String>) -> Self {
        ErrorKind::Header { path: path.to_owned(), message: message.into() }.into()
    }

    pub(crate) fn source(path: &Path, source: std::io::Error) -> Self {
        ErrorKind::Source { path: path.to_owned(), source }.into()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<DbError> for Error {
    fn from(e: DbError) -> Self {
        ErrorKind::Database(e).into()
    }
}

impl From<EnsureError> for Error {
    fn from(e: EnsureError) -> Self {
        ErrorKind::Ensure(e).into()
    }
}

fn on_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" (line {line})"))
}

/// How to go on where a dead-letter file can't be written.
fn way_out(e: &std::io::Error) -> &'static str {
    match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            "; it may hold rows that failed before: take these in first, or name another file"
        }
        _ => "",
    }
}

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
