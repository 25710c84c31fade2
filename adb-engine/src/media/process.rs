//! A program of the system's that works for us: no shell, nothing to read from us, an end in time,
//! and no more output than we can take.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use super::sys;

/// How much of what a program complains of is kept.
const COMPLAINTS: u64 = 4 << 10;
/// How often a running program is looked after.
const LOOK: Duration = Duration::from_millis(10);
/// How long after a program's end its last words may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a program did not do what it was asked.
#[derive(Debug)]
pub(super) enum Trouble<E> {
    /// It is not there.
    Missing,
    /// It can't be started, or not be looked after.
    Start(io::Error),
    /// It was killed, since its time was over.
    Late,
    /// It was killed, since the file that it writes grew beyond the limit.
    TooLarge,
    /// It said no, and these were its words.
    Failed(String),
    /// Whoever read its output had enough of it.
    Reader(E),
}

/// What a program may take.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) until: Instant,
    /// A file that it writes, and how many bytes that may have.
    pub(super) file: Option<(PathBuf, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Ended,
    Late,
    TooLarge,
    /// Nobody wants the rest.
    Dropped,
}

/// A running program, for its reader and its guard.
struct Program {
    child: Child,
    state: State,
}

impl Program {
    fn kill(&mut self, why: State) {
        // Of a program that has been waited for, the number may be another's.
        if self.state == State::Running {
            self.state = why;
            sys::kill(&mut self.child);
        }
    }
}

/// Whatever becomes of the reader, the program ends, and its number is given back.
struct Leash(Arc<Mutex<Program>>);

impl Leash {
    fn program(&self) -> MutexGuard<'_, Program> {
        lock(&self.0)
    }

    /// Waits for the end, which the guard sees to.
    fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            {
                let mut program = self.program();
                if let Some(status) = program.child.try_wait()? {
                    if program.state == State::Running {
                        program.state = State::Ended;
                    }
                    return Ok(status);
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        let mut program = self.program();
        program.kill(State::Dropped);
        // Killed or ended, it leaves nothing but its number.
        let _ = program.child.wait();
    }
}

fn lock(program: &Mutex<Program>) -> MutexGuard<'_, Program> {
    program.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a program and lets `read` have its output.
pub(super) fn run<T, E>(
    mut command: Command,
    bounds: Bounds,
    read: impl FnOnce(&mut dyn Read) -> Result<T, E>,
) -> Result<T, Trouble<E>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    sys::group(&mut command);
    let mut child = command.spawn().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Trouble::Missing,
        _ => Trouble::Start(e),
    })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let leash = Leash(Arc::new(Mutex::new(Program { child, state: State::Running })));
    let (Some(mut stdout), Some(stderr)) = (stdout, stderr) else {
        return Err(Trouble::Start(io::Error::other("its output can't be read")));
    };
    let words = listen(stderr).map_err(Trouble::Start)?;
    let program = leash.0.clone();
    let (done, is_done) = mpsc::channel();
    let guard = thread::Builder::new().name("adb-guard".to_owned());
    guard.spawn(move || watch(&program, &bounds, &is_done)).map_err(Trouble::Start)?;
    let got = read(&mut stdout);
    if got.is_err() {
        leash.program().kill(State::Dropped);
    }
    drop(stdout);
    let status = leash.wait().map_err(Trouble::Start)?;
    drop(done);
    let state = leash.program().state;
    // A reader may miss what the program did not write because it failed: then it has the word.
    let gave_up = status.code().is_some_and(|code| code != 0);
    match (state, got) {
        (State::Late, _) => Err(Trouble::Late),
        (State::TooLarge, _) => Err(Trouble::TooLarge),
        (_, Err(e)) if !gave_up => Err(Trouble::Reader(e)),
        (_, Ok(got)) if status.success() => Ok(got),
        _ => {
            let words = words.recv_timeout(LAST_WORDS).unwrap_or_default();
            Err(Trouble::Failed(words))
        }
    }
}

/// Kills what takes too long or writes too much, until it hears that all is done.
fn watch(program: &Mutex<Program>, bounds: &Bounds, is_done: &Receiver<()>) {
    loop {
        let left = bounds.until.saturating_duration_since(Instant::now());
        let look = if bounds.file.is_some() { left.min(LOOK) } else { left };
        if is_done.recv_timeout(look) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        if left <= look {
            return lock(program).kill(State::Late);
        }
        if let Some((file, limit)) = &bounds.file
            && fs::metadata(file).is_ok_and(|meta| meta.len() > *limit)
        {
            return lock(program).kill(State::TooLarge);
        }
    }
}

/// Hears a program's complaints to their end; what is kept of them is short.
fn listen(mut stderr: ChildStderr) -> io::Result<Receiver<String>> {
    let (send, words) = mpsc::channel();
    let listener = thread::Builder::new().name("adb-listener".to_owned());
    listener.spawn(move || {
        let mut said = Vec::new();
        // Whoever does not read what a program says stops it.
        let _ = stderr.by_ref().take(COMPLAINTS).read_to_end(&mut said);
        let _ = io::copy(&mut stderr, &mut io::sink());
        let _ = send.send(String::from_utf8_lossy(&said).trim().to_owned());
    })?;
    Ok(words)
}
