//! The search through a level of a graph.

use super::{
    code::{Probe, TOGETHER, Term},
    nodes::Nodes,
};

/// What a search needs memory for.
#[derive(Default)]
pub(super) struct Scratch {
    /// A bit for each node that was met.
    met: Vec<u64>,
    /// Words of `met` that are not zero.
    touched: Vec<u32>,
    /// The nearest so far, the nearest first.
    pub(super) found: Vec<Found>,
    fresh: Vec<u32>,
    far: Vec<f32>,
}

#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) far: f32,
    pub(super) node: u32,
    /// Whether its neighbours were looked at.
    done: bool,
}

impl Scratch {
    fn begin(&mut self, nodes: u32) {
        for word in self.touched.drain(..) {
            self.met[word as usize] = 0;
        }
        self.met.resize((nodes as usize).div_ceil(64).max(self.met.len()), 0);
        self.found.clear();
    }

    /// Whether it was not met before.
    fn meet(&mut self, node: u32) -> bool {
        let word = &mut self.met[node as usize / 64];
        let bit = 1 << (node % 64);
        if *word == 0 {
            self.touched.push(node / 64);
        }
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Keeps what is among the `most` nearest; gives where it was put.
    fn offer(&mut self, far: f32, node: u32, most: usize) -> usize {
        if self.found.len() >= most {
            if self.found.last().is_none_or(|last| far >= last.far) {
                return usize::MAX;
            }
            self.found.pop();
        }
        let at = self.found.partition_point(|f| f.far <= far);
        self.found.insert(at, Found { far, node, done: false });
        at
    }
}

impl Nodes {
    /// Finds about the `most` nearest on a level, from `starts` on, into `scratch.found`.
    pub(super) fn walk(
        &self,
        probe: &Probe,
        starts: &[u32],
        level: usize,
        most: usize,
        scratch: &mut Scratch,
    ) {
        scratch.begin(self.len());
        scratch.fresh.clear();
        for start in starts {
            if scratch.meet(*start) {
                scratch.fresh.push(*start);
            }
        }
        let mut next = self.measure(probe, most, scratch);
        while let Some(at) = scratch.found.get_mut(next) {
            if at.done {
                next += 1;
                continue;
            }
            at.done = true;
            let node = at.node;
            scratch.fresh.clear();
            for neighbour in self.neighbours(node, level).iter() {
                if neighbour < self.len() && scratch.meet(neighbour) {
                    self.prefetch(neighbour);
                    scratch.fresh.push(neighbour);
                }
            }
            next = (next + 1).min(self.measure(probe, most, scratch));
        }
    }

    /// Offers the fresh ones; gives the first place that changed.
    fn measure(&self, probe: &Probe, most: usize, scratch: &mut Scratch) -> usize {
        let mut first = usize::MAX;
        let fresh = std::mem::take(&mut scratch.fresh);
        let mut far = std::mem::take(&mut scratch.far);
        for some in fresh.chunks(TOGETHER) {
            let mut codes: [&[u8]; TOGETHER] = [&[]; TOGETHER];
            let mut terms = [Term::default(); TOGETHER];
            for ((code, term), &node) in codes.iter_mut().zip(&mut terms).zip(some) {
                *code = self.code(node);
                *term = self.term(node);
            }
            far.clear();
            probe.far(&codes[..some.len()], &terms[..some.len()], &mut far);
            for (&node, &far) in some.iter().zip(&far) {
                let at = scratch.offer(far, node, most);
                if at != usize::MAX {
                    self.prefetch_links(node);
                }
                first = first.min(at);
            }
        }
        scratch.fresh = fresh;
        scratch.far = far;
        first
    }
}
