//! The records of a table: on which lines they begin, and where they do not end.

use std::{
    io::{self, BufRead, Read},
    path::{Path, PathBuf},
};

use csv::{ByteRecord, Position, ReaderBuilder, StringRecord};

use super::quotes::Quotes;
use crate::{Error, ErrorKind};

/// A table from its second record on; the first is its header.
pub(crate) struct Records {
    path: PathBuf,
    inner: csv::Reader<Guarded>,
    header: StringRecord,
    row: u64,
}

/// Where a row was found, counted from 1.
pub(crate) struct Found {
    pub(crate) row: u64,
    /// The line on which it begins.
    pub(crate) line: u64,
    /// Why it can't be what was meant.
    pub(crate) fault: Option<String>,
}

impl Records {
    /// Reads the header. `most` is what a record may have in bytes.
    pub(crate) fn open(
        path: &Path,
        bytes: Box<dyn BufRead + Send>,
        delimiter: u8,
        most: u64,
    ) -> Result<Self, Error> {
        // A line of another length is the row's matter, not the file's.
        let inner = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(Guarded::new(bytes, delimiter, most));
        let mut records =
            Self { path: path.to_owned(), inner, header: StringRecord::new(), row: 0 };
        let mut first = ByteRecord::new();
        if let Some(line) = records.read(&mut first)? {
            if let Some(fault) = records.fault() {
                return Err(syntax(path, line, fault));
            }
            records.header = StringRecord::from_byte_record(first).map_err(|e| {
                let column = e.utf8_error().field() + 1;
                syntax(path, line, format!("the name of column {column} is not UTF-8"))
            })?;
        }
        Ok(records)
    }

    /// The names of the columns.
    pub(crate) fn header(&self) -> &StringRecord {
        &self.header
    }

    /// Reads a row; answers nothing at the end.
    pub(crate) fn next(&mut self, record: &mut ByteRecord) -> Result<Option<Found>, Error> {
        self.row += 1;
        let Some(line) = self.read(record)? else { return Ok(None) };
        Ok(Some(Found { row: self.row, line, fault: self.fault() }))
    }

    /// What is wrong with the quotes of the record that was read last.
    fn fault(&mut self) -> Option<String> {
        let end = self.inner.position().byte();
        self.inner.get_mut().quotes.fault_before(end)
    }

    /// Bytes of the table that were read, unpacked.
    pub(crate) fn bytes(&self) -> u64 {
        self.inner.position().byte() - u64::from(self.inner.get_ref().completed)
    }

    fn read(&mut self, record: &mut ByteRecord) -> Result<Option<u64>, Error> {
        let start = self.inner.position().clone();
        self.inner.get_mut().begin(&start);
        let read = self.inner.read_byte_record(record);
        let Guarded { line, most, too_long, ended, .. } = *self.inner.get_ref();
        match read {
            // Each record ends with a line, as the last one does that `Guarded` hands out.
            Ok(true) if ended => Err(self.left_open(record, line)),
            Ok(true) => Ok(Some(line)),
            Ok(false) => Ok(None),
            Err(_) if too_long => {
                let (path, row, line) = (self.path.clone(), self.row, Some(line));
                Err(ErrorKind::RowTooLong { path, row, line, most }.into())
            }
            Err(e) => Err(broken(&self.path, e)),
        }
    }

    /// The file ends within quotes: those of the last cell that there is.
    fn left_open(&self, record: &ByteRecord, line: u64) -> Error {
        let last = record.len().saturating_sub(1);
        let cell = match self.header.get(last) {
            Some(name) => format!("the cell of `{name}`"),
            None => format!("cell {}", last + 1),
        };
        let message = format!(
            "{cell} begins with a quote that is closed nowhere, so that the rest of the file is in it; close it (a quote within a cell is doubled: `\"\"`)"
        );
        syntax(&self.path, line, message)
    }
}

/// What a table's reader or writer said.
pub(crate) fn broken(path: &Path, e: csv::Error) -> Error {
    let line = e.position().map_or(1, Position::line);
    let message = e.to_string();
    match e.into_kind() {
        csv::ErrorKind::Io(e) => Error::source(path, e),
        _ => syntax(path, line, message),
    }
}

pub(super) fn syntax(path: &Path, line: u64, message: String) -> Error {
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    ErrorKind::Syntax { path: path.to_owned(), line, column: 1, message }.into()
}

/// The bytes of a table. They end where a record takes more than it may, and always with a line's
/// end, so that a record which the end of the file ends is one whose quotes are open.
struct Guarded {
    inner: Box<dyn BufRead + Send>,
    quotes: Quotes,
    read: u64,
    /// What was given last.
    last: Vec<u8>,
    most: u64,
    /// Where the record begins, or the line's ends before it.
    start: u64,
    /// The line on which it begins.
    line: u64,
    /// Whether nothing but lines' ends was seen from its start on.
    is_blank: bool,
    too_long: bool,
    /// Whether a line's end was added to what there is.
    completed: bool,
    /// Whether the end was told.
    ended: bool,
}

impl Guarded {
    fn new(inner: Box<dyn BufRead + Send>, delimiter: u8, most: u64) -> Self {
        Self {
            inner,
            quotes: Quotes::new(delimiter),
            read: 0,
            last: Vec::new(),
            most,
            start: 0,
            line: 1,
            is_blank: true,
            too_long: false,
            completed: false,
            ended: false,
        }
    }

    /// A record begins where the reader stands: before the second half of the `\r\n` that ended the
    /// one before, and before blank lines.
    fn begin(&mut self, at: &Position) {
        (self.start, self.line, self.is_blank) = (at.byte(), at.line(), true);
        let unread = usize::try_from(self.read - self.start).unwrap_or(usize::MAX);
        self.pass_blanks(self.last.len().saturating_sub(unread));
    }

    fn pass_blanks(&mut self, from: usize) {
        for byte in &self.last[from..] {
            match byte {
                b'\n' => self.line += 1,
                b'\r' => {}
                _ => {
                    self.is_blank = false;
                    return;
                }
            }
        }
    }
}

impl Read for Guarded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The next read would hold more of one record than it may have.
        if self.read.saturating_sub(self.start) > self.most {
            self.too_long = true;
            return Err(io::Error::other("the row is too long"));
        }
        let mut n = self.inner.read(buffer)?;
        if n == 0 && !self.ended {
            match (self.last.last(), buffer.first_mut()) {
                (Some(last), Some(first)) if *last != b'\n' && !self.completed => {
                    *first = b'\n';
                    self.completed = true;
                    n = 1;
                }
                _ => self.ended = true,
            }
        }
        if n > 0 {
            self.last.clear();
            self.last.extend_from_slice(&buffer[..n]);
            self.quotes.pass(&self.last);
            self.read += n as u64;
            if self.is_blank {
                self.pass_blanks(0);
            }
        }
        Ok(n)
    }
}
