//! The bytes of a table, and where its rows begin.

use std::io::{self, BufRead, Read};

use csv::ByteRecord;

/// The line on which a record begins that was just read. What the reader says of where it began is
/// where the one before ended: before the second half of its `\r\n`, and before blank lines.
pub(crate) fn first_line(reader: &csv::Reader<Guarded>, record: &ByteRecord) -> u64 {
    let end = reader.position();
    let within = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
    let ended_by_newline = reader.get_ref().before(end.byte()) == Some(b'\n');
    end.line().saturating_sub(within + u64::from(ended_by_newline)).max(1)
}

/// Ends where a row takes more than it may, and remembers what it gave last.
pub(crate) struct Guarded {
    inner: Box<dyn BufRead + Send>,
    read: u64,
    last: Vec<u8>,
    most: u64,
    pub(super) row_start: u64,
    pub(super) too_long: bool,
}

impl Guarded {
    /// `most` is what a row may have in bytes, whose beginning is told in `row_start`.
    pub(crate) fn new(inner: Box<dyn BufRead + Send>, most: u64) -> Self {
        Self { inner, read: 0, last: Vec::new(), most, row_start: 0, too_long: false }
    }

    /// The byte before a place in what was given last.
    fn before(&self, place: u64) -> Option<u8> {
        let back = usize::try_from(self.read - place).ok()?;
        self.last.iter().rev().nth(back).copied()
    }
}

impl Read for Guarded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The next read would hold more of one row than it may have.
        if self.read.saturating_sub(self.row_start) > self.most {
            self.too_long = true;
            return Err(io::Error::other("the row is too long"));
        }
        let n = self.inner.read(buffer)?;
        if n > 0 {
            self.last.clear();
            self.last.extend_from_slice(&buffer[..n]);
        }
        self.read += n as u64;
        Ok(n)
    }
}
