//! Parquet: rows of columns, with pictures as bytes, as data sets are published.

use std::{
    fs::File,
    io,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use adb_model::{FieldRole, ModelSchema, ValueType, graph::row_identity};
use bytes::Bytes;
use jiff::Timestamp;
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical},
    file::{reader::FileReader as _, serialized_reader::SerializedFileReader},
    record::{Field, reader::RowIter},
    schema::types::Type,
};
use serde_json::{Number, Value as Json};

use super::{
    EachObject, Object, ObjectRow, ObjectSource, ObjectText, PlainModel, RowPlace, check_names,
    name_of, name_of_all,
    plain::{FILE, PATH},
};
use crate::{Error, MediaRoot, error::panic_message};

/// The rows of one or more Parquet files, one row group's pages at a time.
///
/// Pictures may be bytes, a struct of `bytes` and `path` (as Hugging Face data sets have them),
/// paths or addresses; their bytes go to the database as they are. Lists are lists, structs
/// objects, times texts such as `2024-01-02T03:04:05Z`, decimals numbers.
///
/// ```no_run
/// # use adb_loaders::{ObjectSource, ParquetObjects, PlainModel};
/// # use adb_model::ObjectKind;
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let files = ParquetObjects::open(adb_loaders::shards("train-*.parquet")?)?;
/// let (files, model) = files.observed(PlainModel::new(ObjectKind::Image))?;
/// let source = files.by_model(model.document().load()?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ParquetObjects {
    files: Vec<PathBuf>,
    name: String,
    size: u64,
    rows: u64,
    map: Vec<(String, String)>,
    media_root: Option<MediaRoot>,
}

/// Rows that are read of each column at once: pictures may be large.
const ROWS_AT_ONCE: usize = 32;
/// Rows that are looked at for a model.
const ROWS_OBSERVED: u64 = 100;

impl ParquetObjects {
    /// Opens files, which are read one after another.
    ///
    /// # Errors
    /// When one can't be read, or is no Parquet file.
    pub fn open(files: Vec<PathBuf>) -> Result<Self, Error> {
        let (mut size, mut rows) = (0, 0);
        for file in &files {
            let (reader, bytes) = open(file)?;
            size += bytes;
            rows += u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
        }
        let name = name_of_all(&files);
        Ok(Self { files, name, size, rows, map: Vec::new(), media_root: None })
    }

    /// Gives the source a name, the same on every run: of one file it is the file's whole path, and
    /// several have none without this. See [`ObjectSource::name`].
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Reads a column as another key; an empty key leaves it out.
    #[must_use]
    pub fn map(mut self, column: impl Into<String>, key: impl Into<String>) -> Self {
        self.map.push((column.into(), key.into()));
        self
    }

    /// Sets where relative paths in its rows begin: beside the first file without it.
    #[must_use]
    pub fn media_root(mut self, root: MediaRoot) -> Self {
        self.media_root = Some(root);
        self
    }

    /// The columns of the first file, and what a property of their values would be; nothing of columns
    /// of bytes, lists and structs.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn columns(&self) -> Result<Vec<(String, Option<ValueType>)>, Error> {
        let Some(first) = self.files.first() else { return Ok(Vec::new()) };
        let (reader, _) = open(first)?;
        let fields = reader.metadata().file_metadata().schema().get_fields();
        Ok(fields.iter().map(|field| (field.name().to_owned(), value_type(field))).collect())
    }

    /// Adds to a model what there is to be had of the rows, by the first 100; the first column of
    /// bytes becomes the model's file.
    ///
    /// # Errors
    /// When the first file can't be read, or has no such column.
    pub fn observed(mut self, mut model: PlainModel) -> Result<(Self, PlainModel), Error> {
        let Some(first) = self.files.first().cloned() else { return Ok((self, model)) };
        let (mut seen, mut file_key) = (0, None::<String>);
        let _stopped = self.read_file(&first, &ModelSchema::BARE, 0, &mut |row, _| {
            if let Ok(Some(ObjectText::Object(mut object))) = row.object {
                let brought = |value: &Json| {
                    row.media.iter().any(|(name, _)| value.as_str() == Some(name.as_str()))
                };
                if file_key.is_none() {
                    let found = object.iter().find(|(_, value)| brought(value));
                    file_key = found.map(|(key, _)| key.clone());
                }
                object.retain(|_, value| !brought(value));
                model.observe(&object);
            }
            seen += 1;
            match seen < ROWS_OBSERVED {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        let Some(key) = file_key else {
            let message = "its first rows have no column of bytes, as pictures would be; write a model that says which column has their paths or addresses";
            return Err(broken(&first, message.to_owned()));
        };
        self.map.push((key, FILE.to_owned()));
        Ok((self, model))
    }

    fn read_file(
        &self,
        path: &Path,
        schema: &'static ModelSchema,
        bytes_before: u64,
        each: EachObject<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let (reader, size) = open(path)?;
        let metadata = reader.metadata().file_metadata();
        let all_rows = u64::try_from(metadata.num_rows()).unwrap_or_default().max(1);
        let nanoseconds: Vec<String> = metadata
            .schema()
            .get_fields()
            .iter()
            .filter(|field| {
                let logical = field.get_basic_info().logical_type_ref();
                matches!(logical, Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::NANOS)
            })
            .map(|field| field.name().to_owned())
            .collect();
        let file: Arc<str> = path.display().to_string().into();
        let whole = name_of(path);
        let mut rows = RowIter::from_file_into(Box::new(reader)).with_batch_size(ROWS_AT_ONCE);
        let mut row = 0;
        loop {
            // Its reader panics on some of what it does not know, or what is broken.
            let next = catch_unwind(AssertUnwindSafe(|| rows.next())).map_err(|panic| {
                broken(path, format!("row {}: {}", row + 1, panic_message(&*panic)))
            })?;
            let Some(next) = next else { return Ok(ControlFlow::Continue(())) };
            let columns = next.map_err(|e| broken(path, format!("row {}: {e}", row + 1)))?;
            row += 1;
            let mut reading =
                Reading { name: format!("{}/{row}", file_name(path)), media: Vec::new() };
            let mut object = Object::new();
            let mut fault = None;
            if schema.fields.iter().any(|field| field.key == PATH) {
                object.insert(PATH.to_owned(), reading.name.as_str().into());
            }
            for (column, field) in columns.into_columns() {
                let key = self.map.iter().find(|(from, _)| *from == column);
                let key = key.map_or(column.as_str(), |(_, key)| key);
                if key.is_empty() {
                    continue;
                }
                let value = match field {
                    Field::Long(n) if nanoseconds.contains(&column) => {
                        time(Timestamp::from_nanosecond(n.into()))
                    }
                    field => reading.value(field, key, Takes::of(schema, key)),
                };
                match value {
                    Ok(Json::Null) => {}
                    Ok(value) => {
                        object.insert(key.to_owned(), value);
                    }
                    Err(reason) => {
                        fault.get_or_insert(format!("the column `{column}`: {reason}"));
                    }
                }
            }
            let identity = {
                let text = serde_json::to_vec(&object).unwrap_or_default();
                row_identity(&whole, row, &text)
            };
            let at = RowPlace { file: file.clone(), row, line: None };
            let object = fault.map_or(Ok(ObjectText::Object(object)), Err);
            let mut given = ObjectRow::identified(at, object, identity);
            given.media = reading.media;
            let read = bytes_before + size.saturating_mul(row) / all_rows;
            if each(given, read).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
}

impl ObjectSource for ParquetObjects {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn rows_known(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn media_root(&self) -> MediaRoot {
        match (&self.media_root, self.files.first()) {
            (Some(root), _) => root.clone(),
            (None, Some(first)) => MediaRoot::beside(first),
            (None, None) => MediaRoot::new("."),
        }
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn read(self, schema: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        check_names(&self.files, schema)?;
        let mut before = 0;
        for path in &self.files {
            if self.read_file(path, schema, before, each)?.is_break() {
                break;
            }
            before += std::fs::metadata(path).map_or(0, |meta| meta.len());
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<(SerializedFileReader<File>, u64), Error> {
    let file = File::open(path).map_err(|e| Error::source(path, e))?;
    let size = file.metadata().map_err(|e| Error::source(path, e))?.len();
    let reader = catch_unwind(AssertUnwindSafe(|| SerializedFileReader::new(file)))
        .map_err(|panic| broken(path, panic_message(&*panic).to_owned()))?
        .map_err(|e| broken(path, format!("it is no Parquet file that can be read: {e}")))?;
    Ok((reader, size))
}

/// What a column's type says of its values.
fn value_type(column: &Type) -> Option<ValueType> {
    if !column.is_primitive() {
        return None;
    }
    let info = column.get_basic_info();
    match (info.converted_type(), info.logical_type_ref()) {
        (ConvertedType::UTF8 | ConvertedType::ENUM, _)
        | (_, Some(LogicalType::String | LogicalType::Enum)) => return Some(ValueType::String),
        (
            ConvertedType::DATE | ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS,
            _,
        )
        | (_, Some(LogicalType::Date | LogicalType::Timestamp(_))) => return Some(ValueType::Date),
        (ConvertedType::DECIMAL, _) | (_, Some(LogicalType::Decimal(_))) => {
            return Some(ValueType::Float);
        }
        _ => {}
    }
    match column.get_physical_type() {
        Physical::BOOLEAN => Some(ValueType::Bool),
        Physical::INT32 | Physical::INT64 => Some(ValueType::Int),
        Physical::FLOAT | Physical::DOUBLE => Some(ValueType::Float),
        _ => None,
    }
}

fn broken(path: &Path, message: String) -> Error {
    Error::source(path, io::Error::new(io::ErrorKind::InvalidData, message))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// What the model makes of a column.
#[derive(Clone, Copy)]
enum Takes {
    /// A file.
    Media,
    /// Objects of this model.
    Children(&'static ModelSchema),
    /// Something else, or nothing.
    Other,
    /// There is no model yet.
    Anything,
}

impl Takes {
    fn of(schema: &'static ModelSchema, key: &str) -> Self {
        if schema.fields.is_empty() {
            return Takes::Anything;
        }
        match schema.fields.iter().find(|field| field.key == key).map(|field| field.role) {
            Some(FieldRole::Media { .. }) => Takes::Media,
            Some(FieldRole::Children { model, .. }) => Takes::Children(model.get()),
            _ => Takes::Other,
        }
    }

    fn inside(self, key: &str) -> Self {
        match self {
            Takes::Children(model) => Takes::of(model, key),
            Takes::Media | Takes::Other => Takes::Other,
            Takes::Anything => Takes::Anything,
        }
    }
}

/// A row being read.
struct Reading {
    /// What its files are called, so far.
    name: String,
    media: Vec<(String, Bytes)>,
}

impl Reading {
    fn value(&mut self, field: Field, key: &str, takes: Takes) -> Result<Json, String> {
        Ok(match field {
            Field::Null => Json::Null,
            Field::Bool(b) => b.into(),
            Field::Byte(n) => n.into(),
            Field::Short(n) => n.into(),
            Field::Int(n) => n.into(),
            Field::Long(n) => n.into(),
            Field::UByte(n) => n.into(),
            Field::UShort(n) => n.into(),
            Field::UInt(n) => n.into(),
            Field::ULong(n) => n.into(),
            Field::Float16(x) => float(x.into(), takes),
            Field::Float(x) => float(x.into(), takes),
            Field::Double(x) => float(x, takes),
            Field::Str(text) => text.into(),
            Field::Bytes(bytes) => self.bytes(Bytes::copy_from_slice(bytes.data()), key, takes)?,
            Field::TimestampMillis(n) => time(Timestamp::from_millisecond(n))?,
            Field::TimestampMicros(n) => time(Timestamp::from_microsecond(n))?,
            Field::Date(days) => {
                let start = time(Timestamp::from_second(i64::from(days) * 86_400))?;
                start.as_str().and_then(|text| text.split('T').next()).into()
            }
            decimal @ Field::Decimal(_) => {
                let text = decimal.to_string();
                let number = text.parse::<f64>().ok().and_then(Number::from_f64);
                number.map_or(Json::String(text), Json::Number)
            }
            clock @ (Field::TimeMillis(_) | Field::TimeMicros(_)) => clock.to_string().into(),
            Field::Group(row) => self.group(row.into_columns(), key, takes)?,
            Field::ListInternal(list) => {
                let items = list.elements().iter();
                let items = items
                    .enumerate()
                    .map(|(n, item)| self.value(item.clone(), &format!("{key}/{n}"), takes));
                items.collect::<Result<Vec<_>, _>>()?.into()
            }
            Field::MapInternal(map) => {
                let mut object = Object::new();
                for (name, value) in map.entries() {
                    let name = match name {
                        Field::Str(name) => name.clone(),
                        other => other.to_string(),
                    };
                    let value = self.value(value.clone(), &name, takes.inside(&name))?;
                    object.insert(name, value);
                }
                object.into()
            }
        })
    }

    /// A struct; one of `bytes` and `path` is a file.
    fn group(
        &mut self,
        columns: Vec<(String, Field)>,
        key: &str,
        takes: Takes,
    ) -> Result<Json, String> {
        let is_file = columns.iter().all(|(name, _)| name == "bytes" || name == "path")
            && columns.iter().any(|(name, _)| name == "bytes");
        if is_file && matches!(takes, Takes::Media | Takes::Anything) {
            let (mut bytes, mut path) = (None, None);
            for (_, field) in columns {
                match field {
                    Field::Bytes(found) => bytes = Some(Bytes::copy_from_slice(found.data())),
                    Field::Str(found) if !found.is_empty() => path = Some(found),
                    _ => {}
                }
            }
            return Ok(match (bytes, path) {
                (Some(bytes), path) => self.file(bytes, path.as_deref().unwrap_or(key)),
                (None, Some(path)) => path.into(),
                (None, None) => Json::Null,
            });
        }
        let mut object = Object::new();
        for (name, field) in columns {
            let value = self.value(field, &name, takes.inside(&name))?;
            if !value.is_null() {
                object.insert(name, value);
            }
        }
        Ok(object.into())
    }

    fn bytes(&mut self, bytes: Bytes, key: &str, takes: Takes) -> Result<Json, String> {
        if matches!(takes, Takes::Media) {
            return Ok(self.file(bytes, key));
        }
        // Some programs write texts as bytes.
        match (std::str::from_utf8(&bytes), takes) {
            (Ok(text), _) => Ok(text.into()),
            (Err(_), Takes::Anything) => Ok(self.file(bytes, key)),
            (Err(_), _) => Err("it holds bytes, which only a field for a file can take".to_owned()),
        }
    }

    fn file(&mut self, bytes: Bytes, name: &str) -> Json {
        let name = format!("{}/{name}", self.name);
        self.media.push((name.clone(), bytes));
        name.into()
    }
}

/// What is no number in JSON is a text, which no field for numbers takes; to who asks for types it
/// says nothing.
fn float(x: f64, takes: Takes) -> Json {
    match (Number::from_f64(x), takes) {
        (Some(number), _) => Json::Number(number),
        (None, Takes::Anything) => Json::Null,
        (None, _) => x.to_string().into(),
    }
}

fn time(at: Result<Timestamp, jiff::Error>) -> Result<Json, String> {
    at.map(|at| at.to_string().into()).map_err(|e| format!("a time that is none: {e}"))
}

#[cfg(test)]
mod tests;
