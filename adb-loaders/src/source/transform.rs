//! Changing rows between their source and what becomes of them.

use std::ops::ControlFlow;

use adb_model::ModelSchema;

use super::{EachObject, Object, ObjectRow, ObjectSource, ObjectText, Source, SourceRow};
use crate::{Error, MediaRoot};

/// Changes a row, leaves it out, or says what is wrong with it. `T` is a struct, or an [`Object`]
/// before a model reads it.
///
/// Closures are transforms; a type of your own is one in five lines:
/// ```
/// use adb_loaders::{Object, Transform};
///
/// struct Only(&'static str);
///
/// impl Transform<Object> for Only {
///     fn transform(&mut self, row: Object) -> Result<Option<Object>, String> {
///         Ok(Some(row).filter(|row| row["cuisine"] == self.0))
///     }
/// }
/// ```
/// Rows that are left out are counted apart, and keep the numbers of those behind them.
pub trait Transform<T>: Send + 'static {
    /// What the row is to be: nothing leaves it out.
    ///
    /// # Errors
    /// In words: what is wrong with this row, which fails with it.
    fn transform(&mut self, row: T) -> Result<Option<T>, String>;
}

impl<T, F: FnMut(T) -> Result<Option<T>, String> + Send + 'static> Transform<T> for F {
    fn transform(&mut self, row: T) -> Result<Option<T>, String> {
        self(row)
    }
}

/// A source whose rows are changed: see [`Source::transform`].
#[derive(Debug)]
pub struct Transformed<S, T> {
    source: S,
    transform: T,
}

impl<S, T> Transformed<S, T> {
    pub(super) fn new(source: S, transform: T) -> Self {
        Self { source, transform }
    }
}

impl<S: Source, T: Transform<S::Row>> Source for Transformed<S, T> {
    type Row = S::Row;

    fn schema(&self) -> &'static ModelSchema {
        self.source.schema()
    }

    fn name(&self) -> String {
        self.source.name()
    }

    fn is_part(&self) -> bool {
        self.source.is_part()
    }

    fn media_root(&self) -> MediaRoot {
        self.source.media_root()
    }

    fn size(&self) -> Option<u64> {
        self.source.size()
    }

    fn read(
        mut self,
        each: &mut dyn FnMut(SourceRow<S::Row>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.source.read(&mut |row, bytes| {
            let value = match row.value {
                Ok(Some(value)) => self.transform.transform(value),
                other => other,
            };
            each(SourceRow { value, ..row }, bytes)
        })
    }
}

/// The same before a model reads the rows: see [`ObjectSource::transform`].
#[derive(Debug)]
pub struct TransformedObjects<S, T> {
    source: S,
    transform: T,
}

impl<S, T> TransformedObjects<S, T> {
    pub(super) fn new(source: S, transform: T) -> Self {
        Self { source, transform }
    }
}

impl<S: ObjectSource, T: Transform<Object>> ObjectSource for TransformedObjects<S, T> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn media_root(&self) -> MediaRoot {
        self.source.media_root()
    }

    fn size(&self) -> Option<u64> {
        self.source.size()
    }

    fn read(mut self, schema: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        self.source.read(schema, &mut |row, bytes| {
            let object = match row.object {
                Ok(Some(text)) => text
                    .into_object()
                    .and_then(|object| self.transform.transform(object))
                    .map(|object| object.map(ObjectText::Object)),
                other => other,
            };
            each(ObjectRow { object, ..row }, bytes)
        })
    }
}
