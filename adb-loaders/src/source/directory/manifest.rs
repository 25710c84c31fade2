//! A manifest: which files a folder held, and the hash of each, so that another run can tell
//! whether it still does.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{self, BufRead as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::{Error, ErrorKind};

/// In the form of `sha256sum`: `hash  path` on each line, so that this checks it as well.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    /// Hashes by path, and whether the file was seen; nothing if there is no manifest yet.
    known: Option<BTreeMap<String, (String, bool)>>,
    seen: BTreeMap<String, String>,
}

impl Manifest {
    pub(super) fn open(path: PathBuf) -> Result<Self, Error> {
        let known = match fs::read_to_string(&path) {
            Ok(text) => Some(parse(&path, &text)?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::source(&path, e)),
        };
        Ok(Self { path, known, seen: BTreeMap::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a file down, or compares it with what was taken down.
    ///
    /// # Errors
    /// In words, when it is not what it was, or was not there.
    pub(super) fn file(&mut self, path: &str, file: &Path) -> Result<(), String> {
        let hash = hash(file).map_err(|e| format!("it can't be read: {e}"))?;
        let manifest = self.path.display();
        let Some(known) = &mut self.known else {
            self.seen.insert(path.to_owned(), hash);
            return Ok(());
        };
        match known.get_mut(path) {
            None => Err(format!(
                "the manifest {manifest} has no such file; remove the manifest to write it anew"
            )),
            Some((expected, seen)) => {
                *seen = true;
                match *expected == hash {
                    true => Ok(()),
                    false => Err(format!(
                        "the file is not what the manifest {manifest} says: its SHA-256 is {hash}, not {expected}"
                    )),
                }
            }
        }
    }

    /// What is in the manifest and was not found.
    pub(super) fn missing(&self) -> impl Iterator<Item = &str> {
        let known = self.known.iter().flatten();
        known.filter(|(_, (_, seen))| !seen).map(|(path, _)| path.as_str())
    }

    /// Writes it, if there was none: in one step, so that half a manifest is never taken for one.
    pub(super) fn write(&self) -> Result<(), Error> {
        if self.known.is_some() {
            return Ok(());
        }
        let mut text = String::new();
        for (path, hash) in &self.seen {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{hash}  {path}");
        }
        let mut part = self.path.clone().into_os_string();
        part.push(".part");
        fs::write(&part, text)
            .and_then(|()| fs::rename(&part, &self.path))
            .map_err(|e| Error::source(&self.path, e))
    }
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, (String, bool)>, Error> {
    let mut known = BTreeMap::new();
    for (line, text) in text.lines().enumerate() {
        let entry = text.split_once(' ').filter(|(hash, _)| {
            hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        let Some((hash, file)) = entry else {
            return Err(ErrorKind::Syntax {
                path: path.to_owned(),
                line: line + 1,
                column: 1,
                message: "it is no line of a manifest, which is a SHA-256 and a path".to_owned(),
            }
            .into());
        };
        // A second space, or the `*` of binary mode.
        let file = file.strip_prefix([' ', '*']).unwrap_or(file);
        let file = file.strip_prefix("./").unwrap_or(file);
        known.insert(file.to_owned(), (hash.to_ascii_lowercase(), false));
    }
    Ok(known)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = io::BufReader::with_capacity(1 << 16, fs::File::open(path)?);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        let n = bytes.len();
        file.consume(n);
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
