//! The nearest neighbours, found by comparing all: what recall is measured against.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::data::{Vectors, bucket, components, queries, write_once};

pub(crate) const K: usize = 10;
/// Searches whose answers are known.
pub(crate) const KNOWN: usize = 200;
/// Filters: "bucket < …" of 1000, and what share that is.
pub(crate) const FILTERS: [(u64, &str); 4] =
    [(1000, "100 %"), (500, "50 %"), (50, "5 %"), (5, "0.5 %")];
/// Vectors that stay in the caches while they are compared with all queries.
const TILE: usize = 64;
const STRETCH: usize = 16_384;

/// Ten nearest of `0..rows` for each of 200 searches, for each filter: row numbers of 4 bytes,
/// `0xffff_ffff` where fewer pass the filter.
#[derive(Args)]
pub(crate) struct Write {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    rows: usize,
    #[arg(long)]
    dimensions: usize,
}

fn file(data: &Path, rows: usize, dimensions: usize) -> PathBuf {
    data.join(format!("truth-{rows}x{dimensions}"))
}

/// Of one search and one filter, the best so far: in descending order of similarity.
type Best = Vec<(f32, u32)>;

impl Write {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let path = file(&self.data, self.rows, self.dimensions);
        write_once(&path, FILTERS.len() * KNOWN * K * 4, |file| {
            for best in self.search()?.iter().flatten() {
                let rows = best.iter().map(|(_, row)| *row).chain(std::iter::repeat(u32::MAX));
                for row in rows.take(K) {
                    file.write_all(&row.to_le_bytes())?;
                }
            }
            Ok(())
        })
    }

    /// For each filter, for each search.
    fn search(&self) -> anyhow::Result<Vec<Vec<Best>>> {
        let dimensions = self.dimensions;
        let queries = queries(&self.data, dimensions)?;
        let queries: Vec<Vec<f32>> = queries[..KNOWN].iter().map(|q| components(q)).collect();
        let mut vectors = Vectors::open(&self.data, dimensions)?;
        let mut best = vec![vec![Best::new(); FILTERS.len()]; KNOWN];
        let share = KNOWN.div_ceil(adb_bench::cores());
        for first in (0..self.rows).step_by(STRETCH) {
            let rows = vectors.components(first, STRETCH.min(self.rows - first))?;
            thread::scope(|scope| {
                for (queries, best) in queries.chunks(share).zip(best.chunks_mut(share)) {
                    let rows = &rows;
                    scope.spawn(move || compare(queries, rows, dimensions, first, best));
                }
            });
        }
        let of_filter = |filter: usize| best.iter().map(|all| all[filter].clone()).collect();
        Ok((0..FILTERS.len()).map(of_filter).collect())
    }
}

fn compare(
    queries: &[Vec<f32>],
    rows: &[f32],
    dimensions: usize,
    first: usize,
    best: &mut [Vec<Best>],
) {
    for (tile, rows) in rows.chunks(TILE * dimensions).enumerate() {
        for (query, best) in queries.iter().zip(&mut *best) {
            for (i, vector) in rows.chunks_exact(dimensions).enumerate() {
                let row = first + tile * TILE + i;
                let (near, bucket) = (dot(query, vector), bucket(row));
                for ((below, _), best) in FILTERS.iter().zip(&mut *best) {
                    if bucket < *below {
                        offer(best, near, row as u32);
                    }
                }
            }
        }
    }
}

fn offer(best: &mut Best, near: f32, row: u32) {
    let full = best.len() == K;
    if full && best.last().is_some_and(|(worst, _)| near <= *worst) {
        return;
    }
    if full {
        best.pop();
    }
    best.insert(best.partition_point(|(other, _)| *other >= near), (near, row));
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.chunks(16).zip(b.chunks(16)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// What is known of the nearest neighbours.
pub(crate) struct Truth(Vec<Vec<Vec<u32>>>);

impl Truth {
    pub(crate) fn open(data: &Path, rows: usize, dimensions: usize) -> anyhow::Result<Self> {
        let path = file(data, rows, dimensions);
        let bytes = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
        let number = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let rows: Vec<u32> = bytes.chunks_exact(4).map(number).collect();
        ensure!(rows.len() == FILTERS.len() * KNOWN * K, "{} is too short", path.display());
        let row = |rows: &[u32]| rows.iter().copied().filter(|row| *row != u32::MAX).collect();
        let of_filter = |rows: &[u32]| rows.chunks_exact(K).map(row).collect();
        Ok(Self(rows.chunks_exact(KNOWN * K).map(of_filter).collect()))
    }

    /// The share of the nearest that the answers to the first searches hold.
    pub(crate) fn recall(&self, filter: usize, answers: &[Vec<u32>]) -> f64 {
        let (mut found, mut all) = (0, 0);
        for (answer, truth) in answers.iter().zip(&self.0[filter]) {
            found += truth.iter().filter(|row| answer.contains(row)).count();
            all += truth.len();
        }
        f64::from(u32::try_from(found).unwrap_or(u32::MAX)) / all.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_stay_in_order() {
        let mut best = Best::new();
        for row in 0..100_u32 {
            offer(&mut best, ((row * 37) % 100) as f32, row);
        }
        let near: Vec<f32> = best.iter().map(|(near, _)| *near).collect();
        assert_eq!(near, [99.0, 98.0, 97.0, 96.0, 95.0, 94.0, 93.0, 92.0, 91.0, 90.0]);
    }

    #[test]
    fn recall_counts_what_could_be_found() {
        let truth = Truth(vec![vec![vec![1, 2], vec![3]]]);
        assert!((truth.recall(0, &[vec![2, 9], vec![3, 1]]) - 2.0 / 3.0).abs() < 1e-9);
    }
}
