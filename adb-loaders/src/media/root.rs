//! Paths in rows: where they begin, and that they stay there.

use std::{
    collections::HashSet,
    fs,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;

use super::{MediaError, MediaErrorKind};

/// The directory in which relative paths in a source begin, and which paths may not leave unless
/// that is allowed: rows may come from somebody else.
#[derive(Debug, Clone)]
pub struct MediaRoot {
    dir: PathBuf,
    outside: bool,
    trusted: Option<String>,
    seen: Arc<Seen>,
}

/// What was found out about directories: a row's file mostly lies beside that of the row before,
/// and following each directory of its path anew takes longer than opening it.
#[derive(Debug, Default)]
struct Seen {
    /// The directory itself, without symbolic links.
    root: OnceLock<PathBuf>,
    /// Directories below it, as rows name them, that no symbolic link leads out of.
    within: Mutex<HashSet<PathBuf>>,
}

/// So many directories are remembered.
const MOST_SEEN: usize = 1000;

impl Seen {
    fn root(&self, dir: &Path) -> io::Result<&Path> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let root = fs::canonicalize(dir)?;
        Ok(self.root.get_or_init(|| root))
    }

    /// What a file is; nothing if it lies elsewhere than below `root`.
    fn meta_within(&self, root: &Path, file: &Path) -> io::Result<Option<fs::Metadata>> {
        if let (Some(dir), Some(_)) = (file.parent(), file.file_name())
            && self.is_within(root, dir)?
        {
            let meta = fs::symlink_metadata(file)?;
            if !meta.is_symlink() {
                return Ok(Some(meta));
            }
        }
        match fs::canonicalize(file)?.starts_with(root) {
            true => fs::metadata(file).map(Some),
            false => Ok(None),
        }
    }

    /// Whether a directory lies below `root`.
    fn is_within(&self, root: &Path, dir: &Path) -> io::Result<bool> {
        if self.within.lock().unwrap_or_else(PoisonError::into_inner).contains(dir) {
            return Ok(true);
        }
        let is_within = fs::canonicalize(dir)?.starts_with(root);
        if is_within {
            let mut within = self.within.lock().unwrap_or_else(PoisonError::into_inner);
            if within.len() >= MOST_SEEN {
                within.clear();
            }
            within.insert(dir.to_owned());
        }
        Ok(is_within)
    }
}

impl MediaRoot {
    /// Files below `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), outside: false, trusted: None, seen: Arc::default() }
    }

    /// The directory that holds a source's file.
    #[must_use]
    pub fn beside(file: &Path) -> Self {
        match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => Self::new(dir),
            _ => Self::new("."),
        }
    }

    /// Whether paths may name files elsewhere: absolute ones, by `..`, by symbolic links. No unless
    /// told.
    #[must_use]
    pub fn allow_outside(mut self, allow: bool) -> Self {
        self.outside = allow;
        self
    }

    /// Lets rows name what lies below an address, be it on this machine or in a private network: it is
    /// the source itself, and the user has named it.
    #[must_use]
    pub fn trusting(mut self, address: impl Into<String>) -> Self {
        self.trusted = Some(address.into());
        self
    }

    pub(crate) fn trusted(&self) -> Option<&str> {
        self.trusted.as_deref()
    }

    pub(crate) fn allows_outside(&self) -> bool {
        self.outside
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file that a row's path names.
    ///
    /// # Errors
    /// When it is not there, or lies where it may not.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, MediaError> {
        self.look_up(path).map(|(file, _)| file)
    }

    /// The same with what the file is, where that was seen on the way.
    fn look_up(&self, path: &Path) -> Result<(PathBuf, Option<fs::Metadata>), MediaError> {
        let file = self.dir.join(path);
        let place = || format!("the file {}", file.display());
        if self.outside {
            return Ok((file, None));
        }
        let outside = || {
            let kind = MediaErrorKind::Outside { root: self.dir.clone() };
            MediaError::new(place(), kind)
        };
        let failed = |e| MediaError::new(place(), fault(e));
        let root = self.seen.root(&self.dir).map_err(failed)?;
        // By the text alone first, so that nobody learns what lies elsewhere.
        let within = |base: &Path| path.strip_prefix(base).is_ok_and(stays_within);
        let stays = match path.is_absolute() {
            true => within(&self.dir) || within(root),
            false => stays_within(path),
        };
        if !stays {
            return Err(outside());
        }
        // Symbolic links.
        match self.seen.meta_within(root, &file) {
            // What is not there leads nowhere; whoever reads it says so.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok((file, None)),
            Err(e) => Err(failed(e)),
            Ok(None) => Err(outside()),
            Ok(meta) => Ok((file, meta)),
        }
    }

    /// The bytes of a file, `limit` of them at most.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> Result<Bytes, MediaError> {
        let (file, seen) = self.look_up(path)?;
        let failed = |kind| MediaError::new(format!("the file {}", file.display()), kind);
        let meta = match seen {
            Some(meta) => meta,
            None => fs::metadata(&file).map_err(|e| failed(fault(e)))?,
        };
        if !meta.is_file() {
            return Err(failed(MediaErrorKind::NotAFile));
        }
        if meta.len() > limit {
            return Err(failed(MediaErrorKind::TooLarge { bytes: Some(meta.len()), limit }));
        }
        // It may grow meanwhile.
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1);
        let mut opened = fs::File::open(&file).map_err(|e| failed(fault(e)))?.take(limit + 1);
        opened.read_to_end(&mut bytes).map_err(|e| failed(fault(e)))?;
        match bytes.len() as u64 {
            0 => Err(failed(MediaErrorKind::Empty)),
            n if n > limit => Err(failed(MediaErrorKind::TooLarge { bytes: None, limit })),
            _ => Ok(bytes.into()),
        }
    }
}

/// Whether a relative path never climbs above where it begins.
fn stays_within(path: &Path) -> bool {
    let mut depth = 0usize;
    path.components().all(|part| match part {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::CurDir => true,
        Component::ParentDir => match depth.checked_sub(1) {
            Some(up) => {
                depth = up;
                true
            }
            None => false,
        },
        Component::RootDir | Component::Prefix(_) => false,
    })
}

fn fault(e: io::Error) -> MediaErrorKind {
    match e.kind() {
        io::ErrorKind::NotFound => MediaErrorKind::NotFound,
        _ => MediaErrorKind::Io(e),
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
        let root = MediaRoot::new(dir.path());
        for (name, word) in [
            ("none.png", "none.png does not exist"),
            ("empty.png", "empty.png is empty"),
            ("big.png", "limit of 4"),
            ("", "is not a file"),
        ] {
            let err = root.read(Path::new(name), 4).unwrap_err().to_string();
            assert!(err.contains(name) && err.contains(word), "{err}");
        }
        assert_eq!(root.read(Path::new("big.png"), 5).unwrap(), "12345");
    }

    #[test]
    fn beside_a_bare_file_name_is_the_working_directory() {
        assert_eq!(MediaRoot::beside(Path::new("dishes.json")).dir(), Path::new("."));
        assert_eq!(MediaRoot::beside(Path::new("a/dishes.json")).dir(), Path::new("a"));
    }

    #[test]
    fn paths_stay_within_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("in");
        fs::create_dir_all(inside.join("a")).unwrap();
        fs::write(dir.path().join("secret.png"), b"secret").unwrap();
        fs::write(inside.join("b.png"), b"b").unwrap();
        let root = MediaRoot::new(&inside);
        let read = |root: &MediaRoot, path: &Path| root.read(path, 100).map_err(String::from);
        let (secret, own) = (dir.path().join("secret.png"), inside.join("b.png"));
        for path in ["b.png", "a/../b.png", "./b.png"] {
            assert_eq!(read(&root, Path::new(path)).unwrap(), "b", "{path}");
        }
        assert_eq!(read(&root, &own).unwrap(), "b");
        let by_detour = inside.join("../secret.png");
        for path in ["../secret.png", "a/../../secret.png", "/etc/passwd", "../none.png"]
            .map(PathBuf::from)
            .iter()
            .chain([&secret, &by_detour])
        {
            let err = read(&root, path).unwrap_err();
            assert!(err.contains("lies outside of") && err.contains("--allow-outside"), "{err}");
        }
        let anywhere = root.clone().allow_outside(true);
        assert_eq!(read(&anywhere, &secret).unwrap(), "secret");
        assert_eq!(read(&anywhere, Path::new("../secret.png")).unwrap(), "secret");
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_do_not_lead_outside() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("in");
        fs::create_dir(&inside).unwrap();
        fs::write(dir.path().join("secret.png"), b"secret").unwrap();
        fs::write(inside.join("b.png"), b"b").unwrap();
        std::os::unix::fs::symlink("../secret.png", inside.join("out.png")).unwrap();
        std::os::unix::fs::symlink("..", inside.join("up")).unwrap();
        std::os::unix::fs::symlink("b.png", inside.join("in.png")).unwrap();
        fs::create_dir(inside.join("deep")).unwrap();
        fs::write(inside.join("deep/c.png"), b"c").unwrap();
        std::os::unix::fs::symlink("../../secret.png", inside.join("deep/out.png")).unwrap();
        std::os::unix::fs::symlink("deep", inside.join("beside")).unwrap();
        let root = MediaRoot::new(&inside);
        // What is known of a directory the second time says nothing of links in it.
        for _ in 0..2 {
            for path in ["out.png", "up/secret.png", "up/none.png", "deep/out.png"] {
                let read = root.read(Path::new(path), 100);
                let err = read.unwrap_err().to_string();
                let word = if path.ends_with("none.png") { "none.png" } else { "lies outside of" };
                assert!(err.contains(word), "{err}");
            }
            for (path, text) in
                [("in.png", "b"), ("b.png", "b"), ("deep/c.png", "c"), ("beside/c.png", "c")]
            {
                assert_eq!(root.read(Path::new(path), 100).unwrap(), text, "{path}");
            }
        }
        // The root itself may be one.
        std::os::unix::fs::symlink(&inside, dir.path().join("link")).unwrap();
        let linked = MediaRoot::new(dir.path().join("link"));
        assert_eq!(linked.read(Path::new("b.png"), 100).unwrap(), "b");
    }
}
