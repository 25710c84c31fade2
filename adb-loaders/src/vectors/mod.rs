//! Vectors that stand in NumPy's files, read one at a time: `.npy` holds an array, `.npz` several.

mod npy;

use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read as _, Seek as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use zip::ZipArchive;

pub(crate) use npy::npy_header;
use npy::{Header, components};

/// One vector of a file.
#[derive(Debug, Clone)]
pub(crate) struct VectorRow {
    pub(crate) file: Arc<VectorFile>,
    pub(crate) index: VectorIndex,
}

impl std::fmt::Display for VectorRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.file.path.display(), self.index)
    }
}

/// Which vector of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VectorIndex {
    /// The row of an array, or the array of an archive, from 0.
    Number(u64),
    /// The array of an archive that has this name.
    Name(String),
}

/// Files that rows have named so far.
#[derive(Debug, Default)]
pub(crate) struct VectorFiles(HashMap<PathBuf, Result<Arc<VectorFile>, String>>);

impl VectorFiles {
    /// Opens a file once.
    pub(crate) fn open(&mut self, path: &Path) -> Result<Arc<VectorFile>, String> {
        if let Some(known) = self.0.get(path) {
            return known.clone();
        }
        let opened = VectorFile::open(path).map(Arc::new);
        self.0.insert(path.to_owned(), opened.clone());
        opened
    }
}

/// An open file of vectors.
#[derive(Debug)]
pub(crate) struct VectorFile {
    path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Array { file: Mutex<File>, header: Header },
    Archive(Mutex<ZipArchive<BufReader<File>>>),
}

impl VectorFile {
    /// Opens it and looks at its header.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let explain = |e: &dyn std::fmt::Display| match path.exists() {
            true => format!("the file {} can't be read: {e}", path.display()),
            false => format!("the file {} does not exist", path.display()),
        };
        let mut file = File::open(path).map_err(|e| explain(&e))?;
        let mut magic = [0; 4];
        file.read_exact(&mut magic).map_err(|e| explain(&e))?;
        file.rewind().map_err(|e| explain(&e))?;
        let content = if magic.starts_with(b"PK") {
            let archive = ZipArchive::new(BufReader::new(file)).map_err(|e| explain(&e))?;
            Content::Archive(Mutex::new(archive))
        } else {
            let header = Header::read(&mut file).map_err(|e| explain(&e))?;
            Content::Array { file: Mutex::new(file), header }
        };
        Ok(Self { path: path.to_owned(), content })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many vectors an array of vectors has, and of how many components.
    pub(crate) fn shape(&self) -> Result<(u64, u64), String> {
        match &self.content {
            Content::Array { header, .. } if header.shape.len() >= 2 => {
                Ok((header.shape[0], components(&header.shape[1..])?))
            }
            Content::Array { header, .. } => Err(format!(
                "its array has the shape {:?}, and rows of vectors are wanted: two dimensions",
                header.shape
            )),
            Content::Archive(_) => {
                Err("it holds several arrays; save the one whose rows are meant as .npy".to_owned())
            }
        }
    }

    /// A vector as the database takes it: little-endian floats of 32 bits.
    pub(crate) fn read(&self, index: &VectorIndex) -> Result<Bytes, String> {
        let read = match &self.content {
            Content::Array { file, header } => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                header.row(&mut *file, index)
            }
            Content::Archive(archive) => {
                let mut archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
                of_archive(&mut archive, index)
            }
        };
        read.map_err(|e| format!("{}: {e}", self.path.display()))
    }
}

fn of_archive(
    archive: &mut ZipArchive<BufReader<File>>,
    index: &VectorIndex,
) -> Result<Bytes, String> {
    let named = |name: &str| {
        archive.index_for_name(&format!("{name}.npy")).or_else(|| archive.index_for_name(name))
    };
    let place = match index {
        VectorIndex::Name(name) => named(name),
        // Archives name arrays that have no name of their own `arr_0`, `arr_1`, …
        VectorIndex::Number(n) => named(&n.to_string())
            .or_else(|| named(&format!("arr_{n}")))
            .or_else(|| usize::try_from(*n).ok().filter(|n| *n < archive.len())),
    };
    let Some(place) = place else {
        let names: Vec<&str> = archive.file_names().take(5).collect();
        return Err(format!("it has no array {index}; it has {}", names.join(", ")));
    };
    let mut member = archive.by_index(place).map_err(|e| e.to_string())?;
    let header = Header::read(&mut member)?;
    header.whole(&mut member)
}

impl std::fmt::Display for VectorIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            VectorIndex::Number(n) => n.fmt(f),
            VectorIndex::Name(name) => write!(f, "`{name}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use npyz::WriterBuilder as _;
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn npy<T: npyz::AutoSerialize + npyz::Serialize + Copy>(shape: &[u64], all: &[T]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::<T>::new()
            .default_dtype()
            .shape(shape)
            .writer(Cursor::new(&mut bytes))
            .begin_nd()
            .unwrap();
        writer.extend(all.iter().copied()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn floats(bytes: &Bytes) -> Vec<f32> {
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }

    fn read(file: &[u8], index: &VectorIndex) -> Result<Vec<f32>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vectors");
        std::fs::write(&path, file).unwrap();
        VectorFile::open(&path)?.read(index).map(|bytes| floats(&bytes))
    }

    #[test]
    fn rows_of_any_number_become_floats() {
        let second = |file: Vec<u8>| read(&file, &VectorIndex::Number(1)).unwrap();
        assert_eq!(second(npy(&[2, 2], &[1.0f32, 2.0, -3.5, 4.0])), [-3.5, 4.0]);
        assert_eq!(second(npy(&[2, 2], &[1.0f64, 2.0, 0.1, 4.0])), [0.1, 4.0]);
        assert_eq!(second(npy(&[2, 2], &[1i8, 2, -3, 4])), [-3.0, 4.0]);
        assert_eq!(second(npy(&[2, 2], &[1u16, 2, 65535, 4])), [65535.0, 4.0]);
        assert_eq!(second(npy(&[2, 2, 1], &[1i64, 2, -5, 4])), [-5.0, 4.0]);
        let mut big = npy(&[2, 1], &[0f32, 0.0]);
        let at = big.len() - 4;
        big[at..].copy_from_slice(&2.5f32.to_be_bytes());
        let order = big.windows(3).position(|w| w == b"<f4").unwrap();
        big[order] = b'>';
        assert_eq!(second(big), [2.5]);
    }

    #[test]
    fn archives_give_arrays_by_name_and_by_number() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, value) in [("arr_0.npy", 1f32), ("arr_1.npy", 2.0), ("cats.npy", 3.0)] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&npy(&[2], &[value, 0.5])).unwrap();
        }
        let file = zip.finish().unwrap().into_inner();
        assert_eq!(read(&file, &VectorIndex::Number(1)).unwrap(), [2.0, 0.5]);
        assert_eq!(read(&file, &VectorIndex::Number(2)).unwrap(), [3.0, 0.5]);
        assert_eq!(read(&file, &VectorIndex::Name("cats".into())).unwrap(), [3.0, 0.5]);
        let error = read(&file, &VectorIndex::Name("dogs".into())).unwrap_err();
        assert!(error.contains("no array `dogs`") && error.contains("arr_0.npy"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let good = npy(&[2, 2], &[1.0f32, 2.0, 3.0, f32::NAN]);
        let (number, name) = (VectorIndex::Number, VectorIndex::Name("a".into()));
        let short = &good[..good.len() - 6];
        let mut fortran = good.clone();
        let at = fortran.windows(5).position(|w| w == b"False").unwrap();
        fortran[at..at + 5].copy_from_slice(b"True ");
        for (file, index, said) in [
            (&good[..], number(2), "it has 2 rows"),
            (&good[..], name, "`a` is no row"),
            (&good[..], number(1), "component 1 of the vector is not a finite number"),
            (short, number(1), "cut off"),
            (&good[..20], number(0), "header"),
            (b"text", number(0), "header"),
            (b"some longer text", number(0), "no file of NumPy's"),
            (&fortran, number(0), "column by column"),
            (&npy(&[3], &[1f32, 2.0, 3.0]), number(0), "a single vector"),
        ] {
            let error = read(file, &index).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let error = VectorFile::open(Path::new("no/such.npy")).unwrap_err();
        assert!(error.contains("no/such.npy does not exist"), "{error}");
    }

    #[test]
    fn what_is_written_is_read() {
        let mut file = npy_header(2, 3);
        for value in [1f32, 2.0, 3.0, 4.0, 5.0, 6.0] {
            file.extend_from_slice(&value.to_le_bytes());
        }
        assert_eq!(read(&file, &VectorIndex::Number(1)).unwrap(), [4.0, 5.0, 6.0]);
        assert_eq!(npy_header(u64::MAX, 100_000).len(), npy_header(0, 1).len());
    }
}
