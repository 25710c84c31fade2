//! Which files of a bundle were compared with their hashes already: hashing hundreds of megabytes
//! in every process would be felt.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    path::Path,
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};

/// Kept in the bundle's directory. It holds nothing that could not be computed again.
const FILE: &str = ".checked.json";

/// A file at the moment when it was hashed, and the hash that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    sha256: String,
    stamp: Stamp,
}

/// What the file system tells of a file; writing to it changes some of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    bytes: u64,
    modified: Option<(u64, u32)>,
    inode: u64,
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let meta = fs::metadata(path)?;
        let modified = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let (inode, changed) = unix(&meta);
        Ok(Self {
            bytes: meta.len(),
            modified: modified.map(|since| (since.as_secs(), since.subsec_nanos())),
            inode,
            changed,
        })
    }
}

/// Number and time of the last change, which no program can set back.
#[cfg(unix)]
fn unix(meta: &Metadata) -> (u64, (i64, i64)) {
    use std::os::unix::fs::MetadataExt;
    (meta.ino(), (meta.ctime(), meta.ctime_nsec()))
}

#[cfg(not(unix))]
fn unix(_: &Metadata) -> (u64, (i64, i64)) {
    (0, (0, 0))
}

/// Whether this very file had this hash when it was last read.
pub(super) fn is_known(dir: &Path, name: &str, sha256: &str) -> bool {
    read(dir).get(name).is_some_and(|seen| {
        seen.sha256.eq_ignore_ascii_case(sha256)
            && Stamp::of(&dir.join(name)).is_ok_and(|stamp| stamp == seen.stamp)
    })
}

/// Remembers the hash of a file that was read between the moment of `stamp` and now. A directory
/// that can't be written to costs the time of hashing again, and nothing else.
pub(super) fn remember(dir: &Path, name: &str, sha256: &str, stamp: Stamp) {
    if Stamp::of(&dir.join(name)).is_ok_and(|now| now == stamp) {
        let seen = Seen { sha256: sha256.to_owned(), stamp };
        write(dir, |all| all.insert(name.to_owned(), seen));
    }
}

/// Has the file hashed again when it is used the next time.
pub(super) fn forget(dir: &Path, name: &str) {
    write(dir, |all| all.remove(name));
}

fn read(dir: &Path) -> BTreeMap<String, Seen> {
    let text = fs::read(dir.join(FILE)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Has nothing to do for what was never remembered.
fn write(dir: &Path, change: impl FnOnce(&mut BTreeMap<String, Seen>) -> Option<Seen>) {
    let mut all = read(dir);
    let before = all.clone();
    change(&mut all);
    if all == before {
        return;
    }
    // Two processes may write at once; each writes whole files, and what one of them loses is
    // computed again.
    let draft = dir.join(format!("{FILE}.{}", std::process::id()));
    let text = serde_json::to_vec(&all).unwrap_or_default();
    if fs::write(&draft, text).and_then(|()| fs::rename(&draft, dir.join(FILE))).is_err() {
        let _ = fs::remove_file(&draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_until_it_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.onnx");
        fs::write(&file, b"one").unwrap();
        assert!(!is_known(dir.path(), "a.onnx", "aa"));
        remember(dir.path(), "a.onnx", "aa", Stamp::of(&file).unwrap());
        assert!(is_known(dir.path(), "a.onnx", "AA"));
        assert!(!is_known(dir.path(), "a.onnx", "bb"));
        assert!(!is_known(dir.path(), "b.onnx", "aa"));

        // The same length, and the time of its modification set back.
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, b"two").unwrap();
        let written = fs::File::options().write(true).open(&file).unwrap();
        written.set_modified(before).unwrap();
        assert_eq!(is_known(dir.path(), "a.onnx", "aa"), !cfg!(unix));

        remember(dir.path(), "a.onnx", "cc", Stamp::of(&file).unwrap());
        forget(dir.path(), "a.onnx");
        assert!(!is_known(dir.path(), "a.onnx", "cc"));
    }

    #[test]
    fn what_changes_while_it_is_hashed_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.onnx");
        fs::write(&file, b"one").unwrap();
        let stamp = Stamp::of(&file).unwrap();
        fs::write(&file, b"longer").unwrap();
        remember(dir.path(), "a.onnx", "aa", stamp);
        assert!(!is_known(dir.path(), "a.onnx", "aa"));
        fs::write(dir.path().join(FILE), b"no JSON").unwrap();
        assert!(!is_known(dir.path(), "a.onnx", "aa"));
    }
}
