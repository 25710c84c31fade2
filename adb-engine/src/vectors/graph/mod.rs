//! The approximate index of a set: an HNSW graph over its vectors.
//!
//! After Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
//! Hierarchical Navigable Small World graphs" (2016). Nodes have their vectors in a byte a component:
//! that is what a search waits for, and who searches measures the hits in full anyway.
//!
//! It holds every vector of the set up to [`Graph::last`], and perhaps some that were deleted since:
//! who searches takes what it may see of the hits, measures them in full, and scans what came after
//! `last`. So nothing that the graph lacks is missed, and nothing that it has too much is shown.

mod code;
pub(super) mod effort;
mod file;
mod link;
mod nodes;
#[cfg(test)]
mod tests;
mod twins;
mod walk;

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicI64, AtomicU32, Ordering},
};

pub(super) use self::file::path as file_path;

use self::{
    code::{Coder, Width},
    effort::Efforts,
    link::Linking,
    nodes::Nodes,
    twins::Twins,
    walk::Scratch,
};
use super::{matrix::Block, metric::Metric};

/// Candidates that are kept while one is added.
const EXPANSION_ADD: usize = 64;
/// Vectors of a sample that are looked for by their codes.
const TESTED: usize = 32;

/// An index, and which vectors it holds.
pub(crate) struct Graph {
    coder: Coder,
    nodes: RwLock<Arc<Nodes>>,
    linking: Linking,
    /// So many nodes have their neighbours.
    linked: AtomicU32,
    last: AtomicI64,
    scratches: Mutex<Vec<Scratch>>,
    efforts: Efforts,
}

/// Why a graph can't be used.
pub(crate) type Unfit = Box<dyn std::error::Error + Send + Sync>;

impl Graph {
    /// An empty one for vectors like those of a sample.
    pub(super) fn new(metric: Metric, dimensions: usize, sample: &[&[f32]]) -> Self {
        let mut coder = Coder::new(metric, dimensions, sample, Width::Byte);
        if !coder.tells_apart(sample, TESTED) {
            coder.width = Width::Two;
        }
        Self {
            nodes: RwLock::new(Arc::new(Nodes::new(&coder))),
            coder,
            linking: Linking::new(None, Twins::default()),
            linked: AtomicU32::new(0),
            last: AtomicI64::new(0),
            scratches: Mutex::default(),
            efforts: Efforts::unknown(),
        }
    }

    pub(crate) fn metric(&self) -> Metric {
        self.coder.metric
    }

    /// Every vector of the set up to this id is in the graph.
    pub(crate) fn last(&self) -> i64 {
        self.last.load(Ordering::Acquire)
    }

    fn nodes(&self) -> Arc<Nodes> {
        self.nodes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many vectors it holds, deleted ones among them.
    pub(crate) fn len(&self) -> usize {
        self.nodes().len() as usize
    }

    /// The greatest id of those that it holds, linked or not.
    pub(super) fn appended(&self) -> i64 {
        let nodes = self.nodes();
        nodes.len().checked_sub(1).map_or(0, |last| nodes.id(last)).max(self.last())
    }

    /// Adds the rows of a block from one on. They are to be linked then.
    pub(super) fn append(&self, block: &Block, from: usize) -> Result<(), Unfit> {
        let (mut codes, mut scratch) = (Vec::new(), Vec::new());
        let terms: Vec<_> = (from..block.ids.len())
            .map(|row| self.coder.encode(block.row(row), &mut scratch, &mut codes))
            .collect();
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut nodes).extend(&block.ids[from..], &terms, &codes)
    }

    /// The nodes that are to be linked.
    pub(super) fn unlinked(&self) -> std::ops::Range<u32> {
        self.linked.load(Ordering::Acquire)..self.nodes().len()
    }

    pub(super) fn link(&self, node: u32) {
        let nodes = self.nodes();
        let mut scratch = self.scratch();
        self.linking.link(&nodes, self.coder.width, node, EXPANSION_ADD, &mut scratch);
        self.put_back(scratch);
    }

    /// To be told when all nodes before this are linked.
    pub(super) fn reached(&self, node: u32) {
        self.linked.store(node, Ordering::Release);
        if node > 0 {
            self.last.store(self.nodes().id(node - 1), Ordering::Release);
        }
    }

    /// The ids of about so many that are nearest, the nearest first.
    pub(super) fn search(&self, query: &[f32], count: usize) -> Vec<i64> {
        let nodes = self.nodes();
        let Some(top) = self.linking.top() else { return Vec::new() };
        let mut scratch = self.scratch();
        let probe = self.coder.probe(query);
        let starts = link::descend(&nodes, &probe, top, 0, &mut scratch);
        nodes.walk(&probe, &starts, 0, count, &mut scratch);
        let ids = self.linking.twins.ids(&nodes, &scratch.found, count);
        self.put_back(scratch);
        ids
    }

    fn scratch(&self) -> Scratch {
        let mut all = self.scratches.lock().unwrap_or_else(PoisonError::into_inner);
        all.pop().unwrap_or_default()
    }

    fn put_back(&self, scratch: Scratch) {
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}
