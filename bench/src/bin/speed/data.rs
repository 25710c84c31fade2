//! The numbers that both sides of a comparison see.
//!
//! Vectors lie around 2,000 centres and have length 1. Row `i` is the same on every run and
//! however many rows there are, so one file serves all sizes. Python reads the files as they are:
//! little-endian numbers, row after row.

use std::{
    fs::{self, File},
    io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, ensure};
use clap::Args;

/// Where the vectors lie: the centres, and how far from them (in standard deviations of the
/// centres' own distribution).
const CENTRES: usize = 2000;
const SPREAD: f32 = 0.6;
/// Vectors that are searched for; none of them is a row.
pub(crate) const QUERIES: usize = 1000;
/// Rows that are made from one seed.
const BLOCK: usize = 4096;
/// Rows have a bucket from 0 to 999: "bucket < 50" is a filter that 5 % pass.
pub(crate) const BUCKETS: u64 = 1000;
/// Bytes from which pictures are cut.
const NOISE: usize = 32 << 20;
/// Bytes of a picture.
pub(crate) const PICTURE: usize = 20_000;

/// Vectors `0..rows` of so many dimensions, those to search for, and bytes that can't be packed.
#[derive(Args)]
pub(crate) struct Write {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    rows: usize,
    #[arg(long)]
    dimensions: usize,
}

impl Write {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.data)?;
        let (rows, dimensions) = (self.rows, self.dimensions);
        write_once(&vectors_file(&self.data, dimensions), rows * dimensions * 4, |file| {
            write_vectors(file, rows, dimensions, 1)
        })?;
        let queries = queries_file(&self.data, dimensions);
        write_once(&queries, QUERIES * dimensions * 4, |file| {
            write_vectors(file, QUERIES, dimensions, 2)
        })?;
        write_once(&self.data.join("noise"), NOISE, |file| {
            let mut noise = Noise::new(3);
            let words = (0..NOISE / 8).flat_map(|_| noise.next().to_le_bytes());
            Ok(file.write_all(&words.collect::<Vec<u8>>())?)
        })
    }
}

fn vectors_file(data: &Path, dimensions: usize) -> PathBuf {
    data.join(format!("vectors-{dimensions}"))
}

fn queries_file(data: &Path, dimensions: usize) -> PathBuf {
    data.join(format!("queries-{dimensions}"))
}

/// Writes a file anew, unless it is as long already: a longer one begins with the same rows.
pub(crate) fn write_once(
    path: &Path,
    bytes: usize,
    write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() >= bytes as u64) {
        return Ok(());
    }
    let part = path.with_extension("part");
    let mut file = BufWriter::new(
        File::create(&part).with_context(|| format!("{} can't be written", part.display()))?,
    );
    write(&mut file)?;
    file.into_inner()?.sync_all()?;
    Ok(fs::rename(part, path)?)
}

fn write_vectors(
    file: &mut BufWriter<File>,
    rows: usize,
    dimensions: usize,
    seed: u64,
) -> anyhow::Result<()> {
    let mut noise = Noise::new(0);
    let centres: Vec<f32> = (0..CENTRES * dimensions).map(|_| noise.normal()).collect();
    let threads = adb_bench::cores();
    let firsts: Vec<usize> = (0..rows).step_by(BLOCK).collect();
    for firsts in firsts.chunks(threads) {
        let blocks = thread::scope(|scope| {
            let block = |&first: &usize| {
                let (centres, count) = (&centres, BLOCK.min(rows - first));
                scope.spawn(move || block(centres, first, count, dimensions, seed))
            };
            let running: Vec<_> = firsts.iter().map(block).collect();
            running.into_iter().map(thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>()
        });
        for block in blocks.map_err(|_| anyhow::anyhow!("a thread that makes vectors panicked"))? {
            file.write_all(&block)?;
        }
    }
    Ok(())
}

/// Rows from `first`, as bytes.
fn block(centres: &[f32], first: usize, count: usize, dimensions: usize, seed: u64) -> Vec<u8> {
    let mut noise = Noise::new(mix(seed) ^ first as u64);
    let mut bytes = Vec::with_capacity(count * dimensions * 4);
    let mut row = vec![0.0_f32; dimensions];
    for _ in 0..count {
        let centre = (noise.next() % CENTRES as u64) as usize * dimensions;
        for (x, centre) in row.iter_mut().zip(&centres[centre..centre + dimensions]) {
            *x = centre + SPREAD * noise.normal();
        }
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        bytes.extend(row.iter().flat_map(|x| (x / length).to_le_bytes()));
    }
    bytes
}

/// A row's bucket. Python has the same formula.
pub(crate) fn bucket(row: usize) -> u64 {
    mix(row as u64 ^ 0xb0c) % BUCKETS
}

/// The vectors of a file, read a stretch at a time.
pub(crate) struct Vectors {
    file: File,
    dimensions: usize,
}

impl Vectors {
    pub(crate) fn open(data: &Path, dimensions: usize) -> anyhow::Result<Self> {
        let path = vectors_file(data, dimensions);
        let file =
            File::open(&path).with_context(|| format!("{} can't be read", path.display()))?;
        Ok(Self { file, dimensions })
    }

    /// The bytes of `count` rows from `first`.
    pub(crate) fn bytes(&mut self, first: usize, count: usize) -> anyhow::Result<Vec<u8>> {
        let row = self.dimensions * 4;
        let mut bytes = vec![0; count * row];
        self.file.seek(SeekFrom::Start((first * row) as u64))?;
        self.file.read_exact(&mut bytes).context("there are fewer vectors than rows")?;
        Ok(bytes)
    }

    pub(crate) fn components(&mut self, first: usize, count: usize) -> anyhow::Result<Vec<f32>> {
        Ok(components(&self.bytes(first, count)?))
    }
}

/// What is searched for, as bytes.
pub(crate) fn queries(data: &Path, dimensions: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let path = queries_file(data, dimensions);
    let bytes = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
    Ok(bytes.chunks_exact(dimensions * 4).map(<[u8]>::to_vec).collect())
}

pub(crate) fn components(bytes: &[u8]) -> Vec<f32> {
    let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    bytes.chunks_exact(4).map(number).collect()
}

/// Makes bytes that pass for a picture where nobody decodes it: the beginning of a PNG, the row's
/// number, noise. No two are alike. Python has the same formula.
pub(crate) struct Pictures(Vec<u8>);

impl Pictures {
    pub(crate) const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

    pub(crate) fn open(data: &Path) -> anyhow::Result<Self> {
        let path = data.join("noise");
        let noise = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
        ensure!(noise.len() == NOISE, "{} is not as long as it was made", path.display());
        Ok(Self(noise))
    }

    pub(crate) fn picture(&self, row: usize) -> Vec<u8> {
        let length = PICTURE - 16;
        let from = row * 20_011 % (self.0.len() - length);
        let mut bytes = Self::tiny(row);
        bytes.extend_from_slice(&self.0[from..from + length]);
        bytes
    }

    /// The row of a picture.
    pub(crate) fn row(picture: &[u8]) -> anyhow::Result<u32> {
        let number = picture.get(8..16).and_then(|bytes| bytes.try_into().ok());
        Ok(u64::from_le_bytes(number.context("no picture of ours")?).try_into()?)
    }

    /// No more than the beginning.
    pub(crate) fn tiny(row: usize) -> Vec<u8> {
        let mut bytes = Self::SIGNATURE.to_vec();
        bytes.extend((row as u64).to_le_bytes());
        bytes
    }
}

/// Numbers that look random and are the same everywhere: SplitMix64 (Steele, Lea, Flood, 2014).
pub(crate) struct Noise {
    state: u64,
    spare: Option<f32>,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's next number after a state.
pub(crate) fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: mix(seed), spare: None }
    }

    pub(crate) fn next(&mut self) -> u64 {
        let next = mix(self.state);
        self.state = self.state.wrapping_add(STEP);
        next
    }

    /// Normally distributed, by Box and Muller.
    fn normal(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let bits = self.next();
        let unit = |bits: u64| (bits as f32 + 1.0) / (1_u64 << 24) as f32;
        let radius = (-2.0 * unit(bits >> 40).ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * unit(bits & 0xff_ffff)).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's copies of these formulas are tested with the same numbers.
    #[test]
    fn the_formulas_that_python_has_too() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!([0, 1, 2, 199_999].map(bucket), [672, 3, 524, 166]);
    }

    #[test]
    fn normal_numbers_are_that() {
        let mut noise = Noise::new(7);
        let all: Vec<f64> = (0..100_000).map(|_| f64::from(noise.normal())).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
        let beyond_two = all.iter().filter(|x| x.abs() > 2.0).count() as f64 / all.len() as f64;
        assert!((beyond_two - 0.0455).abs() < 0.004, "{beyond_two}");
    }

    #[test]
    fn a_longer_file_begins_as_a_shorter_one() {
        let dir = tempfile::tempdir().unwrap();
        let write = |rows| {
            let command = Write { data: dir.path().to_owned(), rows, dimensions: 8 };
            command.run().unwrap();
            Vectors::open(dir.path(), 8).unwrap().components(0, 5000).unwrap()
        };
        let (short, long) = (write(5000), write(9000));
        assert_eq!(short, long);
        for row in short.chunks_exact(8) {
            assert!((row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}
