//! The file itself: looked over once for the types of its columns, then read row by row.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use csv::ByteRecord;
use flate2::read::MultiGzDecoder;

use super::types::Guess;
use crate::{
    Error,
    source::{MAX_ROW_BYTES, csv::Records},
};

/// What a first look at a file tells.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) path: PathBuf,
    /// Its size, where that says how far the reading is.
    pub(super) size: Option<u64>,
    pub(super) header: Vec<String>,
    pub(super) guesses: Vec<Guess>,
    /// The first cell of its first row.
    pub(super) first: String,
    /// Different cells of the first column, as long as they are few.
    pub(super) firsts: BTreeSet<String>,
}

/// More classes in one file are not looked for: their indexes would take longer than the rows.
pub(super) const MOST_CLASSES: usize = 1000;

impl Table {
    pub(super) fn scan(path: &Path) -> Result<Self, Error> {
        let fail = |e| Error::source(path, e);
        let bytes = std::fs::metadata(path).map_err(fail)?.len();
        let mut records = open(path)?;
        let header: Vec<String> = records.header().iter().map(str::to_owned).collect();
        let mut table = Self {
            path: path.to_owned(),
            size: (!is_packed(path)).then_some(bytes),
            guesses: vec![Guess::default(); header.len()],
            header,
            first: String::new(),
            firsts: BTreeSet::new(),
        };
        let mut record = ByteRecord::new();
        // A fault of syntax further down is told when the rows before it are in.
        while records.next(&mut record).is_ok_and(|row| row.is_some()) {
            if record.len() == table.header.len() {
                table.look_at(&record);
            }
        }
        Ok(table)
    }

    /// A table of which a dead-letter file holds some rows.
    pub(super) fn of_letters(path: PathBuf, header: Vec<String>) -> Self {
        Self {
            path,
            size: None,
            header,
            guesses: Vec::new(),
            first: String::new(),
            firsts: BTreeSet::new(),
        }
    }

    fn look_at(&mut self, record: &ByteRecord) {
        for (guess, cell) in self.guesses.iter_mut().zip(record) {
            guess.see(&String::from_utf8_lossy(cell));
        }
        if let Some(first) = record.get(0)
            && self.firsts.len() < MOST_CLASSES
        {
            let first = String::from_utf8_lossy(first);
            if self.firsts.is_empty() {
                self.first = first.clone().into_owned();
            }
            if !self.firsts.contains(&*first) {
                self.firsts.insert(first.into_owned());
            }
        }
    }
}

fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"))
}

/// A reader of a file's rows; of one that ends in `.gz`, of what is packed in it.
pub(super) fn open(path: &Path) -> Result<Records, Error> {
    let file = File::open(path).map_err(|e| Error::source(path, e))?;
    let bytes: Box<dyn BufRead + Send> = match is_packed(path) {
        true => Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file)))),
        false => Box::new(BufReader::new(file)),
    };
    Records::open(path, bytes, b',', MAX_ROW_BYTES)
}

/// The cells of a row.
pub(super) fn cells<'r>(header: &[String], record: &'r ByteRecord) -> Result<Vec<&'r str>, String> {
    if record.len() != header.len() {
        return Err(format!(
            "the line has {} cells, the header {} columns",
            record.len(),
            header.len()
        ));
    }
    let text = |(name, cell): (&String, &'r [u8])| {
        std::str::from_utf8(cell).map_err(|_| format!("the cell of `{name}` is not UTF-8"))
    };
    header.iter().zip(record).map(text).collect()
}
