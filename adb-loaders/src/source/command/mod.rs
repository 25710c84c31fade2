//! Rows from a program, or through one: JSON Lines in its standard input and output.

mod filter;
mod process;
mod sys;

use std::{process::Stdio, sync::Arc};

use adb_model::ModelSchema;
use bytes::Bytes;

use super::{
    EachObject, MAX_ROW_BYTES, ObjectRow, ObjectSource, ObjectText, RowPlace,
    lines::{Line, Lines},
};
use crate::{Error, MediaRoot, Stop};
pub use filter::Filtered;
use process::Program;

/// What a program prints: an object of JSON on each line of its standard output.
///
/// The line is run by the system's shell. What the program says on its standard error is passed on.
/// If it ends with another status than 0, the ingestion breaks off after the rows that it gave; it
/// is ended, with all that it started, when no more rows are wanted.
///
/// ```no_run
/// # use adb_loaders::{CommandObjects, ObjectSource};
/// # use adb_model::DataModel;
/// # fn example<Dish: DataModel + serde::de::DeserializeOwned + Send + 'static>() {
/// let dishes = CommandObjects::new("python3 dishes.py --all").rows::<Dish>();
/// # }
/// ```
#[derive(Debug)]
pub struct CommandObjects {
    program: Program,
    media_root: MediaRoot,
    max_row_bytes: u64,
}

impl CommandObjects {
    /// A command line.
    #[must_use]
    pub fn new(line: impl Into<String>) -> Self {
        let media_root = MediaRoot::new(".");
        Self { program: Program::new(line), media_root, max_row_bytes: MAX_ROW_BYTES }
    }

    /// Sets where relative paths in its rows begin: the working directory without it.
    #[must_use]
    pub fn media_root(mut self, root: MediaRoot) -> Self {
        self.media_root = root;
        self
    }

    /// Ends it when everything is to stop, also while it gives no row.
    #[must_use]
    pub fn stop_on(mut self, stop: Stop) -> Self {
        self.program.stop_on(stop);
        self
    }

    /// Sets how many bytes a row may have: 64 MiB without it. A longer one fails.
    #[must_use]
    pub fn max_row_bytes(mut self, bytes: u64) -> Self {
        self.max_row_bytes = bytes;
        self
    }
}

impl ObjectSource for CommandObjects {
    fn media_root(&self) -> MediaRoot {
        self.media_root.clone()
    }

    fn read(self, _: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        let mut running = self.program.start(Stdio::null())?;
        let file: Arc<str> = self.program.line().into();
        let mut stdout = running.stdout.take();
        let mut lines = Lines::new(self.max_row_bytes);
        let (mut row, mut bytes) = (0, 0);
        while let Some(stdout) = &mut stdout {
            let (line, read) = lines.next(stdout);
            let mut unread = Bytes::new();
            let text = match read.map_err(|e| running.fault(format!("it can't be read: {e}")))? {
                Line::End => break,
                Line::Blank => continue,
                Line::Text(text) => {
                    bytes += text.len() as u64;
                    Ok(ObjectText::Text(text))
                }
                Line::Fault(reason, bytes) => {
                    unread = Bytes::copy_from_slice(bytes);
                    Err(reason)
                }
            };
            if running.is_stopped() {
                // It may have been ended in the middle of a line.
                return Ok(());
            }
            row += 1;
            let at = RowPlace { file: file.clone(), row, line: Some(line) };
            let row_read = ObjectRow { unread, ..ObjectRow::new(at, text) };
            if each(row_read, bytes).is_break() {
                return Ok(());
            }
        }
        running.end()
    }
}

#[cfg(all(test, unix))]
mod tests;
