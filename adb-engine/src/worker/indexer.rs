//! The indexer: feeds graphs with what was committed, and saves them and the rows they are over.
//! Nobody waits for it: what it has not come to yet is found by scanning.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use async_channel::Sender;
use rusqlite::OptionalExtension as _;

use super::{Record, Task};
use crate::{
    directory::Directory,
    error::{Error, ErrorKind},
    store::{Store, format::class_id},
    vectors::{
        cache::{SetCache, VectorCache},
        files::{self, FileKind, SetFile},
        graph::{Graph, Unfit},
        is_approximate,
        metric::Metric,
        threads::cores,
    },
};

/// Rows that are added between two looks at whether to go on, for each thread.
const STRIDE: usize = 128;
/// While requests come in, so that commits are looked at together.
const PAUSE: Duration = Duration::from_millis(25);

/// When sets get graphs, and when those are saved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// A set has a graph from so many vectors on.
    pub(crate) index_from: usize,
    /// A graph is saved when this share of it is not in its file, one in so many.
    pub(crate) unsaved_share: usize,
    /// And so many vectors at least.
    pub(crate) unsaved_least: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { index_from: 8192, unsaved_share: 8, unsaved_least: 8192 }
    }
}

/// Asks the indexer for things.
pub(crate) struct Indexing {
    wake: mpsc::Sender<Wake>,
    /// One look that waits is enough.
    looks: AtomicBool,
    stop: AtomicBool,
    /// This process holds the write lock.
    saves: AtomicBool,
}

enum Wake {
    Look,
    /// Everything, now, with all cores; files too.
    Settle(Sender<Result<(), String>>),
    Stop,
}

impl Indexing {
    pub(crate) fn new() -> (Arc<Self>, Wakes) {
        let (wake, wakes) = mpsc::channel();
        let indexing = Self {
            wake,
            looks: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            saves: AtomicBool::new(false),
        };
        (Arc::new(indexing), Wakes(wakes))
    }

    /// There may be something new.
    pub(crate) fn look(&self) {
        if !self.looks.swap(true, Ordering::AcqRel) {
            self.send(Wake::Look);
        }
    }

    pub(crate) fn may_save(&self) {
        self.saves.store(true, Ordering::Release);
    }

    /// Brings everything up to date; `done` is told.
    pub(crate) fn settle(&self, done: Sender<Result<(), String>>) {
        self.send(Wake::Settle(done));
    }

    /// No more than is under way.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.send(Wake::Stop);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn send(&self, wake: Wake) {
        // The indexer may have ended; then nothing is to be done.
        let _ = self.wake.send(wake);
    }
}

/// The indexer's end.
pub(crate) struct Wakes(mpsc::Receiver<Wake>);

/// The indexing thread.
pub(crate) struct Indexer {
    pub(crate) directory: Directory,
    pub(crate) vectors: Arc<VectorCache>,
    pub(crate) indexing: Arc<Indexing>,
    pub(crate) policy: Policy,
    /// To the writer.
    pub(crate) tasks: Sender<Task>,
    pub(crate) store: Option<Store>,
    /// What is known of the sets' files.
    pub(crate) sets: HashMap<i64, Kept>,
    /// The files beside which there are no others.
    pub(crate) swept: Option<Vec<SetFile>>,
}

/// What is known of a set's files.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kept {
    /// Which file holds the graph.
    number: Option<i64>,
    /// How many vectors it holds.
    saved: usize,
    /// Whether the file that was there at first has been looked at.
    looked: bool,
    /// Which file holds the rows.
    rows_number: Option<i64>,
    /// How many rows there were when they were last written.
    rows_tried: usize,
}

/// A set that is large enough for files.
struct Set {
    id: i64,
    dimensions: usize,
    /// If it has an approximate engine.
    graph: Option<Metric>,
    graph_number: Option<i64>,
    rows_number: Option<i64>,
}

impl Indexer {
    /// Works until it is told to stop.
    pub(crate) fn work(mut self, wakes: &Wakes) {
        while let Ok(wake) = wakes.0.recv() {
            match wake {
                Wake::Stop => break,
                Wake::Look => {
                    self.indexing.looks.store(false, Ordering::Release);
                    if self.round(false).is_err() {
                        self.store = None;
                    }
                    if !self.indexing.is_stopped() {
                        thread::sleep(PAUSE);
                    }
                }
                Wake::Settle(done) => {
                    let settled = self.round(true).map_err(|e| e.to_string());
                    if settled.is_err() {
                        self.store = None;
                    }
                    // Whoever asked may have gone.
                    let _ = done.try_send(settled);
                }
            }
        }
    }

    /// Looks at all sets. `all`: whether somebody waits for everything.
    fn round(&mut self, all: bool) -> Result<(), Unfit> {
        if self.store.is_none() {
            if !self.directory.has_database() {
                return Ok(());
            }
            self.store = Some(Store::open_reader(&self.directory).map_err(Error::into_kind)?);
        }
        let Some(store) = &self.store else { return Ok(()) };
        store.begin()?;
        let found = sets(store, self.policy.index_from);
        let mut ready = Vec::new();
        for set in found.as_ref().map_or(&[][..], |(_, large)| large) {
            // Who only reads loads nothing that nobody has asked for.
            let saves = self.indexing.saves.load(Ordering::Acquire);
            if all || saves || self.vectors.of_set(&store.conn, set.id)?.is_wanted() {
                ready.push(Some(self.vectors.grown(&store.conn, set.id, set.dimensions)?));
            } else {
                ready.push(None);
            }
        }
        // What is fed is in memory: the snapshot is not needed, and would keep the log.
        store.end()?;
        let (ids, sets) = found?;
        self.sets.retain(|id, _| ids.contains(id));
        for (set, cache) in sets.iter().zip(&ready) {
            if self.indexing.is_stopped() {
                return Ok(());
            }
            let Some(cache) = cache else { continue };
            self.keep_rows(set, cache, all)?;
            if let Some(metric) = set.graph {
                self.feed(set, metric, cache, all)?;
            }
        }
        self.sweep(&sets)
    }

    /// Removes files of sets that are gone and of graphs that have newer ones.
    fn sweep(&mut self, sets: &[Set]) -> Result<(), Unfit> {
        let mut keep = Vec::new();
        for set in sets {
            let kept = self.sets.get(&set.id).copied().unwrap_or_default();
            for (kind, number) in [
                (FileKind::Graph, kept.number.or(set.graph_number)),
                (FileKind::Rows, kept.rows_number.or(set.rows_number)),
            ] {
                keep.extend(number.map(|number| SetFile { kind, set: set.id, number }));
            }
        }
        let saves = self.indexing.saves.load(Ordering::Acquire);
        if saves && self.swept.as_ref() != Some(&keep) && self.folder().exists() {
            files::sweep(&self.folder(), &keep)?;
            self.swept = Some(keep);
        }
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        self.directory.vectors()
    }

    /// Brings one set's graph up to date with the rows in memory.
    fn feed(
        &mut self,
        set: &Set,
        metric: Metric,
        cache: &SetCache,
        all: bool,
    ) -> Result<(), Unfit> {
        let rows = cache.len();
        let saves = self.indexing.saves.load(Ordering::Acquire);
        let kept = self.sets.entry(set.id).or_default();
        let mut graph = cache.graph();
        if graph.is_none() && !kept.looked {
            kept.looked = true;
            if let Some(number) = set.graph_number {
                // Whatever is wrong with the file: another one is made.
                if let Ok(found) =
                    Graph::open(&self.directory.vectors(), set.id, number, metric, set.dimensions)
                {
                    kept.number = Some(number);
                    kept.saved = found.len();
                    graph = Some(Arc::new(found));
                    cache.set_graph(graph.clone());
                }
            }
        }
        if rows < self.policy.index_from {
            return Ok(());
        }
        // One that only reads begins no graph that nobody has asked for.
        if graph.is_none() && !(all || saves || cache.is_wanted()) {
            return Ok(());
        }
        // A quarter of it is deleted: another takes its place when it is finished.
        let worn = graph.as_ref().is_some_and(|g| g.len() > rows + rows / 3 + STRIDE);
        let graph = match graph.filter(|g| !worn && g.metric() == metric) {
            Some(graph) => graph,
            None => {
                let graph = Arc::new(cache.new_graph(metric, set.dimensions));
                if !worn {
                    cache.set_graph(Some(graph.clone()));
                }
                kept.saved = 0;
                graph
            }
        };
        let cores = cores();
        let threads = if all { cores } else { cores.div_ceil(2) };
        let finished = cache.feed(&graph, threads, STRIDE, || self.indexing.is_stopped())?;
        if worn {
            if !finished {
                return Ok(());
            }
            cache.set_graph(Some(graph.clone()));
        }
        if finished {
            cache.measure(&graph, threads)?;
        }
        let unsaved = graph.len().saturating_sub(kept.saved);
        let due = unsaved >= self.policy.unsaved_least.max(graph.len() / self.policy.unsaved_share);
        // What is unfinished is saved too: the next process goes on from there.
        if saves && (due || (all && unsaved > 0)) {
            self.save(set.id, &graph)?;
        }
        Ok(())
    }

    fn save(&mut self, set: i64, graph: &Graph) -> Result<(), Unfit> {
        let number = graph.save(&self.folder(), set)?;
        self.note(SetFile { kind: FileKind::Graph, set, number })?;
        let kept = self.sets.entry(set).or_default();
        kept.number = Some(number);
        kept.saved = graph.len();
        Ok(())
    }

    /// Writes a set's rows if enough of them are in no file, and goes on with the file.
    fn keep_rows(&mut self, set: &Set, cache: &SetCache, all: bool) -> Result<(), Unfit> {
        if !self.indexing.saves.load(Ordering::Acquire) {
            return Ok(());
        }
        let kept = self.sets.entry(set.id).or_default();
        let (rows, least) = (cache.len(), self.policy.unsaved_least);
        if !all && rows.abs_diff(kept.rows_tried) < least {
            return Ok(());
        }
        kept.rows_tried = rows;
        let unsaved_least = if all { 1 } else { least.max(rows / 3) };
        let Some(number) = self.vectors.save_rows(set.id, cache, unsaved_least)? else {
            return Ok(());
        };
        self.note(SetFile { kind: FileKind::Rows, set: set.id, number })?;
        self.sets.entry(set.id).or_default().rows_number = Some(number);
        self.vectors.use_file(set.id, cache, number, set.dimensions)?;
        Ok(())
    }

    /// Has a file noted in the database.
    fn note(&self, file: SetFile) -> Result<(), Unfit> {
        let (done, noted) = mpsc::channel();
        let record = Task::Record(Record { file, done });
        self.tasks.send_blocking(record).map_err(|_| ErrorKind::Closed)?;
        match noted.recv() {
            Ok(true) => Ok(()),
            _ => Err("a file of vectors could not be noted in the database".into()),
        }
    }
}

/// All sets that a snapshot sees, and of them the ones with so many vectors.
fn sets(store: &Store, least: usize) -> Result<(Vec<i64>, Vec<Set>), Unfit> {
    let mut select = store.conn.prepare_cached(&format!(
        "SELECT id, dimensions, engines, metrics FROM c{}",
        class_id::DESCRIPTOR_SET
    ))?;
    // No more than must be counted.
    let mut count = store.conn.prepare_cached(&format!(
        "SELECT count(*) FROM (SELECT 1 FROM c{} WHERE set_id = ? LIMIT ?)",
        class_id::DESCRIPTOR
    ))?;
    let mut number = store.conn.prepare_cached("SELECT value FROM counter WHERE name = ?")?;
    let mut number_of =
        |kind: FileKind, id: i64| number.query_row([kind.counter(id)], |row| row.get(0)).optional();
    let least = i64::try_from(least).unwrap_or(i64::MAX);
    let (mut all, mut large) = (Vec::new(), Vec::new());
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        all.push(id);
        if count.query_row([id, least], |row| row.get::<_, i64>(0))? < least {
            continue;
        }
        let engines: Vec<String> = serde_json::from_str(row.get_ref(2)?.as_str()?)?;
        let metrics: Vec<String> = serde_json::from_str(row.get_ref(3)?.as_str()?)?;
        let metric = metrics.first().and_then(|m| Metric::parse(m).ok()).unwrap_or(Metric::L2);
        large.push(Set {
            id,
            dimensions: usize::try_from(row.get::<_, i64>(1)?)?,
            graph: engines.iter().any(|engine| is_approximate(engine)).then_some(metric),
            graph_number: number_of(FileKind::Graph, id)?,
            rows_number: number_of(FileKind::Rows, id)?,
        });
    }
    Ok((all, large))
}
