//! Committed vectors in memory, and the searches over them.
//!
//! Rows of a set are cached in the order of their ids. Ids only grow, and one writer commits them
//! in order; deletions are numbered in the same way (tombstones). So what a snapshot sees of a set
//! is the rows up to the greatest id in it, less those of the tombstones in it. A reader takes the
//! rows of tombstones that the cache has not seen out of it, adds the rows beyond the cached ones,
//! and uses the cached rows up to its greatest id. A reader whose snapshot is older than the cache
//! reads the rows themselves, since some of its rows may be gone from the cache. When there are
//! too many tombstones they are dropped and the set's epoch grows, which empties every cache.
//! Nothing tells the cache of commits; another process's are found in the same way.
//!
//! A set whose engine is approximate has a graph beside the rows once the indexer has made one. Its
//! hits are looked up among the rows that the reader sees, and measured there.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    error::ErrorKind,
    request::fault::Fail,
    store::{bytes::damaged, format::class_id, sum::sum},
};

use super::{
    Neighbour, components,
    files::FileKind,
    graph::{Graph, Unfit, effort},
    matrix::{Matrix, Position},
    metric::{Metric, inverse_norm},
    places::Passed,
    rows,
    scan::{self, ExactScan, Query, View},
    top::Top,
};

/// Candidates for each neighbour that is wanted where not all of them count.
const FILTERED: usize = 4;
/// A filter that leaves less than one in so many is better scanned.
const SCANNED_SHARE: usize = 10;
/// So few vectors are scanned without asking further.
const SCANNED_FEW: usize = 4096;
/// Rows by which a new graph tells what it is for.
const SAMPLE: usize = 2048;

/// The caches of all sets.
#[derive(Default)]
pub(crate) struct VectorCache {
    sets: Mutex<HashMap<i64, Arc<SetCache>>>,
    scan: ExactScan,
    /// Where files of rows lie, if there are to be any.
    folder: Option<PathBuf>,
    /// Sets of fewer vectors have no graph.
    index_from: usize,
    /// A search found a graph missing or behind.
    wish: AtomicBool,
}

#[derive(Default)]
pub(crate) struct SetCache {
    matrix: RwLock<Arc<Matrix>>,
    /// Held by the one who adds rows, so that no two read them.
    growing: Mutex<()>,
    graph: RwLock<Option<Arc<Graph>>>,
    /// Whether a search would have had use for a graph.
    wanted: AtomicBool,
    /// The file of rows was found to be damaged.
    no_file: AtomicBool,
}

/// A search in one set.
pub(crate) struct Search<'a> {
    pub(crate) set: i64,
    /// What the connection that is searched with sees.
    pub(crate) state: SetState,
    pub(crate) dimensions: usize,
    /// One query or several, one after another.
    pub(crate) queries: &'a [f32],
    pub(crate) metric: Metric,
    pub(crate) k: usize,
    /// Whether a graph will do.
    pub(crate) approximate: bool,
    /// Only these.
    pub(crate) among: Option<&'a dyn Among>,
}

/// How far a snapshot sees into a set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetState {
    /// The greatest id in it, if it has any.
    newest: Option<i64>,
    now: Position,
}

/// Some vectors of a set, told by what they must fulfil.
pub(crate) trait Among {
    /// All of them.
    fn all(&self) -> Result<Arc<Passed>, Fail>;
    /// The same, if it takes no time.
    fn known(&self) -> Option<Arc<Passed>>;
    /// Those of `ids`, in ascending order.
    fn of(&self, ids: &[i64]) -> Result<Vec<i64>, Fail>;
}

impl VectorCache {
    pub(crate) fn new(scan: ExactScan, folder: Option<PathBuf>, index_from: usize) -> Self {
        Self { scan, folder, index_from, ..Self::default() }
    }

    /// For each query the nearest vectors of those that `conn` sees, the nearest first.
    ///
    /// `committed`: whether all that it sees is committed, and may therefore be cached.
    pub(crate) fn search(
        &self,
        conn: &Connection,
        search: &Search<'_>,
        committed: bool,
    ) -> Result<Vec<Vec<Neighbour>>, Fail> {
        let queries: Vec<Query<'_>> = search
            .queries
            .chunks_exact(search.dimensions.max(1))
            .map(|query| Query::new(search.metric, query))
            .collect();
        let SetState { newest: Some(newest), now } = search.state else {
            return Ok(queries.iter().map(|_| Vec::new()).collect());
        };
        let cache = self.of_set(conn, search.set)?;
        if committed {
            self.grow(&cache, conn, search.set, search.dimensions, now, newest)?;
        }
        let mut matrix = cache.snapshot();
        let mut dead = Vec::new();
        if matrix.at.epoch != now.epoch || matrix.at > now {
            // Of another time than the snapshot: its rows are read one by one.
            matrix = Arc::default();
        } else if matrix.at < now {
            dead = tombstones(conn, search.set, matrix.at.tombstone)?;
        }
        let view = View { matrix: &matrix, newest, dead: &dead };
        let mut tops: Vec<Top> =
            queries.iter().map(|_| Top::new(search.metric, search.k)).collect();
        if matrix.last < newest {
            exact(&view, &queries, search.among, &mut tops)?;
            uncached(conn, search, &queries, matrix.last, &mut tops)?;
        } else {
            let graph = cache.graph();
            if search.approximate
                && graph.as_ref().is_none_or(|g| g.last() < newest)
                && matrix.len() >= self.index_from
            {
                cache.wanted.store(true, Ordering::Relaxed);
                self.wish.store(true, Ordering::Relaxed);
            }
            let graph = graph.filter(|graph| {
                let most = effort::most(matrix.len());
                search.approximate
                    && graph.metric() == search.metric
                    && graph.effort(search.k).is_some_and(|effort| effort <= most)
            });
            match graph {
                Some(graph) => near(&view, &graph, &queries, search.among, &mut tops)?,
                None => exact(&view, &queries, search.among, &mut tops)?,
            }
        }
        if matrix.is_broken() {
            // What was found is worth nothing.
            cache.give_up_file();
            return self.search(conn, search, committed);
        }
        Ok(tops.into_iter().map(Top::into_sorted).collect())
    }

    /// The cache of a set. A new one is the time to give up those of sets that are gone.
    pub(crate) fn of_set(&self, conn: &Connection, set: i64) -> Result<Arc<SetCache>, ErrorKind> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cache) = sets.get(&set) {
            return Ok(cache.clone());
        }
        let mut select =
            conn.prepare_cached(&format!("SELECT id FROM c{}", class_id::DESCRIPTOR_SET))?;
        let there: HashSet<i64> =
            select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        sets.retain(|id, _| there.contains(id));
        Ok(sets.entry(set).or_default().clone())
    }

    /// The cache of a set with all that `conn` sees, which is committed.
    pub(crate) fn grown(
        &self,
        conn: &Connection,
        set: i64,
        dimensions: usize,
    ) -> Result<Arc<SetCache>, ErrorKind> {
        let cache = self.of_set(conn, set)?;
        let state = SetState::read(conn, set)?;
        if let Some(newest) = state.newest {
            self.grow(&cache, conn, set, dimensions, state.now, newest)?;
        }
        Ok(cache)
    }

    /// Follows the deletions up to `now` and adds the rows up to `newest`, unless that is past.
    fn grow(
        &self,
        cache: &SetCache,
        conn: &Connection,
        set: i64,
        dimensions: usize,
        now: Position,
        newest: i64,
    ) -> Result<(), ErrorKind> {
        let is_past = |m: &Matrix| m.at > now || (m.at == now && m.last >= newest);
        if is_past(&cache.snapshot()) {
            return Ok(());
        }
        let _growing = cache.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = cache.snapshot();
        if is_past(&snapshot) {
            return Ok(());
        }
        let mut matrix = Matrix::clone(&snapshot);
        drop(snapshot);
        if matrix.at.epoch < now.epoch {
            matrix = Matrix::default();
        }
        if matrix.blocks.is_empty() && !cache.no_file.load(Ordering::Acquire) {
            matrix = self.filed(conn, set, dimensions, now)?.unwrap_or(matrix);
        }
        if matrix.at < now {
            matrix.remove(&tombstones(conn, set, matrix.at.tombstone)?);
        }
        matrix.at = now;
        let mut row = Vec::with_capacity(dimensions);
        each_row(conn, set, dimensions, matrix.last, |id, bytes| {
            row.clear();
            row.extend(components(bytes));
            matrix.push(id, &row, self.scan);
        })?;
        *cache.matrix.write().unwrap_or_else(PoisonError::into_inner) = matrix.publish();
        Ok(())
    }

    /// The rows of the file that a snapshot knows, if it can be used.
    fn filed(
        &self,
        conn: &Connection,
        set: i64,
        dimensions: usize,
        now: Position,
    ) -> Result<Option<Matrix>, ErrorKind> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let number = conn
            .prepare_cached("SELECT value FROM counter WHERE name = ?")?
            .query_row([FileKind::Rows.counter(set)], |row| row.get(0))
            .optional()?;
        let Some(number) = number else { return Ok(None) };
        // Whatever is wrong with the file: the tables have it all.
        let opened = rows::open(folder, set, number, dimensions, self.scan).ok();
        Ok(opened.filter(|m| m.at.epoch == now.epoch && m.at <= now))
    }

    /// Writes the rows of a set into a file if so many are not in one, or a third of all; gives the
    /// file's number. It is to be noted in the database, then told to [`VectorCache::use_file`].
    pub(crate) fn save_rows(
        &self,
        set: i64,
        cache: &SetCache,
        unsaved_least: usize,
    ) -> Result<Option<i64>, Unfit> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let matrix = cache.snapshot();
        let unsaved = matrix.unsaved();
        if unsaved == 0 || unsaved < unsaved_least {
            return Ok(None);
        }
        let saved = rows::save(&matrix, folder, set);
        if matrix.is_broken() {
            cache.give_up_file();
        }
        saved.map(Some)
    }

    /// Takes the rows out of a file that was just written, and gives up their memory; says whether it
    /// could. Deletions meanwhile are in the way.
    pub(crate) fn use_file(
        &self,
        set: i64,
        cache: &SetCache,
        number: i64,
        dimensions: usize,
    ) -> Result<bool, Unfit> {
        let Some(folder) = &self.folder else { return Ok(false) };
        let mut opened = rows::open(folder, set, number, dimensions, self.scan)?;
        let _growing = cache.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let matrix = cache.snapshot();
        if matrix.at != opened.at || matrix.last < opened.last {
            return Ok(false);
        }
        opened.blocks.extend(matrix.blocks_after(opened.last));
        opened.count();
        opened.last = matrix.last;
        cache.no_file.store(false, Ordering::Release);
        *cache.matrix.write().unwrap_or_else(PoisonError::into_inner) = opened.publish();
        Ok(true)
    }

    /// Whether a search has found a graph missing or behind since this was asked last.
    pub(crate) fn take_wish(&self) -> bool {
        self.wish.load(Ordering::Relaxed) && self.wish.swap(false, Ordering::Relaxed)
    }

    /// Gives up what is kept of a set. Who still sees the set reads it again.
    pub(crate) fn forget(&self, set: i64) {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).remove(&set);
    }
}

/// The exact search in what is cached.
fn exact(
    view: &View<'_>,
    queries: &[Query<'_>],
    among: Option<&dyn Among>,
    tops: &mut [Top],
) -> Result<(), Fail> {
    match among {
        None => scan::scan_batch(view, queries, tops),
        Some(among) => {
            let among = among.all()?;
            for (query, top) in queries.iter().zip(tops) {
                scan::scan_among(view, query, &among, top);
            }
        }
    }
    Ok(())
}

/// The search by a graph.
fn near(
    view: &View<'_>,
    graph: &Graph,
    queries: &[Query<'_>],
    among: Option<&dyn Among>,
    tops: &mut [Top],
) -> Result<(), Fail> {
    // Asked once: what comes into the graph meanwhile is left to the scan, and found once.
    let last = graph.last();
    let Some(among) = among else {
        let each = queries.iter().zip(tops).collect::<Vec<_>>();
        scan::for_each(each, scan::cores(), |(query, top)| {
            if !hits(view, graph, query, last, top) {
                // Too much of the graph is deleted here, or it is of no use.
                *top = Top::new(query.metric, top.k());
                scan::scan(view, query, 0, top);
                return;
            }
            scan::scan(view, query, last, top);
        });
        return Ok(());
    };
    for (query, top) in queries.iter().zip(tops) {
        if !filtered_hits(view, graph, query, among, last, top)? {
            *top = Top::new(query.metric, top.k());
            scan::scan_among(view, query, &*among.all()?, top);
        }
    }
    Ok(())
}

/// Offers a graph's hits up to an id; says whether they are as many as there must be.
fn hits(view: &View<'_>, graph: &Graph, query: &Query<'_>, last: i64, top: &mut Top) -> bool {
    let there = view.matrix.len_to(last.min(view.newest));
    let needed = top.k().min(there.saturating_sub(view.dead.len()));
    let most = effort::most(view.matrix.len());
    let mut count = graph.effort(top.k()).unwrap_or(usize::MAX);
    while count <= most {
        let found = graph.search(query.components, count).into_iter().filter(|id| *id <= last);
        scan::offer(view, query, found, effort::measured(top.k()), top);
        if top.len() >= needed {
            return true;
        }
        *top = Top::new(query.metric, top.k());
        count *= 4;
    }
    false
}

/// The same for the hits that a filter leaves, and for what came after `last`.
fn filtered_hits(
    view: &View<'_>,
    graph: &Graph,
    query: &Query<'_>,
    among: &dyn Among,
    last: i64,
    top: &mut Top,
) -> Result<bool, Fail> {
    let known = among.known();
    let pass = |ids: &[i64]| match &known {
        Some(known) => Ok(ids.iter().copied().filter(|id| known.has(*id)).collect()),
        None => among.of(ids),
    };
    let total = view.matrix.len();
    let scanned = |passing: usize| passing <= SCANNED_FEW || passing * SCANNED_SHARE < total;
    let needed = top.k() * FILTERED;
    let most = effort::most(total);
    // The k-th of those that pass is as hard to find as the neighbour of its rank among all.
    let effort = |all: usize, passing: usize| {
        graph.effort((top.k() * all).div_ceil(passing.max(1))).unwrap_or(usize::MAX)
    };
    let mut count = effort(1, 1);
    if let Some(known) = &known {
        let passing = known.ids().len();
        if scanned(passing) {
            return Ok(false);
        }
        count = effort(total, passing).max(needed * total / passing);
    }
    let mut tail = view.matrix.ids_after(last);
    tail.retain(|&id| view.row(id).is_some());
    if tail.len() > SCANNED_FEW {
        return Ok(false);
    }
    while count <= most {
        let mut found = graph.search(query.components, count);
        found.retain(|&id| id <= last && view.row(id).is_some());
        let candidates = found.len();
        let mut ids = found.clone();
        ids.sort_unstable();
        let passing: Vec<i64> = pass(&ids)?;
        let wanted = effort(candidates, passing.len());
        // With room, as the share here differs from that elsewhere.
        if passing.len() >= needed && wanted <= count + count / 2 {
            found.retain(|id| passing.binary_search(id).is_ok());
            scan::offer(view, query, found.into_iter(), needed, top);
            let tail: Vec<i64> = if tail.is_empty() { tail } else { pass(&tail)? };
            scan::scan_ids(view, query, &tail, top);
            return Ok(true);
        }
        let next = wanted.max(needed * candidates * 3 / (2 * passing.len().max(1)));
        let few = passing.len() * SCANNED_SHARE < candidates;
        if few || next <= count {
            break;
        }
        count = next;
    }
    Ok(false)
}

impl SetState {
    /// As `conn` sees it.
    pub(crate) fn read(conn: &Connection, set: i64) -> Result<Self, ErrorKind> {
        let newest = format!("SELECT max(id) FROM c{} WHERE set_id = ?", class_id::DESCRIPTOR);
        let newest = conn.prepare_cached(&newest)?.query_row([set], |row| row.get(0))?;
        let now = format!(
            "SELECT epoch, ifnull((SELECT max(number) FROM tombstone WHERE set_id = s.id), 0)
             FROM c{} AS s WHERE id = ?",
            class_id::DESCRIPTOR_SET
        );
        let now = conn
            .prepare_cached(&now)?
            .query_row([set], |row| Ok(Position { epoch: row.get(0)?, tombstone: row.get(1)? }))?;
        Ok(Self { newest, now })
    }
}

/// The rows that were deleted after a tombstone, in ascending order.
fn tombstones(conn: &Connection, set: i64, after: i64) -> Result<Vec<i64>, ErrorKind> {
    let mut select =
        conn.prepare_cached("SELECT id FROM tombstone WHERE set_id = ? AND number > ?")?;
    let rows = select.query_map([set, after], |row| row.get(0))?;
    let mut dead = rows.collect::<Result<Vec<i64>, _>>()?;
    dead.sort_unstable();
    Ok(dead)
}

impl SetCache {
    pub(super) fn snapshot(&self) -> Arc<Matrix> {
        self.matrix.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(crate) fn graph(&self) -> Option<Arc<Graph>> {
        self.graph.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_graph(&self, graph: Option<Arc<Graph>>) {
        *self.graph.write().unwrap_or_else(PoisonError::into_inner) = graph;
    }

    /// How many rows are cached.
    pub(crate) fn len(&self) -> usize {
        self.matrix.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A graph without nodes, for vectors like those that are cached.
    pub(crate) fn new_graph(&self, metric: Metric, dimensions: usize) -> Graph {
        let matrix = self.snapshot();
        let step = matrix.len().div_ceil(SAMPLE).max(1);
        let rows = matrix.blocks.iter().flat_map(|b| (0..b.ids.len()).map(|row| b.row(row)));
        let sample: Vec<&[f32]> = rows.step_by(step).collect();
        Graph::new(metric, dimensions, &sample)
    }

    /// Adds the cached rows that a graph lacks; gives up, and says so, when `stopped` does.
    pub(crate) fn feed(
        &self,
        graph: &Graph,
        threads: usize,
        stride: usize,
        stopped: impl Fn() -> bool,
    ) -> Result<bool, Unfit> {
        let matrix = self.snapshot();
        let first = matrix.block_after(graph.appended());
        let mut blocks = matrix.blocks[first.min(matrix.blocks.len())..].iter();
        loop {
            let mut left = graph.unlinked();
            while !left.is_empty() {
                if stopped() {
                    return Ok(false);
                }
                let to = left.end.min(left.start + (threads * stride) as u32);
                scan::for_each((left.start..to).collect(), threads, |node| graph.link(node));
                graph.reached(to);
                left.start = to;
            }
            let Some(block) = blocks.next() else { break };
            graph.append(block, block.ids.partition_point(|&id| id <= graph.appended()))?;
            if matrix.is_broken() {
                // It may hold what never was.
                self.set_graph(None);
                self.give_up_file();
                return Err("the rows are not what they were".into());
            }
        }
        Ok(true)
    }

    /// Finds out what searches by a graph need, if it has grown much since that was asked.
    pub(crate) fn measure(&self, graph: &Graph, threads: usize) -> Result<(), Unfit> {
        if !graph.is_unmeasured() {
            return Ok(());
        }
        let matrix = self.snapshot();
        graph.measure(&matrix, threads);
        if matrix.is_broken() {
            self.set_graph(None);
            self.give_up_file();
            return Err("the rows are not what they were".into());
        }
        Ok(())
    }

    /// The file of rows is damaged: from now on the tables are read.
    fn give_up_file(&self) {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        self.no_file.store(true, Ordering::Release);
        let mut matrix = self.matrix.write().unwrap_or_else(PoisonError::into_inner);
        if matrix.is_broken() {
            *matrix = Arc::default();
        }
    }
}

/// Offers rows that are not cached.
fn uncached(
    conn: &Connection,
    search: &Search<'_>,
    queries: &[Query<'_>],
    after: i64,
    tops: &mut [Top],
) -> Result<(), Fail> {
    let among = search.among.map(Among::all).transpose()?;
    let mut row = Vec::with_capacity(search.dimensions);
    each_row(conn, search.set, search.dimensions, after, |id, bytes| {
        if among.as_ref().is_none_or(|ids| ids.has(id)) {
            row.clear();
            row.extend(components(bytes));
            let norm = inverse_norm(&row);
            for (query, top) in queries.iter().zip(&mut *tops) {
                let norms = [query.inverse_norm, norm];
                top.offer(id, search.metric.measure(query.components, &row, norms));
            }
        }
    })?;
    Ok(())
}

/// The set's rows after an id, in order.
fn each_row(
    conn: &Connection,
    set: i64,
    dimensions: usize,
    after: i64,
    mut visit: impl FnMut(i64, &[u8]),
) -> Result<(), ErrorKind> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT d.id, v.bytes, v.sum FROM c{} AS d JOIN vector AS v ON v.id = d.id
         WHERE d.set_id = ? AND d.id > ? ORDER BY d.id",
        class_id::DESCRIPTOR
    ))?;
    let mut rows = select.query(params![set, after])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        if bytes.len() != dimensions * 4 {
            return Err(damaged(class_id::DESCRIPTOR, id, format!("has {} bytes", bytes.len())));
        }
        if i64::from(sum(id, bytes)) != row.get::<_, i64>(2)? {
            let why = "has other components than were stored".to_owned();
            return Err(damaged(class_id::DESCRIPTOR, id, why));
        }
        visit(id, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{directory::Directory, store::Store};

    /// What a search sees, cached or not.
    fn seen(cache: &VectorCache, store: &Store, committed: bool) -> Vec<i64> {
        let search = Search {
            set: 1,
            state: SetState::read(&store.conn, 1).unwrap(),
            dimensions: 1,
            queries: &[0.0],
            metric: Metric::L2,
            k: 99,
            approximate: true,
            among: None,
        };
        let found = cache.search(&store.conn, &search, committed).unwrap();
        found[0].iter().map(|n| n.id).collect()
    }

    #[test]
    fn snapshots_of_different_times_share_a_cache() {
        let dir = tempfile::tempdir().unwrap();
        let directory =
            Directory::open(dir.path(), true, crate::store::Settings::default()).unwrap();
        let writer = Store::open_writer(&directory).unwrap();
        let write = |sql: &str| writer.conn.execute_batch(sql).unwrap();
        let add = |id: i64| {
            write(&format!(
                "INSERT INTO c4 (id, txn, set_id) VALUES ({id}, 1, 1);
                 INSERT INTO vector VALUES ({id}, X'0000803F', {})",
                sum(id, &1_f32.to_le_bytes())
            ));
        };
        let delete = |id: i64, number: i64| {
            write(&format!(
                "DELETE FROM c4 WHERE id = {id}; DELETE FROM vector WHERE id = {id};
                 INSERT INTO tombstone VALUES (1, {number}, {id})"
            ));
        };
        write(
            "INSERT INTO c3 (id, txn, name, dimensions, engines, metrics) VALUES (1, 1, 's', 1, '[]', '[]')",
        );
        (2..6).for_each(add);
        let cache = VectorCache::default();
        let reader = || Store::open_reader(&directory).unwrap();
        let snapshot = || {
            let store = reader();
            store.conn.execute_batch("BEGIN; SELECT count(*) FROM c4").unwrap();
            store
        };
        let first = snapshot();
        delete(5, 1);
        delete(3, 2);
        let second = snapshot();
        add(6);
        let third = snapshot();
        assert_eq!(seen(&cache, &third, true), [2, 4, 6]);
        assert_eq!(seen(&cache, &first, true), [2, 3, 4, 5], "older than the cache");
        assert_eq!(seen(&cache, &second, true), [2, 4]);
        assert_eq!(seen(&cache, &third, true), [2, 4, 6]);
        // What is not committed yet is the writer's alone.
        write("BEGIN");
        delete(4, 3);
        add(7);
        assert_eq!(seen(&cache, &writer, false), [2, 6, 7]);
        assert_eq!(seen(&cache, &third, true), [2, 4, 6]);
        write("COMMIT; DELETE FROM tombstone; UPDATE c3 SET epoch = 1");
        assert_eq!(seen(&cache, &reader(), true), [2, 6, 7]);
        assert_eq!(seen(&cache, &first, true), [2, 3, 4, 5], "of an older epoch");
        assert_eq!(seen(&cache, &writer, false), [2, 6, 7]);
    }
}
