//! A program that gives or changes rows: started, listened to, and ended with all that it started.

use std::{
    io::{self, BufRead, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::sys;
use crate::{Error, ErrorKind, Stop};

/// A command line, and what ends it early.
#[derive(Debug, Clone)]
pub(super) struct Program {
    line: String,
    stop: Option<Stop>,
}

/// What a program said of its faults that a message repeats.
const LAST_WORDS: usize = 2000;
/// How often it is looked whether everything is to stop.
const LOOK: Duration = Duration::from_millis(50);

impl Program {
    pub(super) fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), stop: None }
    }

    pub(super) fn stop_on(&mut self, stop: Stop) {
        self.stop = Some(stop);
    }

    pub(super) fn line(&self) -> &str {
        &self.line
    }

    pub(super) fn start(&self, stdin: Stdio) -> Result<Running, Error> {
        let mut command = sys::shell(&self.line);
        // Python holds back what it prints to a pipe: then each row would wait for others.
        command.env("PYTHONUNBUFFERED", "1");
        let command = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.spawn(command).map_err(|source| {
            ErrorKind::Command {
                command: self.line.clone(),
                what: format!("it can't be started: {source}"),
            }
            .into()
        })
    }

    fn spawn(&self, command: &mut Command) -> io::Result<Running> {
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stderr = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let listener = std::thread::spawn(move || last_words(stderr));
        let shared = Arc::new(Shared { child: Mutex::new(child), ended: AtomicBool::new(false) });
        if let Some(stop) = self.stop.clone() {
            let shared = shared.clone();
            std::thread::spawn(move || {
                while !shared.ended.load(Ordering::Relaxed) {
                    if stop.is_stopped() {
                        return shared.kill();
                    }
                    std::thread::sleep(LOOK);
                }
            });
        }
        let stdout = Some(BufReader::with_capacity(1 << 16, stdout));
        Ok(Running {
            line: self.line.clone(),
            stop: self.stop.clone(),
            stdin,
            stdout,
            listener: Some(listener),
            shared,
        })
    }
}

/// Passes on what a program says of its faults, and keeps the end of it.
fn last_words(stderr: impl io::Read) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut stderr = BufReader::new(stderr);
    loop {
        let n = match stderr.fill_buf() {
            Ok([]) => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
            Ok(bytes) => {
                // Where nobody listens, nothing is lost but that.
                let _ = io::stderr().write_all(bytes);
                kept.extend_from_slice(bytes);
                kept.drain(..kept.len().saturating_sub(LAST_WORDS));
                bytes.len()
            }
        };
        stderr.consume(n);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

struct Shared {
    child: Mutex<Child>,
    /// Whether it was waited for: its number may be another's since.
    ended: AtomicBool,
}

impl Shared {
    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kill(&self) {
        let mut child = self.child();
        if !self.ended.load(Ordering::Relaxed) {
            sys::kill(&mut child);
        }
    }
}

/// A program under way; it ends with this.
pub(super) struct Running {
    line: String,
    stop: Option<Stop>,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<BufReader<ChildStdout>>,
    listener: Option<JoinHandle<String>>,
    shared: Arc<Shared>,
}

impl Running {
    /// Waits for its end, once it has said all; an error if that is none to be content with.
    pub(super) fn end(mut self) -> Result<(), Error> {
        drop((self.stdin.take(), self.stdout.take()));
        let status = self.wait().map_err(|e| self.fault(format!("its end is unknown: {e}")))?;
        // What it started may still hold its end of the pipe, and is not waited for.
        let words = match self.listener.take() {
            Some(listener) if status.success() || listener.is_finished() => {
                drop(listener);
                String::new()
            }
            Some(listener) => {
                let patience = std::time::Instant::now() + Duration::from_secs(2);
                while !listener.is_finished() && std::time::Instant::now() < patience {
                    std::thread::sleep(Duration::from_millis(5));
                }
                match listener.is_finished() {
                    true => listener.join().unwrap_or_default(),
                    false => String::new(),
                }
            }
            None => String::new(),
        };
        if status.success() || self.is_stopped() {
            return Ok(());
        }
        let words = match words.is_empty() {
            true => String::new(),
            false => format!("; it said last:\n{words}"),
        };
        Err(self.fault(format!("it ended with {status}{words}")))
    }

    /// Waits without holding what the watcher needs to end it.
    fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            let mut child = self.shared.child();
            if let Some(status) = child.try_wait()? {
                self.shared.ended.store(true, Ordering::Relaxed);
                return Ok(status);
            }
            drop(child);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(super) fn kill(&self) {
        self.shared.kill();
    }

    /// Whether it was ended because everything is to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(Stop::is_stopped)
    }

    pub(super) fn fault(&self, what: String) -> Error {
        ErrorKind::Command { command: self.line.clone(), what }.into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.kill();
        let mut child = self.shared.child();
        if !self.shared.ended.swap(true, Ordering::Relaxed) {
            // It was ended a line ago.
            let _ = child.wait();
        }
    }
}
