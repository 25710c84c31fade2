//! JSON arrays and JSON Lines, streamed: memory holds one row, whatever the file's size.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use adb_model::{ModelSchema, document::LoadedModel, graph::row_identity};
use serde::{
    Deserializer as _,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{FromJson, LoadedRow, RowPlace, Source, SourceRow, row::without_position};
use crate::{Error, ErrorKind, MediaRoot};

/// A `.json` file holding an array of objects, or a `.jsonl`/`.ndjson` file with an object on each
/// line. Which of the two is told by the first character, not by the name.
///
/// A row of the wrong shape (a missing key, text for a number) costs that row. In an array a fault
/// of syntax ends the reading, since nothing tells where the next row begins; in JSON Lines it
/// costs its line.
#[derive(Debug)]
pub struct JsonSource<T: FromJson> {
    file: JsonFile,
    by: T::By,
}

impl<T: FromJson<By = ()>> JsonSource<T> {
    /// Opens a file of rows that a struct is read from.
    ///
    /// # Errors
    /// When it can't be read, or begins with neither `[` nor `{`.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(Self { file: JsonFile::open(path.into())?, by: () })
    }
}

impl JsonSource<LoadedRow> {
    /// Opens a file of rows that a document describes.
    ///
    /// # Errors
    /// When it can't be read, or begins with neither `[` nor `{`.
    pub fn by_model(path: impl Into<PathBuf>, model: LoadedModel) -> Result<Self, Error> {
        Ok(Self { file: JsonFile::open(path.into())?, by: model })
    }
}

impl<T: FromJson> Source for JsonSource<T> {
    type Row = T;

    fn schema(&self) -> &'static ModelSchema {
        T::schema(self.by)
    }

    fn media_root(&self) -> MediaRoot {
        MediaRoot::beside(&self.file.path)
    }

    fn size(&self) -> Option<u64> {
        Some(self.file.size)
    }

    fn read(self, each: &mut dyn FnMut(SourceRow<T>, u64) -> ControlFlow<()>) -> Result<(), Error> {
        let by = self.by;
        self.file.read(&|text, ignored| T::from_json(by, text, ignored), each)
    }
}

/// The file, whatever its rows become.
#[derive(Debug)]
struct JsonFile {
    path: PathBuf,
    size: u64,
    reader: BufReader<File>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Array,
    Lines,
}

impl JsonFile {
    fn open(path: PathBuf) -> Result<Self, Error> {
        let fail = |e| Error::source(&path, e);
        let file = File::open(&path).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        if reader.fill_buf().map_err(fail)?.starts_with(BOM) {
            reader.consume(BOM.len());
        }
        let form = loop {
            let buffer = reader.fill_buf().map_err(fail)?;
            match buffer.iter().position(|b| !b.is_ascii_whitespace()) {
                // An empty file has no rows, and that is no fault.
                _ if buffer.is_empty() => break Form::Lines,
                Some(at) => match buffer[at] {
                    b'[' => break Form::Array,
                    b'{' => break Form::Lines,
                    other => return Err(not_json(&path, other)),
                },
                // White space alone so far. Nothing is consumed unless the whole buffer is blank,
                // and blank lines before the first row are the one thing that line numbers lose.
                None => {
                    let n = buffer.len();
                    reader.consume(n);
                }
            }
        };
        Ok(Self { path, size, reader, form })
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

fn not_json(path: &Path, first: u8) -> Error {
    ErrorKind::Syntax {
        path: path.to_owned(),
        line: 1,
        column: 1,
        message: format!(
            "the file begins with {:?}, where an array of objects begins with '[' and JSON Lines with '{{'",
            char::from(first)
        ),
    }
    .into()
}

/// Reads a row's text, and names the keys that no field takes.
type Parse<'a, T> = &'a dyn Fn(&str, &mut Vec<String>) -> Result<T, String>;

/// Takes rows, and how many bytes were read so far.
type Each<'a, T> = &'a mut dyn FnMut(SourceRow<T>, u64) -> ControlFlow<()>;

impl JsonFile {
    fn read<T>(self, parse: Parse<'_, T>, each: Each<'_, T>) -> Result<(), Error> {
        match self.form {
            Form::Array => self.read_array(parse, each),
            Form::Lines => self.read_lines(parse, each),
        }
    }

    fn read_array<T>(self, parse: Parse<'_, T>, each: Each<'_, T>) -> Result<(), Error> {
        let position = Position::default();
        let counting = Counting { inner: self.reader, position: position.clone() };
        let file: Arc<str> = self.path.display().to_string().into();
        let mut stopped = false;
        let mut deserializer = serde_json::Deserializer::from_reader(counting);
        let rows = Rows {
            row: 0,
            each: &mut |row, raw: &RawValue| {
                let text = raw.get();
                let newlines = text.bytes().filter(|b| *b == b'\n').count() as u64;
                let line = position.lines.load(Ordering::Relaxed) + 1 - newlines;
                let at = RowPlace { file: file.clone(), row, line: Some(line) };
                let go = each(row_of(at, text, parse), position.bytes.load(Ordering::Relaxed));
                stopped = go.is_break();
                go
            },
        };
        let result = deserializer.deserialize_seq(rows).and_then(|()| deserializer.end());
        match result {
            // Leaving an array in the middle is an error to serde; here it is what was asked for.
            Err(_) if stopped => Ok(()),
            Err(e) if e.is_io() => Err(Error::source(&self.path, e.into())),
            Err(e) => Err(ErrorKind::Syntax {
                path: self.path,
                line: e.line(),
                column: e.column(),
                message: without_position(&e),
            }
            .into()),
            Ok(()) => Ok(()),
        }
    }

    fn read_lines<T>(mut self, parse: Parse<'_, T>, each: Each<'_, T>) -> Result<(), Error> {
        let file: Arc<str> = self.path.display().to_string().into();
        let (mut row, mut line, mut bytes) = (0, 0, 0);
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let n = self
                .reader
                .read_until(b'\n', &mut buffer)
                .map_err(|e| Error::source(&self.path, e))?;
            if n == 0 {
                return Ok(());
            }
            line += 1;
            bytes += n as u64;
            if buffer.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            row += 1;
            let at = RowPlace { file: file.clone(), row, line: Some(line) };
            let parsed = match std::str::from_utf8(&buffer) {
                Ok(text) => row_of(at, text, parse),
                Err(e) => SourceRow {
                    identity: row_identity(&at.file, row, &buffer),
                    at,
                    value: Err(format!(
                        "not UTF-8 from byte {} of the line on",
                        e.valid_up_to() + 1
                    )),
                    ignored: Vec::new(),
                },
            };
            if each(parsed, bytes).is_break() {
                return Ok(());
            }
        }
    }
}

fn row_of<T>(at: RowPlace, text: &str, parse: Parse<'_, T>) -> SourceRow<T> {
    let mut ignored = Vec::new();
    let value = parse(text, &mut ignored);
    let identity = row_identity(&at.file, at.row, text.as_bytes());
    SourceRow { at, value, ignored, identity }
}

/// Hands on each element of an array as it was written.
struct Rows<'a> {
    row: u64,
    each: &'a mut dyn FnMut(u64, &RawValue) -> ControlFlow<()>,
}

impl<'de> Visitor<'de> for Rows<'_> {
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
}

/// Counts what serde has taken. It takes bytes one by one, so the count is exact to the byte that
/// it peeks at.
#[derive(Debug)]
struct Counting<R> {
    inner: R,
    position: Position,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.position.bytes.fetch_add(n as u64, Ordering::Relaxed);
        let newlines = buffer[..n].iter().filter(|b| **b == b'\n').count() as u64;
        if newlines > 0 {
            self.position.lines.fetch_add(newlines, Ordering::Relaxed);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{super::row::by_serde, *};

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

    fn rows(text: &[u8]) -> (Vec<SourceRow<Dish>>, Result<(), Error>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows");
        std::fs::write(&path, text).unwrap();
        let mut rows = Vec::new();
        let result = JsonFile::open(path).and_then(|file| {
            file.read(&by_serde::<Dish>, &mut |row, _| {
                rows.push(row);
                ControlFlow::Continue(())
            })
        });
        (rows, result)
    }

    fn ids(rows: &[SourceRow<Dish>]) -> Vec<Option<u32>> {
        rows.iter().map(|r| r.value.as_ref().ok().map(|d| d.id)).collect()
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
        assert_eq!(message, r#"invalid type: string "two", expected u32"#);
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
            JsonFile::open(path)
                .unwrap()
                .read(&by_serde::<Dish>, &mut |_, _| {
                    n += 1;
                    ControlFlow::Break(())
                })
                .unwrap();
            assert_eq!(n, 1);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let err = JsonFile::open("no/such.json".into()).unwrap_err();
        assert!(err.to_string().starts_with("no/such.json: "), "{err}");
    }
}
