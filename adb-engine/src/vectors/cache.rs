//! Committed vectors in memory, and the exact search over them.
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
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use rusqlite::{Connection, params};

use crate::{
    error::ErrorKind,
    store::{bytes::damaged, format::class_id, sum::sum},
};

use super::{
    Neighbour, components,
    metric::{Metric, inverse_norm},
    top::Top,
};

/// Rows that are kept and copied together.
const BLOCK_ROWS: usize = 1024;

/// The caches of all sets.
#[derive(Default)]
pub(crate) struct VectorCache {
    sets: Mutex<HashMap<i64, Arc<SetCache>>>,
}

#[derive(Default)]
struct SetCache {
    matrix: RwLock<Matrix>,
    /// Held by the one who adds rows, so that no two read them.
    growing: Mutex<()>,
}

/// Rows of one set. A clone shares the blocks: a search never holds up the one who adds.
#[derive(Clone, Default)]
struct Matrix {
    blocks: Vec<Arc<Block>>,
    /// The greatest id that was looked at.
    last: i64,
    /// How far it has followed the deletions.
    at: Position,
}

/// A state of a set, as far as deletions go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    epoch: i64,
    /// The last tombstone of the epoch.
    tombstone: i64,
}

#[derive(Clone, Default)]
struct Block {
    ids: Vec<i64>,
    components: Vec<f32>,
    inverse_norms: Vec<f32>,
}

/// A search in one set.
pub(crate) struct Search<'a> {
    pub(crate) set: i64,
    /// As long as the set's vectors.
    pub(crate) query: &'a [f32],
    pub(crate) metric: Metric,
    pub(crate) k: usize,
    /// Only these, in ascending order.
    pub(crate) among: Option<&'a [i64]>,
}

impl VectorCache {
    /// The nearest vectors of those that `conn` sees, the nearest first.
    ///
    /// `committed`: whether all that it sees is committed, and may therefore be cached.
    pub(crate) fn search(
        &self,
        conn: &Connection,
        search: &Search<'_>,
        committed: bool,
    ) -> Result<Vec<Neighbour>, ErrorKind> {
        let newest: Option<i64> = conn
            .prepare_cached(&format!(
                "SELECT max(id) FROM c{} WHERE set_id = ?",
                class_id::DESCRIPTOR
            ))?
            .query_row([search.set], |row| row.get(0))?;
        let Some(newest) = newest else { return Ok(Vec::new()) };
        let now = position(conn, search.set)?;
        let cache = self.of_set(conn, search.set)?;
        if committed {
            cache.grow(conn, search, now, newest)?;
        }
        let mut matrix = cache.snapshot();
        let mut dead = Vec::new();
        if matrix.at.epoch != now.epoch || matrix.at > now {
            // Of another time than the snapshot: its rows are read one by one.
            matrix = Matrix::default();
        } else if matrix.at < now {
            dead = tombstones(conn, search.set, matrix.at.tombstone)?;
        }
        let mut scan = Scan {
            metric: search.metric,
            query: search.query,
            inverse_norm: inverse_norm(search.query),
            top: Top::new(search.metric, search.k),
        };
        let mut wanted = Wanted { among: search.among, dead: &dead };
        for block in &matrix.blocks {
            scan.block(block, newest, &mut wanted);
        }
        if matrix.last < newest {
            scan.rows(conn, search, matrix.last)?;
        }
        Ok(scan.top.into_sorted())
    }

    /// The cache of a set. A new one is the time to give up those of sets that are gone.
    fn of_set(&self, conn: &Connection, set: i64) -> Result<Arc<SetCache>, ErrorKind> {
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

    /// Gives up what is kept of a set. Who still sees the set reads it again.
    pub(crate) fn forget(&self, set: i64) {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).remove(&set);
    }
}

fn position(conn: &Connection, set: i64) -> Result<Position, ErrorKind> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT epoch, ifnull((SELECT max(number) FROM tombstone WHERE set_id = s.id), 0)
         FROM c{} AS s WHERE id = ?",
        class_id::DESCRIPTOR_SET
    ))?;
    Ok(select
        .query_row([set], |row| Ok(Position { epoch: row.get(0)?, tombstone: row.get(1)? }))?)
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
    fn snapshot(&self) -> Matrix {
        self.matrix.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows the deletions up to `now` and adds the rows up to `newest`, unless that is past.
    fn grow(
        &self,
        conn: &Connection,
        search: &Search<'_>,
        now: Position,
        newest: i64,
    ) -> Result<(), ErrorKind> {
        let is_past = |m: &Matrix| m.at > now || (m.at == now && m.last >= newest);
        if is_past(&self.snapshot()) {
            return Ok(());
        }
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut matrix = self.snapshot();
        if is_past(&matrix) {
            return Ok(());
        }
        if matrix.at.epoch < now.epoch {
            matrix = Matrix::default();
        } else if matrix.at < now {
            matrix.remove(&tombstones(conn, search.set, matrix.at.tombstone)?);
        }
        matrix.at = now;
        let mut row = Vec::with_capacity(search.query.len());
        each_row(conn, search, matrix.last, |id, bytes| {
            row.clear();
            row.extend(components(bytes));
            matrix.push(id, &row);
        })?;
        *self.matrix.write().unwrap_or_else(PoisonError::into_inner) = matrix;
        Ok(())
    }
}

impl Matrix {
    fn push(&mut self, id: i64, row: &[f32]) {
        if self.blocks.last().is_none_or(|b| b.ids.len() >= BLOCK_ROWS) {
            self.blocks.push(Arc::default());
        }
        if let Some(last) = self.blocks.last_mut() {
            let block = Arc::make_mut(last);
            block.ids.push(id);
            block.components.extend_from_slice(row);
            block.inverse_norms.push(inverse_norm(row));
        }
        self.last = id;
    }

    /// Takes rows out; `dead` is in ascending order.
    fn remove(&mut self, dead: &[i64]) {
        for block in &mut self.blocks {
            let (Some(first), Some(last)) = (block.ids.first(), block.ids.last()) else { continue };
            let from = dead.partition_point(|id| id < first);
            let to = dead.partition_point(|id| id <= last);
            if dead[from..to].iter().any(|id| block.ids.binary_search(id).is_ok()) {
                *block = Arc::new(block.without(&dead[from..to]));
            }
        }
        self.blocks.retain(|block| !block.ids.is_empty());
    }
}

impl Block {
    fn without(&self, dead: &[i64]) -> Self {
        let dimensions = self.components.len() / self.ids.len().max(1);
        let mut left = Self::default();
        for (i, id) in self.ids.iter().enumerate() {
            if dead.binary_search(id).is_err() {
                left.ids.push(*id);
                let row = i * dimensions..(i + 1) * dimensions;
                left.components.extend_from_slice(&self.components[row]);
                left.inverse_norms.push(self.inverse_norms[i]);
            }
        }
        left
    }
}

/// Which cached rows count, both lists in ascending order. What has been passed is taken off.
struct Wanted<'a> {
    /// Only these.
    among: Option<&'a [i64]>,
    /// Not these.
    dead: &'a [i64],
}

impl Wanted<'_> {
    fn has(&mut self, id: i64) -> bool {
        if !self.dead.is_empty() {
            self.dead = &self.dead[self.dead.partition_point(|&d| d < id)..];
            if self.dead.first() == Some(&id) {
                return false;
            }
        }
        match &mut self.among {
            None => true,
            Some(among) => {
                *among = &among[among.partition_point(|&w| w < id)..];
                among.first() == Some(&id)
            }
        }
    }

    /// Whether nothing is left to look for.
    fn is_done(&self) -> bool {
        self.among.is_some_and(<[i64]>::is_empty)
    }
}

/// A search under way.
struct Scan<'a> {
    metric: Metric,
    query: &'a [f32],
    inverse_norm: f32,
    top: Top,
}

impl Scan<'_> {
    /// Looks at a block's rows up to `newest`.
    fn block(&mut self, block: &Block, newest: i64, wanted: &mut Wanted<'_>) {
        let visible = block.ids.partition_point(|&id| id <= newest);
        let rows = block.components.chunks_exact(self.query.len().max(1));
        let rows = block.ids[..visible].iter().zip(rows).zip(&block.inverse_norms);
        if wanted.among.is_none() && wanted.dead.is_empty() {
            for ((&id, row), &norm) in rows {
                self.offer(id, row, norm);
            }
            return;
        }
        for ((&id, row), &norm) in rows {
            if wanted.has(id) {
                self.offer(id, row, norm);
            } else if wanted.is_done() {
                return;
            }
        }
    }

    /// Looks at rows that are not cached.
    fn rows(
        &mut self,
        conn: &Connection,
        search: &Search<'_>,
        after: i64,
    ) -> Result<(), ErrorKind> {
        let mut row = Vec::with_capacity(search.query.len());
        each_row(conn, search, after, |id, bytes| {
            if search.among.is_none_or(|ids| ids.binary_search(&id).is_ok()) {
                row.clear();
                row.extend(components(bytes));
                self.offer(id, &row, inverse_norm(&row));
            }
        })
    }

    fn offer(&mut self, id: i64, row: &[f32], inverse_norm: f32) {
        let measure = self.metric.measure(self.query, row, [self.inverse_norm, inverse_norm]);
        self.top.offer(id, measure);
    }
}

/// The set's rows after an id, in order.
fn each_row(
    conn: &Connection,
    search: &Search<'_>,
    after: i64,
    mut visit: impl FnMut(i64, &[u8]),
) -> Result<(), ErrorKind> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT d.id, v.bytes, v.sum FROM c{} AS d JOIN vector AS v ON v.id = d.id
         WHERE d.set_id = ? AND d.id > ? ORDER BY d.id",
        class_id::DESCRIPTOR
    ))?;
    let mut rows = select.query(params![search.set, after])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        if bytes.len() != search.query.len() * 4 {
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
        let search = Search { set: 1, query: &[0.0], metric: Metric::L2, k: 99, among: None };
        let found = cache.search(&store.conn, &search, committed).unwrap();
        found.into_iter().map(|n| n.id).collect()
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
