//! The bytes of a source: a file or standard input, packed or not.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::name_of;
use crate::{Error, MediaRoot};

/// Bytes that one row may have, unless the user says otherwise: far more than a row with vectors
/// and outlines has, and little enough to be held.
pub const MAX_ROW_BYTES: u64 = 64 << 20;

/// A source's bytes, unpacked: gzip and Zstandard are known by their first bytes, whatever the file
/// is called. `-` is standard input.
pub(crate) struct Input {
    path: PathBuf,
    size: Option<u64>,
    /// Bytes of the file, as it is stored, that were read so far.
    taken: Arc<AtomicU64>,
    pub(crate) reader: Box<dyn BufRead + Send>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Input {
    pub(crate) fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let fail = |e| Error::source(&path, e);
        if path.as_os_str() == "-" {
            return Self::of(path, None, io::stdin());
        }
        let file = File::open(&path).map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        if meta.is_dir() {
            let message = "it is a folder; `from-dir` reads the files of a folder";
            return Err(fail(io::Error::new(io::ErrorKind::IsADirectory, message)));
        }
        // A pipe has no size.
        let size = meta.is_file().then_some(meta.len());
        Self::of(path, size, file)
    }

    fn of(
        path: PathBuf,
        size: Option<u64>,
        stored: impl Read + Send + 'static,
    ) -> Result<Self, Error> {
        let taken = Arc::<AtomicU64>::default();
        let stored = Taking { inner: stored, taken: taken.clone() };
        let reader = unpacked(stored).map_err(|e| Error::source(&path, e))?;
        Ok(Self { path, size, taken, reader })
    }

    /// As the user named it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What rows say of where they stand.
    pub(crate) fn name(&self) -> Arc<str> {
        match self.is_stdin() {
            true => "standard input".into(),
            false => self.path.display().to_string().into(),
        }
    }

    pub(crate) fn is_stdin(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// As it is stored, in bytes.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Counts the bytes of the file that were read, as it is stored.
    pub(crate) fn taken(&self) -> Arc<AtomicU64> {
        self.taken.clone()
    }

    /// The file's whole path; of standard input nothing.
    pub(crate) fn whole_name(&self) -> String {
        if self.path.as_os_str() == "-" { String::new() } else { name_of(&self.path) }
    }

    /// Beside the file; the working directory for standard input.
    pub(crate) fn media_root(&self) -> MediaRoot {
        match self.is_stdin() {
            true => MediaRoot::new("."),
            false => MediaRoot::beside(&self.path),
        }
    }
}

#[derive(Debug)]
struct Taking<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Taking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.taken.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// RFC 1952, section 2.3.1.
const GZIP: &[u8] = b"\x1f\x8b";
/// RFC 8878, section 3.1.1.
const ZSTD: [u8; 4] = *b"\x28\xb5\x2f\xfd";
const BUFFER: usize = 1 << 16;

/// What is in packed bytes; bytes that are not packed as they are.
pub(crate) fn unpacked(stored: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut stored = BufReader::with_capacity(BUFFER, stored);
    // A pipe may give its first bytes one by one.
    let mut first = Vec::new();
    stored.by_ref().take(ZSTD.len() as u64).read_to_end(&mut first)?;
    let magic = first.clone();
    // What comes next is taken along, so that whoever looks at the beginning sees more than these.
    let mut next = vec![0; BUFFER];
    let more = stored.read(&mut next)?;
    first.extend_from_slice(&next[..more]);
    let whole = BufReader::with_capacity(BUFFER, Cursor::new(first).chain(stored));
    if magic.starts_with(GZIP) {
        let unpacked = Explained { form: "gzip", inner: MultiGzDecoder::new(whole) };
        return Ok(Box::new(BufReader::with_capacity(BUFFER, unpacked)));
    }
    if magic == ZSTD || is_skippable(&magic) {
        let unpacked = Explained { form: "Zstandard", inner: Zstd::Between(whole) };
        return Ok(Box::new(BufReader::with_capacity(BUFFER, unpacked)));
    }
    if magic.starts_with(b"\xff\xfe") || magic.starts_with(b"\xfe\xff") {
        let message = "it is UTF-16, and UTF-8 is what can be read; save it as UTF-8";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Box::new(whole))
}

/// Says of a fault that it is one of packing.
#[derive(Debug)]
struct Explained<R> {
    form: &'static str,
    inner: R,
}

impl<R: Read> Read for Explained<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|e| {
            let form = self.form;
            io::Error::new(
                e.kind(),
                format!("its {form} data are damaged or cut short ({e}); fetch or pack it again"),
            )
        })
    }
}

/// Frames one after another, as tools that pack in parallel write them.
enum Zstd<R: BufRead> {
    Between(R),
    Frame(Box<StreamingDecoder<Frame<R>, ruzstd::decoding::FrameDecoder>>),
    Ended,
}

/// A frame from its first bytes on.
type Frame<R> = io::Chain<Cursor<[u8; 4]>, R>;

impl<R: BufRead> Zstd<R> {
    fn begin(mut from: R) -> io::Result<Self> {
        if from.fill_buf()?.is_empty() {
            return Ok(Zstd::Ended);
        }
        let mut magic = [0; 4];
        from.read_exact(&mut magic)?;
        if is_skippable(&magic) {
            let mut length = [0; 4];
            from.read_exact(&mut length)?;
            let length = u64::from(u32::from_le_bytes(length));
            if io::copy(&mut from.by_ref().take(length), &mut io::sink())? < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            return Ok(Zstd::Between(from));
        }
        let decoder = StreamingDecoder::new(Cursor::new(magic).chain(from)).map_err(broken)?;
        Ok(Zstd::Frame(Box::new(decoder)))
    }
}

/// RFC 8878, section 3.1.2.
fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

fn broken(e: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e.to_string())
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            *self = match std::mem::replace(self, Zstd::Ended) {
                Zstd::Ended => return Ok(0),
                Zstd::Between(from) => Zstd::begin(from)?,
                Zstd::Frame(mut decoder) => {
                    let n = decoder.read(buffer).map_err(broken)?;
                    if n > 0 {
                        *self = Zstd::Frame(decoder);
                        return Ok(n);
                    }
                    let sum = decoder.decoder.get_checksum_from_data();
                    if sum.is_some() && sum != decoder.decoder.get_calculated_checksum() {
                        return Err(broken("its checksum is wrong"));
                    }
                    Zstd::Between(decoder.into_inner().into_inner().1)
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(stored: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        unpacked(Cursor::new(stored))?.read_to_end(&mut all)?;
        Ok(all)
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        compress_to_vec(data, CompressionLevel::Fastest)
    }

    #[test]
    fn packed_or_not_it_is_the_same() {
        let data: Vec<u8> = (0..300_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        assert!(read(data.clone()).unwrap() == data);
        for pack in [gzip, zstd] {
            assert!(read(pack(&data)).unwrap() == data);
            // Several one after another.
            let (a, b) = data.split_at(1000);
            assert!(read([pack(a), pack(b)].concat()).unwrap() == data);
        }
        let skipped = b"\x5a\x2a\x4d\x18\x03\0\0\0abc";
        assert!(read([&skipped[..], &zstd(&data), skipped].concat()).unwrap() == data);
        for short in [&b""[..], b"a", b"ab", b"\x1e\x8b"] {
            assert_eq!(read(short.to_vec()).unwrap(), short);
        }
    }

    #[test]
    fn what_is_cut_short_or_damaged_is_no_end() {
        let data: Vec<u8> = (0..100_000u32).flat_map(|i| i.wrapping_mul(i).to_le_bytes()).collect();
        for (pack, form) in [(gzip as fn(&[u8]) -> Vec<u8>, "gzip"), (zstd, "Zstandard")] {
            let packed = pack(&data);
            for cut in [5, packed.len() / 2, packed.len() - 1] {
                let e = read(packed[..cut].to_vec()).unwrap_err().to_string();
                assert!(e.contains(form) && e.contains("cut short"), "{cut}: {e}");
            }
            let mut damaged = packed.clone();
            let n = damaged.len();
            damaged[n / 2] ^= 0xff;
            assert!(read(damaged).is_err(), "{form}");
            // Rubbish behind it.
            assert!(read([packed.as_slice(), b"rubbish"].concat()).is_err(), "{form}");
        }
    }

    #[test]
    fn other_encodings_are_named() {
        let e = read(b"\xff\xfei\0d\0".to_vec()).unwrap_err().to_string();
        assert!(e.contains("UTF-16"), "{e}");
    }

    #[test]
    fn a_folder_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let e = Input::open(dir.path()).unwrap_err().to_string();
        assert!(e.contains("from-dir"), "{e}");
    }
}
