//! Sources: where rows come from, one at a time.

mod csv;
mod json;
mod row;

use std::{fmt, ops::ControlFlow, sync::Arc};

use adb_model::ModelSchema;
use uuid::Uuid;

pub use csv::CsvSource;
pub use json::JsonSource;
pub use row::{FromJson, LoadedRow, ToGraph};

use crate::{Error, MediaRoot};

/// Where a row stands in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPlace {
    /// The file, as the user named it; or a stored object.
    pub file: Arc<str>,
    /// The row, counted from 1; 0 for a stored object, which is in no file.
    pub row: u64,
    /// The line on which it begins, counted from 1, where there are lines.
    pub line: Option<u64>,
}

impl fmt::Display for RowPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.row == 0 {
            return f.write_str(&self.file);
        }
        write!(f, "{}, row {}", self.file, self.row)?;
        match self.line {
            Some(line) => write!(f, " (line {line})"),
            None => Ok(()),
        }
    }
}

/// One row: where it stands, and its value or why there is none.
#[derive(Debug)]
pub struct SourceRow<T> {
    /// Where it stands.
    pub at: RowPlace,
    /// What it says; an error costs this row alone.
    pub value: Result<T, String>,
    /// Keys that no field took, such as `ingredients[].grams`.
    pub ignored: Vec<String>,
    /// What identifies the row on the next run, for models without an id of their own: see
    /// [`adb_model::graph::row_identity`].
    pub identity: Uuid,
}

/// A stream of rows.
pub trait Source: Send + 'static {
    /// What a row becomes.
    type Row: ToGraph + Send + 'static;

    /// What its rows are.
    fn schema(&self) -> &'static ModelSchema;

    /// Where relative paths in its rows begin.
    fn media_root(&self) -> MediaRoot;

    /// Its size in bytes, when that is known: for progress.
    fn size(&self) -> Option<u64> {
        None
    }

    /// Hands each row to `each`, until that says to stop. Blocks; runs on a thread of its own.
    /// `each` also takes the number of bytes read so far.
    ///
    /// # Errors
    /// When the source can't be read on.
    fn read(
        self,
        each: &mut dyn FnMut(SourceRow<Self::Row>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error>;
}
