//! How a node gets its neighbours.

use std::sync::{Mutex, PoisonError};

use super::{
    code::{self, Probe, Width},
    nodes::{self, Nodes, UPPER},
    twins::Twins,
    walk::Scratch,
};

/// Locks of neighbours, for nodes by their number.
const LOCKS: usize = 1024;

/// Nodes of a level that the search on the next one starts from. With one only, a search among
/// vectors in clusters often starts in the wrong one and doesn't come out again.
const STARTS: usize = 8;

/// What those who link nodes share.
pub(super) struct Linking {
    locks: Box<[Mutex<()>]>,
    /// Where searches begin: a node of the highest level.
    top: Mutex<Option<u32>>,
    pub(super) twins: Twins,
}

impl Linking {
    pub(super) fn new(top: Option<u32>, twins: Twins) -> Self {
        let locks = std::iter::repeat_with(Mutex::default).take(LOCKS).collect();
        Self { locks, top: Mutex::new(top), twins }
    }

    pub(super) fn top(&self) -> Option<u32> {
        *self.top.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raise(&self, node: u32) {
        let mut top = self.top.lock().unwrap_or_else(PoisonError::into_inner);
        if top.is_none_or(|top| nodes::level(top) < nodes::level(node)) {
            *top = Some(node);
        }
    }

    /// Gives a node its neighbours, and itself to them; or, if its code is there already, to that one
    /// as its twin.
    pub(super) fn link(
        &self,
        nodes: &Nodes,
        width: Width,
        node: u32,
        expansion: usize,
        scratch: &mut Scratch,
    ) {
        let level = nodes::level(node);
        let Some(top) = self.top() else { return self.raise(node) };
        let probe = code::probe_of(nodes.code(node), nodes.term(node), width);
        if level > 0 {
            // Of the others, the search on the lowest level tells it.
            let starts = descend(nodes, &probe, top, 0, scratch);
            nodes.walk(&probe, &starts, 0, STARTS, scratch);
            if self.twins.join(nodes, node, &scratch.found) {
                return;
            }
        }
        let mut starts = descend(nodes, &probe, top, level, scratch);
        for level in (0..=level.min(nodes::level(top))).rev() {
            nodes.walk(&probe, &starts, level, expansion, scratch);
            if nodes::level(node) == 0 && self.twins.join(nodes, node, &scratch.found) {
                return;
            }
            let found = std::mem::take(&mut scratch.found);
            starts.clear();
            starts.extend(found.iter().take(STARTS).map(|f| f.node));
            let near = found.iter().filter(|f| f.node != node).map(|f| (f.far, f.node));
            let chosen = choose(nodes, width, near, UPPER);
            {
                let _lock = self.lock(node);
                let mine = nodes.neighbours(node, level);
                // Others that are linked just now may have given themselves.
                let given: Vec<u32> =
                    mine.iter().filter(|n| chosen.iter().all(|(_, c)| c != n)).collect();
                let all = chosen.iter().map(|(_, node)| *node).chain(given);
                mine.set(all.take(mine.room()));
            }
            for &(far, other) in &chosen {
                self.give(nodes, width, other, (far, node), level);
            }
            scratch.found = found;
        }
        self.raise(node);
    }

    /// Makes `(far, new)` a neighbour of a node, if it is a good one.
    fn give(&self, nodes: &Nodes, width: Width, node: u32, new: (f32, u32), level: usize) {
        let _lock = self.lock(node);
        let mine = nodes.neighbours(node, level);
        if mine.iter().any(|n| n == new.1) || mine.push(new.1) {
            return;
        }
        let (code, term) = (nodes.code(node), nodes.term(node));
        let far = |n: u32| term.apart(nodes.term(n), code::dot(code, nodes.code(n), width));
        let mut near: Vec<(f32, u32)> = mine.iter().map(|n| (far(n), n)).chain([new]).collect();
        near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let chosen = choose(nodes, width, near.into_iter(), mine.room());
        mine.set(chosen.into_iter().map(|(_, node)| node));
    }

    fn lock(&self, node: u32) -> std::sync::MutexGuard<'_, ()> {
        self.locks[node as usize % LOCKS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From the highest level to the one above `level`, towards the probe. What was found there are the
/// places to start from.
pub(super) fn descend(
    nodes: &Nodes,
    probe: &Probe,
    top: u32,
    level: usize,
    scratch: &mut Scratch,
) -> Vec<u32> {
    let mut starts = vec![top];
    for level in (level + 1..=nodes::level(top)).rev() {
        nodes.walk(probe, &starts, level, STARTS, scratch);
        starts.clear();
        starts.extend(scratch.found.iter().map(|f| f.node));
    }
    starts
}

/// Of the nearest, the nearest first, those that are nearer than to any chosen before: neighbours in
/// different directions.
fn choose(
    nodes: &Nodes,
    width: Width,
    near: impl Iterator<Item = (f32, u32)>,
    most: usize,
) -> Vec<(f32, u32)> {
    let mut chosen: Vec<(f32, u32)> = Vec::with_capacity(most);
    for (far, node) in near {
        if chosen.len() >= most {
            break;
        }
        let (code, term) = (nodes.code(node), nodes.term(node));
        let hidden = chosen.iter().any(|&(_, other)| {
            let dot = code::dot(code, nodes.code(other), width);
            term.apart(nodes.term(other), dot) < far
        });
        if !hidden {
            chosen.push((far, node));
        }
    }
    chosen
}
