//! Walking a folder: in one order on every run, and never out of it.

use std::{
    ffi::OsString,
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// What a folder holds.
pub(super) enum Found<'a> {
    /// A file.
    File {
        /// Relative to the root, with `/` between.
        path: &'a str,
        /// What else lies beside it.
        beside: &'a Beside,
    },
    /// Something that can't be taken, and why.
    Fault {
        /// Relative to the root.
        path: &'a str,
        /// What else lies beside it.
        beside: &'a Beside,
        /// Whether it is a folder, or leads to one: nobody knows what lies in it.
        is_folder: bool,
        reason: String,
    },
}

/// The names in one folder, sorted.
pub(super) struct Beside(Vec<OsString>);

impl Beside {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.binary_search_by(|other| other.as_os_str().cmp(name.as_ref())).is_ok()
    }

    /// Whether another file has this name before its last dot.
    pub(super) fn has_other_ending(&self, stem: &str) -> bool {
        self.0
            .iter()
            .filter_map(|name| name.to_str()?.rsplit_once('.'))
            .any(|(other, ending)| other == stem && !matches!(ending, "json" | "txt"))
    }

    fn of(folder: &Path) -> io::Result<Self> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(Self(names))
    }
}

/// A root that links may not lead out of.
#[derive(Debug, Clone)]
pub(super) struct Root {
    path: PathBuf,
    real: PathBuf,
}

impl Root {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let real = fs::canonicalize(&path)?;
        if !real.is_dir() {
            let message = "it is not a folder";
            return Err(io::Error::new(io::ErrorKind::NotADirectory, message));
        }
        Ok(Self { path, real })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file lies; an error in words if that is outside.
    pub(super) fn inside(&self, path: &str) -> Result<PathBuf, String> {
        let path = self.path.join(path);
        let explain = |e: io::Error| format!("it can't be read: {e}");
        if fs::symlink_metadata(&path).map_err(explain)?.is_symlink() {
            let real = fs::canonicalize(&path)
                .map_err(|e| format!("it is a link that leads nowhere: {e}"))?;
            if !real.starts_with(&self.real) {
                return Err(format!(
                    "it is a link that leads out of the folder, to {}; copy what it leads to, or take the folder that holds both",
                    real.display()
                ));
            }
        }
        Ok(path)
    }

    /// Hands out what lies in the root, folders before what is behind them in order. Hidden files
    /// and folders are passed over.
    pub(super) fn walk(
        &self,
        each: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let names = Beside::of(&self.path)?;
        // Open folders, and how far each has been read.
        let mut open = vec![(String::new(), names, 0)];
        while let Some((folder, beside, next)) = open.last_mut() {
            let Some(name) = beside.0.get(*next) else {
                open.pop();
                continue;
            };
            *next += 1;
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = join(folder, &name.to_string_lossy());
            let whole = self.path.join(&*folder).join(name);
            let fault = |reason| {
                let is_folder = fs::metadata(&whole).is_ok_and(|meta| meta.is_dir());
                Found::Fault { path: &path, beside, is_folder, reason }
            };
            let found = match self.inside(&path).map(|whole| fs::metadata(&whole)) {
                _ if name.to_str().is_none() => {
                    fault("its name is not UTF-8; rename it".to_owned())
                }
                Err(reason) => fault(reason),
                Ok(Err(e)) => fault(e.to_string()),
                Ok(Ok(meta)) if meta.is_dir() => {
                    // What a link leads to is found where it lies, and links may form circles.
                    if whole.is_symlink() {
                        continue;
                    }
                    match Beside::of(&whole) {
                        Err(e) => fault(format!("it can't be read: {e}")),
                        Ok(names) => {
                            open.push((path, names, 0));
                            continue;
                        }
                    }
                }
                // Pipes and sockets are no files.
                Ok(Ok(meta)) if !meta.is_file() => continue,
                Ok(Ok(_)) => Found::File { path: &path, beside },
            };
            if each(found).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}
