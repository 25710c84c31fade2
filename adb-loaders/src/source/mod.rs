//! Sources: where rows come from, one at a time.

mod beside;
mod command;
pub(crate) mod csv;
mod directory;
mod input;
mod json;
mod lines;
mod object;
#[cfg(feature = "parquet")]
mod parquet;
mod plain;
mod row;
mod select;
mod shards;
mod transform;
#[cfg(feature = "webdataset")]
mod webdataset;

use std::{fmt, ops::ControlFlow, path::Path, sync::Arc};

use adb_model::{ModelSchema, graph::row_identity};
use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

pub use beside::{WithVectors, vectors_in};
pub use command::{CommandObjects, Filtered};
pub use csv::{CsvObjects, CsvSource, EachCells};
pub use directory::DirObjects;
#[cfg(feature = "http")]
pub use directory::ListedObjects;
pub use input::MAX_ROW_BYTES;
pub use json::{JsonObjects, JsonSource};
pub use object::{EachObject, Object, ObjectRow, ObjectSource, ObjectText, Rows};
#[cfg(feature = "parquet")]
pub use parquet::ParquetObjects;
pub use plain::PlainModel;
pub use row::{FromJson, LoadedRow, ToGraph};
pub use select::{Selected, Selection, Shard};
pub use shards::shards;
pub use transform::{Transform, Transformed, TransformedObjects};
#[cfg(feature = "webdataset")]
pub use webdataset::TarObjects;

use crate::{Error, MediaRoot};

/// Where a row stands in its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowPlace {
    /// The file, as the user named it; or a stored object.
    pub file: Arc<str>,
    /// The row, counted from 1; 0 for a stored object, which is in no file, and for a file that is
    /// a row itself.
    pub row: u64,
    /// The line on which it begins, counted from 1, where there are lines.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    /// What it says; an error costs this row alone. Nothing where a [`Transform`] left it out.
    pub value: Result<Option<T>, String>,
    /// Keys that no field took, such as `ingredients[].grams`.
    pub ignored: Vec<String>,
    /// What identifies the row on the next run, for models without an id of their own: see
    /// [`adb_model::graph::row_identity`].
    pub identity: Uuid,
    /// The row as text, for whoever keeps it if it fails: JSON, where [`FromJson`] is to read it
    /// again; as it was written, where it can't be read. Empty for sources that have no such thing.
    pub raw: Bytes,
    /// Files that the row brings itself, each by the path or address that its fields name it by:
    /// they are not looked for anywhere else.
    pub media: Vec<(String, Bytes)>,
}

impl<T> SourceRow<T> {
    /// A row that is identified by where it stands, for sources that have no text.
    #[must_use]
    pub fn of(at: RowPlace, value: Result<T, String>) -> Self {
        let identity = row_identity(&at.file, at.row, &[]);
        Self { value: value.map(Some), ..Self::new(at, identity, Bytes::new()) }
    }

    /// A row whose value is still to be said; until then it fails for want of one.
    #[must_use]
    pub fn new(at: RowPlace, identity: Uuid, raw: impl Into<Bytes>) -> Self {
        let value = Err("its source says nothing of it".to_owned());
        let (ignored, media) = (Vec::new(), Vec::new());
        Self { at, value, ignored, identity, raw: raw.into(), media }
    }
}

/// The name of a source that is a file.
pub(crate) fn name_of(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// The name of a source of several files: of one it is that. Which files a pattern finds may change
/// from run to run, so several have none.
#[cfg(any(feature = "parquet", feature = "webdataset"))]
pub(crate) fn name_of_all(files: &[std::path::PathBuf]) -> String {
    match files {
        [one] => name_of(one),
        _ => String::new(),
    }
}

/// Refuses files of one name where the model knows rows by it, and by their place in the file: rows
/// of the one would count as those of the other.
#[cfg(any(feature = "parquet", feature = "webdataset"))]
pub(crate) fn check_names(files: &[std::path::PathBuf], schema: &ModelSchema) -> Result<(), Error> {
    let is_known_by_place = schema
        .fields
        .iter()
        .any(|field| field.key == plain::PATH && matches!(field.role, adb_model::FieldRole::Id(_)));
    let mut names = std::collections::HashMap::new();
    for file in files.iter().filter(|_| is_known_by_place) {
        if let Some(other) = names.insert(file.file_name(), file) {
            let message = format!(
                "it has the name of {}, and rows are known by that and their place in it: rename one, let what is in a picture tell it from others (`--id content`), or bring in each by itself with a class of its own (`--class`)",
                other.display()
            );
            let kind = std::io::ErrorKind::InvalidInput;
            return Err(Error::source(file, std::io::Error::new(kind, message)));
        }
    }
    Ok(())
}

/// A stream of rows.
///
/// ```
/// # use std::ops::ControlFlow;
/// # use adb_loaders::{Error, RowPlace, Source, SourceRow};
/// # use adb_model::{DataModel, ModelSchema};
/// struct Counted<T>(std::vec::IntoIter<T>);
///
/// impl<T: DataModel + Send + 'static> Source for Counted<T> {
///     type Row = T;
///     fn schema(&self) -> &'static ModelSchema { T::SCHEMA }
///     fn read(self, each: &mut dyn FnMut(SourceRow<T>, u64) -> ControlFlow<()>) -> Result<(), Error> {
///         for (row, value) in (1..).zip(self.0) {
///             let at = RowPlace { file: "counted".into(), row, line: None };
///             if each(SourceRow::of(at, Ok(value)), 0).is_break() { break; }
///         }
///         Ok(())
///     }
/// }
/// ```
/// Where rows are objects of JSON, an [`ObjectSource`] is shorter still.
pub trait Source: Send + 'static {
    /// What a row becomes.
    type Row: ToGraph + Send + 'static;

    /// What its rows are.
    fn schema(&self) -> &'static ModelSchema;

    /// What it is called, the same on every run: by it a later run knows what an earlier one
    /// brought. Of a file its whole path. Empty, if it has no name of its own.
    fn name(&self) -> String {
        String::new()
    }

    /// Whether rows are passed over: then nobody can say what is there no longer.
    fn is_part(&self) -> bool {
        false
    }

    /// Where relative paths in its rows begin: the working directory unless it says otherwise.
    fn media_root(&self) -> MediaRoot {
        MediaRoot::new(".")
    }

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

    /// A part of its rows.
    #[must_use]
    fn select(self, selection: Selection) -> Selected<Self>
    where
        Self: Sized,
    {
        Selected::new(self, selection)
    }

    /// Changes, refuses or leaves out rows.
    fn transform<T: Transform<Self::Row>>(self, transform: T) -> Transformed<Self, T>
    where
        Self: Sized,
    {
        Transformed::new(self, transform)
    }
}
