//! Committed vectors in memory.
//!
//! Rows of a set are cached in the order of their ids. Ids only grow, and one writer commits them
//! in order; deletions are numbered in the same way (tombstones). So what a snapshot sees of a set
//! is the rows up to the greatest id in it, less those of the tombstones in it. A reader takes the
//! rows of tombstones that the cache has not seen out of it, adds the rows beyond the cached ones,
//! and uses the cached rows up to its greatest id. A reader whose snapshot is older than the cache
//! reads the rows themselves, since some of its rows may be gone from the cache. When there are
//! too many tombstones they are dropped and the set's epoch grows, which empties every cache.
//! Nothing tells the cache of commits; another process's are found in the same way.

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
    store::{bytes::damaged, format::class_id, sum::sum},
};

use super::{
    components,
    files::FileKind,
    graph::{Graph, Unfit},
    matrix::{Matrix, Position},
    metric::Metric,
    rows,
    scan::ExactScan,
    threads::for_each,
};

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
    pub(super) index_from: usize,
    /// A search found a graph missing or behind.
    pub(super) wish: AtomicBool,
}

#[derive(Default)]
pub(crate) struct SetCache {
    matrix: RwLock<Arc<Matrix>>,
    /// Held by the one who adds rows, so that no two read them.
    growing: Mutex<()>,
    graph: RwLock<Option<Arc<Graph>>>,
    /// Whether a search would have had use for a graph.
    pub(super) wanted: AtomicBool,
    /// The file of rows was found to be damaged.
    no_file: AtomicBool,
}

/// How far a snapshot sees into a set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetState {
    /// The greatest id in it, if it has any.
    pub(super) newest: Option<i64>,
    pub(super) now: Position,
}

impl VectorCache {
    pub(crate) fn new(scan: ExactScan, folder: Option<PathBuf>, index_from: usize) -> Self {
        Self { scan, folder, index_from, ..Self::default() }
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
        // Ids only grow: one beyond all that are there may be of a set that `conn` does not see yet.
        let newest = there.iter().max().copied().unwrap_or(0);
        sets.retain(|id, _| there.contains(id) || *id > newest);
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
    pub(super) fn grow(
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
pub(super) fn tombstones(conn: &Connection, set: i64, after: i64) -> Result<Vec<i64>, ErrorKind> {
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
                for_each((left.start..to).collect(), threads, |node| graph.link(node));
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
    pub(super) fn give_up_file(&self) {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        self.no_file.store(true, Ordering::Release);
        let mut matrix = self.matrix.write().unwrap_or_else(PoisonError::into_inner);
        if matrix.is_broken() {
            *matrix = Arc::default();
        }
    }
}

/// The set's rows after an id, in order.
pub(super) fn each_row(
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
    use super::{super::search::Search, *};
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
    fn sets_are_given_up_that_are_gone_and_not_those_that_are_new() {
        let dir = tempfile::tempdir().unwrap();
        let directory =
            Directory::open(dir.path(), true, crate::store::Settings::default()).unwrap();
        let writer = Store::open_writer(&directory).unwrap();
        let add = |set: i64| {
            let sql = format!(
                "INSERT INTO c3 (id, txn, name, dimensions, engines, metrics)
                    VALUES ({set}, 1, 'set {set}', 1, '[]', '[]')"
            );
            writer.conn.execute_batch(&sql).unwrap();
        };
        let snapshot = || {
            let store = Store::open_reader(&directory).unwrap();
            store.conn.execute_batch("BEGIN; SELECT count(*) FROM c3").unwrap();
            store.conn
        };
        let cache = VectorCache::default();
        let of_set = |conn: &Connection, set: i64| cache.of_set(conn, set).unwrap();
        add(1);
        add(2);
        let older = snapshot();
        add(3);
        let newer = snapshot();
        let kept = of_set(&newer, 3);
        let gone = of_set(&older, 1);
        assert!(Arc::ptr_eq(&kept, &of_set(&newer, 3)), "the older snapshot does not see it yet");
        writer.conn.execute_batch("DELETE FROM c3 WHERE id = 1").unwrap();
        of_set(&snapshot(), 2);
        assert!(!Arc::ptr_eq(&gone, &of_set(&older, 1)));
        assert!(Arc::ptr_eq(&kept, &of_set(&newer, 3)));
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
