//! CSV with a header: each column is a field, each line a row.

use std::{
    fs::File,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use adb_model::{FieldRole, FieldSchema, ModelSchema, ValueType, graph::row_identity};
use csv::{ByteRecord, Reader, ReaderBuilder};
use serde_json::{Map, Value as Json};

use super::{FromJson, LoadedRow, RowPlace, Source, SourceRow};
use crate::{Error, ErrorKind, MediaRoot};

/// A `.csv` file whose first line names the fields by their keys.
///
/// A field of a nested struct is `outer.inner`. A cell is read as its field's type says: numbers, `true` and `false`, text and paths as they
/// are; vectors, places in pictures, JSON and children as JSON. An empty cell is absent, but for a
/// text that can't be absent, which is then empty. A line of the wrong length costs that row.
#[derive(Debug)]
pub struct CsvSource<T: FromJson> {
    path: PathBuf,
    size: u64,
    reader: Reader<File>,
    by: T::By,
}

impl<T: FromJson<By = ()>> CsvSource<T> {
    /// Opens a file of rows that a struct is read from.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::open_by(path.into(), b',', ())
    }

    /// The same with another byte between cells, such as `b'\t'`.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn with_delimiter(path: impl Into<PathBuf>, delimiter: u8) -> Result<Self, Error> {
        Self::open_by(path.into(), delimiter, ())
    }
}

impl CsvSource<LoadedRow> {
    /// Opens a file of rows that a document describes.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn by_model(
        path: impl Into<PathBuf>,
        model: adb_model::document::LoadedModel,
    ) -> Result<Self, Error> {
        Self::open_by(path.into(), b',', model)
    }
}

impl<T: FromJson> CsvSource<T> {
    fn open_by(path: PathBuf, delimiter: u8, by: T::By) -> Result<Self, Error> {
        let fail = |e| Error::source(&path, e);
        let file = File::open(&path).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        // A line of another length is the row's matter, not the file's.
        let reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(file);
        Ok(Self { path, size, reader, by })
    }
}

impl<T: FromJson> Source for CsvSource<T> {
    type Row = T;

    fn schema(&self) -> &'static ModelSchema {
        T::schema(self.by)
    }

    fn media_root(&self) -> MediaRoot {
        MediaRoot::beside(&self.path)
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn read(
        mut self,
        each: &mut dyn FnMut(SourceRow<T>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let file: Arc<str> = self.path.display().to_string().into();
        let columns = columns(&mut self.reader, T::schema(self.by), &self.path)?;
        let mut record = ByteRecord::new();
        let mut row = 0;
        while self.reader.read_byte_record(&mut record).map_err(|e| broken(&self.path, e))? {
            row += 1;
            let line = record.position().map(csv::Position::line);
            let mut ignored = Vec::new();
            let value = object(&columns, &record)
                .and_then(|text| T::from_json(self.by, &text, &mut ignored));
            let identity = row_identity(&file, row, &spelled(&record));
            let at = RowPlace { file: file.clone(), row, line };
            let read = self.reader.position().byte();
            if each(SourceRow { at, value, ignored, identity }, read).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A column: its name, where its cells go in a row, and the field that takes them.
struct Column {
    name: String,
    within: Option<&'static str>,
    key: String,
    field: Option<&'static FieldSchema>,
}

impl Column {
    fn of(name: &str, schema: &'static ModelSchema) -> Self {
        let named = |field: &&FieldSchema| match field.inside.and_then(|inside| inside.key) {
            None => field.key == name,
            Some(outer) => {
                name.strip_prefix(outer).and_then(|rest| rest.strip_prefix('.')) == Some(field.key)
            }
        };
        let field = schema.fields.iter().find(named);
        Self {
            name: name.to_owned(),
            within: field.and_then(|field| field.inside?.key),
            key: field.map_or(name, |field| field.key).to_owned(),
            field,
        }
    }
}

fn columns(
    reader: &mut Reader<File>,
    schema: &'static ModelSchema,
    path: &Path,
) -> Result<Vec<Column>, Error> {
    let headers = reader.headers().map_err(|e| broken(path, e))?;
    let columns: Vec<Column> = headers
        .iter()
        .map(|name| Column::of(name.trim_start_matches('\u{feff}'), schema))
        .collect();
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].iter().any(|c| c.name == column.name) {
            let message = format!("two columns are called `{}`", column.name);
            return Err(syntax(path, 1, message));
        }
    }
    Ok(columns)
}

/// A row as the JSON object that the same row would be elsewhere.
fn object(columns: &[Column], record: &ByteRecord) -> Result<String, String> {
    if record.len() != columns.len() {
        return Err(format!(
            "the line has {} cells, the header {} columns",
            record.len(),
            columns.len()
        ));
    }
    let mut object = Map::new();
    for (column, cell) in columns.iter().zip(record) {
        let cell = std::str::from_utf8(cell)
            .map_err(|_| format!("the cell of `{}` is not UTF-8", column.name))?;
        let Some(value) = value(column.field, cell) else { continue };
        match column.within {
            None => {
                object.insert(column.key.clone(), value);
            }
            Some(outer) => {
                let outer = object.entry(outer).or_insert_with(|| Json::Object(Map::new()));
                if let Json::Object(outer) = outer {
                    outer.insert(column.key.clone(), value);
                }
            }
        }
    }
    Ok(Json::Object(object).to_string())
}

/// A cell as its field's type says; as text where it is not of that type, so that who reads the row
/// says what was expected.
fn value(field: Option<&FieldSchema>, cell: &str) -> Option<Json> {
    let text = || Json::String(cell.to_owned());
    let json = || serde_json::from_str(cell).unwrap_or_else(|_| text());
    let value_type = match field.map(|f| &f.role) {
        Some(FieldRole::Id(value_type)) => *value_type,
        Some(FieldRole::Property { value_type, optional, .. }) => {
            if cell.is_empty() && !optional && *value_type == ValueType::String {
                return Some(text());
            }
            *value_type
        }
        Some(FieldRole::Media { .. } | FieldRole::Label { .. }) | None => ValueType::String,
        Some(_) => ValueType::Json,
    };
    if cell.is_empty() {
        return None;
    }
    Some(match value_type {
        ValueType::Int => match (cell.parse::<i64>(), cell.parse::<u64>()) {
            (Ok(i), _) => i.into(),
            (_, Ok(u)) => u.into(),
            _ => text(),
        },
        // What is no number in JSON (`inf`) stays text, and is refused as such.
        ValueType::Float => cell
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or_else(text, Json::Number),
        ValueType::Bool => match cell.to_ascii_lowercase().as_str() {
            "true" => true.into(),
            "false" => false.into(),
            _ => text(),
        },
        ValueType::Json => json(),
        // Texts and dates.
        _ => text(),
    })
}

/// What a record says, for its identity: cells with a byte between that no text needs.
fn spelled(record: &ByteRecord) -> Vec<u8> {
    record.iter().collect::<Vec<_>>().join(&0x1f)
}

fn broken(path: &Path, e: csv::Error) -> Error {
    let line = e.position().map_or(1, csv::Position::line);
    let message = e.to_string();
    match e.into_kind() {
        csv::ErrorKind::Io(e) => Error::source(path, e),
        _ => syntax(path, line, message),
    }
}

fn syntax(path: &Path, line: u64, message: String) -> Error {
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    ErrorKind::Syntax { path: path.to_owned(), line, column: 1, message }.into()
}
