//! Lines of text, none of which is held if it is longer than it may be.

use std::io::{self, BufRead, Read as _};

/// What stands on a line.
pub(super) enum Line<'a> {
    /// There are no more.
    End,
    /// Nothing.
    Blank,
    /// The line, with its end where it has one.
    Text(&'a str),
    /// Something that is no text, or too much of it: why it costs its row, and what is there.
    Fault(String, &'a [u8]),
}

/// Reads lines and counts them.
pub(super) struct Lines {
    line: u64,
    most: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub(super) fn new(most: u64) -> Self {
        Self { line: 0, most, buffer: Vec::new() }
    }

    /// The next line, and its number, counted from 1.
    pub(super) fn next(&mut self, from: &mut dyn BufRead) -> (u64, io::Result<Line<'_>>) {
        self.line += 1;
        (self.line, self.read(from))
    }

    fn read(&mut self, mut from: &mut dyn BufRead) -> io::Result<Line<'_>> {
        self.buffer.clear();
        // One more than there may be, and the line's end.
        let limit = self.most.saturating_add(2);
        let n = (&mut from).take(limit).read_until(b'\n', &mut self.buffer)?;
        if n == 0 {
            return Ok(Line::End);
        }
        if n as u64 == limit && !self.buffer.ends_with(b"\n") {
            self.buffer = Vec::new();
            skip_line(from)?;
            let most = self.most;
            return Ok(Line::Fault(
                format!("the line has more than the {most} bytes of a row"),
                &self.buffer,
            ));
        }
        if self.buffer.iter().all(u8::is_ascii_whitespace) {
            return Ok(Line::Blank);
        }
        Ok(match std::str::from_utf8(&self.buffer) {
            Ok(text) => Line::Text(text),
            Err(e) => Line::Fault(
                format!("not UTF-8 from byte {} of the line on", e.valid_up_to() + 1),
                &self.buffer,
            ),
        })
    }
}

fn skip_line(from: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|b| *b == b'\n');
        let n = end.map_or(buffer.len(), |at| at + 1);
        from.consume(n);
        if end.is_some() {
            return Ok(());
        }
    }
}
