//! Reading the pictures that rows point to.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use adb_model::MediaSource;
use bytes::Bytes;

/// Where relative paths in a source begin, and how large a file may be.
#[derive(Debug, Clone)]
pub struct MediaRoot {
    dir: PathBuf,
    max_bytes: u64,
}

impl MediaRoot {
    /// Files up to 256 MiB, relative to `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), max_bytes: 256 << 20 }
    }

    /// The directory that holds a source's file.
    #[must_use]
    pub fn beside(file: &Path) -> Self {
        match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => Self::new(dir),
            _ => Self::new("."),
        }
    }

    /// Sets the largest file to read, in bytes.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Where a file lies; nothing for what is no file.
    #[must_use]
    pub fn path(&self, media: &MediaSource) -> Option<PathBuf> {
        match media {
            MediaSource::Path(path) => Some(self.dir.join(path)),
            _ => None,
        }
    }

    /// The encoded bytes of an image, a video or another file.
    ///
    /// # Errors
    /// In words for the row's report: what, where, how to mend it.
    pub fn read(&self, media: &MediaSource) -> Result<Bytes, String> {
        let path = match media {
            MediaSource::Bytes(bytes) => return Ok(bytes.clone()),
            MediaSource::Path(path) => self.dir.join(path),
            MediaSource::Url(url) => {
                return Err(format!(
                    "{url} is an address, and only files can be read so far; download it and name the file"
                ));
            }
            other => {
                return Err(format!("{other:?} is of a kind that can't be read"));
            }
        };
        let explain = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => {
                format!("the file {} does not exist", path.display())
            }
            _ => format!("the file {} can't be read: {e}", path.display()),
        };
        let meta = fs::metadata(&path).map_err(explain)?;
        if !meta.is_file() {
            return Err(format!("the file {} is not a file", path.display()));
        }
        if meta.len() > self.max_bytes {
            return Err(format!(
                "the file {} has {} bytes, more than the limit of {}",
                path.display(),
                meta.len(),
                self.max_bytes
            ));
        }
        if meta.len() == 0 {
            return Err(format!("the file {} is empty", path.display()));
        }
        fs::read(&path).map(Bytes::from).map_err(explain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("empty.png"), b"").unwrap();
        fs::write(dir.path().join("big.png"), b"12345").unwrap();
        let root = MediaRoot::new(dir.path()).max_bytes(4);
        for (name, word) in
            [("none.png", "does not exist"), ("empty.png", "is empty"), ("big.png", "limit of 4")]
        {
            let err = root.read(&MediaSource::Path(name.into())).unwrap_err();
            assert!(err.contains(name) && err.contains(word), "{err}");
        }
        let err = root.read(&MediaSource::Url("https://x/y.png".into())).unwrap_err();
        assert!(err.contains("https://x/y.png"), "{err}");
        let err = root.read(&MediaSource::Path("".into())).unwrap_err();
        assert!(err.contains("not a file"), "{err}");
    }

    #[test]
    fn beside_a_bare_file_name_is_the_working_directory() {
        assert_eq!(MediaRoot::beside(Path::new("dishes.json")).dir, Path::new("."));
        assert_eq!(MediaRoot::beside(Path::new("a/dishes.json")).dir, Path::new("a"));
    }
}
