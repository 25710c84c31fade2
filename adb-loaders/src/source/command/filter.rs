//! Rows through a program: it reads a row on each line, and answers each with a line.

use std::{
    collections::VecDeque,
    io::Write as _,
    ops::ControlFlow,
    process::Stdio,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use adb_model::ModelSchema;
use bytes::Bytes;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    super::{EachObject, MAX_ROW_BYTES, Object, ObjectRow, ObjectSource, ObjectText, RowPlace},
    process::{Program, Running},
};
use crate::{
    Error, MediaRoot, Stop,
    source::lines::{Line, Lines},
};

/// A source whose rows go through a program: JSON Lines in, JSON Lines out, an answer for each row
/// and in their order.
///
/// An answer is the row as it is to be; `null` leaves it out; an array is several rows in its
/// place; `{"_error": "…"}` lets it fail with these words. The program may read ahead, but must
/// give its answers without waiting for the end (`flush`; Python is told to). If it ends with
/// another status than 0, or before all rows are answered, the ingestion breaks off, and rows
/// without an answer fail.
#[derive(Debug)]
pub struct Filtered<S> {
    source: S,
    program: Program,
}

impl<S> Filtered<S> {
    pub(in super::super) fn new(source: S, line: String) -> Self {
        Self { source, program: Program::new(line) }
    }

    /// Ends the program when everything is to stop, also while it gives no answer.
    #[must_use]
    pub fn stop_on(mut self, stop: Stop) -> Self {
        self.program.stop_on(stop);
        self
    }
}

/// Rows that may be without an answer at once, and their bytes.
const MOST_AHEAD: usize = 4096;
const MOST_BYTES_AHEAD: usize = 256 << 20;
/// How long a program may be silent that has so many rows to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A row that an answer is waited for, or that needs none.
struct Waiting {
    at: RowPlace,
    identity: Uuid,
    media: Vec<(String, Bytes)>,
    unread: Bytes,
    /// What becomes of it without an answer, where the program is not asked.
    settled: Option<Result<Option<Object>, String>>,
    size: usize,
    bytes: u64,
}

/// The rows between the source, which runs on a thread of its own, and their answers.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether no more rows are wanted.
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    rows: VecDeque<Waiting>,
    size: usize,
    /// Whether no more rows will come.
    done: bool,
    stuck: bool,
}

impl Queue {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while too many rows are without an answer; false when no more are wanted.
    fn push(&self, row: Waiting) -> bool {
        let mut state = self.state();
        let mut last = state.rows.len();
        let mut silent = Duration::ZERO;
        while state.rows.len() >= MOST_AHEAD
            || (state.size >= MOST_BYTES_AHEAD && !state.rows.is_empty())
        {
            if self.closed.load(Ordering::Relaxed) {
                return false;
            }
            let pause = Duration::from_millis(100);
            state = match self.changed.wait_timeout(state, pause) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
            silent = match state.rows.len() == last {
                true => silent + pause,
                false => Duration::ZERO,
            };
            last = state.rows.len();
            if silent > PATIENCE {
                state.stuck = true;
                return false;
            }
        }
        state.size += row.size;
        state.rows.push_back(row);
        self.changed.notify_all();
        !self.closed.load(Ordering::Relaxed)
    }

    /// The next row, once there is one; nothing when there will be none.
    fn pop(&self) -> Option<Waiting> {
        let mut state = self.state();
        loop {
            if let Some(row) = state.rows.pop_front() {
                state.size -= row.size;
                self.changed.notify_all();
                return Some(row);
            }
            if state.done {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self) {
        self.state().done = true;
        self.changed.notify_all();
    }
}

impl<S: ObjectSource> ObjectSource for Filtered<S> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn media_root(&self) -> MediaRoot {
        self.source.media_root()
    }

    fn size(&self) -> Option<u64> {
        self.source.size()
    }

    fn read(self, schema: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        let mut running = self.program.start(Stdio::piped())?;
        let queue = Arc::<Queue>::default();
        let mut stdin = running.stdin.take();
        let feeder = std::thread::spawn({
            let (source, queue) = (self.source, queue.clone());
            move || {
                let result = source.read(schema, &mut |row, bytes| {
                    let go = match feed(row, bytes) {
                        (waiting, None) => queue.push(waiting),
                        (waiting, Some(line)) => {
                            // The row first, so that its answer always finds it. A program that
                            // reads no more has ended, and this is told by its status.
                            queue.push(waiting)
                                && stdin.as_mut().is_some_and(|to| to.write_all(&line).is_ok())
                        }
                    };
                    match go {
                        true => ControlFlow::Continue(()),
                        false => ControlFlow::Break(()),
                    }
                });
                drop(stdin);
                queue.finish();
                result
            }
        });
        let mut silent = false;
        let answered = answers(&mut running, &queue, each, &mut silent);
        queue.closed.store(true, Ordering::Relaxed);
        queue.changed.notify_all();
        if !matches!(answered, Ok(ControlFlow::Continue(()))) {
            // Lets the feeder go that waits for it to read.
            running.kill();
        }
        let fed =
            feeder.join().unwrap_or_else(|_| Err(running.fault("nobody feeds it rows".into())));
        if answered?.is_break() {
            return Ok(());
        }
        fed?;
        let early = silent.then(|| running.fault("it ended before all rows were answered".into()));
        running.end()?;
        early.map_or(Ok(()), Err)
    }
}

/// What is kept of a row, and what the program gets to read of it.
fn feed(row: ObjectRow<'_>, bytes: u64) -> (Waiting, Option<Vec<u8>>) {
    let ObjectRow { at, object, identity, unread, media } = row;
    let object = object.and_then(|object| object.map(ObjectText::into_object).transpose());
    let (line, settled) = match object {
        Ok(Some(object)) => match serde_json::to_vec(&object) {
            Ok(mut line) => {
                line.push(b'\n');
                (Some(line), None)
            }
            Err(e) => (None, Some(Err(e.to_string()))),
        },
        other => (None, Some(other)),
    };
    let size =
        line.as_ref().map_or(0, Vec::len) + media.iter().map(|(_, m)| m.len()).sum::<usize>();
    (Waiting { at, identity, media, unread, settled, size, bytes }, line)
}

/// Matches rows and answers; `silent` tells that the program ended before its last.
fn answers(
    running: &mut Running,
    queue: &Queue,
    each: EachObject<'_>,
    silent: &mut bool,
) -> Result<ControlFlow<()>, Error> {
    let mut stdout = running.stdout.take();
    let mut lines = Lines::new(MAX_ROW_BYTES);
    while let Some(mut row) = queue.pop() {
        let answer = match (row.settled.take(), &mut stdout) {
            (Some(settled), _) => settled.map(|object| object.into_iter().collect()),
            (None, _) if *silent => Err(UNANSWERED.to_owned()),
            (None, None) => Err(UNANSWERED.to_owned()),
            (None, Some(stdout)) => loop {
                match lines.next(stdout).1 {
                    Ok(Line::Blank) => {}
                    Ok(Line::Text(text)) => break parse(text),
                    Ok(Line::Fault(reason, _)) => break Err(format!("its answer: {reason}")),
                    Ok(Line::End) | Err(_) => {
                        *silent = true;
                        break Err(UNANSWERED.to_owned());
                    }
                }
            },
        };
        if *silent && running.is_stopped() {
            // It was ended on purpose, and its rows are not among those read.
            return Ok(ControlFlow::Break(()));
        }
        if give(row, answer, each).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if queue.state().stuck {
            let seconds = PATIENCE.as_secs();
            return Err(running.fault(format!(
                "it has {MOST_AHEAD} rows to answer, and has answered none in {seconds} s; it must write a line for each row, and flush it"
            )));
        }
    }
    if let (false, Some(stdout)) = (*silent, &mut stdout) {
        loop {
            match lines.next(stdout).1 {
                Ok(Line::Blank) => {}
                Ok(Line::Text(_) | Line::Fault(..)) => {
                    return Err(running.fault(
                        "it has answered more lines than there are rows, so that answers may belong to other rows; it must write one line for each".to_owned(),
                    ));
                }
                Ok(Line::End) | Err(_) => break,
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

const UNANSWERED: &str = "the transform's program ended without an answer to this row";

/// The rows that an answer is.
fn parse(text: &str) -> Result<Vec<Object>, String> {
    let explain = |what: String| {
        format!(
            "the transform's answer is {what}, and it is to be an object, an array of objects, or null"
        )
    };
    match serde_json::from_str(text) {
        Ok(Json::Null) => Ok(Vec::new()),
        Ok(Json::Object(object)) => match object.get("_error") {
            Some(Json::String(reason)) if object.len() == 1 => Err(reason.clone()),
            _ => Ok(vec![object]),
        },
        Ok(Json::Array(rows)) => rows
            .into_iter()
            .map(|row| match row {
                Json::Object(row) => Ok(row),
                other => Err(explain(format!("an array with {other}"))),
            })
            .collect(),
        Ok(other) => Err(explain(other.to_string())),
        Err(e) => Err(explain(format!("no JSON ({e})"))),
    }
}

/// Hands on what an answer says: of several rows, each has the place of the one, and an identity of
/// its own.
fn give(
    row: Waiting,
    answer: Result<Vec<Object>, String>,
    each: EachObject<'_>,
) -> ControlFlow<()> {
    let Waiting { at, identity, media, unread, bytes, .. } = row;
    let mut give = |object, identity, media| {
        each(ObjectRow { at: at.clone(), object, identity, unread: unread.clone(), media }, bytes)
    };
    match answer {
        Err(reason) => give(Err(reason), identity, media),
        Ok(rows) if rows.is_empty() => give(Ok(None), identity, media),
        Ok(rows) => {
            let several = rows.len() > 1;
            for (n, object) in rows.into_iter().enumerate() {
                let identity = match several {
                    true => Uuid::new_v5(&identity, n.to_string().as_bytes()),
                    false => identity,
                };
                give(Ok(Some(object.into())), identity, media.clone())?;
            }
            ControlFlow::Continue(())
        }
    }
}
