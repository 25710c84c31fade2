//! Reading dead letters: rows to be tried again.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use adb_model::{ModelSchema, document::LoadedModel};

use super::{Header, LETTERS_VERSION, Letter};
use crate::{Error, ErrorKind, FromJson, LoadedRow, MediaRoot, Source, SourceRow};

/// A dead-letter file, all of whose lines can be read.
#[derive(Debug)]
pub struct LetterFile {
    path: PathBuf,
    header: Header,
    letters: u64,
    size: u64,
}

impl LetterFile {
    /// Opens one, and looks at all of its lines: a slip of who mended it is told before the first
    /// row goes in.
    ///
    /// # Errors
    /// When it can't be read, is no such file, is of a later version, or a line is not what it
    /// should be. A last line without an end is passed over: its program was killed meanwhile, and
    /// had not counted it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let mut lines = Lines::open(&path)?;
        let header = match lines.next()? {
            Some((1, line)) => parse_header(&path, line)?,
            _ => return Err(broken(&path, 1, "it is empty, and no dead-letter file")),
        };
        let mut letters = 0;
        while let Some((number, line)) = lines.next()? {
            letter(&path, number, line)?;
            letters += 1;
        }
        let size = lines.read;
        Ok(Self { path, header, letters, size })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its first line.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many rows it holds.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.letters
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.letters == 0
    }

    /// Hands each letter to `each`, with the bytes read so far, until that says to stop.
    ///
    /// # Errors
    /// When it can't be read on.
    pub fn read(&self, mut each: impl FnMut(Letter, u64) -> ControlFlow<()>) -> Result<(), Error> {
        let mut lines = Lines::open(&self.path)?;
        lines.next()?;
        loop {
            let letter = match lines.next()? {
                Some((number, line)) => letter(&self.path, number, line)?,
                None => return Ok(()),
            };
            if each(letter, lines.read).is_break() {
                return Ok(());
            }
        }
    }

    /// Its rows as those of a struct.
    #[must_use]
    pub fn rows<T: FromJson<By = ()>>(self) -> LetterSource<T> {
        LetterSource { file: self, by: () }
    }

    /// Its rows as those of a document, such as that of its header.
    #[must_use]
    pub fn rows_by(self, model: LoadedModel) -> LetterSource<LoadedRow> {
        LetterSource { file: self, by: model }
    }
}

/// The rows of a dead-letter file, at the places where they stood in their source.
#[derive(Debug)]
pub struct LetterSource<T: FromJson> {
    file: LetterFile,
    by: T::By,
}

impl<T: FromJson> Source for LetterSource<T> {
    type Row = T;

    fn schema(&self) -> &'static ModelSchema {
        T::schema(self.by)
    }

    /// What its rows bring belongs to the source that they come from.
    fn name(&self) -> String {
        self.file.header.source.clone()
    }

    fn is_part(&self) -> bool {
        true
    }

    fn media_root(&self) -> MediaRoot {
        MediaRoot::new(&self.file.header.media_root)
    }

    fn size(&self) -> Option<u64> {
        Some(self.file.size)
    }

    fn read(self, each: &mut dyn FnMut(SourceRow<T>, u64) -> ControlFlow<()>) -> Result<(), Error> {
        self.file.read(|letter, bytes| {
            let mut row = SourceRow::new(letter.at(), letter.identity, Vec::new());
            row.value = letter.row_text().and_then(|text| {
                row.raw = text.to_owned().into();
                T::from_json(self.by, text, &mut row.ignored).map(Some)
            });
            each(row, bytes)
        })
    }
}

/// Whole lines with their numbers; blank ones are passed over.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: usize,
    read: u64,
}

/// Bytes of one line: more is no letter of ours.
const LONGEST_LINE: u64 = 4 << 30;

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| Error::source(path, e))?;
        Ok(Self { path, reader: BufReader::new(file), line: Vec::new(), number: 0, read: 0 })
    }

    fn next(&mut self) -> Result<Option<(usize, &str)>, Error> {
        loop {
            self.line.clear();
            let mut limited = self.reader.by_ref().take(LONGEST_LINE);
            let read = limited.read_until(b'\n', &mut self.line);
            let read = read.map_err(|e| Error::source(self.path, e))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.read += read as u64;
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let cut_short = !self.line.ends_with(b"\n");
            if cut_short && serde_json::from_slice::<serde::de::IgnoredAny>(&self.line).is_err() {
                return Ok(None);
            }
            break;
        }
        let text = std::str::from_utf8(&self.line);
        let text = text.map_err(|_| broken(self.path, self.number, "it is not UTF-8"))?;
        Ok(Some((self.number, text.trim_start_matches('\u{feff}'))))
    }
}

fn parse_header(path: &Path, line: &str) -> Result<Header, Error> {
    #[derive(serde::Deserialize)]
    struct Version {
        adb_dead_letters: u32,
    }
    let no_header = |e: serde_json::Error| {
        broken(path, 1, &format!("it is not the first line of a dead-letter file: {e}"))
    };
    let version: Version = serde_json::from_str(line).map_err(no_header)?;
    if version.adb_dead_letters != LETTERS_VERSION {
        return Err(broken(
            path,
            1,
            &format!(
                "the file is of version {}, and this adb reads version {LETTERS_VERSION}; use the adb that wrote it, or a later one",
                version.adb_dead_letters
            ),
        ));
    }
    serde_json::from_str(line).map_err(no_header)
}

fn letter(path: &Path, number: usize, line: &str) -> Result<Letter, Error> {
    serde_json::from_str(line).map_err(|e| {
        broken(path, number, &format!("it is no dead letter: {e}; nothing was ingested"))
    })
}

fn broken(path: &Path, line: usize, message: &str) -> Error {
    ErrorKind::Letters { path: path.to_owned(), line, message: message.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::letters::RowsAre;

    fn file(lines: &[&str]) -> Result<LetterFile, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters.jsonl");
        fs::write(&path, lines.join("\n")).unwrap();
        // It is read to its end when it is opened.
        LetterFile::open(path)
    }

    const HEADER: &str =
        r#"{"adb_dead_letters":1,"rows":{"format":{"name":"x"}},"media_root":"."}"#;
    const LETTER: &str = r#"{"file":"a","row":3,"stage":"write","reason":"no","identity":"00000000-0000-0000-0000-000000000000","json":{"a":1}}"#;

    #[test]
    fn letters_are_counted_and_a_torn_last_line_is_not() {
        let read = file(&[HEADER, LETTER, "", LETTER, &LETTER[..40]]).unwrap();
        assert_eq!(read.len(), 2);
        assert!(matches!(&read.header().rows, RowsAre::Format { name, .. } if name == "x"));
        assert!(file(&[HEADER]).unwrap().is_empty());
        assert_eq!(file(&[HEADER, LETTER]).unwrap().len(), 1, "an editor left no last line end");
    }

    #[test]
    fn faults_name_the_line() {
        for (lines, words) in [
            (vec![""], "it is empty"),
            (vec!["{\"id\": 1}", ""], "line 1: it is not the first line of a dead-letter file"),
            (vec![HEADER, LETTER, "{\"file\": }", ""], "line 3: it is no dead letter"),
            (vec!["{\"adb_dead_letters\":2}", ""], "version 2, and this adb reads version 1"),
        ] {
            let error = file(&lines).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
