//! Rows that failed, as a dead-letter file keeps them: what it takes to read them again.

use std::ops::ControlFlow;

use adb_model::graph::row_identity;
use serde_json::{Map, Value as Json, json};

use super::{IngestType, SdkCsv, layout::Layout, rows::Rows, table::Table, types::CellType};
use crate::{
    CommandRow, Error, MediaRoot, Selection, SourceRow,
    letters::{Letter, LetterFile, RowsAre},
};

/// What the rows of a file are, beside what they say.
pub(super) fn columns(of: &SdkCsv) -> Json {
    json!({"type": of.kind().name(), "header": of.table.header, "types": of.types})
}

impl SdkCsv {
    /// What its rows are called in a dead-letter file, see [`RowsAre::Format`].
    pub const FORMAT: &str = "python_sdk_csv";

    /// The rows of a dead-letter file which an ingestion of such a file has left: of the types that
    /// their columns had there.
    ///
    /// # Errors
    /// When its header does not say what it should.
    pub fn of_letters(letters: LetterFile) -> Result<Self, Error> {
        let header = letters.header();
        let path = letters.path().to_owned();
        let with = match &header.rows {
            RowsAre::Format { name, with } if name == Self::FORMAT => with,
            _ => {
                return Err(Error::header(
                    &path,
                    "its rows are not those of the Python SDK's CSV files",
                ));
            }
        };
        let read = || -> Option<(IngestType, Vec<String>, Vec<CellType>)> {
            let kind = with["type"].as_str()?.parse().ok()?;
            let names: Vec<String> = serde_json::from_value(with["header"].clone()).ok()?;
            let types: Vec<CellType> = serde_json::from_value(with["types"].clone()).ok()?;
            (names.len() == types.len()).then_some((kind, names, types))
        };
        let (kind, names, types) = read()
            .ok_or_else(|| Error::header(&path, "its first line does not say what its rows are"))?;
        let layout = Layout::parse(&names, kind).map_err(|e| Error::header(&path, e))?;
        Ok(Self {
            table: Table::of_letters(path, names),
            layout,
            types,
            root: MediaRoot::new(&header.media_root),
            letters: Some(letters),
            selection: Selection::default(),
            checks_images: true,
            transforms: Vec::new(),
            descriptors: Vec::new(),
            notices: Vec::new(),
        })
    }
}

/// Hands the rows of letters on, at the places where they stood in their source.
pub(super) fn read(
    letters: &LetterFile,
    rows: &mut Rows<'_>,
    each: &mut dyn FnMut(SourceRow<CommandRow>, u64) -> ControlFlow<()>,
) -> Result<(), Error> {
    letters.read(|letter, bytes| {
        let value = cells(rows.header, &letter).and_then(|cells| {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            rows.row(&cells)
        });
        let raw = letter.row_text().unwrap_or_default().to_owned();
        let row = SourceRow::new(letter.at(), letter.identity, raw);
        each(SourceRow { value: value.map(Some), ..row }, bytes)
    })
}

fn cells(header: &[String], letter: &Letter) -> Result<Vec<String>, String> {
    let row: Json = serde_json::from_str(letter.row_text()?)
        .map_err(|e| format!("the row is no JSON object: {e}"))?;
    let Json::Object(row) = row else { return Err("the row is no JSON object".to_owned()) };
    let cell = |(i, name): (usize, &String)| {
        let before = header[..i].iter().filter(|other| *other == name).count();
        let cell = match row.get(name) {
            Some(Json::Array(several)) => several.get(before),
            one => one,
        };
        Ok(match cell {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        })
    };
    header.iter().enumerate().map(cell).collect()
}

/// A line as JSON: its cells by the names of their columns, those of columns that are called alike
/// in a list.
pub(super) fn as_json(header: &[String], record: &csv::ByteRecord) -> String {
    let mut object = Map::new();
    for (name, cell) in header.iter().zip(record) {
        let cell = Json::from(String::from_utf8_lossy(cell));
        match object.get_mut(name) {
            None => {
                object.insert(name.clone(), cell);
            }
            Some(before) => *before = json!([before.take(), cell]),
        }
    }
    Json::Object(object).to_string()
}

/// What identifies a line on the next run.
pub(super) fn identity(file: &str, row: u64, record: &csv::ByteRecord) -> uuid::Uuid {
    row_identity(file, row, &record.iter().collect::<Vec<_>>().join(&0x1f))
}
