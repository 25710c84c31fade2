//! Searches in the committed vectors that are in memory, and in what is not.
//!
//! A set whose engine is approximate has a graph beside the rows once the indexer has made one. Its
//! hits are looked up among the rows that the reader sees, and measured there.

use std::sync::{Arc, atomic::Ordering};

use rusqlite::Connection;

use crate::request::fault::Fail;

use super::{
    Neighbour,
    batch::scan_batch,
    cache::{SetState, VectorCache, each_row, tombstones},
    components,
    graph::{Graph, effort},
    metric::{Metric, inverse_norm},
    places::Passed,
    scan::{self, Query, View},
    threads::{cores, for_each},
    top::Top,
};

/// Candidates for each neighbour that is wanted where not all of them count.
const FILTERED: usize = 4;
/// A filter that leaves less than one in so many is better scanned.
const SCANNED_SHARE: usize = 10;
/// So few vectors are scanned without asking further.
const SCANNED_FEW: usize = 4096;

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
}

/// The exact search in what is cached.
fn exact(
    view: &View<'_>,
    queries: &[Query<'_>],
    among: Option<&dyn Among>,
    tops: &mut [Top],
) -> Result<(), Fail> {
    match among {
        None => scan_batch(view, queries, tops),
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
        for_each(each, cores(), |(query, top)| {
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
