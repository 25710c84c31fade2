//! The vectors of a set in a file of their own, mapped into memory.
//!
//! It saves reading a million rows out of the tables before the first answer, and lets the system
//! keep in memory what is used, so that vectors need not fit. FORMAT.md has the layout. What is
//! small is read and checked when the file is opened; the vectors are checked block by block when
//! they are first looked at. A search that met a block that is not what it was is done again from
//! the tables.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    ops::{Deref, Range},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytemuck::Pod;
use twox_hash::XxHash3_64;

use super::{
    graph::Unfit,
    half,
    map::Map,
    matrix::{BLOCK_ROWS, Block, Matrix, Position},
    scan::ExactScan,
};
use crate::directory::sync_directory;

const MAGIC: [u8; 8] = *b"adbrows\0";
/// Grows when an older file can't be read any more.
const FORMAT: u32 = 1;
const HEADER: usize = 64;
/// Vectors begin at a multiple of this.
const PAGE: usize = 4096;
/// Bytes that are known of a row beside its components: id, error, norm, square, inverse norm.
const NOTES: usize = 8 + 4 * 4;
/// Two hashes of a block.
const HASHES: usize = 16;

/// Numbers that are in memory, or in a file that is mapped.
#[derive(Clone)]
pub(super) enum Numbers<T> {
    Own(Vec<T>),
    Mapped(Arc<Piece>),
}

/// A stretch of a file.
pub(super) struct Piece {
    map: Arc<Map>,
    place: Range<usize>,
    hash: u64,
    checked: AtomicBool,
    /// Set when any stretch of the file is found to be other than it was.
    broken: Arc<AtomicBool>,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        let bytes = &self.map[self.place.clone()];
        if !self.checked.load(Ordering::Acquire) {
            if XxHash3_64::oneshot(bytes) != self.hash {
                self.broken.store(true, Ordering::Release);
            }
            self.checked.store(true, Ordering::Release);
        }
        bytes
    }
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Numbers::Own(Vec::new())
    }
}

impl<T: Pod> Deref for Numbers<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Numbers::Own(numbers) => numbers,
            Numbers::Mapped(piece) => bytemuck::cast_slice(piece.bytes()),
        }
    }
}

impl<T: Pod> Numbers<T> {
    pub(super) fn is_mapped(&self) -> bool {
        matches!(self, Numbers::Mapped(_))
    }

    /// To add to. What was mapped is copied.
    pub(super) fn own(&mut self) -> &mut Vec<T> {
        if self.is_mapped() {
            *self = Numbers::Own(self.to_vec());
        }
        match self {
            Numbers::Own(numbers) => numbers,
            Numbers::Mapped(_) => unreachable!("it was copied a moment ago"),
        }
    }
}

/// Where things are in a file.
struct Layout {
    rows: usize,
    dimensions: usize,
    /// Words of a row in bfloat16; none if the file has no such rows.
    words: usize,
}

impl Layout {
    fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK_ROWS)
    }

    /// Where what is read at once ends.
    fn head(&self) -> usize {
        HEADER + self.rows * NOTES + self.blocks() * HASHES
    }

    fn halves(&self) -> usize {
        self.head().next_multiple_of(PAGE)
    }

    fn components(&self) -> usize {
        (self.halves() + self.rows * self.words * 4).next_multiple_of(PAGE)
    }

    fn end(&self) -> usize {
        self.components() + self.rows * self.dimensions * 4
    }

    fn rows_of(&self, block: usize) -> Range<usize> {
        block * BLOCK_ROWS..self.rows.min((block + 1) * BLOCK_ROWS)
    }
}

fn header(set: i64, matrix: &Matrix, layout: &Layout) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[12..16].copy_from_slice(&(layout.words as u32).to_le_bytes());
    let numbers = [
        set,
        layout.dimensions as i64,
        layout.rows as i64,
        matrix.last,
        matrix.at.epoch,
        matrix.at.tombstone,
    ];
    for (place, number) in header[16..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    header
}

/// The rows of a matrix one after another, whatever blocks they are in.
fn each_row(matrix: &Matrix) -> impl Iterator<Item = (&Block, usize)> {
    matrix.blocks.iter().flat_map(|block| (0..block.ids.len()).map(move |row| (&**block, row)))
}

/// Writes the rows into the directory; gives the number that names the file.
pub(super) fn save(matrix: &Matrix, directory: &Path, set: i64) -> Result<i64, Unfit> {
    let Some(first) = matrix.blocks.first() else { return Err("there are no rows".into()) };
    let words = if first.is_halved() { half::words(first.dimensions) } else { 0 };
    let layout = Layout { rows: matrix.len(), dimensions: first.dimensions, words };
    fs::create_dir_all(directory)?;
    let unfinished = directory.join(format!("{set}.rows.new"));
    let mut head = Vec::with_capacity(layout.head());
    head.extend(header(set, matrix, &layout));
    for (block, row) in each_row(matrix) {
        head.extend(block.ids[row].to_le_bytes());
    }
    let notes: [fn(&Block, usize) -> f32; 4] = [
        |block, row| if block.is_halved() { block.errors[row] } else { 0.0 },
        |block, row| block.norms[row],
        |block, row| block.squares[row],
        |block, row| block.inverse_norms[row],
    ];
    for note in notes {
        for (block, row) in each_row(matrix) {
            head.extend(note(block, row).to_le_bytes());
        }
    }
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    // The hashes come to stand before what they are of.
    file.write_all(&vec![0; layout.halves()])?;
    let mut hashes = vec![[0_u64; 2]; layout.blocks()];
    let mut bytes: Vec<u8> = Vec::new();
    for part in 0..2 {
        let mut rows = each_row(matrix);
        for (at, hashes) in hashes.iter_mut().enumerate() {
            bytes.clear();
            for (block, row) in rows.by_ref().take(layout.rows_of(at).len()) {
                match part {
                    0 if words > 0 => {
                        bytes.extend_from_slice(bytemuck::cast_slice(block.half_row(row)));
                    }
                    0 => {}
                    _ => bytes.extend_from_slice(bytemuck::cast_slice(block.row(row))),
                }
            }
            hashes[part] = XxHash3_64::oneshot(&bytes);
            file.write_all(&bytes)?;
        }
        if part == 0 {
            let written = layout.halves() + layout.rows * words * 4;
            file.write_all(&vec![0; layout.components() - written])?;
        }
    }
    if matrix.is_broken() {
        return Err("the rows are not what they were".into());
    }
    for [halves, components] in hashes {
        head.extend(halves.to_le_bytes());
        head.extend(components.to_le_bytes());
    }
    let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    std::io::Seek::rewind(&mut file)?;
    file.write_all(&head)?;
    file.sync_all()?;
    let number = XxHash3_64::oneshot(&head) as i64;
    fs::rename(&unfinished, path(directory, set, number))?;
    sync_directory(directory)?;
    Ok(number)
}

/// The rows of a file that [`save`] has written, if it is what it was then and of this set.
pub(super) fn open(
    directory: &Path,
    set: i64,
    number: i64,
    dimensions: usize,
    scan: ExactScan,
) -> Result<Matrix, Unfit> {
    if cfg!(target_endian = "big") {
        return Err("the file's numbers are the other way round".into());
    }
    let map = Arc::new(Map::open(&path(directory, set, number))?);
    let other = "the file is not what it was when it was saved, or of another set";
    let header_bytes = map.get(..HEADER).ok_or(other)?;
    let number_at = |place: usize| -> i64 {
        let bytes = &header_bytes[16 + 8 * place..][..8];
        bytes.iter().rev().fold(0_u64, |n, byte| n << 8 | u64::from(*byte)) as i64
    };
    let words = u32::from_le_bytes([
        header_bytes[12],
        header_bytes[13],
        header_bytes[14],
        header_bytes[15],
    ]);
    let layout = Layout { rows: usize::try_from(number_at(2))?, dimensions, words: words as usize };
    let broken = Arc::new(AtomicBool::new(false));
    let mut matrix = Matrix {
        last: number_at(3),
        at: Position { epoch: number_at(4), tombstone: number_at(5) },
        broken: Some(broken.clone()),
        ..Matrix::default()
    };
    // Before anything is added up: a file of so many rows is that long.
    let fits = layout
        .rows
        .checked_mul(NOTES + 4 * (layout.words + dimensions))
        .is_some_and(|n| n <= map.len());
    if !fits
        || map.len() != layout.end()
        || ![0, half::words(dimensions)].contains(&layout.words)
        || header_bytes != header(set, &matrix, &layout)
        || XxHash3_64::oneshot(&map[..layout.head()]) as i64 != number
    {
        return Err(other.into());
    }
    if scan == ExactScan::Halved && layout.words == 0 {
        return Err("the file has no rows in bfloat16".into());
    }
    let notes = |kind: usize, rows: &Range<usize>| -> Vec<f32> {
        let from = HEADER + layout.rows * (8 + 4 * kind);
        bytemuck::pod_collect_to_vec(&map[from + 4 * rows.start..from + 4 * rows.end])
    };
    for at in 0..layout.blocks() {
        let rows = layout.rows_of(at);
        let hashes: Vec<u64> = {
            let from = HEADER + layout.rows * NOTES + at * HASHES;
            bytemuck::pod_collect_to_vec(&map[from..from + HASHES])
        };
        let piece = |from: usize, of_row: usize, hash: u64| {
            Arc::new(Piece {
                map: map.clone(),
                place: from + rows.start * of_row..from + rows.end * of_row,
                hash,
                checked: AtomicBool::new(false),
                broken: broken.clone(),
            })
        };
        let halved = scan == ExactScan::Halved;
        matrix.blocks.push(Arc::new(Block {
            dimensions,
            ids: bytemuck::pod_collect_to_vec(&map[HEADER + 8 * rows.start..HEADER + 8 * rows.end]),
            components: Numbers::Mapped(piece(layout.components(), 4 * dimensions, hashes[1])),
            halves: match halved {
                true => Numbers::Mapped(piece(layout.halves(), 4 * layout.words, hashes[0])),
                false => Numbers::default(),
            },
            errors: if halved { notes(0, &rows) } else { Vec::new() },
            norms: notes(1, &rows),
            squares: notes(2, &rows),
            inverse_norms: notes(3, &rows),
        }));
    }
    matrix.count();
    Ok(matrix)
}

pub(super) fn path(directory: &Path, set: i64, number: i64) -> PathBuf {
    directory.join(format!("{set}.{number:016x}.rows"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, scan: ExactScan) -> Matrix {
        let mut matrix = Matrix::default();
        for i in 0..rows {
            let x = i as f32;
            matrix.push(2 * i as i64 + 5, &[x.sin(), x.cos(), 0.1], scan);
        }
        matrix.at = Position { epoch: 3, tombstone: 9 };
        matrix
    }

    fn all(matrix: &Matrix) -> Vec<(i64, Vec<f32>, Vec<u32>)> {
        each_row(matrix)
            .map(|(block, row)| {
                let half =
                    if block.is_halved() { block.half_row(row).to_vec() } else { Vec::new() };
                (block.ids[row], block.row(row).to_vec(), half)
            })
            .collect()
    }

    #[test]
    fn rows_come_back_and_more_can_be_added() {
        let dir = tempfile::tempdir().unwrap();
        for scan in [ExactScan::Full, ExactScan::Halved] {
            let mut saved = matrix(2500, scan);
            // Blocks of other lengths than the file's.
            saved.remove(&[5, 7, 2061]);
            let number = save(&saved, dir.path(), 8).unwrap();
            let mut opened = open(dir.path(), 8, number, 3, scan).unwrap();
            assert_eq!((opened.last, opened.at), (saved.last, saved.at));
            assert_eq!(all(&opened), all(&saved));
            opened.push(6000, &[1.0, 2.0, 3.0], scan);
            opened.remove(&[9, 5003]);
            saved.push(6000, &[1.0, 2.0, 3.0], scan);
            saved.remove(&[9, 5003]);
            assert_eq!(all(&opened), all(&saved));
            assert!(!opened.is_broken());
            assert!(open(dir.path(), 8, number, 2, scan).is_err(), "other dimensions");
            assert!(open(dir.path(), 9, number, 3, scan).is_err(), "another set");
        }
    }

    #[test]
    fn what_is_not_as_it_was_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let saved = matrix(1500, ExactScan::Halved);
        let number = save(&saved, dir.path(), 8).unwrap();
        let file = path(dir.path(), 8, number);
        let good = fs::read(&file).unwrap();
        for at in (0..good.len()).step_by(997).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&file, &bad).unwrap();
            match open(dir.path(), 8, number, 3, ExactScan::Halved) {
                Err(_) => {}
                Ok(opened) => {
                    let same = all(&opened) == all(&saved);
                    assert!(opened.is_broken() || same, "byte {at}");
                }
            }
        }
        for length in (0..good.len()).step_by(1999) {
            fs::write(&file, &good[..length]).unwrap();
            assert!(open(dir.path(), 8, number, 3, ExactScan::Halved).is_err(), "{length} bytes");
        }
    }
}
