//! Quotes that close a cell in its middle.
//!
//! A quote that was left open is closed by the next one, however many rows lie between: nothing but
//! what follows that one tells it from a cell of several lines. It was meant to open a cell, so that
//! text follows, where a closing one has the end of the cell behind it. Readers of CSV take such text
//! for more of the cell.

use std::collections::VecDeque;

/// Follows a table byte by byte, as the reader of its records does.
pub(super) struct Quotes {
    delimiter: u8,
    at: u64,
    line: u64,
    state: State,
    /// The line on which the cell within quotes began.
    opened: u64,
    found: VecDeque<Torn>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// A cell begins, or a record.
    Begin,
    /// Within a cell without quotes, or behind a closing one.
    Bare,
    Quoted,
    /// Behind a quote that closes the cell unless another one follows.
    Closing,
}

/// A cell of several lines that goes on behind its closing quote.
struct Torn {
    at: u64,
    opened: u64,
    closed: u64,
}

impl Quotes {
    pub(super) fn new(delimiter: u8) -> Self {
        let (state, found) = (State::Begin, VecDeque::new());
        Self { delimiter, at: 0, line: 1, state, opened: 1, found }
    }

    /// The next bytes of the table.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        for (at, &byte) in (self.at..).zip(bytes) {
            let ends_cell = byte == self.delimiter || matches!(byte, b'\n' | b'\r');
            self.state = match (self.state, byte) {
                (State::Begin, b'"') => {
                    self.opened = self.line;
                    State::Quoted
                }
                (State::Quoted, b'"') => State::Closing,
                (State::Closing, b'"') | (State::Quoted, _) => State::Quoted,
                // The mark that some programs begin a file with is no part of its first cell.
                (State::Begin, 0xEF | 0xBB | 0xBF) if at < 3 => State::Begin,
                _ if ends_cell => State::Begin,
                (State::Closing, _) => {
                    if self.line > self.opened {
                        let (opened, closed) = (self.opened, self.line);
                        self.found.push_back(Torn { at, opened, closed });
                    }
                    State::Bare
                }
                (State::Begin | State::Bare, _) => State::Bare,
            };
            self.line += u64::from(byte == b'\n');
        }
        self.at += bytes.len() as u64;
    }

    /// What is wrong with the record that ends there; records are asked for in their order.
    pub(super) fn fault_before(&mut self, end: u64) -> Option<String> {
        let mut first: Option<Torn> = None;
        while self.found.front().is_some_and(|torn| torn.at < end) {
            let torn = self.found.pop_front();
            first = first.or(torn);
        }
        first.map(|Torn { opened, closed, .. }| {
            format!(
                "a cell that begins with a quote in line {opened} goes on behind its closing quote in line {closed}: that one was to open another cell, and the quote of line {opened} is closed nowhere; close it (a quote within a cell is doubled: `\"\"`)"
            )
        })
    }
}
