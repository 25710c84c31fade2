//! Which rows can be among the k nearest, by dot products that are known up to an error.
//!
//! Every metric's farness is, but for what a query adds to all rows alike, a row's `offset` less
//! its `factor` times the dot product. An error of the dot product is at most the query's norm
//! times a length, so the row's `slack`, times the query's norm, bounds what the farness may be off.
//! The k-th least of the upper bounds limits what can still be among the k nearest: rows whose lower
//! bound is beyond are out. Those that are left are measured in full, so the answer is the one of a
//! full scan. The bounds allow for the full scan's own rounding too.

use std::collections::BinaryHeap;

use super::{
    matrix::{Block, RowNotes},
    metric::Metric,
};

/// Candidates of one query, and the limit that they set.
pub(super) struct Sieve {
    k: usize,
    /// The k least upper bounds, the greatest on top.
    uppers: BinaryHeap<Ordered>,
    candidates: Vec<Candidate>,
    /// When this many are there, those beyond the limit are thrown out.
    full: usize,
}

/// A row that may be among the nearest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) block: u32,
    pub(super) row: u32,
    lower: f32,
}

#[derive(Clone, Copy, PartialEq)]
struct Ordered(f32);

impl Eq for Ordered {}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Sieve {
    pub(super) fn new(k: usize) -> Self {
        Self {
            k,
            uppers: BinaryHeap::with_capacity(k + 1),
            candidates: Vec::new(),
            full: 4 * k + 256,
        }
    }

    /// What a lower bound may be at most. What is not a number is never beyond it.
    pub(super) fn limit(&self) -> f32 {
        match self.uppers.peek() {
            Some(top) if self.uppers.len() >= self.k => top.0,
            _ => f32::INFINITY,
        }
    }

    pub(super) fn offer(&mut self, block: u32, row: u32, bounds: [f32; 2]) {
        let [lower, upper] = bounds;
        if is_beyond(lower, self.limit()) {
            return;
        }
        self.candidates.push(Candidate { block, row, lower });
        self.push_upper(upper);
        if self.candidates.len() >= self.full {
            self.tidy();
            self.full = self.full.max(2 * self.candidates.len());
        }
    }

    fn push_upper(&mut self, upper: f32) {
        if upper < self.limit() {
            self.uppers.push(Ordered(upper));
            if self.uppers.len() > self.k {
                self.uppers.pop();
            }
        }
    }

    fn tidy(&mut self) {
        let limit = self.limit();
        self.candidates.retain(|c| !is_beyond(c.lower, limit));
    }

    /// Takes in what another has seen of the same query.
    pub(super) fn merge(&mut self, other: Self) {
        for upper in other.uppers {
            self.push_upper(upper.0);
        }
        self.candidates.extend(other.candidates);
    }

    pub(super) fn into_candidates(mut self) -> Vec<Candidate> {
        self.tidy();
        self.candidates
    }
}

/// Whether a row with this lower bound is out. What is not a number is never out.
pub(super) fn is_beyond(lower: f32, limit: f32) -> bool {
    lower > limit
}

/// What a row contributes to its bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowBound {
    pub(super) offset: f32,
    pub(super) factor: f32,
    /// Times the query's norm.
    pub(super) slack: f32,
    pub(super) fixed: f32,
}

/// Squares of norms below which the bounds don't hold: products of such small numbers lose all their
/// digits, and their sum may be zero where no component is.
const TINY: f32 = 1e-20;

fn is_zero(components: &[f32]) -> bool {
    components.iter().all(|c| *c == 0.0)
}

/// The rounding of a sum of products, relative to the product of both norms, with room.
fn rounding(dimensions: usize) -> f32 {
    (dimensions + 32) as f32 * f32::EPSILON
}

impl RowBound {
    /// Of a row of `block`; `halved` when its dot product is that of its bfloat16 form.
    #[inline]
    pub(super) fn of(metric: Metric, block: &Block, row: usize, halved: bool) -> Self {
        let mut notes = block.notes(row);
        if !halved {
            notes.error = 0.0;
        }
        Self::with(metric, notes, block, row)
    }

    /// The same with notes that were taken before; their error is that of the dot product's form.
    #[inline]
    pub(super) fn with(metric: Metric, notes: RowNotes, block: &Block, row: usize) -> Self {
        let rounding = rounding(block.dimensions);
        let RowNotes { error, norm, square, inverse_norm } = notes;
        let (offset, factor) = match metric {
            Metric::L2 => (square, 2.0),
            Metric::InnerProduct => (0.0, 1.0),
            Metric::Cosine => (0.0, inverse_norm),
        };
        let slack = match square {
            tiny if tiny < TINY && !is_zero(block.row(row)) => f32::INFINITY,
            _ => 1.001 * factor * (error + 2.0 * rounding * norm),
        };
        let fixed = if metric == Metric::L2 { 4.0 * rounding * square } else { 0.0 };
        Self { offset, factor, slack, fixed }
    }

    /// What the farness may be, at least and at most, but for what the query adds to all rows.
    pub(super) fn around(&self, dot: f32, query: &QueryBound) -> [f32; 2] {
        let middle = self.offset - self.factor * dot;
        let slack = self.slack * query.norm + self.fixed + query.constant;
        [middle - slack, middle + slack]
    }
}

/// What a query contributes to the bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryBound {
    pub(super) norm: f32,
    pub(super) constant: f32,
}

impl QueryBound {
    pub(super) fn of(metric: Metric, query: &[f32]) -> Self {
        let square = super::kernel::dot(query, query);
        let rounding = rounding(query.len());
        let constant = match metric {
            _ if square < TINY && !is_zero(query) => f32::INFINITY,
            Metric::L2 => 4.0 * rounding * square,
            Metric::InnerProduct | Metric::Cosine => 0.0,
        };
        Self { norm: 1.001 * square.sqrt(), constant }
    }
}
