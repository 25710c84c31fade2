//! Rows as JSON objects, before a model reads them: what most sources give.

use std::{ops::ControlFlow, path::PathBuf};

use adb_model::{ModelSchema, document::LoadedModel, graph::row_identity};
use bytes::Bytes;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    Filtered, FromJson, LoadedRow, RowPlace, Source, SourceRow, Transform, WithVectors,
    transform::TransformedObjects,
};
use crate::{Error, MediaRoot};

/// A row that no model has read yet: what its fields are called, and what they hold.
pub type Object = Map<String, Json>;

/// An object as its source has it: still to be parsed, or made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ObjectText<'a> {
    /// JSON of an object, or of anything: nobody has looked yet.
    Text(&'a str),
    /// The object.
    Object(Object),
}

impl ObjectText<'_> {
    /// The object.
    ///
    /// # Errors
    /// In words, when the text is not one.
    pub fn into_object(self) -> Result<Object, String> {
        match self {
            ObjectText::Object(object) => Ok(object),
            ObjectText::Text(text) => match serde_json::from_str(text) {
                Ok(Json::Object(object)) => Ok(object),
                Ok(other) => Err(format!("a row is an object, and this is {other}")),
                Err(e) => Err(format!("it is no JSON object: {e}")),
            },
        }
    }
}

impl From<Object> for ObjectText<'_> {
    fn from(object: Object) -> Self {
        ObjectText::Object(object)
    }
}

/// A row before a model reads it.
#[derive(Debug)]
pub struct ObjectRow<'a> {
    /// Where it stands.
    pub at: RowPlace,
    /// What it says, or why that can't be told; nothing where a [`Transform`] left it out.
    pub object: Result<Option<ObjectText<'a>>, String>,
    /// As [`SourceRow::identity`].
    pub identity: Uuid,
    /// What was written, where that is no object: as [`SourceRow::raw`].
    pub unread: Bytes,
    /// As [`SourceRow::media`].
    pub media: Vec<(String, Bytes)>,
}

impl<'a> ObjectRow<'a> {
    /// A row that is identified by where it stands and by what it says.
    #[must_use]
    pub fn new(at: RowPlace, object: Result<ObjectText<'a>, String>) -> Self {
        Self::within(&at.file.clone(), at, object)
    }

    /// The same where the source has a longer name than [`at`](Self::at) says: of a file its whole
    /// path, so that it is the same file whatever directory one is in.
    pub(crate) fn within(
        source: &str,
        at: RowPlace,
        object: Result<ObjectText<'a>, String>,
    ) -> Self {
        let identity = match &object {
            Ok(ObjectText::Text(text)) => row_identity(source, at.row, text.as_bytes()),
            Ok(ObjectText::Object(object)) => {
                let text = serde_json::to_vec(object).unwrap_or_default();
                row_identity(source, at.row, &text)
            }
            Err(reason) => row_identity(source, at.row, reason.as_bytes()),
        };
        Self::identified(at, object, identity)
    }

    /// A row with another identity.
    #[must_use]
    pub fn identified(
        at: RowPlace,
        object: Result<ObjectText<'a>, String>,
        identity: Uuid,
    ) -> Self {
        let (unread, media) = (Bytes::new(), Vec::new());
        Self { at, object: object.map(Some), identity, unread, media }
    }
}

/// Takes rows, and how many bytes of the source were read so far.
pub type EachObject<'a> = &'a mut dyn FnMut(ObjectRow<'_>, u64) -> ControlFlow<()>;

/// A stream of rows that a model is still to read. [`rows`](Self::rows) and
/// [`by_model`](Self::by_model) make a [`Source`] of it.
///
/// ```
/// use std::ops::ControlFlow;
/// use adb_loaders::{EachObject, Error, ObjectRow, ObjectSource, RowPlace};
/// use adb_model::ModelSchema;
///
/// struct Squares(u64);
///
/// impl ObjectSource for Squares {
///     fn read(self, _: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
///         for n in 1..=self.0 {
///             let object = serde_json::json!({ "n": n, "square": n * n });
///             let at = RowPlace { file: "squares".into(), row: n, line: None };
///             let row = ObjectRow::new(at, Ok(object.as_object().cloned().unwrap_or_default().into()));
///             if each(row, 0) == ControlFlow::Break(()) { break; }
///         }
///         Ok(())
///     }
/// }
/// # let _ = Squares(3).transform(|row| Ok(Some(row)));
/// ```
pub trait ObjectSource: Sized + Send + 'static {
    /// What it is called, the same on every run: by it a later run knows what an earlier one
    /// brought. Of a file its whole path. Empty, if it has no name of its own.
    fn name(&self) -> String {
        String::new()
    }

    /// Where relative paths in its rows begin: the working directory unless it says otherwise.
    fn media_root(&self) -> MediaRoot {
        MediaRoot::new(".")
    }

    /// Its size in bytes, when that is known: for progress.
    fn size(&self) -> Option<u64> {
        None
    }

    /// How many rows it has, where that is known before they are read.
    fn rows_known(&self) -> Option<u64> {
        None
    }

    /// Hands each row to `each`, until that says to stop. `schema` is what rows will be read as,
    /// for sources whose cells have no types of their own. Blocks.
    ///
    /// # Errors
    /// When the source can't be read on.
    fn read(self, schema: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error>;

    /// Its rows as a struct.
    fn rows<T: FromJson<By = ()>>(self) -> Rows<Self, T> {
        Rows { objects: self, by: () }
    }

    /// Its rows as a document says.
    fn by_model(self, model: LoadedModel) -> Rows<Self, LoadedRow> {
        Rows { objects: self, by: model }
    }

    /// Changes, refuses or leaves out rows before a model reads them.
    fn transform<T: Transform<Object>>(self, transform: T) -> TransformedObjects<Self, T> {
        TransformedObjects::new(self, transform)
    }

    /// With vectors from files, of fields that are still to be said.
    fn and_vectors(self) -> WithVectors<Self> {
        WithVectors::new(self)
    }

    /// Takes the vectors of a field from NumPy's files (`.npy`, arrays of two dimensions, numbers of
    /// any size), read one after another: the n-th row of them belongs to the n-th row of this source,
    /// whether that can be read or not. So it comes before all that selects or changes rows.
    ///
    /// `field` is the field's key, or the name of the set that it alone fills. Files whose vectors have
    /// another dimension than the set end the reading before the first row; so do files with more or
    /// fewer rows than the source, where that knows how many it has. Otherwise a row without a vector
    /// fails, and vectors without a row are an error at the end.
    fn with_vectors(self, field: impl Into<String>, files: Vec<PathBuf>) -> WithVectors<Self> {
        WithVectors::new(self).with_vectors(field, files)
    }

    /// The same as [`transform`](Self::transform) by a program: see [`Filtered`].
    fn through(self, command_line: impl Into<String>) -> Filtered<Self> {
        Filtered::new(self, command_line.into())
    }
}

/// Rows of a source as a struct, or as a document says.
#[derive(Debug)]
pub struct Rows<S, T: FromJson> {
    pub(super) objects: S,
    pub(super) by: T::By,
}

impl<S: ObjectSource, T: FromJson> Source for Rows<S, T> {
    type Row = T;

    fn schema(&self) -> &'static ModelSchema {
        T::schema(self.by)
    }

    fn name(&self) -> String {
        self.objects.name()
    }

    fn media_root(&self) -> MediaRoot {
        self.objects.media_root()
    }

    fn size(&self) -> Option<u64> {
        self.objects.size()
    }

    fn read(self, each: &mut dyn FnMut(SourceRow<T>, u64) -> ControlFlow<()>) -> Result<(), Error> {
        let by = self.by;
        self.objects.read(T::schema(by), &mut |row, bytes| {
            let mut ignored = Vec::new();
            let (raw, value) = match row.object {
                Err(reason) => (row.unread, Err(reason)),
                Ok(None) => (Bytes::new(), Ok(None)),
                Ok(Some(ObjectText::Text(text))) => {
                    let value = T::from_json(by, text, &mut ignored).map(Some);
                    (Bytes::copy_from_slice(text.as_bytes()), value)
                }
                Ok(Some(ObjectText::Object(object))) => {
                    let raw = serde_json::to_vec(&object).unwrap_or_default();
                    (raw.into(), T::from_object(by, object, &mut ignored).map(Some))
                }
            };
            let (at, identity, media) = (row.at, row.identity, row.media);
            each(SourceRow { at, value, ignored, identity, raw, media }, bytes)
        })
    }
}
