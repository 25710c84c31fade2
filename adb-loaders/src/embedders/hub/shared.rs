//! What the hub's Python client has fetched already.
//!
//! Its layout is documented on the hub ("Hub Local Cache"): `models--OWNER--NAME/` with `refs/main`
//! (a commit), `snapshots/COMMIT/…` (links) and `blobs/HASH` (the files, by their announced hash).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::hash::Hash;

/// The part of that cache that belongs to one repository.
#[derive(Debug)]
pub(super) struct SharedCache {
    dir: PathBuf,
}

impl SharedCache {
    pub(super) fn of(cache: &Path, repository: &str) -> Self {
        Self { dir: cache.join(format!("models--{}", repository.replace('/', "--"))) }
    }

    /// The file that has this hash, if it is there and truly has it.
    pub(super) fn blob(&self, hash: &Hash) -> Option<PathBuf> {
        let path = self.dir.join("blobs").join(hash.as_str());
        hash.is_of(&path).ok().filter(|is| *is).map(|_| path)
    }

    /// The commit that `main` was, the last time that somebody asked, and what of it is here.
    pub(super) fn snapshot(&self) -> Option<(String, PathBuf)> {
        let commit = fs::read_to_string(self.dir.join("refs/main")).ok()?.trim().to_owned();
        let plain = !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let dir = self.dir.join("snapshots").join(&commit);
        (plain && dir.is_dir()).then_some((commit, dir))
    }
}

/// The file that an entry of a snapshot stands for, checked against its name where that is a hash.
pub(super) fn resolved(entry: &Path) -> Option<PathBuf> {
    let file = fs::canonicalize(entry).ok()?;
    let hash = file.file_name().and_then(|name| name.to_str()).and_then(Hash::parse);
    match hash {
        Some(hash) => hash.is_of(&file).ok()?.then_some(file),
        // Where there are no links, the entry is the file itself.
        None => file.is_file().then_some(file),
    }
}

/// Puts a file of that cache where it is wanted: as a second name of it, which costs no space, else
/// as a copy.
pub(super) fn bring(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(_) => fs::copy(from, to).map(|_| ()).inspect_err(|_| {
            // What was copied of it is worth nothing.
            let _ = fs::remove_file(to);
        }),
    }
}
