//! Rows of a set in memory.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::{half, metric::inverse_norm, rows::Numbers, scan::ExactScan};

/// Rows that are kept and copied together.
pub(super) const BLOCK_ROWS: usize = 1024;

/// Rows of one set in the order of their ids. A clone shares the blocks: a search never holds up
/// the one who adds.
#[derive(Clone, Default)]
pub(super) struct Matrix {
    pub(super) blocks: Vec<Arc<Block>>,
    /// In all blocks: see [`Matrix::count`].
    pub(super) rows: usize,
    /// The greatest id that was looked at.
    pub(super) last: i64,
    /// How far it has followed the deletions.
    pub(super) at: Position,
    /// Tells it from all others that were ever published in this process; 0 until it is.
    pub(super) edition: u64,
    /// Set when rows that are mapped turn out to be other than they were.
    pub(super) broken: Option<Arc<AtomicBool>>,
}

/// A state of a set, as far as deletions go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) epoch: i64,
    /// The last tombstone of the epoch.
    pub(super) tombstone: i64,
}

/// Some rows, and what searches want to know of them beforehand.
#[derive(Clone, Default)]
pub(super) struct Block {
    pub(super) dimensions: usize,
    /// In ascending order.
    pub(super) ids: Vec<i64>,
    /// Row after row.
    pub(super) components: Numbers<f32>,
    /// The rows in bfloat16, if searches go by them.
    pub(super) halves: Numbers<u32>,
    /// How far those are from the rows.
    pub(super) errors: Vec<f32>,
    /// The rows' Euclidean norms, and their squares.
    pub(super) norms: Vec<f32>,
    pub(super) squares: Vec<f32>,
    pub(super) inverse_norms: Vec<f32>,
}

/// What is known of a row beside its components: see [`Block`].
#[derive(Debug, Clone, Copy)]
pub(super) struct RowNotes {
    pub(super) error: f32,
    pub(super) norm: f32,
    pub(super) square: f32,
    pub(super) inverse_norm: f32,
}

/// Where a row is.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) block: usize,
    pub(super) row: usize,
}

impl Matrix {
    /// To be shared, and changed no more.
    pub(super) fn publish(mut self) -> Arc<Self> {
        static EDITIONS: AtomicU64 = AtomicU64::new(0);
        self.edition = EDITIONS.fetch_add(1, Ordering::Relaxed) + 1;
        Arc::new(self)
    }

    pub(super) fn push(&mut self, id: i64, row: &[f32], scan: ExactScan) {
        self.edition = 0;
        if self.blocks.last().is_none_or(|b| b.is_full()) {
            self.blocks.push(Arc::new(Block { dimensions: row.len(), ..Block::default() }));
        }
        if let Some(last) = self.blocks.last_mut() {
            Arc::make_mut(last).push(id, row, scan);
            self.rows += 1;
        }
        self.last = id;
    }

    /// Whether what was read of it may be wrong.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.as_ref().is_some_and(|broken| broken.load(Ordering::Acquire))
    }

    /// Whether its rows are there in bfloat16 too. All blocks are of one form.
    pub(super) fn is_halved(&self) -> bool {
        self.blocks.first().is_some_and(|block| block.is_halved())
    }

    /// How many rows are in memory of this process's own.
    pub(super) fn unsaved(&self) -> usize {
        let own = self.blocks.iter().filter(|b| !b.components.is_mapped());
        own.map(|b| b.ids.len()).sum()
    }

    /// The blocks of the rows after an id.
    pub(super) fn blocks_after(&self, id: i64) -> Vec<Arc<Block>> {
        let mut blocks = self.blocks[self.block_after(id)..].to_vec();
        if let Some(first) = blocks.first_mut() {
            let before = first.ids.partition_point(|&i| i <= id);
            if before > 0 {
                *first = Arc::new(first.without(&first.ids[..before]));
            }
        }
        blocks
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// To be called when blocks were added or taken away.
    pub(super) fn count(&mut self) {
        self.edition = 0;
        self.rows = self.blocks.iter().map(|b| b.ids.len()).sum();
    }

    /// How many rows have ids up to this one.
    pub(super) fn len_to(&self, id: i64) -> usize {
        let whole = self.block_after(id);
        let before: usize = self.blocks[..whole].iter().map(|b| b.ids.len()).sum();
        let part = self.blocks.get(whole).map_or(0, |b| b.ids.partition_point(|&i| i <= id));
        before + part
    }

    /// The first block with an id beyond this one.
    pub(super) fn block_after(&self, id: i64) -> usize {
        self.blocks.partition_point(|b| b.ids.last().is_none_or(|&last| last <= id))
    }

    pub(super) fn ids_after(&self, id: i64) -> Vec<i64> {
        let first = self.block_after(id);
        let ids = self.blocks[first..].iter().flat_map(|b| &b.ids);
        ids.copied().filter(|&i| i > id).collect()
    }

    pub(super) fn find(&self, id: i64) -> Option<At> {
        let block = self.blocks.partition_point(|b| b.ids.last().is_none_or(|&last| last < id));
        let row = self.blocks.get(block)?.ids.binary_search(&id).ok()?;
        Some(At { block, row })
    }

    /// Takes rows out; `dead` is in ascending order.
    pub(super) fn remove(&mut self, dead: &[i64]) {
        for block in &mut self.blocks {
            let (Some(first), Some(last)) = (block.ids.first(), block.ids.last()) else { continue };
            let from = dead.partition_point(|id| id < first);
            let to = dead.partition_point(|id| id <= last);
            if dead[from..to].iter().any(|id| block.ids.binary_search(id).is_ok()) {
                *block = Arc::new(block.without(&dead[from..to]));
            }
        }
        self.blocks.retain(|block| !block.ids.is_empty());
        self.count();
    }
}

impl Block {
    fn push(&mut self, id: i64, row: &[f32], scan: ExactScan) {
        self.ids.push(id);
        self.components.own().extend_from_slice(row);
        if scan == ExactScan::Halved {
            let error = half::push(row, self.halves.own());
            self.errors.push(error);
        }
        let square = super::kernel::dot(row, row);
        self.norms.push(square.sqrt());
        self.squares.push(square);
        self.inverse_norms.push(inverse_norm(row));
    }

    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.components[row * self.dimensions..][..self.dimensions]
    }

    /// What bounds are made of.
    pub(super) fn notes(&self, row: usize) -> RowNotes {
        RowNotes {
            error: self.errors.get(row).copied().unwrap_or_default(),
            norm: self.norms[row],
            square: self.squares[row],
            inverse_norm: self.inverse_norms[row],
        }
    }

    pub(super) fn half_row(&self, row: usize) -> &[u32] {
        let words = half::words(self.dimensions);
        &self.halves[row * words..][..words]
    }

    pub(super) fn is_halved(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Whether no rows are added to it any more.
    fn is_full(&self) -> bool {
        self.ids.len() >= BLOCK_ROWS || self.components.is_mapped()
    }

    fn without(&self, dead: &[i64]) -> Self {
        let mut left = Self { dimensions: self.dimensions, ..Self::default() };
        let (mut components, mut halves) = (Vec::new(), Vec::new());
        for (i, id) in self.ids.iter().enumerate() {
            if dead.binary_search(id).is_err() {
                left.ids.push(*id);
                components.extend_from_slice(self.row(i));
                if self.is_halved() {
                    halves.extend_from_slice(self.half_row(i));
                    left.errors.push(self.errors[i]);
                }
                left.norms.push(self.norms[i]);
                left.squares.push(self.squares[i]);
                left.inverse_norms.push(self.inverse_norms[i]);
            }
        }
        left.components = Numbers::Own(components);
        left.halves = Numbers::Own(halves);
        left
    }
}
