//! Committed vectors in memory, and the exact search over them.
//!
//! Rows of a set are cached in the order of their ids. Ids only grow, and one writer commits them
//! in order, so what a snapshot sees of a set is the rows up to the greatest id in it: a reader
//! uses the cached rows up to that id, and adds to the cache what it sees beyond the cached ones.
//! Nothing tells the cache of commits; another process's are found in the same way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use rusqlite::{Connection, params};

use crate::{error::ErrorKind, store::format::class_id};

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
    /// The greatest id in it.
    last: i64,
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
        let cache = {
            let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
            sets.entry(search.set).or_default().clone()
        };
        if committed {
            cache.grow(conn, search, newest)?;
        }
        let matrix = cache.snapshot();
        let mut scan = Scan {
            metric: search.metric,
            query: search.query,
            inverse_norm: inverse_norm(search.query),
            top: Top::new(search.metric, search.k),
        };
        let mut among = search.among;
        for block in &matrix.blocks {
            scan.block(block, newest, &mut among);
        }
        if matrix.last < newest {
            scan.rows(conn, search, matrix.last, among)?;
        }
        Ok(scan.top.into_sorted())
    }
}

impl SetCache {
    fn snapshot(&self) -> Matrix {
        self.matrix.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the rows up to `newest`.
    fn grow(&self, conn: &Connection, search: &Search<'_>, newest: i64) -> Result<(), ErrorKind> {
        if self.snapshot().last >= newest {
            return Ok(());
        }
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut matrix = self.snapshot();
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
}

/// A search under way.
struct Scan<'a> {
    metric: Metric,
    query: &'a [f32],
    inverse_norm: f32,
    top: Top,
}

impl Scan<'_> {
    /// Looks at a block's rows up to `newest`. Takes off `among` what lies before the block's end.
    fn block(&mut self, block: &Block, newest: i64, among: &mut Option<&[i64]>) {
        let visible = block.ids.partition_point(|&id| id <= newest);
        let rows = block.components.chunks_exact(self.query.len().max(1));
        let rows = block.ids[..visible].iter().zip(rows).zip(&block.inverse_norms);
        match among {
            None => {
                for ((&id, row), &norm) in rows {
                    self.offer(id, row, norm);
                }
            }
            Some(wanted) => {
                for ((&id, row), &norm) in rows {
                    let skip = wanted.partition_point(|&w| w < id);
                    *wanted = &wanted[skip..];
                    match wanted.first() {
                        None => return,
                        Some(&first) if first == id => self.offer(id, row, norm),
                        Some(_) => {}
                    }
                }
            }
        }
    }

    /// Looks at rows that are not cached.
    fn rows(
        &mut self,
        conn: &Connection,
        search: &Search<'_>,
        after: i64,
        among: Option<&[i64]>,
    ) -> Result<(), ErrorKind> {
        let mut row = Vec::with_capacity(search.query.len());
        each_row(conn, search, after, |id, bytes| {
            if among.is_none_or(|ids| ids.binary_search(&id).is_ok()) {
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
        "SELECT d.id, v.bytes FROM c{} AS d JOIN vector AS v ON v.id = d.id
         WHERE d.set_id = ? AND d.id > ? ORDER BY d.id",
        class_id::DESCRIPTOR
    ))?;
    let mut rows = select.query(params![search.set, after])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        if bytes.len() != search.query.len() * 4 {
            return Err(ErrorKind::Damaged(format!("vector {id} has {} bytes", bytes.len())));
        }
        visit(id, bytes);
    }
    Ok(())
}
