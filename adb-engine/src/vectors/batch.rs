//! The exact search for many queries at once: rows are read from memory once for all of them.

use super::{
    kernel::{self, Limits, Tile},
    matrix::BLOCK_ROWS,
    scan::{MAX_SIEVED, Query, View, scan, settle},
    sieve::{QueryBound, RowBound, Sieve},
    threads::{in_threads, parts},
    top::Top,
};

/// Rows of a tile's run: with its queries they fit the cache next to the processor.
const TILE_ROWS: usize = 96;
/// From so many queries on, rows are read once for all.
pub(super) const MIN_TILED: usize = 4;

/// The exact search for many queries, the rows read once for all of them. `after` and what is not
/// in the matrix are the caller's, as in [`scan`].
pub(super) fn scan_batch(view: &View<'_>, queries: &[Query<'_>], tops: &mut [Top]) {
    let Some(first) = queries.first() else { return };
    let (metric, dimensions, k) = (first.metric, first.components.len(), tops[0].k());
    if k > MAX_SIEVED || queries.len() < MIN_TILED {
        for (query, top) in queries.iter().zip(tops) {
            scan(view, query, 0, top);
        }
        return;
    }
    let end =
        view.matrix.blocks.partition_point(|b| b.ids.first().is_some_and(|&id| id <= view.newest));
    let width = kernel::panel_width();
    let panels: Vec<Vec<f32>> = queries
        .chunks(width)
        .map(|some| {
            let some: Vec<&[f32]> = some.iter().map(|q| q.components).collect();
            kernel::pack_panel(&some, dimensions, width)
        })
        .collect();
    let bounds: Vec<QueryBound> =
        queries.iter().map(|q| QueryBound::of(metric, q.components)).collect();
    let parts = parts(0..end, BLOCK_ROWS * dimensions * 4);
    let threads = in_threads(parts, |blocks| {
        let mut sieves: Vec<Sieve> = queries.iter().map(|_| Sieve::new(k)).collect();
        let mut limits: Vec<Limits> =
            bounds.chunks(width).map(|some| limits(some, width)).collect();
        let (mut found, mut of_rows) = (Vec::new(), Vec::new());
        for at in blocks {
            let block = &*view.matrix.blocks[at];
            of_rows.clear();
            of_rows.extend((0..block.ids.len()).map(|row| RowBound::of(metric, block, row, false)));
            for from in (0..block.ids.len()).step_by(TILE_ROWS) {
                let to = (from + TILE_ROWS).min(block.ids.len());
                let rows = &block.components[from * dimensions..to * dimensions];
                for (p, panel) in panels.iter().enumerate() {
                    let limits = &mut limits[p];
                    let sieves = &mut sieves[p * width..queries.len().min((p + 1) * width)];
                    for (limit, sieve) in limits.limits.iter_mut().zip(&*sieves) {
                        *limit = sieve.limit();
                    }
                    let of_rows = &of_rows[from..to];
                    Tile { dimensions, rows, panel, bounds: of_rows, limits, out: &mut found }
                        .run();
                    for &(row, lane, dot) in &found {
                        let (row, lane) = (row as usize, lane as usize);
                        // Beyond the queries there are lanes of zeros, which may be no numbers.
                        let Some(sieve) = sieves.get_mut(lane) else { continue };
                        if view.has(block.ids[from + row]) {
                            let around = of_rows[row].around(dot, &bounds[p * width + lane]);
                            sieve.offer(at as u32, (from + row) as u32, around);
                        }
                    }
                }
            }
        }
        sieves
    });
    let mut of_queries: Vec<Vec<Sieve>> = queries.iter().map(|_| Vec::new()).collect();
    for sieves in threads {
        for (all, one) in of_queries.iter_mut().zip(sieves) {
            all.push(one);
        }
    }
    for ((sieves, query), top) in of_queries.into_iter().zip(queries).zip(tops) {
        settle(view, query, sieves, top);
    }
}

fn limits(queries: &[QueryBound], width: usize) -> Limits {
    let mut limits = Limits {
        norms: queries.iter().map(|q| q.norm).collect(),
        constants: queries.iter().map(|q| q.constant).collect(),
        limits: vec![f32::INFINITY; queries.len()],
    };
    limits.norms.resize(width, 0.0);
    limits.constants.resize(width, 0.0);
    limits.limits.resize(width, f32::NEG_INFINITY);
    limits
}
