//! Vectors that are in a graph more than once.
//!
//! A picture that stands for all that are missing is there a thousand times. Nodes with one code, each
//! a neighbour of the others, fill one another's lists: no way would lead away from them, nor to what is
//! near them. So one of them is linked. The others are its twins: each has it as its only neighbour and
//! is nobody's, and searches that meet the one find all.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{nodes::Nodes, walk::Found};

/// The twins of each node that has some.
#[derive(Default)]
pub(super) struct Twins {
    all: RwLock<HashMap<u32, Vec<u32>>>,
    /// Whether there are any, so that searches need not look.
    any: AtomicBool,
}

impl Twins {
    /// Those among the nodes of a file, each with its only neighbour's code, which does not have it.
    pub(super) fn among(nodes: &Nodes) -> Self {
        let twins = Self::default();
        for node in 0..nodes.len() {
            let mut neighbours = nodes.neighbours(node, 0).iter();
            if let (Some(other), None) = (neighbours.next(), neighbours.next())
                && is_same(nodes, node, other)
                && nodes.neighbours(other, 0).iter().all(|n| n != node)
            {
                twins.add(other, node);
            }
        }
        twins
    }

    /// Makes a node the twin of one that was found near it, if one has its code.
    pub(super) fn join(&self, nodes: &Nodes, node: u32, found: &[Found]) -> bool {
        let same = |f: &&Found| f.node != node && is_same(nodes, node, f.node);
        let Some(other) = found.iter().find(same).map(|f| f.node) else { return false };
        nodes.neighbours(node, 0).set(std::iter::once(other));
        self.add(other, node);
        true
    }

    fn add(&self, of: u32, node: u32) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(of).or_default().push(node);
        self.any.store(true, Ordering::Release);
    }

    /// The ids of nodes that were found, each with those of its twins behind it, `most` together.
    pub(super) fn ids(&self, nodes: &Nodes, found: &[Found], most: usize) -> Vec<i64> {
        let found = found.iter().map(|f| f.node);
        if !self.any.load(Ordering::Acquire) {
            return found.map(|node| nodes.id(node)).collect();
        }
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let each = |node| {
            let twins = all.get(&node).map_or(&[][..], Vec::as_slice);
            std::iter::once(node).chain(twins.iter().copied())
        };
        // Those that came after `nodes` are not seen.
        let seen = found.flat_map(each).take(most).filter(|node| *node < nodes.len());
        seen.map(|node| nodes.id(node)).collect()
    }
}

fn is_same(nodes: &Nodes, a: u32, b: u32) -> bool {
    nodes.term(a) == nodes.term(b) && nodes.code(a) == nodes.code(b)
}
