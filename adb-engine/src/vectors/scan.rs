//! The exact search, over all rows and over some of them.

use std::{borrow::Cow, ops::Range};

use super::{
    half,
    kernel::{HalvedDots, HalvedDotsOf, Halves, Measures},
    matrix::{BLOCK_ROWS, Block, Matrix},
    metric::{Metric, inverse_norm},
    places::{Passed, Place, Places},
    prefetch,
    sieve::{Candidate, QueryBound, RowBound, Sieve, is_beyond},
    threads::{in_threads, parts},
    top::Top,
};

/// How an exact search reads the vectors. The answers are the same to the last bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExactScan {
    /// All of them as they are.
    Full,
    /// In bfloat16 first, with a bound of the error, then those as they are that may be among the
    /// nearest. Nearly twice as fast, as memory is what a scan waits for, and takes half as much
    /// memory again.
    #[default]
    Halved,
}

/// More neighbours than these are looked for without bounds.
pub(super) const MAX_SIEVED: usize = 4096;
/// Rows here and there that are compared before the sieve looks at them.
const PLACES_AT_ONCE: usize = 256;

/// What a search sees of a set.
pub(super) struct View<'a> {
    pub(super) matrix: &'a Matrix,
    /// No rows beyond this id.
    pub(super) newest: i64,
    /// Not these, in ascending order.
    pub(super) dead: &'a [i64],
}

impl View<'_> {
    pub(super) fn has(&self, id: i64) -> bool {
        id <= self.newest && self.dead.binary_search(&id).is_err()
    }

    /// The row of an id, if the search may see it.
    pub(super) fn row(&self, id: i64) -> Option<(&Block, usize)> {
        let at = self.matrix.find(id).filter(|_| self.has(id))?;
        Some((&self.matrix.blocks[at.block], at.row))
    }
}

/// A query, and what is measured of it once.
pub(super) struct Query<'a> {
    pub(super) metric: Metric,
    pub(super) components: &'a [f32],
    pub(super) inverse_norm: f32,
}

impl<'a> Query<'a> {
    pub(super) fn new(metric: Metric, components: &'a [f32]) -> Self {
        Self { metric, components, inverse_norm: inverse_norm(components) }
    }

    pub(super) fn measure(&self, block: &Block, row: usize) -> f32 {
        let norms = [self.inverse_norm, block.inverse_norms[row]];
        self.metric.measure(self.components, block.row(row), norms)
    }
}

/// How many rows ahead of the one that is measured memory is asked for.
const AHEAD: usize = 3;

/// Offers the first `most` of these ids that the search may see.
pub(super) fn offer(
    view: &View<'_>,
    query: &Query<'_>,
    ids: impl Iterator<Item = i64>,
    most: usize,
    top: &mut Top,
) {
    let rows: Vec<_> = ids.filter_map(|id| view.row(id)).take(most).collect();
    for (block, row) in rows.iter().take(AHEAD) {
        prefetch::soon(block.row(*row));
    }
    for (at, &(block, row)) in rows.iter().enumerate() {
        if let Some((block, row)) = rows.get(at + AHEAD) {
            prefetch::soon(block.row(*row));
        }
        top.offer(block.ids[row], query.measure(block, row));
    }
}

/// Offers the rows after an id to `top`.
pub(super) fn scan(view: &View<'_>, query: &Query<'_>, after: i64, top: &mut Top) {
    let first = view.matrix.block_after(after);
    let end =
        view.matrix.blocks.partition_point(|b| b.ids.first().is_some_and(|&id| id <= view.newest));
    if first >= end {
        return;
    }
    let blocks = first..end;
    let halved = top.k() <= MAX_SIEVED && view.matrix.is_halved();
    let bytes = query.components.len() * if halved { 2 } else { 4 };
    let parts = parts(blocks, bytes * BLOCK_ROWS);
    if halved {
        let sieves = in_threads(parts, |blocks| sieve_blocks(view, query, after, blocks, top.k()));
        settle(view, query, sieves, top);
    } else {
        for part in in_threads(parts, |blocks| scan_blocks(view, query, after, blocks, top.k())) {
            top.merge(part);
        }
    }
}

fn scan_blocks(
    view: &View<'_>,
    query: &Query<'_>,
    after: i64,
    blocks: Range<usize>,
    k: usize,
) -> Top {
    let mut top = Top::new(query.metric, k);
    let mut measures = Vec::new();
    for block in &view.matrix.blocks[blocks] {
        let (metric, rows) = (query.metric, &block.components[..]);
        Measures { metric, query: query.components, rows, out: &mut measures }.run();
        let from = block.ids.partition_point(|&id| id <= after);
        for (row, measure) in measures.iter().enumerate().skip(from) {
            let measure = match metric {
                Metric::Cosine => measure * query.inverse_norm * block.inverse_norms[row],
                Metric::L2 | Metric::InnerProduct => *measure,
            };
            if top.would_take(measure) && view.has(block.ids[row]) {
                top.offer(block.ids[row], measure);
            }
        }
    }
    top
}

fn sieve_blocks(
    view: &View<'_>,
    query: &Query<'_>,
    after: i64,
    blocks: Range<usize>,
    k: usize,
) -> Sieve {
    let mut sieve = Sieve::new(k);
    let halves = Halves::new(query.components);
    let of_query = QueryBound::of(query.metric, query.components);
    let mut dots = Vec::new();
    for at in blocks {
        let block = &*view.matrix.blocks[at];
        HalvedDots { query: &halves, rows: &block.halves, out: &mut dots }.run();
        let from = block.ids.partition_point(|&id| id <= after);
        for (row, dot) in dots.iter().enumerate().skip(from) {
            let bounds = RowBound::of(query.metric, block, row, true).around(*dot, &of_query);
            if !is_beyond(bounds[0], sieve.limit()) && view.has(block.ids[row]) {
                sieve.offer(at as u32, row as u32, bounds);
            }
        }
    }
    sieve
}

/// Measures what sieves have left.
pub(super) fn settle(view: &View<'_>, query: &Query<'_>, sieves: Vec<Sieve>, top: &mut Top) {
    let mut sieves = sieves.into_iter();
    let Some(mut all) = sieves.next() else { return };
    for sieve in sieves {
        all.merge(sieve);
    }
    for Candidate { block, row, .. } in all.into_candidates() {
        let (block, row) = (&view.matrix.blocks[block as usize], row as usize);
        top.offer(block.ids[row], query.measure(block, row));
    }
}

/// Offers the rows that a filter lets through.
pub(super) fn scan_among(view: &View<'_>, query: &Query<'_>, among: &Passed, top: &mut Top) {
    match among.places(view) {
        Some(places) => {
            let all = &places.all;
            scan_places(view, query, all.len(), |part| Cow::Borrowed(&all[part]), top);
        }
        None => scan_ids(view, query, among.ids(), top),
    }
}

/// Offers the rows of these ids, which are in ascending order.
pub(super) fn scan_ids(view: &View<'_>, query: &Query<'_>, ids: &[i64], top: &mut Top) {
    scan_places(view, query, ids.len(), |part| Cow::Owned(Places::of(view, &ids[part]).all), top);
}

/// Offers the rows at so many places; `places` gives a part of them.
fn scan_places<'p>(
    view: &View<'_>,
    query: &Query<'_>,
    count: usize,
    places: impl Fn(Range<usize>) -> Cow<'p, [Place]> + Sync,
    top: &mut Top,
) {
    let k = top.k();
    let halved = k <= MAX_SIEVED && view.matrix.is_halved();
    let bytes = query.components.len() * if halved { 2 } else { 4 };
    let parts = parts(0..count, bytes);
    if halved {
        let sieves = in_threads(parts, |part| sieve_places(view, query, &places(part), k));
        settle(view, query, sieves, top);
    } else {
        let tops = in_threads(parts, |part| {
            let mut top = Top::new(query.metric, k);
            for place in &*places(part) {
                let (block, row) = place.of(view.matrix);
                top.offer(block.ids[row], query.measure(block, row));
            }
            top
        });
        for part in tops {
            top.merge(part);
        }
    }
}

fn sieve_places(view: &View<'_>, query: &Query<'_>, places: &[Place], k: usize) -> Sieve {
    let mut sieve = Sieve::new(k);
    let halves = Halves::new(query.components);
    let of_query = QueryBound::of(query.metric, query.components);
    let (mut rows, mut dots) = (Vec::with_capacity(PLACES_AT_ONCE), Vec::new());
    for some in places.chunks(PLACES_AT_ONCE) {
        rows.clear();
        for of_block in some.chunk_by(|a, b| a.block == b.block) {
            let block = of_block[0].of(view.matrix).0;
            let (all, words) = (&block.halves[..], half::words(block.dimensions));
            rows.extend(of_block.iter().map(|p| &all[p.row as usize * words..][..words]));
        }
        HalvedDotsOf { query: &halves, rows: &rows, out: &mut dots }.run();
        for (place, dot) in some.iter().zip(&dots) {
            let (block, row) = place.of(view.matrix);
            let bound = RowBound::with(query.metric, place.notes, block, row);
            sieve.offer(place.block, place.row, bound.around(*dot, &of_query));
        }
    }
    sieve
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{
        super::{
            batch::{MIN_TILED, scan_batch},
            threads::cores,
        },
        *,
    };

    fn matrix(rows: &[Vec<f32>], scan: ExactScan) -> Arc<Matrix> {
        let mut matrix = Matrix::default();
        for (i, row) in rows.iter().enumerate() {
            // Ids with gaps.
            matrix.push(3 * i as i64 + 1, row, scan);
        }
        matrix.publish()
    }

    /// Of all that may be seen, by sorting.
    fn sorted(
        view: &View<'_>,
        query: &Query<'_>,
        k: usize,
        among: impl Fn(i64) -> bool,
    ) -> Vec<(i64, u32)> {
        let mut top = Top::new(query.metric, k);
        for block in &view.matrix.blocks {
            for (row, &id) in block.ids.iter().enumerate() {
                if view.has(id) && among(id) {
                    top.offer(id, query.measure(block, row));
                }
            }
        }
        found(top)
    }

    fn found(top: Top) -> Vec<(i64, u32)> {
        top.into_sorted().iter().map(|n| (n.id, n.distance.to_bits())).collect()
    }

    fn component() -> impl Strategy<Value = f32> {
        // Many that are alike, so that bounds overlap and ties are common; some that no bound holds.
        prop_oneof![
            8 => (-3_i8..3).prop_map(f32::from),
            8 => -1.0_f32..1.0,
            4 => (0_u8..4).prop_map(|n| 1.0 + f32::from(n) * 1e-6),
            1 => Just(1e-30),
            1 => Just(3e19),
            1 => Just(-3e38),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn every_way_finds_the_same(
            rows in (1_usize..40).prop_flat_map(|d| prop::collection::vec(prop::collection::vec(component(), d), 1..60)),
            repeat in prop_oneof![4 => Just(1_usize), 1 => Just(40)],
            k in 1_usize..20,
            seed in any::<u64>(),
        ) {
            let rows: Vec<Vec<f32>> = (0..repeat).flat_map(|_| rows.clone()).collect();
            let full = matrix(&rows, ExactScan::Full);
            let halved = matrix(&rows, ExactScan::Halved);
            let queries: Vec<&Vec<f32>> = (0..6).map(|i| &rows[(seed as usize / (i + 1)) % rows.len()]).collect();
            let dead: Vec<i64> = (0..rows.len() as i64).filter(|i| (seed >> (i % 60)) & 7 == 0).map(|i| 3 * i + 1).collect();
            let newest = 3 * (rows.len() as i64 * 7 / 8) + 1;
            let among: Vec<i64> = (0..4 * rows.len() as i64).filter(|i| (seed >> (i % 61)) & 1 == 0).collect();
            let passed = Passed::new(among.clone());
            for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
                for matrix in [&full, &halved] {
                    let view = View { matrix, newest, dead: &dead };
                    let asked: Vec<Query<'_>> = queries.iter().map(|q| Query::new(metric, q)).collect();
                    let mut batch: Vec<Top> = asked.iter().map(|_| Top::new(metric, k)).collect();
                    scan_batch(&view, &asked, &mut batch);
                    for (query, in_batch) in asked.iter().zip(batch) {
                        let expected = sorted(&view, query, k, |_| true);
                        prop_assert_eq!(&found(in_batch), &expected);
                        let mut top = Top::new(metric, k);
                        scan(&view, query, 0, &mut top);
                        prop_assert_eq!(&found(top), &expected);
                        let mut top = Top::new(metric, k);
                        scan(&view, query, 31, &mut top);
                        prop_assert_eq!(found(top), sorted(&view, query, k, |id| id > 31));
                        let mut top = Top::new(metric, k);
                        scan_ids(&view, query, &among, &mut top);
                        let expected = sorted(&view, query, k, |id| among.binary_search(&id).is_ok());
                        prop_assert_eq!(&found(top), &expected);
                        for _ in 0..2 {
                            let mut top = Top::new(metric, k);
                            scan_among(&view, query, &passed, &mut top);
                            prop_assert_eq!(&found(top), &expected);
                        }
                    }
                }
            }
        }
    }

    /// Its square is zero, and its products are not.
    #[test]
    fn a_query_whose_square_vanishes() {
        let rows = [vec![0.0], vec![-0.1], vec![0.0]];
        let matrix = matrix(&rows, ExactScan::Halved);
        let view = View { matrix: &matrix, newest: i64::MAX, dead: &[] };
        let query = Query::new(Metric::Cosine, &[1e-30]);
        let mut top = Top::new(Metric::Cosine, 2);
        scan(&view, &query, 0, &mut top);
        assert_eq!(found(top), [(1, 0), (4, 0)]);
    }

    /// Their products with the zeros beside the queries are no numbers.
    #[test]
    fn rows_whose_squares_are_too_large() {
        let rows = vec![vec![3e19], vec![1.0]];
        let matrix = matrix(&rows, ExactScan::Full);
        let view = View { matrix: &matrix, newest: i64::MAX, dead: &[] };
        let queries: Vec<Query<'_>> =
            (0..MIN_TILED).map(|_| Query::new(Metric::L2, &rows[1])).collect();
        let mut tops: Vec<Top> = queries.iter().map(|_| Top::new(Metric::L2, 2)).collect();
        scan_batch(&view, &queries, &mut tops);
        for top in tops {
            assert_eq!(top.into_sorted().iter().map(|n| n.id).collect::<Vec<_>>(), [4, 1]);
        }
    }

    #[test]
    fn threads_share_the_rows() {
        let dimensions = 64;
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 / 32768.0 - 1.0
        };
        let rows: Vec<Vec<f32>> =
            (0..40 * BLOCK_ROWS).map(|_| (0..dimensions).map(|_| next()).collect()).collect();
        assert!(parts(0..40, BLOCK_ROWS * dimensions * 4).len() > 1 || cores() == 1);
        for scan_by in [ExactScan::Full, ExactScan::Halved] {
            let matrix = matrix(&rows, scan_by);
            let view = View { matrix: &matrix, newest: i64::MAX, dead: &[] };
            let query = Query::new(Metric::L2, &rows[77]);
            let mut top = Top::new(Metric::L2, 5);
            scan(&view, &query, 0, &mut top);
            assert_eq!(found(top), sorted(&view, &query, 5, |_| true), "{scan_by:?}");
        }
    }
}
