//! CSV with a header: each column is a field, each line a row.

mod cell;
mod columns;
mod quotes;
mod records;

use std::{io::BufRead, ops::ControlFlow, path::PathBuf, sync::atomic::Ordering};

use adb_model::{ModelSchema, document::LoadedModel, graph::row_identity};
use csv::{ByteRecord, ReaderBuilder, StringRecord};

use super::{
    EachObject, FromJson, LoadedRow, MAX_ROW_BYTES, ObjectRow, ObjectSource, RowPlace, Rows,
    input::Input,
};
use crate::{Error, MediaRoot};
use columns::Columns;
use records::syntax;
pub(crate) use records::{Found, Records, broken};

/// A `.csv` file whose first line names the fields by their keys.
///
/// A field of a nested struct is `outer.inner`, one of a single child `child.field`. Several
/// children are JSON in one cell, or columns `ingredients[0].name`, `ingredients[1].name`, or lists
/// in one column `ingredients[].name` (a JSON array, or items with `|` between). A cell is read as
/// its field's type says: numbers, `true` and `false`, text and paths as they are; vectors, places
/// in pictures, JSON and children as JSON. An empty cell is absent, but for a text that can't be
/// absent, which is then empty. A line of the wrong length costs that row.
///
/// What stands between cells is seen from the header (`,`, `;`, tab or `|`); `.tsv` files have
/// tabs. The file may be packed with gzip or Zstandard; `-` is standard input.
pub type CsvSource<T> = Rows<CsvObjects, T>;

impl<T: FromJson<By = ()>> CsvSource<T> {
    /// Opens a file of rows that a struct is read from.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(CsvObjects::open(path)?.rows())
    }

    /// The same with another byte between cells, such as `b'\t'`.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn with_delimiter(path: impl Into<PathBuf>, delimiter: u8) -> Result<Self, Error> {
        Ok(CsvObjects::open(path)?.delimiter(delimiter).rows())
    }
}

impl CsvSource<LoadedRow> {
    /// Opens a file of rows that a document describes.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn by_model(path: impl Into<PathBuf>, model: LoadedModel) -> Result<Self, Error> {
        Ok(ObjectSource::by_model(CsvObjects::open(path)?, model))
    }
}

/// What [`CsvObjects::read_cells`] calls for each row: with its place, and its cells beside the names
/// of their columns.
pub type EachCells<'a> =
    &'a mut dyn FnMut(&RowPlace, Result<Vec<(&str, &str)>, String>) -> ControlFlow<()>;

/// The objects of a CSV file: see [`CsvSource`].
///
/// ```no_run
/// # use adb_loaders::{CsvObjects, CsvSource, ObjectSource};
/// # use adb_model::DataModel;
/// # fn example<Dish: DataModel + serde::de::DeserializeOwned + Send + 'static>() -> Result<(), adb_loaders::Error> {
/// let dishes: CsvSource<Dish> =
///     CsvObjects::open("dishes.csv.gz")?.map("Dish name", "name").delimiter(b';').rows();
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct CsvObjects {
    input: Input,
    delimiter: Option<u8>,
    /// A column that must be there, which no field of the model takes.
    expected: Option<String>,
    map: Vec<(String, String)>,
    /// As `map`, for columns that need not be there.
    map_if_there: Vec<(String, String)>,
    list_separator: char,
    max_row_bytes: u64,
}

impl CsvObjects {
    /// Opens a file, or standard input: `-`.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(Self {
            input: Input::open(path)?,
            delimiter: None,
            expected: None,
            map: Vec::new(),
            map_if_there: Vec::new(),
            list_separator: '|',
            max_row_bytes: MAX_ROW_BYTES,
        })
    }

    /// Sets the byte between cells; without it, the header tells.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Names a column that is known to be there, so that the delimiter is seen from it too.
    pub(crate) fn expecting(mut self, column: &str) -> Self {
        self.expected = Some(column.to_owned());
        self
    }

    /// Reads a column as another key: `map("Dish name", "name")`. An empty key leaves the column
    /// out.
    #[must_use]
    pub fn map(mut self, column: impl Into<String>, key: impl Into<String>) -> Self {
        self.map.push((column.into(), key.into()));
        self
    }

    /// The same for columns that need not be there.
    pub(crate) fn map_if_there(mut self, map: impl IntoIterator<Item = (String, String)>) -> Self {
        self.map_if_there.extend(map);
        self
    }

    /// Sets what stands between the items of a list in one cell; `|` without it.
    #[must_use]
    pub fn list_separator(mut self, separator: char) -> Self {
        self.list_separator = separator;
        self
    }

    /// Sets how many bytes a row may have: 64 MiB without it. A longer one, as a quote makes it
    /// that is left open, ends the reading; so does such a quote at the end of the file.
    #[must_use]
    pub fn max_row_bytes(mut self, bytes: u64) -> Self {
        self.max_row_bytes = bytes;
        self
    }

    /// Reads the table as it is written, without a model: each row's place, and its cells by their
    /// columns, or why it has none. Ends with the table, or where `each` breaks off.
    ///
    /// # Errors
    /// When the file can't be read, or its quotes leave it open where a row ends.
    pub fn read_cells(mut self, each: EachCells<'_>) -> Result<(), Error> {
        let delimiter = self.sniff(&ModelSchema::BARE)?;
        let (path, file) = (self.input.path().to_owned(), self.input.name());
        let mut records = Records::open(&path, self.input.reader, delimiter, self.max_row_bytes)?;
        let header = records.header().clone();
        let mut record = ByteRecord::new();
        while let Some(Found { row, line, fault }) = records.next(&mut record)? {
            let text = |cell| std::str::from_utf8(cell).map_err(|_| "a cell is not UTF-8");
            let cells = header.iter().zip(&record).map(|(name, cell)| Ok((name, text(cell)?)));
            let cells = match fault {
                Some(fault) => Err(fault),
                None => cells.collect::<Result<Vec<_>, &str>>().map_err(str::to_owned),
            };
            let at = RowPlace { file: file.clone(), row, line: Some(line) };
            if each(&at, cells).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// What stands between cells: what makes most columns known to the model, then what makes most
    /// columns.
    fn sniff(&mut self, schema: &'static ModelSchema) -> Result<u8, Error> {
        if let Some(delimiter) = self.delimiter {
            return Ok(delimiter);
        }
        let name = self.input.path().to_string_lossy().to_ascii_lowercase();
        let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
        if name.ends_with(".tsv") || name.ends_with(".tab") {
            return Ok(b'\t');
        }
        let Self { input, map, list_separator, expected, .. } = self;
        let path = input.path().to_owned();
        let first = input.reader.fill_buf().map_err(|e| Error::source(&path, e))?;
        let fit = |delimiter: u8| {
            let mut reader =
                ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(first);
            let mut header = StringRecord::new();
            let _ = reader.read_record(&mut header);
            let columns = Columns::new(&header, schema, map, *list_separator);
            let is_expected = |name: &str| {
                expected
                    .as_ref()
                    .is_some_and(|expected| name.trim_start_matches('\u{feff}') == expected)
            };
            let known = columns.map_or(0, |columns| columns.known());
            (known + header.iter().filter(|name| is_expected(name)).count(), header.len())
        };
        // Of equals the last is taken.
        let best = [b'|', b'\t', b';', b','].into_iter().max_by_key(|&delimiter| fit(delimiter));
        Ok(best.unwrap_or(b','))
    }
}

impl ObjectSource for CsvObjects {
    fn name(&self) -> String {
        self.input.whole_name()
    }

    fn media_root(&self) -> MediaRoot {
        self.input.media_root()
    }

    fn size(&self) -> Option<u64> {
        self.input.size()
    }

    fn read(mut self, schema: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        let delimiter = self.sniff(schema)?;
        let (path, file, taken) =
            (self.input.path().to_owned(), self.input.name(), self.input.taken());
        let whole = self.input.whole_name();
        let mut records = Records::open(&path, self.input.reader, delimiter, self.max_row_bytes)?;
        let header = records.header();
        let is_there = |(column, _): &(String, String)| header.iter().any(|name| name == column);
        self.map.extend(self.map_if_there.into_iter().filter(is_there));
        let columns = Columns::new(header, schema, &self.map, self.list_separator)
            .map_err(|message| syntax(&path, 1, message))?;
        let mut record = ByteRecord::new();
        let mut text = Vec::new();
        while let Some(Found { row, line, fault }) = records.next(&mut record)? {
            let object = match fault {
                Some(fault) => Err(fault),
                None => columns.read(&record, &mut text),
            };
            let identity = row_identity(&whole, row, &spelled(&record));
            let at = RowPlace { file: file.clone(), row, line: Some(line) };
            let mut row = ObjectRow::identified(at, object, identity);
            if row.object.is_err() {
                row.unread = as_written(&record).into();
            }
            if each(row, taken.load(Ordering::Relaxed)).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// What a record says, for its identity: cells with a byte between that no text needs.
fn spelled(record: &ByteRecord) -> Vec<u8> {
    let mut spelled = Vec::with_capacity(record.as_slice().len() + record.len());
    for (i, cell) in record.iter().enumerate() {
        if i > 0 {
            spelled.push(0x1f);
        }
        spelled.extend_from_slice(cell);
    }
    spelled
}

/// A record that is no row, for who mends it: its cells, with quotes where they need some.
fn as_written(record: &ByteRecord) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory can't fail.
    let _ = writer.write_byte_record(record);
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests;
