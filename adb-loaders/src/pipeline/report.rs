//! What became of the rows: counts while it runs, a report at the end.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::lock;
use crate::{Error, RowPlace};

/// Counts that can be read from another thread while an ingestion runs.
#[derive(Debug, Default)]
pub struct Progress {
    source_size: AtomicU64,
    source_read: AtomicU64,
    rows: AtomicU64,
    left_out: AtomicU64,
    made: AtomicU64,
    without_face: AtomicU64,
    embedded: AtomicU64,
    added: AtomicU64,
    existed: AtomicU64,
    updated: AtomicU64,
    failed: AtomicU64,
}

macro_rules! readable {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> u64 {
            self.$name.load(Ordering::Relaxed)
        }
    )*};
}

impl Progress {
    readable! {
        /// The source's size in bytes, or the stored objects that are looked at; 0 when unknown.
        source_size;
        /// Bytes of the source, or objects, read so far.
        source_read;
        /// Rows read, or stored objects looked at.
        rows;
        /// Rows that a transform left out; they are not among those read.
        left_out;
        /// Children made.
        made;
        /// Photos without a face that did not fail.
        without_face;
        /// Vectors made.
        embedded;
        /// Rows added.
        added;
        /// Rows that were there already.
        existed;
        /// Rows that were there, and are otherwise now.
        updated;
        /// Rows that failed.
        failed;
    }

    /// Rows that have come to their end.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.added() + self.existed() + self.updated() + self.failed()
    }

    pub(super) fn begin(&self, size: Option<u64>) {
        self.source_size.store(size.unwrap_or(0), Ordering::Relaxed);
    }
}

/// A row that did not go in, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFailure {
    /// Where it stands.
    pub at: RowPlace,
    /// Why.
    pub reason: String,
}

impl fmt::Display for RowFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.reason)
    }
}

/// Time spent in each stage, summed over its threads.
#[derive(Debug, Default)]
pub(super) struct StageClocks {
    pub(super) read: Clock,
    pub(super) fetch: Clock,
    pub(super) make: Clock,
    pub(super) prepare: Clock,
    pub(super) embed: Clock,
    pub(super) write: Clock,
}

#[derive(Debug, Default)]
pub(super) struct Clock(AtomicU64);

impl Clock {
    pub(super) fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Time spent in each stage, summed over its threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stages {
    /// Reading and parsing the source.
    pub read: Duration,
    /// Downloading.
    pub fetch: Duration,
    /// Making children.
    pub make: Duration,
    /// Reading, decoding and resizing pictures.
    pub prepare: Duration,
    /// Inference.
    pub embed: Duration,
    /// Waiting for the database.
    pub write: Duration,
}

/// Failures that a report keeps whole; the rest is counted.
const FAILURES_KEPT: usize = 10_000;

/// The books of one run.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) stages: StageClocks,
    progress: Arc<Progress>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    failures: Vec<RowFailure>,
    differing: u64,
    first_difference: Option<RowFailure>,
    ignored: BTreeMap<String, u64>,
    notices: Vec<String>,
    source_error: Option<Error>,
    objects: u64,
    connections: u64,
}

impl Tally {
    pub(super) fn new(progress: Arc<Progress>) -> Self {
        Self { stages: StageClocks::default(), progress, kept: Mutex::default() }
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
            tracing::warn!("{notice}");
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

    pub(super) fn failed(&self, at: RowPlace, reason: String) {
        tracing::warn!(row = %at, reason, "row failed");
        self.progress.failed.fetch_add(1, Ordering::Relaxed);
        let mut kept = lock(&self.kept);
        if kept.failures.len() < FAILURES_KEPT {
            kept.failures.push(RowFailure { at, reason });
        }
    }

    pub(super) fn added(&self) {
        self.progress.added.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn existed(&self, at: RowPlace, difference: Option<String>) {
        self.progress.existed.fetch_add(1, Ordering::Relaxed);
        if let Some(reason) = difference {
            let mut kept = lock(&self.kept);
            kept.differing += 1;
            kept.first_difference.get_or_insert(RowFailure { at, reason });
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

    pub(super) fn source_broke(&self, error: Error) {
        lock(&self.kept).source_error.get_or_insert(error);
    }

    pub(super) fn report(&self, time: Duration, stopped: bool, fatal: Option<Error>) -> Report {
        let mut kept = std::mem::take(&mut *lock(&self.kept));
        kept.failures.sort_by_key(|f| f.at.row);
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
            differing: kept.differing,
            first_difference: kept.first_difference,
            ignored_keys: kept.ignored,
            notices: kept.notices,
            time,
            stages: Stages {
                read: self.stages.read.get(),
                fetch: self.stages.fetch.get(),
                make: self.stages.make.get(),
                prepare: self.stages.prepare.get(),
                embed: self.stages.embed.get(),
                write: self.stages.write.get(),
            },
            stopped,
            broken_off: fatal.or(kept.source_error),
        }
    }
}

/// What became of every row.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// Rows read, or stored objects looked at. Always the sum of the next four.
    pub rows: u64,
    /// Rows that a [`Transform`](crate::Transform) left out; they are not among those read.
    pub left_out: u64,
    /// Rows whose object was added.
    pub added: u64,
    /// Rows whose object was there already, and is as it was.
    pub existed: u64,
    /// Rows whose object was there, and is otherwise now: the object, what belongs to it, or what
    /// it is connected to. Only with [`Ingest::upsert`](super::Ingest::upsert).
    pub updated: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Children that makers made, and that were handed on to be embedded and written.
    pub made: u64,
    /// Photos in which a face was to be embedded and none was found: they were embedded whole, or
    /// have no descriptor, as the model says. Those whose rows failed are among the failures.
    pub without_face: u64,
    /// Vectors made.
    pub embedded: u64,
    /// Objects added: roots, children and descriptors; those that were replaced as well.
    pub objects_added: u64,
    /// Connections added.
    pub connections_added: u64,
    /// Each failed row with its reason, by row; at most 10,000 of them.
    pub failures: Vec<RowFailure>,
    /// Rows that exist with other properties than the source has. They were left as they are.
    pub differing: u64,
    /// The first of these, and how it differs.
    pub first_difference: Option<RowFailure>,
    /// Source keys that no field takes, and how many rows have them; rows that can't be read are
    /// not counted.
    pub ignored_keys: BTreeMap<String, u64>,
    /// What a person should know beside: a set that does not say who filled it, say.
    pub notices: Vec<String>,
    /// From start to end.
    pub time: Duration,
    /// Time by stage, summed over threads.
    pub stages: Stages,
    /// Whether it was told to stop before the source's end.
    pub stopped: bool,
    /// What ended it before the source's end, if something did.
    pub broken_off: Option<Error>,
}

impl Report {
    /// Whether each row read has its outcome.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.rows == self.added + self.existed + self.updated + self.failed
    }

    /// 0: all well; 1: it broke off; 3: some rows failed; 130: told to stop.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            _ if self.broken_off.is_some() || !self.adds_up() => 1,
            _ if self.failed > 0 => 3,
            _ if self.stopped => 130,
            _ => 0,
        }
    }
}

/// Failures that the summary spells out; the rest is in [`Report::failures`].
const FAILURES_SHOWN: usize = 20;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in self.failures.iter().take(FAILURES_SHOWN) {
            writeln!(f, "failed: {failure}")?;
        }
        let more = self.failed.saturating_sub(FAILURES_SHOWN as u64);
        if more > 0 {
            writeln!(f, "failed: {more} more rows")?;
        }
        for (key, rows) in &self.ignored_keys {
            writeln!(f, "note: no field takes the key `{key}` ({rows} rows have it)")?;
        }
        for notice in &self.notices {
            writeln!(f, "note: {notice}")?;
        }
        if self.without_face > 0 {
            writeln!(
                f,
                "note: no face was found in {} photos; they were embedded whole, or have no descriptor, as the model says",
                self.without_face
            )?;
        }
        if self.left_out > 0 {
            writeln!(f, "note: {} rows were left out by a transform", self.left_out)?;
        }
        if let Some(first) = &self.first_difference {
            writeln!(
                f,
                "note: {} rows exist with other properties than the source has, and were left as they are (upsert changes them); the first is {first}",
                self.differing
            )?;
        }
        if let Some(error) = &self.broken_off {
            writeln!(f, "broken off: {error}")?;
        }
        if self.stopped {
            writeln!(f, "stopped before the end; run it again to go on from here")?;
        }
        writeln!(
            f,
            "{} rows read = {} added + {} existed + {} updated + {} failed{}",
            self.rows,
            self.added,
            self.existed,
            self.updated,
            self.failed,
            if self.adds_up() { "" } else { " (THIS DOES NOT ADD UP: a bug in adb)" },
        )?;
        if self.rows > 0
            && self.existed == self.rows
            && self.objects_added + self.connections_added + self.embedded == 0
        {
            return write!(
                f,
                "nothing to do: every row was there already; nothing was added, nothing embedded"
            );
        }
        write!(
            f,
            "{} objects and {} connections added, {} vectors made, in {:.1} s",
            self.objects_added,
            self.connections_added,
            self.embedded,
            self.time.as_secs_f64()
        )
    }
}
