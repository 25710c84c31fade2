//! JSON arrays and JSON Lines, streamed: memory holds one row, whatever the file's size.

use std::{
    io::{self, BufRead, Read},
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use adb_model::{ModelSchema, document::LoadedModel};
use bytes::Bytes;
use serde::{
    Deserializer as _,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    EachObject, FromJson, LoadedRow, MAX_ROW_BYTES, ObjectRow, ObjectSource, ObjectText, RowPlace,
    Rows,
    input::Input,
    lines::{Line, Lines},
    row::without_position,
};
use crate::{Error, ErrorKind, MediaRoot};

/// A `.json` file holding an array of objects, or a `.jsonl`/`.ndjson` file with an object on each
/// line. Which of the two is told by the first character, not by the name; so is whether it is
/// packed with gzip or Zstandard. `-` is standard input.
///
/// A row of the wrong shape (a missing key, text for a number) costs that row. In an array a fault
/// of syntax ends the reading, since nothing tells where the next row begins; in JSON Lines it
/// costs its line.
pub type JsonSource<T> = Rows<JsonObjects, T>;

impl<T: FromJson<By = ()>> JsonSource<T> {
    /// Opens a file of rows that a struct is read from.
    ///
    /// # Errors
    /// When it can't be read, begins with neither `[` nor `{`, or with an object that takes several
    /// lines.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(JsonObjects::open(path)?.rows())
    }
}

impl JsonSource<LoadedRow> {
    /// Opens a file of rows that a document describes.
    ///
    /// # Errors
    /// When it can't be read, begins with neither `[` nor `{`, or with an object that takes several
    /// lines.
    pub fn by_model(path: impl Into<PathBuf>, model: LoadedModel) -> Result<Self, Error> {
        Ok(ObjectSource::by_model(JsonObjects::open(path)?, model))
    }
}

/// The objects of a JSON array or of JSON Lines: see [`JsonSource`].
#[derive(Debug)]
pub struct JsonObjects {
    input: Input,
    form: Form,
    max_row_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Array,
    Lines,
}

impl JsonObjects {
    /// Opens a file, or standard input: `-`.
    ///
    /// # Errors
    /// When it can't be read, begins with neither `[` nor `{`, or with an object that takes several
    /// lines.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let mut input = Input::open(path)?;
        let form = form(&mut *input.reader)
            .map_err(|e| Error::source(input.path(), e))?
            .map_err(|message| Error::header(input.path(), message))?;
        Ok(Self { input, form, max_row_bytes: MAX_ROW_BYTES })
    }

    /// Sets how many bytes a row may have: 64 MiB without it. A longer line of JSON Lines costs
    /// its row, a longer element ends the reading of an array.
    #[must_use]
    pub fn max_row_bytes(mut self, bytes: u64) -> Self {
        self.max_row_bytes = bytes;
        self
    }

    fn read_array(self, each: EachObject<'_>) -> Result<(), Error> {
        let (path, file, taken) =
            (self.input.path().to_owned(), self.input.name(), self.input.taken());
        let whole = self.input.whole_name();
        let position = Position::default();
        let most = self.max_row_bytes;
        let counting = Counting { inner: self.input.reader, position: position.clone(), most };
        let mut stopped = false;
        let mut last = 0;
        let mut deserializer = serde_json::Deserializer::from_reader(counting);
        let rows = Elements {
            row: 0,
            each: &mut |row, raw: &RawValue| {
                last = row;
                let text = raw.get();
                let newlines = text.bytes().filter(|b| *b == b'\n').count() as u64;
                let line = position.lines.load(Ordering::Relaxed) + 1 - newlines;
                let at = RowPlace { file: file.clone(), row, line: Some(line) };
                let row = ObjectRow::within(&whole, at, Ok(ObjectText::Text(text)));
                let go = each(row, taken.load(Ordering::Relaxed));
                stopped = go.is_break();
                position.row_ended();
                go
            },
        };
        let result = deserializer.deserialize_seq(rows).and_then(|()| deserializer.end());
        match result {
            // Leaving an array in the middle is an error to serde; here it is what was asked for.
            Err(_) if stopped => Ok(()),
            Err(_) if position.too_long.load(Ordering::Relaxed) => {
                Err(ErrorKind::RowTooLong { path, row: last + 1, line: None, most }.into())
            }
            Err(e) if e.is_io() => Err(Error::source(&path, e.into())),
            Err(e) => Err(ErrorKind::Syntax {
                path,
                line: e.line(),
                column: e.column(),
                message: without_position(&e),
            }
            .into()),
            Ok(()) => Ok(()),
        }
    }

    fn read_lines(mut self, each: EachObject<'_>) -> Result<(), Error> {
        let (file, taken) = (self.input.name(), self.input.taken());
        let whole = self.input.whole_name();
        let mut lines = Lines::new(self.max_row_bytes);
        let mut row = 0;
        loop {
            let (line, read) = lines.next(&mut *self.input.reader);
            let mut unread = Bytes::new();
            let text = match read.map_err(|e| Error::source(self.input.path(), e))? {
                Line::End => return Ok(()),
                Line::Blank => continue,
                Line::Text(text) => Ok(ObjectText::Text(text)),
                Line::Fault(reason, bytes) => {
                    unread = Bytes::copy_from_slice(bytes);
                    Err(reason)
                }
            };
            row += 1;
            let at = RowPlace { file: file.clone(), row, line: Some(line) };
            let row = ObjectRow { unread, ..ObjectRow::within(&whole, at, text) };
            if each(row, taken.load(Ordering::Relaxed)).is_break() {
                return Ok(());
            }
        }
    }
}

impl ObjectSource for JsonObjects {
    fn name(&self) -> String {
        self.input.whole_name()
    }

    fn media_root(&self) -> MediaRoot {
        self.input.media_root()
    }

    fn size(&self) -> Option<u64> {
        self.input.size()
    }

    fn read(self, _: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        match self.form {
            Form::Array => self.read_array(each),
            Form::Lines => self.read_lines(each),
        }
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What the beginning says, or why it says nothing.
fn form(reader: &mut dyn BufRead) -> io::Result<Result<Form, String>> {
    if reader.fill_buf()?.starts_with(BOM) {
        reader.consume(BOM.len());
    }
    loop {
        let buffer = reader.fill_buf()?;
        match buffer.iter().position(|b| !b.is_ascii_whitespace()) {
            // An empty file has no rows, and that is no fault.
            _ if buffer.is_empty() => return Ok(Ok(Form::Lines)),
            Some(at) => {
                return Ok(match buffer[at] {
                    b'[' => Ok(Form::Array),
                    b'{' if is_spread(&buffer[at..]) => Err(
                        "the file begins with an object that takes several lines; put it into an array, between `[` and `]`, or write each object on one line, as `jq -c .` does".to_owned(),
                    ),
                    b'{' => Ok(Form::Lines),
                    other => Err(format!(
                        "the file begins with {:?}, where an array of objects begins with '[' and JSON Lines with '{{'",
                        char::from(other)
                    )),
                });
            }
            // White space alone so far. Nothing is consumed unless the whole buffer is blank,
            // and blank lines before the first row are the one thing that line numbers lose.
            None => {
                let n = buffer.len();
                reader.consume(n);
            }
        }
    }
}

/// Whether an object does not end on its first line, and the next line goes on with it: where another
/// object begins there, it is a line of JSON Lines that is broken.
fn is_spread(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let ends = |line| match serde_json::from_slice::<IgnoredAny>(line) {
        Err(e) => !e.is_eof(),
        Ok(_) => true,
    };
    let first = lines.next().unwrap_or_default();
    !ends(first) && lines.find(|line| !line.is_empty()).is_some_and(|next| next[0] != b'{')
}

/// Hands on each element of an array as it was written.
struct Elements<'a> {
    row: u64,
    each: &'a mut dyn FnMut(u64, &RawValue) -> ControlFlow<()>,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(raw) = seq.next_element::<Box<RawValue>>()? {
            self.row += 1;
            if (self.each)(self.row, &raw).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default)]
struct Position {
    lines: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    /// Where the last row ended.
    row_end: Arc<AtomicU64>,
    too_long: Arc<AtomicBool>,
}

impl Position {
    fn row_ended(&self) {
        self.row_end.store(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Counts what serde has taken, and ends where a row takes more than it may. It takes bytes one by
/// one, so the count is exact to the byte that it peeks at.
struct Counting {
    inner: Box<dyn BufRead + Send>,
    position: Position,
    most: u64,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let Position { lines, bytes, row_end, too_long } = &self.position;
        let all = bytes.fetch_add(n as u64, Ordering::Relaxed) + n as u64;
        if all - row_end.load(Ordering::Relaxed) > self.most {
            too_long.store(true, Ordering::Relaxed);
            return Err(io::Error::other("the row is too long"));
        }
        let newlines = buffer[..n].iter().filter(|b| **b == b'\n').count() as u64;
        if newlines > 0 {
            lines.fetch_add(newlines, Ordering::Relaxed);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{
        super::{SourceRow, row::by_serde},
        *,
    };

    #[derive(Debug, Deserialize, PartialEq)]
    struct Dish {
        id: u32,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Part {
        name: String,
    }

    fn read(file: JsonObjects, rows: &mut Vec<SourceRow<Dish>>) -> Result<(), Error> {
        file.read(&ModelSchema::BARE, &mut |row, _| {
            let mut ignored = Vec::new();
            let value = row.object.and_then(|object| match object {
                Some(ObjectText::Text(text)) => by_serde(text, &mut ignored).map(Some),
                other => panic!("{other:?}"),
            });
            let raw = row.unread;
            rows.push(SourceRow { value, ignored, ..SourceRow::new(row.at, row.identity, raw) });
            ControlFlow::Continue(())
        })
    }

    fn rows(text: &[u8]) -> (Vec<SourceRow<Dish>>, Result<(), Error>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows");
        std::fs::write(&path, text).unwrap();
        let mut rows = Vec::new();
        let result = JsonObjects::open(path).and_then(|file| read(file, &mut rows));
        (rows, result)
    }

    fn ids(rows: &[SourceRow<Dish>]) -> Vec<Option<u32>> {
        rows.iter().map(|r| r.value.as_ref().ok().and_then(|d| d.as_ref().map(|d| d.id))).collect()
    }

    fn lines(rows: &[SourceRow<Dish>]) -> Vec<Option<u64>> {
        rows.iter().map(|r| r.at.line).collect()
    }

    #[test]
    fn an_array_gives_its_rows_with_their_lines() {
        let (rows, result) =
            rows(b"\xef\xbb\xbf[\n  {\"id\": 1},\n  {\n    \"id\": 2\n  }\n, {\"id\":3}]\n");
        result.unwrap();
        assert_eq!(ids(&rows), [Some(1), Some(2), Some(3)]);
        assert_eq!(lines(&rows), [Some(2), Some(3), Some(6)]);
    }

    #[test]
    fn a_row_of_the_wrong_shape_costs_that_row_only() {
        let (rows, result) = rows(br#"[{"id": 1}, {"id": "two"}, {"no": 3}, 4, null, {"id": 5}]"#);
        result.unwrap();
        assert_eq!(ids(&rows), [Some(1), None, None, None, None, Some(5)]);
        let message = rows[1].value.as_ref().unwrap_err();
        assert_eq!(message, r#"`id`: invalid type: string "two", expected u32"#);
        assert_eq!(rows[2].value.as_ref().unwrap_err(), "missing field `id`");
    }

    #[test]
    fn broken_syntax_in_an_array_names_its_line_and_keeps_what_came_before() {
        let (rows, result) = rows(b"[{\"id\": 1},\n{\"id\": 2},\n{\"id\" 3}]");
        assert_eq!(ids(&rows), [Some(1), Some(2)]);
        let message = result.unwrap_err().to_string();
        assert!(
            message.contains("line 3, column 7") && message.contains("expected `:`"),
            "{message}"
        );
    }

    #[test]
    fn a_file_cut_short_is_an_error() {
        let (rows, result) = rows(b"[{\"id\": 1},\n{\"id\": 2}");
        assert_eq!(ids(&rows), [Some(1), Some(2)]);
        assert!(result.unwrap_err().to_string().contains("EOF while parsing"));
    }

    #[test]
    fn rubbish_after_the_array_is_an_error() {
        let (rows, result) = rows(b"[{\"id\": 1}] [");
        assert_eq!(rows.len(), 1);
        assert!(result.unwrap_err().to_string().contains("trailing characters"));
    }

    #[test]
    fn json_lines_skip_blank_lines_and_survive_a_broken_one() {
        let (rows, result) =
            rows(b"{\"id\": 1}\n\n{\"id\": \n{\"id\": 3} x\n{\"id\": \xff}\r\n{\"id\": 4}");
        result.unwrap();
        assert_eq!(ids(&rows), [Some(1), None, None, None, Some(4)]);
        assert_eq!(lines(&rows), [Some(1), Some(3), Some(4), Some(5), Some(6)]);
        assert!(rows[3].value.as_ref().unwrap_err().contains("not UTF-8"));
        let rubbish = rows[2].value.as_ref().unwrap_err();
        assert!(rubbish.contains("trailing characters at column 11; of JSON"), "{rubbish}");
        let broken = rows[1].value.as_ref().unwrap_err();
        assert_eq!(
            broken,
            "this is no JSON: EOF while parsing a value; of JSON Lines, each line is one whole object"
        );
    }

    #[test]
    fn an_object_on_several_lines_is_no_json_lines() {
        for text in ["{\n  \"id\": 1\n}\n", "\n{\"id\": 1,\r\n\r\n\"no\": 2}", "{\"id\":\n1}"] {
            let (rows, result) = rows(text.as_bytes());
            assert_eq!(rows.len(), 0);
            let said = result.unwrap_err().to_string();
            assert!(said.contains("several lines") && said.contains("jq -c ."), "{said}");
        }
        // One that is cut short, and others behind it.
        let (rows, result) = rows(b"{\"id\": 1,\n{\"id\": 2}\n{\"id\":");
        result.unwrap();
        assert_eq!(ids(&rows), [None, Some(2), None]);
    }

    #[test]
    fn a_reason_names_the_key_that_it_is_about() {
        let reason = |text: &str| {
            let (rows, _) = rows(text.as_bytes());
            rows[0].value.as_ref().unwrap_err().clone()
        };
        let said = reason(r#"[{"parts": [{"name": "a"}, {"name": 2}], "id": 1}]"#);
        assert!(said.starts_with("`parts`: invalid type: integer `2`"), "{said}");
        let said = reason(r#"[{"colour": "x", "parts": [], "id": -1}]"#);
        assert!(said.starts_with("`id`: invalid value: integer `-1`"), "{said}");
        assert_eq!(reason(r#"[{"parts": []}]"#), "missing field `id`");
    }

    #[test]
    fn keys_that_no_field_takes_are_told() {
        let (rows, _) = rows(
            br#"[{"id": 1, "colour": 2, "parts": [{"name": "a", "g": 1}, {"name": "b", "g": 2}]}]"#,
        );
        assert_eq!(rows[0].ignored, ["colour", "parts[].g"]);
    }

    #[test]
    fn an_empty_file_has_no_rows_and_other_files_are_refused() {
        for empty in [b"".as_slice(), b" \n ", b"[]"] {
            let (rows, result) = rows(empty);
            result.unwrap();
            assert_eq!(rows.len(), 0);
        }
        let (_, result) = rows(b"id,name\n");
        assert!(result.unwrap_err().to_string().contains("begins with 'i'"));
    }

    #[test]
    fn reading_stops_when_told() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["[{\"id\": 1}, {\"id\": 2}, broken", "{\"id\": 1}\n{\"id\": 2}\n"] {
            let path = dir.path().join("rows");
            std::fs::write(&path, text).unwrap();
            let mut n = 0;
            JsonObjects::open(path)
                .unwrap()
                .read(&ModelSchema::BARE, &mut |_, _| {
                    n += 1;
                    ControlFlow::Break(())
                })
                .unwrap();
            assert_eq!(n, 1);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let err = JsonObjects::open("no/such.json").unwrap_err();
        assert!(err.to_string().starts_with("no/such.json: "), "{err}");
    }

    #[test]
    fn a_huge_row_is_refused_before_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let huge = format!("{{\"id\": 2, \"x\": \"{}\"}}", "x".repeat(5000));
        let path = dir.path().join("rows");
        std::fs::write(&path, format!("{{\"id\": 1}}\n{huge}\n{{\"id\": 3}}\n")).unwrap();
        let mut rows = Vec::new();
        read(JsonObjects::open(&path).unwrap().max_row_bytes(4096), &mut rows).unwrap();
        assert_eq!(ids(&rows), [Some(1), None, Some(3)]);
        assert_eq!(lines(&rows), [Some(1), Some(2), Some(3)]);
        let reason = rows[1].value.as_ref().unwrap_err();
        assert!(reason.contains("more than the 4096 bytes"), "{reason}");

        std::fs::write(&path, format!("[{{\"id\": 1}}, {huge}, {{\"id\": 3}}]")).unwrap();
        let mut rows = Vec::new();
        let file = JsonObjects::open(&path).unwrap().max_row_bytes(4096);
        let error = read(file, &mut rows).unwrap_err().to_string();
        assert_eq!(ids(&rows), [Some(1)]);
        assert!(error.contains("row 2 has more than 4096 bytes"), "{error}");
    }

    #[test]
    fn packed_rows_are_the_same_rows() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["[{\"id\": 1},\n {\"id\": 2}]", "{\"id\": 1}\n{\"id\": 2}\n"] {
            let path = dir.path().join("rows.gz");
            let file = std::fs::File::create(&path).unwrap();
            let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
            packed.finish().unwrap();
            let mut rows = Vec::new();
            read(JsonObjects::open(&path).unwrap(), &mut rows).unwrap();
            assert_eq!(ids(&rows), [Some(1), Some(2)]);
            assert_eq!(lines(&rows), [Some(1), Some(2)]);
        }
    }
}
