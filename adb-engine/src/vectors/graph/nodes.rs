//! The nodes of a graph: codes, which are written once, and neighbours, which change.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use memmap2::MmapMut;

use crate::vectors::prefetch;

use super::{
    Unfit,
    code::{Coder, Term},
};

/// Neighbours of a node on the levels above the lowest.
pub(super) const UPPER: usize = 16;
/// Neighbours of a node on the lowest level, where all nodes are.
pub(super) const LOWEST: usize = 32;
/// No neighbour.
pub(super) const NONE: u32 = u32::MAX;
/// Bytes of codes that a chunk has at most, and nodes.
const CHUNK_BYTES: usize = 4 << 20;
const CHUNK_NODES: usize = 8192;

/// All nodes at a time. What is added later is not seen.
#[derive(Clone)]
pub(super) struct Nodes {
    chunks: Vec<Arc<Chunk>>,
    len: u32,
    stride: usize,
    /// Nodes of a chunk, as a power of two.
    shift: u32,
}

/// Nodes that lie together.
struct Chunk {
    codes: MmapMut,
    /// The ids of the vectors.
    ids: Vec<i64>,
    terms: Vec<Term>,
    links: Arc<Links>,
}

/// The neighbours of a chunk's nodes.
struct Links {
    lowest: Box<[AtomicU32]>,
    upper: Box<[OnceLock<Box<[AtomicU32]>>]>,
}

/// The neighbours of a node on one level. The list ends where the first [`NONE`] is. Who reads while
/// another writes may see some of the old and some of the new ones.
#[derive(Clone, Copy)]
pub(super) struct Neighbours<'a>(&'a [AtomicU32]);

impl<'a> Neighbours<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = u32> + 'a {
        self.0.iter().map(|n| n.load(Ordering::Relaxed)).take_while(|n| *n != NONE)
    }

    /// How many there may be.
    pub(super) fn room(self) -> usize {
        self.0.len()
    }

    /// Adds one, if there is room.
    pub(super) fn push(self, node: u32) -> bool {
        let free = self.0.iter().find(|n| n.load(Ordering::Relaxed) == NONE);
        free.inspect(|n| n.store(node, Ordering::Relaxed)).is_some()
    }

    pub(super) fn set(self, nodes: impl Iterator<Item = u32>) {
        let mut nodes = nodes.fuse();
        for place in self.0 {
            place.store(nodes.next().unwrap_or(NONE), Ordering::Relaxed);
        }
    }

    /// All places, for a file.
    pub(super) fn places(self) -> &'a [AtomicU32] {
        self.0
    }
}

/// The highest level of a node: each has a sixteenth of the nodes of the one below.
pub(super) fn level(node: u32) -> usize {
    let mixed = (u64::from(node) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ mixed >> 32).trailing_zeros() / UPPER.ilog2()) as usize
}

impl Nodes {
    pub(super) fn new(coder: &Coder) -> Self {
        let stride = coder.stride().max(1);
        let shift = (CHUNK_BYTES / stride).clamp(64, CHUNK_NODES).ilog2();
        Self { chunks: Vec::new(), len: 0, stride, shift }
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    fn at(&self, node: u32) -> (&Chunk, usize) {
        let chunk = &self.chunks[(node >> self.shift) as usize];
        (chunk, (node & ((1 << self.shift) - 1)) as usize)
    }

    pub(super) fn code(&self, node: u32) -> &[u8] {
        let (chunk, at) = self.at(node);
        &chunk.codes[at * self.stride..][..self.stride]
    }

    pub(super) fn term(&self, node: u32) -> Term {
        let (chunk, at) = self.at(node);
        chunk.terms[at]
    }

    pub(super) fn id(&self, node: u32) -> i64 {
        let (chunk, at) = self.at(node);
        chunk.ids[at]
    }

    /// Asks for what a probe is compared to.
    pub(super) fn prefetch(&self, node: u32) {
        let (chunk, at) = self.at(node);
        prefetch::soon(&chunk.terms[at..=at]);
        prefetch::soon(&chunk.codes[at * self.stride..][..self.stride]);
    }

    pub(super) fn prefetch_links(&self, node: u32) {
        let (chunk, at) = self.at(node);
        prefetch::soon(&chunk.links.lowest[at * LOWEST..][..LOWEST]);
    }

    /// The neighbours on a level that the node has.
    pub(super) fn neighbours(&self, node: u32, level: usize) -> Neighbours<'_> {
        let (chunk, at) = self.at(node);
        if level == 0 {
            return Neighbours(&chunk.links.lowest[at * LOWEST..][..LOWEST]);
        }
        let all = chunk.links.upper[at].get_or_init(|| none(self::level(node) * UPPER));
        Neighbours(all.get((level - 1) * UPPER..level * UPPER).unwrap_or_default())
    }

    /// Adds nodes without neighbours. `codes` has one code after another.
    pub(super) fn extend(
        &mut self,
        ids: &[i64],
        terms: &[Term],
        codes: &[u8],
    ) -> Result<(), Unfit> {
        let room = 1_usize << self.shift;
        let mut from = 0;
        while from < ids.len() {
            if self.chunks.last().is_none_or(|chunk| chunk.ids.len() == room) {
                let links = Links {
                    lowest: none(room * LOWEST),
                    upper: std::iter::repeat_with(OnceLock::new).take(room).collect(),
                };
                self.chunks.push(Arc::new(Chunk::new(room * self.stride, Arc::new(links))?));
            }
            let Some(last) = self.chunks.last_mut() else { continue };
            if Arc::get_mut(last).is_none() {
                // Somebody is searching in it.
                *last = Arc::new(last.copy(self.stride)?);
            }
            let Some(chunk) = Arc::get_mut(last) else { continue };
            let there = chunk.ids.len();
            let to = (from + room - there).min(ids.len());
            let codes = &codes[from * self.stride..to * self.stride];
            chunk.codes[there * self.stride..][..codes.len()].copy_from_slice(codes);
            chunk.ids.extend_from_slice(&ids[from..to]);
            chunk.terms.extend_from_slice(&terms[from..to]);
            self.len += (to - from) as u32;
            from = to;
        }
        Ok(())
    }
}

fn none(count: usize) -> Box<[AtomicU32]> {
    std::iter::repeat_with(|| AtomicU32::new(NONE)).take(count).collect()
}

impl Chunk {
    fn new(bytes: usize, links: Arc<Links>) -> Result<Self, Unfit> {
        let codes = MmapMut::map_anon(bytes)?;
        // Codes are read here and there: with small pages the processor looks for each of them first.
        // A system that has no large ones does as well as it can.
        #[cfg(target_os = "linux")]
        let _ = codes.advise(memmap2::Advice::HugePage);
        Ok(Self { codes, ids: Vec::new(), terms: Vec::new(), links })
    }

    fn copy(&self, stride: usize) -> Result<Self, Unfit> {
        let mut copy = Self::new(self.codes.len(), self.links.clone())?;
        let used = self.ids.len() * stride;
        copy.codes[..used].copy_from_slice(&self.codes[..used]);
        copy.ids.clone_from(&self.ids);
        copy.terms.clone_from(&self.terms);
        Ok(copy)
    }
}
