//! How many candidates a search must keep to find what it should, which is measured.
//!
//! It depends on the vectors: among some, 30 find everything, among others 500 don't. So vectors of
//! the set are looked for, by the graph and by a scan, and what was needed is remembered.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::Graph;
use crate::vectors::{
    batch::scan_batch,
    matrix::Matrix,
    scan::{self, Query, View},
    threads::for_each,
    top::Top,
};

/// Numbers of neighbours for which it is measured.
const WANTED: [usize; 3] = [1, 10, 100];
/// Candidates that are tried.
const TRIED: [u32; 14] = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048];
/// Candidates as long as nothing is known.
const UNKNOWN: [u32; 3] = [128, 128, 384];
/// Sets of fewer vectors are searched with no fewer candidates than these: what a sample of them says
/// differs from chance to chance, and they are searched in no time.
const SMALL: u32 = 10_000;
const SMALL_LEAST: usize = 64;
/// Not even the most will do.
const NONE: u32 = u32::MAX;
/// Vectors that are looked for.
const SAMPLE: usize = 64;
/// Of so many of the nearest all but one must be found. What comes as a query is a little harder to
/// find than what is in the graph, so this is more than is promised.
const ONE_IN: [usize; 3] = [200, 200, 100];
/// Hits that are measured in full, for each neighbour that is wanted, and at least.
const MEASURED: usize = 2;
const MEASURED_LEAST: usize = 16;
/// A scan of so many vectors takes as long as one candidate.
const SCANNED: usize = 16;
/// As many candidates are no more than a scan, whatever the set's size.
const FEW: usize = 512;

/// How many hits for `k` neighbours are measured in full.
pub(in crate::vectors) fn measured(k: usize) -> usize {
    k.saturating_mul(MEASURED).max(MEASURED_LEAST)
}

/// More candidates than these take longer than a scan of so many vectors.
pub(in crate::vectors) fn most(vectors: usize) -> usize {
    (vectors / SCANNED).max(FEW)
}

/// What was measured.
pub(super) struct Efforts {
    each: [AtomicU32; 3],
    /// How many vectors there were then.
    at: AtomicU32,
}

impl Efforts {
    pub(super) fn unknown() -> Self {
        Self { each: UNKNOWN.map(AtomicU32::new), at: AtomicU32::new(0) }
    }

    /// As [`Efforts::numbers`] gives them.
    pub(super) fn known([a, b, c, at]: [u32; 4]) -> Self {
        Self { each: [a, b, c].map(AtomicU32::new), at: AtomicU32::new(at) }
    }

    pub(super) fn numbers(&self) -> [u32; 4] {
        let [a, b, c] = self.each.each_ref().map(|e| e.load(Ordering::Relaxed));
        [a, b, c, self.at.load(Ordering::Relaxed)]
    }

    /// Candidates for `k` neighbours; nothing where a scan is the better way.
    fn of(&self, k: usize) -> Option<usize> {
        let at = |i: usize| {
            let effort = self.each[i].load(Ordering::Relaxed);
            (effort != NONE).then_some(effort as usize)
        };
        let effort = match k {
            ..=1 => at(0)?,
            2..=10 => at(1)?,
            11..=100 => {
                let (few, many) = (at(1)?, at(2)?);
                few + many.saturating_sub(few) * (k - 10) / 90
            }
            _ => at(2)?.saturating_mul(k) / 100,
        };
        let is_small = self.at.load(Ordering::Relaxed) < SMALL;
        let least = if is_small { SMALL_LEAST } else { 0 };
        Some(effort.max(measured(k)).max(least))
    }
}

impl Graph {
    /// How many candidates a search for `k` neighbours is to keep; nothing where the graph is of no
    /// use for that.
    pub(in crate::vectors) fn effort(&self, k: usize) -> Option<usize> {
        self.efforts.of(k)
    }

    /// Whether it has grown so much since it was measured that it must be again.
    pub(in crate::vectors) fn is_unmeasured(&self) -> bool {
        let at = self.efforts.at.load(Ordering::Relaxed) as usize;
        self.len() > at + at / 8
    }

    /// Finds out what searches need. The graph has all rows of the matrix.
    pub(in crate::vectors) fn measure(&self, matrix: &Matrix, threads: usize) {
        let view = View { matrix, newest: i64::MAX, dead: &[] };
        let rows = matrix.len();
        let ids: Vec<i64> = matrix.ids_after(0);
        let sample: Vec<(i64, Query<'_>)> = (0..SAMPLE.min(rows))
            .filter_map(|i| {
                let id = ids[i * rows / SAMPLE.min(rows)];
                let (block, row) = view.row(id)?;
                Some((id, Query::new(self.metric(), block.row(row))))
            })
            .collect();
        let most_wanted = WANTED[WANTED.len() - 1];
        // The vector itself is no answer: queries are none of the set's vectors.
        let queries: Vec<Query<'_>> =
            sample.iter().map(|(_, q)| Query::new(q.metric, q.components)).collect();
        let mut tops: Vec<Top> =
            queries.iter().map(|q| Top::new(q.metric, most_wanted + 1)).collect();
        scan_batch(&view, &queries, &mut tops);
        let nearest = |top: Top, own: i64| {
            let found = top.into_sorted().into_iter().filter(|n| n.id != own);
            found.take(most_wanted).collect::<Vec<_>>()
        };
        let truth: Vec<_> =
            tops.into_iter().zip(&sample).map(|(top, (own, _))| nearest(top, *own)).collect();
        let mut efforts = [NONE; 3];
        let limit = most(rows);
        for effort in TRIED.into_iter().filter(|e| *e as usize <= limit) {
            let missed = [const { AtomicUsize::new(0) }; 3];
            let each: Vec<_> = sample.iter().zip(&truth).collect();
            for_each(each, threads, |((own, query), truth)| {
                let hits = self.search(query.components, effort as usize);
                for (missed, k) in missed.iter().zip(WANTED) {
                    let k = k.min(truth.len());
                    let Some(last) = k.checked_sub(1).map(|last| truth[last]) else { continue };
                    if measured(k) > effort as usize {
                        missed.fetch_add(k, Ordering::Relaxed);
                        continue;
                    }
                    let mut top = Top::new(query.metric, k);
                    let others = hits.iter().copied().filter(|id| id != own);
                    scan::offer(&view, query, others, measured(k), &mut top);
                    // What is as near as the last is as good.
                    let far = |distance| query.metric.farness(distance);
                    let found = top
                        .into_sorted()
                        .iter()
                        .filter(|n| far(n.distance) <= far(last.distance))
                        .count();
                    missed.fetch_add(k - found, Ordering::Relaxed);
                }
            });
            for (i, (found, missed)) in efforts.iter_mut().zip(missed).enumerate() {
                let allowed = WANTED[i] * sample.len() / ONE_IN[i];
                if *found == NONE && missed.into_inner() <= allowed {
                    *found = effort + effort / 4;
                }
            }
            if !efforts.contains(&NONE) {
                break;
            }
        }
        for (to, effort) in self.efforts.each.iter().zip(efforts) {
            to.store(effort, Ordering::Relaxed);
        }
        self.efforts.at.store(self.len() as u32, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efforts_grow_with_what_is_wanted() {
        let efforts = Efforts::known([20, 40, 130, SMALL]);
        let of = |k| efforts.of(k).unwrap();
        assert_eq!([of(1), of(2), of(10), of(55), of(100), of(200)], [20, 40, 40, 110, 200, 400]);
        assert_eq!(efforts.numbers(), [20, 40, 130, SMALL]);
        assert_eq!(Efforts::known([20, 40, 130, 9]).of(1), Some(SMALL_LEAST));
        let some = Efforts::known([20, 40, NONE, 9]);
        assert_eq!(
            [1, 10, 11, 100, 500].map(|k| some.of(k).is_some()),
            [true, true, false, false, false]
        );
        assert_eq!(Efforts::known([NONE; 4]).of(1), None);
        assert!(Efforts::unknown().of(3).is_some());
    }
}
