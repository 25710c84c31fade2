//! Looking at rows: what there is under each key.

use std::{collections::HashSet, ops::ControlFlow, path::Path};

use adb::{
    Date, ModelSchema, ValueType,
    loaders::{CsvObjects, JsonObjects, ObjectSource, ObjectText, ParquetObjects},
};
use anyhow::bail;
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::exit::{Usage, usage};

/// Objects within objects that are looked at.
const MAX_DEPTH: usize = 8;
/// Numbers in a list that make it a vector.
const VECTOR: usize = 8;

/// What was seen of objects of one kind.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) rows: usize,
    /// In the order in which they were met.
    pub(super) columns: Vec<Column>,
    /// Whether they are lines of a table, whose cells are texts that fields read as they like.
    pub(super) is_table: bool,
}

/// What was seen under one key.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) key: String,
    /// Rows in which there is a value.
    pub(super) present: usize,
    pub(super) bools: usize,
    pub(super) ints: usize,
    pub(super) floats: usize,
    /// Whole numbers that are larger than those of the database.
    pub(super) larger: usize,
    pub(super) texts: usize,
    /// Texts that are dates without a time, with one, and with a zone as well.
    pub(super) days: usize,
    pub(super) times: usize,
    pub(super) moments: usize,
    /// Texts that name a file of a kind.
    pub(super) images: usize,
    pub(super) videos: usize,
    pub(super) documents: usize,
    /// Lists of numbers, all of one length.
    pub(super) vectors: usize,
    pub(super) dimensions: Option<usize>,
    /// Other lists and, where objects are not looked into, objects.
    pub(super) json: usize,
    /// What the file itself says of its values, where it does.
    pub(super) declared: Option<ValueType>,
    /// Rows with an object, and with a list of objects.
    pub(super) objects: usize,
    pub(super) lists: usize,
    /// Empty lists, which may be of anything.
    pub(super) empty_lists: usize,
    /// What the objects have.
    pub(super) inner: Seen,
    /// Values so far, as long as all differ.
    values: Option<HashSet<String>>,
}

impl Column {
    fn new(key: &str) -> Self {
        Self { key: key.to_owned(), values: Some(HashSet::new()), ..Self::default() }
    }

    /// Whether no two rows have the same.
    pub(super) fn differs(&self) -> bool {
        self.values.as_ref().is_some_and(|values| values.len() == self.present)
    }

    fn add(&mut self, value: &Json, depth: usize) {
        self.present += 1;
        match value {
            Json::Null => {}
            Json::Bool(_) => self.bools += 1,
            Json::Number(number) if number.is_i64() => self.ints += 1,
            Json::Number(number) if number.is_u64() => self.larger += 1,
            Json::Number(_) => self.floats += 1,
            Json::String(text) => self.text(text),
            Json::Object(_) if depth >= MAX_DEPTH => self.json += 1,
            Json::Object(object) => {
                self.objects += 1;
                self.inner.add(object, depth + 1);
            }
            Json::Array(list) => self.list(list, depth),
        }
        // Identities are numbers and short texts.
        let spelled = match value {
            Json::String(text) if text.len() <= 256 => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let is_new = match (&mut self.values, spelled) {
            (Some(values), Some(spelled)) => values.insert(spelled),
            _ => false,
        };
        if !is_new {
            self.values = None;
        }
    }

    fn list(&mut self, list: &[Json], depth: usize) {
        let is_of = |is: fn(&Json) -> bool| !list.is_empty() && list.iter().all(is);
        if is_of(Json::is_object) && depth < MAX_DEPTH {
            self.lists += 1;
            for object in list.iter().filter_map(Json::as_object) {
                self.inner.add(object, depth + 1);
            }
        } else if is_of(Json::is_number)
            && list.len() >= VECTOR
            && self.dimensions.is_none_or(|dimensions| dimensions == list.len())
        {
            self.vectors += 1;
            self.dimensions = Some(list.len());
        } else if list.is_empty() {
            self.empty_lists += 1;
        } else {
            self.json += 1;
        }
    }

    fn text(&mut self, text: &str) {
        self.texts += 1;
        match ending(text).as_str() {
            "jpg" | "jpeg" | "png" | "webp" | "gif" | "bmp" | "tif" | "tiff" => self.images += 1,
            "mp4" | "mov" | "avi" | "mkv" | "webm" | "m4v" => self.videos += 1,
            "pdf" | "mp3" | "wav" | "flac" | "ogg" | "zip" => self.documents += 1,
            _ => {}
        }
        // Four digits and a dash, or it would be any number that can be read as a date.
        let bytes = text.as_bytes();
        let like_a_date = bytes.len() >= 10
            && bytes[..4].iter().all(u8::is_ascii_digit)
            && bytes[4] == b'-'
            && text.parse::<Date>().is_ok();
        if like_a_date {
            let has_zone = text.ends_with(['Z', 'z'])
                || bytes.get(19..).is_some_and(|rest| rest.contains(&b'+') || rest.contains(&b'-'));
            match (bytes.len(), has_zone) {
                (10, _) => self.days += 1,
                (_, true) => self.moments += 1,
                _ => self.times += 1,
            }
        }
    }
}

/// The ending of a path or address.
fn ending(text: &str) -> String {
    let path = text.split(['?', '#']).next().unwrap_or(text);
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => ending.to_ascii_lowercase(),
        _ => String::new(),
    }
}

impl Seen {
    fn add(&mut self, row: &Map<String, Json>, depth: usize) {
        self.rows += 1;
        for (key, value) in row {
            let column = match self.columns.iter().position(|column| column.key == *key) {
                Some(at) => &mut self.columns[at],
                None => {
                    self.columns.push(Column::new(key));
                    let last = self.columns.len() - 1;
                    &mut self.columns[last]
                }
            };
            if !value.is_null() {
                column.add(value, depth);
            }
        }
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A table: CSV, or with tabs.
    Csv,
    /// An array of objects, or JSON Lines.
    Json,
    /// Parquet.
    Parquet,
}

impl Format {
    /// What the name of a file says.
    fn of(path: &Path) -> Result<Self, Usage> {
        const KNOWN: &str = "`.csv`, `.tsv`, `.json`, `.jsonl` and `.parquet`";
        let place = path.display();
        if is_stdin(path) {
            return Err(Usage(
                "-: what comes on standard input? say it: --format csv, or --format json"
                    .to_owned(),
            ));
        }
        match ending(&unpacked_name(path)).as_str() {
            "csv" | "tsv" | "tab" => Ok(Self::Csv),
            "json" | "jsonl" | "ndjson" => Ok(Self::Json),
            "parquet" => Ok(Self::Parquet),
            "" => Err(Usage(format!(
                "{place}: what is in it? {KNOWN} can be looked at, packed (`.gz`, `.zst`) as well; \
                 --format says it of a file that is called otherwise"
            ))),
            other => Err(Usage(format!(
                "{place}: files of `.{other}` are not looked at; {KNOWN} are, packed (`.gz`, \
                 `.zst`) as well; --format says it of a file that is called otherwise"
            ))),
        }
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The name of what is in a packed file.
fn unpacked_name(path: &Path) -> String {
    let name = path.to_string_lossy();
    let is_packed = |ending: &str| matches!(ending, "gz" | "zst");
    match name.rsplit_once('.') {
        Some((inner, last)) if is_packed(&last.to_ascii_lowercase()) => inner.to_owned(),
        _ => name.into_owned(),
    }
}

/// Looks at the first rows of a file, or of standard input.
pub(super) fn rows(path: &Path, format: Option<Format>, sample: usize) -> anyhow::Result<Seen> {
    let format = match format {
        Some(format) => format,
        None => Format::of(path)?,
    };
    let mut seen = Seen::default();
    match format {
        Format::Csv => table(path, sample, &mut seen)?,
        Format::Json => objects(JsonObjects::open(path)?, sample, &mut seen)?,
        Format::Parquet if is_stdin(path) => {
            usage!("-: Parquet is not read from standard input; name the file");
        }
        Format::Parquet => parquet(path, sample, &mut seen)?,
    }
    Ok(seen)
}

/// Looks at the rows of a table.
fn table(path: &Path, sample: usize, seen: &mut Seen) -> anyhow::Result<()> {
    seen.is_table = true;
    let mut fault = None;
    CsvObjects::open(path)?.read_cells(&mut |at, cells| {
        if seen.rows >= sample {
            return ControlFlow::Break(());
        }
        match cells {
            Ok(cells) => {
                let row = cells.iter().map(|(key, cell)| ((*key).to_owned(), cell_value(cell)));
                seen.add(&row.collect(), 0);
                ControlFlow::Continue(())
            }
            Err(reason) => {
                fault = Some(format!("{at}: {reason}"));
                ControlFlow::Break(())
            }
        }
    })?;
    match fault {
        Some(fault) => bail!(fault),
        None => Ok(()),
    }
}

/// Looks at the rows of a source that gives objects.
fn objects(rows: impl ObjectSource, sample: usize, seen: &mut Seen) -> anyhow::Result<()> {
    let mut fault = None;
    rows.read(&ModelSchema::BARE, &mut |row, _| {
        if seen.rows >= sample {
            return ControlFlow::Break(());
        }
        let object = row
            .object
            .and_then(|object| object.map_or_else(|| Ok(Map::new()), ObjectText::into_object));
        match object {
            Ok(mut object) => {
                let number = seen.rows;
                for (_, value) in &mut object {
                    name_file(value, &row.media, number);
                }
                seen.add(&object, 0);
                ControlFlow::Continue(())
            }
            Err(reason) => {
                fault = Some(format!("{}: {reason}", row.at));
                ControlFlow::Break(())
            }
        }
    })?;
    match fault {
        Some(fault) => bail!(fault),
        None => Ok(()),
    }
}

/// Looks at the rows of a Parquet file, and at what it says of columns that have no value in them.
fn parquet(path: &Path, sample: usize, seen: &mut Seen) -> anyhow::Result<()> {
    let rows = ParquetObjects::open(vec![path.to_owned()])?;
    let columns = rows.columns()?;
    objects(rows, sample, seen)?;
    for (name, declared) in columns {
        let at = seen.columns.iter().position(|column| column.key == name).unwrap_or_else(|| {
            seen.columns.push(Column::new(&name));
            seen.columns.len() - 1
        });
        seen.columns[at].declared = declared;
    }
    Ok(())
}

/// Bytes in a row have a name by which the row's files are found: gives it the ending of what is in
/// them.
fn name_file(value: &mut Json, media: &[(String, Bytes)], row: usize) {
    let Some(found) = media.iter().find(|(name, _)| value.as_str() == Some(name.as_str())) else {
        return;
    };
    let kind = match image::guess_format(&found.1) {
        Ok(_) => "png",
        Err(_) if found.1.get(4..8) == Some(b"ftyp") => "mp4",
        Err(_) => "pdf",
    };
    *value = format!("{row}.{kind}").into();
}

/// What a cell would be in JSON.
fn cell_value(cell: &str) -> Json {
    match cell {
        "" => Json::Null,
        "true" => true.into(),
        "false" => false.into(),
        _ => {
            let is_plain = |text: &str| {
                // `007` is a name, not a number.
                let digits = text.trim_start_matches('-');
                !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."))
            };
            if let Some(whole) = cell.parse::<i64>().ok().filter(|_| is_plain(cell)) {
                return whole.into();
            }
            let digits = cell.strip_prefix('-').unwrap_or(cell);
            if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                // The database has no such number, and a float would be another one.
                return cell.into();
            }
            let begins = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
            if let Some(number) =
                cell.parse::<f64>().ok().filter(|x| begins && x.is_finite() && is_plain(cell))
            {
                return number.into();
            }
            if cell.starts_with(['[', '{'])
                && let Ok(json) = serde_json::from_str(cell)
            {
                return json;
            }
            Json::String(cell.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_what_they_look_like() {
        for (cell, wanted) in [
            ("7", json!(7)),
            ("-1.5", json!(-1.5)),
            ("007", json!("007")),
            ("9223372036854775807", json!(i64::MAX)),
            ("9223372036854775808", json!("9223372036854775808")),
            ("-", json!("-")),
            ("0.5", json!(0.5)),
            ("inf", json!("inf")),
            ("true", json!(true)),
            ("", Json::Null),
            ("[1, 2]", json!([1, 2])),
            ("[1, 2", json!("[1, 2")),
        ] {
            assert_eq!(cell_value(cell), wanted, "{cell}");
        }
    }

    #[test]
    fn texts_that_are_dates_and_files() {
        let mut column = Column::new("x");
        for text in [
            "2021-07-01",
            "2021-07-01T09:30:00",
            "2021-07-01T09:30:00Z",
            "2021-07-01T09:30:00+02:00",
            "2021",
            "a/b.JPG?size=2",
            ".png",
            "film.mp4",
            "2021-99-99",
        ] {
            column.add(&text.into(), 0);
        }
        assert_eq!((column.days, column.times, column.moments), (1, 1, 2));
        assert_eq!((column.images, column.videos), (1, 1));
        assert!(column.differs());
        column.add(&"2021".into(), 0);
        assert!(!column.differs());
    }
}
