//! Reading a trace, one entry at a time.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use crate::{
    Error,
    format::{Entry, Head, VERSION},
};

/// A trace that is being read: an iterator of entries. A last line that was cut, as a killed process
/// leaves it, ends it; see [`Trace::was_cut`].
#[derive(Debug)]
pub struct Trace {
    lines: BufReader<File>,
    head: Head,
    path: PathBuf,
    line: usize,
    cut: bool,
    ended: bool,
}

impl Trace {
    /// Opens a file and reads its first line.
    ///
    /// # Errors
    /// When it can't be read, is no trace, or one of a newer format.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let foreign = |fault: String| Error::Foreign { path: path.to_owned(), fault };
        let mut lines = BufReader::new(File::open(path).map_err(failed)?);
        let mut first = Vec::new();
        lines.read_until(b'\n', &mut first).map_err(failed)?;
        let version = serde_json::from_slice::<serde_json::Value>(&first)
            .ok()
            .and_then(|head| head["adbtrace"].as_u64());
        match version {
            None => return Err(foreign("its first line is not that of a trace".to_owned())),
            Some(version) if version > u64::from(VERSION) => {
                let told = format!("it is of format {version}, and this adb knows {VERSION}");
                return Err(foreign(told));
            }
            Some(_) => {}
        }
        let head = serde_json::from_slice(&first).map_err(|e| foreign(e.to_string()))?;
        Ok(Self { lines, head, path: path.to_owned(), line: 1, cut: false, ended: false })
    }

    /// The first line.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether the last line was cut.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.cut
    }

    fn read(&mut self) -> Result<Option<Entry>, Error> {
        let mut line = Vec::new();
        loop {
            line.clear();
            self.line += 1;
            let read = self.lines.read_until(b'\n', &mut line);
            let read = read.map_err(|source| Error::File { path: self.path.clone(), source })?;
            if read == 0 {
                return Ok(None);
            }
            if !line.ends_with(b"\n") {
                self.cut = true;
                return Ok(None);
            }
            if !line.trim_ascii().is_empty() {
                break;
            }
        }
        serde_json::from_slice(&line).map(Some).map_err(|e| Error::Line {
            path: self.path.clone(),
            line: self.line,
            fault: e.to_string(),
        })
    }
}

impl Iterator for Trace {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.read();
        self.ended = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.adbtrace");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    const HEAD: &str = "{\"adbtrace\":1,\"blobs\":\"hashed\"}\n";
    const ENTRY: &str = "{\"n\":0,\"request\":[{\"GetStatus\":{}}],\"answers\":[{\"GetStatus\":{\"status\":0}}],\"later\":1}\n";

    #[test]
    fn a_cut_line_is_the_end() {
        let (_dir, path) = written(&format!("{HEAD}{ENTRY}\n{ENTRY}{}", &ENTRY[..40]));
        let mut trace = Trace::open(&path).unwrap();
        let entries: Vec<_> = trace.by_ref().collect();
        assert!(entries.iter().all(Result::is_ok) && entries.len() == 2 && trace.was_cut());
    }

    #[test]
    fn what_is_no_trace_says_so() {
        for (text, told) in [
            ("", "first line"),
            ("{}\n", "first line"),
            ("{\"adbtrace\":2}\n", "format 2"),
            ("{\"adbtrace\":1}\n", "blobs"),
        ] {
            let (_dir, path) = written(text);
            let error = Trace::open(&path).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("x.adbtrace"), "{error}");
        }
        let (_dir, path) = written(&format!("{HEAD}{ENTRY}{{\"n\":1}}\n{ENTRY}"));
        let read: Vec<_> = Trace::open(&path).unwrap().collect();
        assert_eq!(read.len(), 2);
        assert!(read[1].as_ref().unwrap_err().to_string().contains("line 3"));
    }
}
