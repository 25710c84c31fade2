//! The approximate index of a set: an HNSW graph over its vectors in bfloat16.
//!
//! It holds every vector of the set up to [`Graph::last`], and perhaps some that were deleted since:
//! who searches takes what it may see of the hits, measures them in full, and scans what came after
//! `last`. So nothing that the graph lacks is missed, and nothing that it has too much is shown.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use twox_hash::XxHash3_64;
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::{map::Map, matrix::Block, metric::Metric};
use crate::directory::sync_directory;

/// Neighbours that a vector has in the graph.
const CONNECTIVITY: usize = 16;
/// Candidates that are kept while one is added.
const EXPANSION_ADD: usize = 96;
/// Searches and additions that may go on at the same time. One more fails, and is done otherwise.
const THREADS: usize = 64;
/// Room that is made at first.
const FIRST_ROOM: usize = 16 << 10;
/// What stands at the end of a saved graph.
const MAGIC: [u8; 8] = *b"adbgraph";
/// Grows when an older file can't be read any more.
const FORMAT: u32 = 1;
const FOOTER: usize = 64;

/// An index, and which vectors it holds.
pub(crate) struct Graph {
    /// Making room needs it alone.
    index: RwLock<Index>,
    metric: Metric,
    dimensions: usize,
    last: AtomicI64,
}

/// Why a graph can't be used.
pub(crate) type Unfit = Box<dyn std::error::Error + Send + Sync>;

impl Graph {
    pub(crate) fn new(metric: Metric, dimensions: usize) -> Result<Self, Unfit> {
        let index = Index::new(&options(metric, dimensions))?;
        index.reserve_capacity_and_threads(FIRST_ROOM, THREADS)?;
        Ok(Self { index: RwLock::new(index), metric, dimensions, last: AtomicI64::new(0) })
    }

    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    /// Every vector of the set up to this id is in the graph.
    pub(crate) fn last(&self) -> i64 {
        self.last.load(Ordering::Acquire)
    }

    /// To be told when all up to `id` are added.
    pub(crate) fn reached(&self, id: i64) {
        self.last.store(id, Ordering::Release);
    }

    /// How many vectors it holds, deleted ones among them.
    pub(crate) fn len(&self) -> usize {
        self.index.read().unwrap_or_else(PoisonError::into_inner).size()
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&self, more: usize) -> Result<(), Unfit> {
        let index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let needed = index.size() + more;
        if index.capacity() < needed {
            index.reserve_capacity_and_threads(needed.max(2 * index.capacity()), THREADS)?;
        }
        Ok(())
    }

    /// Adds a row, for which there is room. One that is there already stays.
    pub(super) fn add(&self, block: &Block, row: usize) -> Result<(), Unfit> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let key = block.ids[row] as u64;
        if index.contains(key) {
            return Ok(());
        }
        if self.metric == Metric::Cosine {
            // Of unit vectors the dot product says it.
            let scale = block.inverse_norms[row];
            let unit: Vec<f32> = block.row(row).iter().map(|x| x * scale).collect();
            index.add(key, &unit)?;
        } else {
            index.add(key, block.row(row))?;
        }
        Ok(())
    }

    /// The ids of about so many that are nearest, the nearest first.
    pub(super) fn search(&self, query: &[f32], count: usize) -> Result<Vec<i64>, Unfit> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        Ok(index.search(query, count)?.keys.into_iter().map(|key| key as i64).collect())
    }

    /// Writes it into the directory; gives the number that names the file.
    ///
    /// The file gets its name when it is whole and on the disk.
    pub(crate) fn save(&self, directory: &Path, set: i64) -> Result<i64, Unfit> {
        fs::create_dir_all(directory)?;
        let unfinished = directory.join(format!("{set}.graph.new"));
        let text = unfinished.to_str().ok_or("the directory's path is not UTF-8")?;
        let last = self.last();
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.save(text)?;
        let mut file = OpenOptions::new().append(true).open(&unfinished)?;
        file.write_all(&self.footer(set, last, index.size()))?;
        drop(index);
        let hash = XxHash3_64::oneshot(&Map::open(&unfinished)?) as i64;
        file.sync_all()?;
        fs::rename(&unfinished, path(directory, set, hash))?;
        sync_directory(directory)?;
        Ok(hash)
    }

    /// Reads what [`Graph::save`] has written, if it is what it was then and of this set.
    pub(crate) fn open(
        directory: &Path,
        set: i64,
        hash: i64,
        metric: Metric,
        dimensions: usize,
    ) -> Result<Self, Unfit> {
        let map = Map::open(&path(directory, set, hash))?;
        if map.len() < FOOTER || XxHash3_64::oneshot(&map) as i64 != hash {
            return Err("the file is not what it was when it was saved".into());
        }
        let (graph, footer) = map.split_at(map.len() - FOOTER);
        let size = u64_at(footer, 40);
        let last = u64_at(footer, 48) as i64;
        let made = Self::new(metric, dimensions)?;
        if footer != made.footer(set, last, size as usize) {
            return Err("the file is of another set, metric or format".into());
        }
        let index = made.index.write().unwrap_or_else(PoisonError::into_inner);
        index.load_from_buffer(graph)?;
        if index.size() as u64 != size || index.dimensions() != dimensions {
            return Err("the graph is not the one that its file says".into());
        }
        // Threads are no part of what is saved.
        index.reserve_capacity_and_threads(index.capacity().max(FIRST_ROOM), THREADS)?;
        drop(index);
        made.reached(last);
        Ok(made)
    }

    fn footer(&self, set: i64, last: i64, size: usize) -> [u8; FOOTER] {
        let mut footer = [0; FOOTER];
        footer[..8].copy_from_slice(&MAGIC);
        footer[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        footer[12..16].copy_from_slice(&(self.metric as u32).to_le_bytes());
        footer[16..24].copy_from_slice(&set.to_le_bytes());
        footer[24..32].copy_from_slice(&(self.dimensions as u64).to_le_bytes());
        footer[40..48].copy_from_slice(&(size as u64).to_le_bytes());
        footer[48..56].copy_from_slice(&last.to_le_bytes());
        footer
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

fn options(metric: Metric, dimensions: usize) -> IndexOptions {
    IndexOptions {
        dimensions,
        metric: match metric {
            Metric::L2 => MetricKind::L2sq,
            Metric::InnerProduct | Metric::Cosine => MetricKind::IP,
        },
        quantization: ScalarKind::BF16,
        connectivity: CONNECTIVITY,
        expansion_add: EXPANSION_ADD,
        // Searches say how many they want.
        expansion_search: 16,
        multi: false,
    }
}

pub(super) fn path(directory: &Path, set: i64, hash: i64) -> PathBuf {
    directory.join(format!("{set}.{hash:016x}.graph"))
}
