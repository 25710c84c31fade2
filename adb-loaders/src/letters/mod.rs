//! Dead letters: a file of the rows that failed, each with its reason and itself, from which they
//! can be taken once what was wrong is mended.
//!
//! The file is JSON Lines. Its first line is a [`Header`], which says what it takes to bring the
//! rows in; each other line is a [`Letter`]. The row in a letter may be mended in place.

mod read;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use adb_model::document::Document;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, value::RawValue};
use uuid::Uuid;

pub use read::{LetterFile, LetterSource};
pub use write::LetterBox;

use crate::{Error, ErrorKind, RowFailure, RowPlace, pipeline::Stage};

/// The version of the file's form that this code writes and reads.
pub const LETTERS_VERSION: u32 = 1;

/// What a dead-letter file is called after the source's name, before a number and `.jsonl`.
const SUFFIX: &str = "dead-letters";

/// The first line of a dead-letter file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// [`LETTERS_VERSION`]; the key tells what kind of file it is.
    pub adb_dead_letters: u32,
    /// What the rows are.
    pub rows: RowsAre,
    /// Where relative paths in the rows begin.
    pub media_root: String,
    /// By which name later runs know the source; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What the program that wrote it wants to find again: options of its own. Never anything
    /// secret.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub options: Json,
}

/// What the rows in a dead-letter file are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowsAre {
    /// JSON objects of a model.
    Model(Document),
    /// Rows of a format that a program knows by itself, and what it wants to know of them: columns,
    /// say.
    Format {
        /// The format's name.
        name: String,
        /// What else it takes.
        #[serde(default, skip_serializing_if = "Json::is_null")]
        with: Json,
    },
}

impl Header {
    /// The header of a file of such rows.
    #[must_use]
    pub fn new(rows: RowsAre, media_root: impl Into<String>) -> Self {
        Self {
            adb_dead_letters: LETTERS_VERSION,
            rows,
            media_root: media_root.into(),
            source: String::new(),
            options: Json::Null,
        }
    }
}

/// A row that failed, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Letter {
    /// The file that it stands in, as the user named it.
    pub file: Arc<str>,
    /// The row, counted from 1.
    pub row: u64,
    /// The line on which it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The stage in which it failed.
    pub stage: Stage,
    /// Model and field, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why.
    pub reason: String,
    /// What identifies the row where its model has no id: it stays the same when the row is mended.
    pub identity: Uuid,
    /// The row, if it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Box<RawValue>>,
    /// The row, if it is not: bytes that are no UTF-8 are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Letter {
    /// The letter of a failed row; `raw` is the row as its source has it, empty where there is no
    /// such thing.
    #[must_use]
    pub fn of(failure: &RowFailure, identity: Uuid, raw: &Bytes) -> Self {
        let json = one_line(raw);
        let text = || String::from_utf8_lossy(raw).trim_end_matches(['\r', '\n']).to_owned();
        Self {
            file: failure.at.file.clone(),
            row: failure.at.row,
            line: failure.at.line,
            stage: failure.stage,
            field: failure.field.clone(),
            reason: failure.reason.clone(),
            identity,
            text: (json.is_none() && !raw.is_empty()).then(text),
            json,
        }
    }

    /// Where the row stands in its source.
    #[must_use]
    pub fn at(&self) -> RowPlace {
        RowPlace { file: self.file.clone(), row: self.row, line: self.line }
    }

    /// The row, as JSON or as text.
    ///
    /// # Errors
    /// In words, when the letter does not have it.
    pub fn row_text(&self) -> Result<&str, String> {
        match (&self.json, &self.text) {
            (Some(json), _) => Ok(json.get()),
            (None, Some(text)) => Ok(text),
            (None, None) => {
                Err("its source keeps no rows, so it is not in the dead-letter file; run the source again".to_owned())
            }
        }
    }
}

/// JSON on one line, if it is JSON. Line ends stand between its tokens alone: in texts they are
/// escaped.
fn one_line(raw: &Bytes) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(raw).ok()?;
    let json: &RawValue = serde_json::from_str(text).ok()?;
    let json = json.get();
    match json.contains(['\n', '\r']) {
        true => RawValue::from_string(json.replace(['\n', '\r'], " ")).ok(),
        false => Some(json.to_owned()).and_then(|json| RawValue::from_string(json).ok()),
    }
}

/// Where failed rows go.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    place: Place,
    options: Json,
}

#[derive(Debug, Clone)]
enum Place {
    At(PathBuf),
    Beside(PathBuf),
}

impl DeadLetters {
    /// Into this file, which must not be there: rows that failed before are not to be lost.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::At(path.into()), options: Json::Null }
    }

    /// Into a file beside `source`, named after it: `dishes.csv.dead-letters.jsonl`, with a number
    /// if that is there. Where nothing can be written beside it, since it is an address, say, into
    /// the working directory.
    #[must_use]
    pub fn beside(source: impl Into<PathBuf>) -> Self {
        Self { place: Place::Beside(source.into()), options: Json::Null }
    }

    /// Lets the header keep what a program wants to find again. Never anything secret.
    #[must_use]
    pub fn options(mut self, options: Json) -> Self {
        self.options = options;
        self
    }

    /// Makes the file. It goes again if no row fails.
    ///
    /// # Errors
    /// When it is there, or can't be made.
    pub fn open(&self, mut header: Header) -> Result<LetterBox, Error> {
        header.options = self.options.clone();
        match &self.place {
            Place::At(path) => LetterBox::create(path.clone(), &header),
            Place::Beside(source) => match first_free(source, &header) {
                Err(e) if is_no_place(&e) => first_free(&named_after(source), &header),
                opened => opened,
            },
        }
    }
}

fn first_free(source: &Path, header: &Header) -> Result<LetterBox, Error> {
    let mut number = 1;
    loop {
        match LetterBox::create(numbered(source, number), header) {
            Err(e) if kind(&e) == Some(io::ErrorKind::AlreadyExists) && number < MOST_FILES => {
                number += 1;
            }
            created => return created,
        }
    }
}

/// The same name in the working directory.
fn named_after(source: &Path) -> PathBuf {
    source.file_name().map_or_else(|| "rows".into(), PathBuf::from)
}

/// More files of failed rows beside one source are nothing that a person keeps apart.
const MOST_FILES: u32 = 10_000;

fn kind(e: &Error) -> Option<io::ErrorKind> {
    match e.kind() {
        ErrorKind::DeadLetters { source, .. } => Some(source.kind()),
        _ => None,
    }
}

/// Whether no file can be made in a directory.
fn is_no_place(e: &Error) -> bool {
    matches!(
        kind(e),
        Some(
            io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::ReadOnlyFilesystem
        )
    )
}

/// `dishes.csv` and 2: `dishes.csv.dead-letters.2.jsonl`. The letters of a dead-letter file are
/// named as those of its source.
fn numbered(source: &Path, number: u32) -> PathBuf {
    let name = source.file_name().map_or_else(|| "rows".into(), |n| n.to_string_lossy());
    // Standard input.
    let name = if name == "-" { "rows".into() } else { name };
    let name = match name.rfind(&format!(".{SUFFIX}.")) {
        Some(at) if name.ends_with(".jsonl") => &name[..at],
        _ => &name,
    };
    source.with_file_name(match number {
        1 => format!("{name}.{SUFFIX}.jsonl"),
        n => format!("{name}.{SUFFIX}.{n}.jsonl"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> RowFailure {
        let at = RowPlace { file: "a.json".into(), row: 7, line: Some(9) };
        RowFailure::new(at, Stage::Read, "no".to_owned())
    }

    #[test]
    fn rows_are_kept_as_json_on_one_line_or_as_text() {
        let letter =
            |raw: &'static [u8]| Letter::of(&failure(), Uuid::nil(), &Bytes::from_static(raw));
        let pretty = letter(b"{\n  \"name\": \"a\\nb\",\r\n  \"big\": 1.00000000000000000001\n}");
        let line = serde_json::to_string(&pretty).unwrap();
        assert!(!line.contains('\n'), "{line}");
        let back: Letter = serde_json::from_str(&line).unwrap();
        let row: Json = serde_json::from_str(back.row_text().unwrap()).unwrap();
        assert_eq!(row["name"], "a\nb");
        assert!(back.row_text().unwrap().contains("1.00000000000000000001"), "digits stay");

        assert_eq!(letter(b"{\"id\": \n").row_text().unwrap(), "{\"id\": ");
        assert_eq!(letter(b"{\"id\": \xff}").row_text().unwrap(), "{\"id\": \u{fffd}}");
        assert!(letter(b"").row_text().unwrap_err().contains("run the source again"));
    }

    #[test]
    fn names_are_numbered() {
        let name = |source: &str, n| numbered(Path::new(source), n).display().to_string();
        assert_eq!(name("a/dishes.csv", 1), "a/dishes.csv.dead-letters.jsonl");
        assert_eq!(name("dishes.csv", 2), "dishes.csv.dead-letters.2.jsonl");
        assert_eq!(name("dishes.csv.dead-letters.jsonl", 2), "dishes.csv.dead-letters.2.jsonl");
        assert_eq!(name("dishes.csv.dead-letters.2.jsonl", 3), "dishes.csv.dead-letters.3.jsonl");
        assert_eq!(name("-", 1), "rows.dead-letters.jsonl");
        assert_eq!(named_after(Path::new("s3://bucket/photos")), Path::new("photos"));
    }
}
