//! The books of one run: what became of each row.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use uuid::Uuid;

use super::{
    event::{Event, Listener},
    failure::{Groups, Reason, RowFailure, Stage},
    lock,
    progress::{Progress, StageClocks},
    report::{Report, SlowRow, Stages},
};
use crate::{
    Error, RowPlace,
    letters::{Letter, LetterBox},
};

/// A row on its way, apart from what it says: what is told of it at its end.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) at: RowPlace,
    /// As its source has it; empty where there is no such thing.
    pub(super) raw: Bytes,
    pub(super) identity: Uuid,
    /// Whether files came with it, which no dead-letter file holds.
    pub(super) brought_files: bool,
    /// How long the stages worked on it alone.
    pub(super) spent: Duration,
}

impl Row {
    /// One that no stage has worked on yet.
    pub(super) fn new(at: RowPlace, raw: Bytes, identity: Uuid, brought_files: bool) -> Self {
        Self { at, raw, identity, brought_files, spent: Duration::ZERO }
    }

    /// A stored object.
    pub(super) fn stored(name: Arc<str>) -> Self {
        let at = RowPlace { file: name, row: 0, line: None };
        Self::new(at, Bytes::new(), Uuid::nil(), false)
    }
}

/// Failures that a report keeps whole; the rest is counted, and in the dead-letter file.
const FAILURES_KEPT: usize = 1000;

/// The target of log lines that say what the report says again at the end, so that a program which
/// prints the report can do without them.
pub const REPORTED: &str = "adb_report";

/// Rows that a report calls slow.
const SLOW_ROWS: usize = 10;

/// The books of one run.
pub(super) struct Tally {
    pub(super) stages: Arc<StageClocks>,
    progress: Arc<Progress>,
    kept: Mutex<Kept>,
    letters: Option<LetterBox>,
    listener: Option<Listener>,
    /// Rows faster than this, in microseconds, are not among the slowest.
    slow: AtomicU64,
    /// Rows that were read and left for another run.
    put_back: AtomicBool,
    /// Rows that failed and can be taken from the dead-letter file.
    retriable: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    failures: Vec<RowFailure>,
    groups: Groups,
    slowest: BinaryHeap<Reverse<SlowRow>>,
    differing: u64,
    first_difference: Option<RowFailure>,
    ignored: BTreeMap<String, u64>,
    notices: Vec<String>,
    source_error: Option<Error>,
    source_ended: bool,
    objects: u64,
    connections: u64,
}

impl Tally {
    pub(super) fn new(
        progress: Arc<Progress>,
        letters: Option<LetterBox>,
        listener: Option<Listener>,
    ) -> Self {
        Self {
            stages: progress.stages.clone(),
            progress,
            kept: Mutex::default(),
            letters,
            listener,
            slow: AtomicU64::new(0),
            put_back: AtomicBool::new(false),
            retriable: AtomicBool::new(false),
        }
    }

    pub(super) fn tell(&self, event: &Event<'_>) {
        if let Some(listener) = &self.listener {
            (listener.0)(event);
        }
    }

    /// Whether somebody listens.
    pub(super) fn is_heard(&self) -> bool {
        self.listener.is_some()
    }

    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    pub(super) fn row_read(&self, bytes: u64) {
        self.progress.rows.fetch_add(1, Ordering::Relaxed);
        self.progress.source_read.store(bytes, Ordering::Relaxed);
    }

    /// A transform left a row out.
    pub(super) fn row_left_out(&self, bytes: u64) {
        self.progress.left_out.fetch_add(1, Ordering::Relaxed);
        self.progress.source_read.store(bytes, Ordering::Relaxed);
    }

    /// Leaves a row that was read for another run, as if it had not been read: nothing of it is in
    /// the database, or what is there harms nobody.
    pub(super) fn put_back(&self) {
        self.put_back.store(true, Ordering::Relaxed);
        self.progress.rows.fetch_sub(1, Ordering::Relaxed);
    }

    /// So many stored objects are to be looked at.
    pub(super) fn begin(&self, objects: u64) {
        self.progress.begin(Some(objects));
    }

    /// One more stored object was looked at.
    pub(super) fn object_read(&self) {
        let read = self.progress.rows.fetch_add(1, Ordering::Relaxed) + 1;
        self.progress.source_read.store(read, Ordering::Relaxed);
    }

    pub(super) fn notices(&self, notices: impl IntoIterator<Item = String>) {
        for notice in notices {
            tracing::warn!(target: REPORTED, "{notice}");
            self.tell(&Event::Notice { text: &notice });
            lock(&self.kept).notices.push(notice);
        }
    }

    pub(super) fn ignored(&self, ignored: &[String]) {
        if !ignored.is_empty() {
            let mut kept = lock(&self.kept);
            for key in ignored {
                *kept.ignored.entry(key.clone()).or_default() += 1;
            }
        }
    }

    pub(super) fn failed(&self, row: Row, stage: Stage, reason: impl Into<Reason>) {
        let failure = reason.into().into_failure(row.at, stage);
        tracing::warn!(target: REPORTED, row = %failure.at, reason = failure.reason, "row failed");
        if let Some(letters) = &self.letters {
            let letter = Letter::of(&failure, row.identity, &row.raw);
            if !row.brought_files && letter.row_text().is_ok() {
                self.retriable.store(true, Ordering::Relaxed);
            }
            letters.put(letter);
        }
        self.tell(&Event::RowFailed(&failure));
        self.progress.failed.fetch_add(1, Ordering::Relaxed);
        let mut kept = lock(&self.kept);
        kept.groups.add(&failure);
        if kept.failures.len() < FAILURES_KEPT {
            kept.failures.push(failure);
        }
    }

    /// A row that a stage could not hand on, since the next one is gone.
    pub(super) fn lost(&self, row: Row, stage: Stage) {
        self.failed(row, stage, "the pipeline broke off");
    }

    pub(super) fn added(&self) {
        self.progress.added.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn existed(&self, row: Row, difference: Option<String>) {
        self.progress.existed.fetch_add(1, Ordering::Relaxed);
        if let Some(reason) = difference {
            let failure = Reason::from(reason).into_failure(row.at, Stage::LookUp);
            let mut kept = lock(&self.kept);
            kept.differing += 1;
            kept.first_difference.get_or_insert(failure);
        }
    }

    pub(super) fn updated(&self) {
        self.progress.updated.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn made(&self, children: u64) {
        self.progress.made.fetch_add(children, Ordering::Relaxed);
    }

    pub(super) fn without_face(&self) {
        self.progress.without_face.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn embedded(&self, vectors: u64) {
        self.progress.embedded.fetch_add(vectors, Ordering::Relaxed);
    }

    pub(super) fn written(&self, objects: u64, connections: u64) {
        let mut kept = lock(&self.kept);
        kept.objects += objects;
        kept.connections += connections;
    }

    /// Notes a row on which the stages have worked as long as they will.
    pub(super) fn spent(&self, row: &Row) {
        let micros = u64::try_from(row.spent.as_micros()).unwrap_or(u64::MAX);
        if micros <= self.slow.load(Ordering::Relaxed) {
            return;
        }
        let mut kept = lock(&self.kept);
        kept.slowest.push(Reverse(SlowRow { time: row.spent, at: row.at.clone() }));
        if kept.slowest.len() > SLOW_ROWS {
            kept.slowest.pop();
            if let Some(Reverse(fastest)) = kept.slowest.peek() {
                let micros = u64::try_from(fastest.time.as_micros()).unwrap_or(u64::MAX);
                self.slow.store(micros, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn source_broke(&self, error: Error) {
        lock(&self.kept).source_error.get_or_insert(error);
    }

    /// Says that the source was read to its end.
    pub(super) fn source_ended(&self) {
        lock(&self.kept).source_ended = true;
    }

    /// Whether failed rows can't be noted, and why.
    pub(super) fn letters_error(&self) -> Option<Error> {
        self.letters.as_ref()?.error()
    }

    pub(super) fn report(&self, time: Duration, stopped: bool, fatal: Option<Error>) -> Report {
        let letters = self.letters.as_ref().map_or(Ok(None), LetterBox::close);
        let mut kept = std::mem::take(&mut *lock(&self.kept));
        kept.failures.sort_by_key(|f| f.at.row);
        let complete = kept.source_ended && !self.put_back.load(Ordering::Relaxed);
        let (dead_letters, letters_error) = match letters {
            Ok(path) => (path, None),
            Err(e) => (None, Some(e)),
        };
        let mut slowest: Vec<SlowRow> = kept.slowest.into_iter().map(|Reverse(r)| r).collect();
        slowest.sort_by(|a, b| b.cmp(a));
        Report {
            rows: self.progress.rows(),
            left_out: self.progress.left_out(),
            added: self.progress.added(),
            existed: self.progress.existed(),
            updated: self.progress.updated(),
            failed: self.progress.failed(),
            made: self.progress.made(),
            without_face: self.progress.without_face(),
            embedded: self.progress.embedded(),
            objects_added: kept.objects,
            connections_added: kept.connections,
            failures: kept.failures,
            failure_groups: kept.groups.take(),
            dead_letters,
            retry_helps: self.retriable.load(Ordering::Relaxed),
            differing: kept.differing,
            first_difference: kept.first_difference,
            ignored_keys: kept.ignored,
            notices: kept.notices,
            time,
            stages: Stages {
                read: self.stages.read.get(),
                look_up: self.stages.look_up.get(),
                make: self.stages.make.get(),
                media: self.stages.media.get(),
                decode: self.stages.decode.get(),
                embed: self.stages.embed.get(),
                write: self.stages.write.get(),
            },
            slowest,
            stopped: stopped && !complete,
            broken_off: fatal.or(kept.source_error).or(letters_error),
            run: None,
            mirror: None,
        }
    }
}
