//! A database around another that writes down what it sees.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Instant, SystemTime},
};

use adb_model::{BoxFuture, Database, DbError, Fate, Request, Response};
use async_channel::{Receiver, Sender};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    Error,
    format::{Blob, Entry, Failed, Head, Outcome, VERSION},
    secrets::{Censor, Found},
};

/// Entries that wait to be written; more make requests wait.
const WAITING: usize = 32;

/// What a trace holds of blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blobs {
    /// Their lengths and hashes. A replay makes some up in their places.
    Hashed,
    /// All of them.
    Whole,
}

/// Passes requests on to a database, and writes them and their answers to a file. Secrets are left
/// out: texts under names such as `password` or `token`, wherever they stand, what addresses hold of
/// users and signatures, and requests that are no JSON. All other properties stand there.
///
/// What was answered is on its way to the file; dropping the recorder waits until all is there. A
/// file that can't be written any more is logged, and does not keep requests from being answered.
pub struct Recorder {
    db: Arc<dyn Database>,
    begun: Instant,
    next: AtomicU64,
    lines: Option<Sender<Line>>,
    writer: Option<JoinHandle<()>>,
    path: PathBuf,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Makes the file, which only its owner can read, and begins.
    ///
    /// # Errors
    /// When the file is there already, or can't be made.
    pub fn create(db: Arc<dyn Database>, path: &Path, blobs: Blobs) -> Result<Self, Error> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists(path.to_owned()),
            _ => Error::File { path: path.to_owned(), source },
        };
        let mut writer = Writer {
            file: BufWriter::new(private(path).map_err(failed)?),
            censor: Censor::new()?,
            blobs,
        };
        let head = Head {
            adbtrace: VERSION,
            blobs,
            began: SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()),
            by: concat!("adb ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        writer.line(&head).map_err(failed)?;
        let (lines, received) = async_channel::bounded(WAITING);
        let shown = path.to_owned();
        let writer = std::thread::Builder::new()
            .name("adb-trace".to_owned())
            .spawn(move || writer.run(&received, &shown))
            .map_err(failed)?;
        Ok(Self {
            db,
            begun: Instant::now(),
            next: AtomicU64::new(0),
            lines: Some(lines),
            writer: Some(writer),
            path: path.to_owned(),
        })
    }
}

impl Database for Recorder {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            let Some(lines) = &self.lines else { return self.db.execute(request).await };
            let mut pending = Pending {
                line: Some(Line {
                    n: self.next.fetch_add(1, Ordering::Relaxed),
                    began: self.begun,
                    at: Instant::now(),
                    took: None,
                    request: request.clone(),
                    outcome: Told::Failed("nobody waited for the answer".to_owned(), Fate::Unknown),
                }),
                lines,
            };
            let answer = self.db.execute(request).await;
            if let Some(mut line) = pending.line.take() {
                line.took = Some(line.at.elapsed().as_secs_f64());
                line.outcome = match &answer {
                    Ok(response) => Told::Answered(response.clone()),
                    Err(e) => Told::Failed(e.to_string(), e.fate()),
                };
                // Closed only when the writer has given up, which it has said.
                let _ = lines.send(line).await;
            }
            answer
        })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Its end is what the writer waits for.
        drop(self.lines.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// A request on its way: if nobody waits for it any more, that is written.
struct Pending<'a> {
    line: Option<Line>,
    lines: &'a Sender<Line>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take()
            && let Err(unsent) = self.lines.try_send(line)
        {
            let n = unsent.into_inner().n;
            tracing::warn!(n, "a request that nobody waited for is missing in the trace");
        }
    }
}

/// What becomes an entry; blobs are shared with the request and the answer.
struct Line {
    n: u64,
    began: Instant,
    at: Instant,
    took: Option<f64>,
    request: Request,
    outcome: Told,
}

enum Told {
    Answered(Response),
    Failed(String, Fate),
}

struct Writer {
    file: BufWriter<File>,
    censor: Censor,
    blobs: Blobs,
}

impl Writer {
    fn run(mut self, lines: &Receiver<Line>, path: &Path) {
        while let Ok(line) = lines.recv_blocking() {
            let entry = self.entry(line);
            // Only when nothing waits does a line have to reach the file at once.
            let flush = |file: &mut BufWriter<File>| match lines.is_empty() {
                true => file.flush(),
                false => Ok(()),
            };
            if let Err(e) = self.line(&entry).and_then(|()| flush(&mut self.file)) {
                tracing::error!(path = %path.display(), error = %e, "recording has ended");
                lines.close();
                return;
            }
        }
        if let Err(e) = self.file.flush().and_then(|()| self.file.get_ref().sync_all()) {
            tracing::error!(path = %path.display(), error = %e, "the trace may lack its end");
        }
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, line)?;
        self.file.write_all(b"\n")
    }

    fn entry(&self, line: Line) -> Entry {
        let mut found = Found::new();
        let request = match serde_json::from_slice(&line.request.commands) {
            Ok(Json::Array(mut commands)) => {
                self.censor.commands(&mut commands, &mut found);
                Json::Array(commands)
            }
            _ => Json::Null,
        };
        let readable = !request.is_null();
        let kept = |blobs: &[Bytes]| blobs.iter().map(|b| Blob::of(b, self.blobs)).collect();
        // What answers a request that could not be looked through may quote all of it.
        let quoted = |text: &str| match readable {
            true => self.censor.text(text, &found),
            false => format!("{} characters, not shown", text.chars().count()),
        };
        let outcome = match line.outcome {
            Told::Answered(Response::Done { mut answers, blobs }) => {
                self.censor.commands(&mut answers, &mut found.clone());
                Outcome::Done { answers, blobs: kept(&blobs) }
            }
            Told::Answered(Response::Refused(refusal)) => {
                let mut refused = crate::format::Refused::from(&refusal);
                refused.info = quoted(&refused.info);
                Outcome::Refused { refused }
            }
            Told::Failed(info, fate) => {
                Outcome::Failed { failed: Failed::new(quoted(&info), fate) }
            }
        };
        Entry {
            n: line.n,
            at_ms: milliseconds(line.at.duration_since(line.began).as_secs_f64()),
            took_ms: milliseconds(line.took.unwrap_or_default()),
            request,
            request_blobs: kept(&line.request.blobs),
            outcome,
        }
    }
}

/// To a thousandth.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e3
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::hash;

    /// What is said of a blob is what `sha256sum` says.
    #[test]
    fn hashes_as_everybody_computes_them() {
        let blob = Blob::of(b"abc", Blobs::Hashed);
        assert_eq!(blob.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((blob.bytes, blob.data, blob.sha256 == hash(b"abc")), (3, None, true));
    }
}
