//! A graph in a file. FORMAT.md has the layout.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use twox_hash::XxHash3_64;

use super::{
    Graph, Unfit,
    code::{Coder, Term, Width},
    effort::Efforts,
    link::Linking,
    nodes::{self, LOWEST, NONE, Nodes, UPPER},
    twins::Twins,
};
use crate::{
    directory::sync_directory,
    vectors::{map::Map, metric::Metric},
};

/// What stands at the end of a saved graph.
const MAGIC: [u8; 8] = *b"adbgraph";
/// Grows when an older file can't be read any more.
const FORMAT: u32 = 3;
const FOOTER: usize = 96;

/// What is known of a saved graph beside its nodes.
struct Footer {
    set: i64,
    metric: Metric,
    width: Width,
    dimensions: usize,
    nodes: usize,
    last: i64,
    /// Where searches begin.
    top: Option<u32>,
    efforts: [u32; 4],
}

impl Footer {
    fn bytes(&self) -> [u8; FOOTER] {
        let mut footer = [0; FOOTER];
        footer[..8].copy_from_slice(&MAGIC);
        let words = [
            FORMAT,
            self.metric as u32,
            super::code::bytes(self.width) as u32,
            self.top.unwrap_or(NONE),
        ];
        let (places, rest) = footer[8..].split_at_mut(4 * words.len());
        for (place, word) in places.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let numbers = [self.set, self.dimensions as i64, self.nodes as i64, self.last];
        let (places, rest) = rest.split_at_mut(8 * numbers.len());
        for (place, number) in places.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        for (place, effort) in rest.chunks_exact_mut(4).zip(self.efforts) {
            place.copy_from_slice(&effort.to_le_bytes());
        }
        footer
    }

    /// What the bytes of a footer say that nobody knows beforehand.
    fn read(bytes: &[u8], set: i64, metric: Metric, dimensions: usize) -> Option<Self> {
        let word = |at: usize| {
            let bytes = bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        };
        let number = |at| Some(i64::from(word(at)?) | i64::from(word(at + 4)?) << 32);
        let footer = Self {
            set,
            metric,
            dimensions,
            width: if word(16)? == 1 { Width::Byte } else { Width::Two },
            top: Some(word(20)?).filter(|top| *top != NONE),
            nodes: usize::try_from(number(40)?).ok()?,
            last: number(48)?,
            efforts: [word(56)?, word(60)?, word(64)?, word(68)?],
        };
        (footer.bytes() == *bytes).then_some(footer)
    }
}

impl Graph {
    /// Writes it into the directory; gives the number that names the file.
    ///
    /// The file gets its name when it is whole and on the disk.
    pub(crate) fn save(&self, directory: &Path, set: i64) -> Result<i64, Unfit> {
        fs::create_dir_all(directory)?;
        let unfinished = directory.join(format!("{set}.graph.new"));
        let all = self.nodes();
        let linked = self.linked.load(Ordering::Acquire);
        let footer = Footer {
            set,
            metric: self.coder.metric,
            width: self.coder.width,
            dimensions: self.coder.dimensions(),
            nodes: linked as usize,
            last: self.last(),
            top: self.linking.top(),
            efforts: self.efforts.numbers(),
        };
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
        for x in &self.coder.center {
            file.write_all(&x.to_le_bytes())?;
        }
        for node in 0..linked {
            file.write_all(&all.id(node).to_le_bytes())?;
        }
        for node in 0..linked {
            let Term { offset, factor } = all.term(node);
            file.write_all(&offset.to_le_bytes())?;
            file.write_all(&factor.to_le_bytes())?;
        }
        for node in 0..linked {
            file.write_all(all.code(node))?;
        }
        for node in 0..linked {
            write_places(&mut file, &all, node, 0)?;
        }
        for node in 0..linked {
            for level in 1..=nodes::level(node) {
                write_places(&mut file, &all, node, level)?;
            }
        }
        file.write_all(&footer.bytes())?;
        let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let hash = XxHash3_64::oneshot(&Map::open(&unfinished)?) as i64;
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
        if cfg!(target_endian = "big") {
            return Err("the file's numbers are the other way round".into());
        }
        let map = Map::open(&path(directory, set, hash))?;
        if map.len() < FOOTER || XxHash3_64::oneshot(&map) as i64 != hash {
            return Err("the file is not what it was when it was saved".into());
        }
        let (bytes, footer) = map.split_at(map.len() - FOOTER);
        let footer = Footer::read(footer, set, metric, dimensions)
            .ok_or("the file is of another set, metric or format")?;
        let count = u32::try_from(footer.nodes)?;
        let mut bytes = Bytes(bytes);
        let center = bytes.take(4, dimensions)?;
        let center = center.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]));
        let coder = Coder { metric, width: footer.width, center: center.collect() };
        let ids: Vec<i64> = bytemuck::pod_collect_to_vec(bytes.take(8, footer.nodes)?);
        let terms: Vec<[f32; 2]> = bytemuck::pod_collect_to_vec(bytes.take(8, footer.nodes)?);
        let terms: Vec<Term> =
            terms.into_iter().map(|[offset, factor]| Term { offset, factor }).collect();
        let codes = bytes.take(coder.stride(), footer.nodes)?;
        let mut all = Nodes::new(&coder);
        all.extend(&ids, &terms, codes)?;
        let upper = (0..count).flat_map(|n| (1..=nodes::level(n)).map(move |level| (n, level)));
        for (node, level) in (0..count).map(|node| (node, 0)).chain(upper) {
            let places = bytes.take(4, if level == 0 { LOWEST } else { UPPER })?;
            let places: Vec<u32> = bytemuck::pod_collect_to_vec(places);
            let mut there = places.into_iter().take_while(|n| *n != NONE).peekable();
            if there.peek().is_some() {
                let neighbours = all.neighbours(node, level);
                neighbours.set(there);
                if neighbours.iter().any(|n| n >= count || nodes::level(n) < level) {
                    return Err("a neighbour is not in the file".into());
                }
            }
        }
        if !bytes.0.is_empty() || footer.top.is_some_and(|top| top >= count) {
            return Err("the graph is not the one that its file says".into());
        }
        Ok(Self {
            linking: Linking::new(footer.top, Twins::among(&all)),
            nodes: RwLock::new(Arc::new(all)),
            linked: AtomicU32::new(count),
            last: AtomicI64::new(footer.last),
            scratches: Mutex::default(),
            efforts: Efforts::known(footer.efforts),
            coder,
        })
    }
}

/// What is left of a file.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, each: usize, count: usize) -> Result<&'a [u8], Unfit> {
        let length = each.checked_mul(count);
        let (taken, left) = length
            .and_then(|length| self.0.split_at_checked(length))
            .ok_or("the file is shorter than it says")?;
        self.0 = left;
        Ok(taken)
    }
}

fn write_places(
    file: &mut impl Write,
    nodes: &Nodes,
    node: u32,
    level: usize,
) -> std::io::Result<()> {
    for place in nodes.neighbours(node, level).places() {
        file.write_all(&place.load(Ordering::Relaxed).to_le_bytes())?;
    }
    Ok(())
}

pub(in crate::vectors) fn path(directory: &Path, set: i64, hash: i64) -> PathBuf {
    directory.join(format!("{set}.{hash:016x}.graph"))
}
