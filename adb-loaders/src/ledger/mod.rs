//! What was found in files, so that one that has not been touched since need not be read again.
//!
//! A cache and no more: what is in a database, only the database says. A ledger that is lost, or is
//! of another database, costs the reading of the files; nothing else follows from it.

mod store;

use std::{
    fs::Metadata,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use twox_hash::XxHash3_128;

use store::LedgerError;
use store::Store;

/// SHA-256 of a file.
pub(crate) type Hash = [u8; 32];

/// What the file system says of a file without its being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    size: u64,
    /// Nanoseconds since 1970; before that, negative.
    modified: i128,
}

impl Stamp {
    pub(crate) fn of(meta: &Metadata) -> Option<Self> {
        let modified = match meta.modified().ok()?.duration_since(UNIX_EPOCH) {
            Ok(since) => i128::try_from(since.as_nanos()).ok()?,
            Err(before) => -i128::try_from(before.duration().as_nanos()).ok()?,
        };
        meta.is_file().then_some(Self { size: meta.len(), modified })
    }

    /// Whether the file could be changed once more without its time telling: file systems count in
    /// steps of up to two seconds.
    fn is_fresh(self) -> bool {
        let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else { return true };
        let step = Duration::from_secs(2);
        i128::try_from(now.saturating_sub(step).as_nanos()).is_ok_and(|old| self.modified > old)
    }
}

/// Entries that are written at once.
const AT_ONCE: usize = 4096;

/// The ledger of one database.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    new: Mutex<Vec<(u128, Stamp, Hash)>>,
}

impl Ledger {
    /// Opens it, or makes it; one that is broken is made anew.
    pub(crate) fn open(path: &Path) -> Result<Self, LedgerError> {
        let store = Store::open(path)?;
        Ok(Self(Arc::new(Inner { store, new: Mutex::default() })))
    }

    /// The hash of a file, if it bears the stamp that it had when it was read.
    pub(crate) fn hash(&self, file: &Path, stamp: Stamp) -> Option<Hash> {
        let (known, hash) = self.0.store.get(key(file)?)?;
        (known == stamp).then_some(hash)
    }

    /// Notes what was read of a file; `stamp` was taken before.
    pub(crate) fn note(&self, file: &Path, stamp: Stamp, hash: Hash) {
        let Some(key) = key(file).filter(|_| !stamp.is_fresh()) else { return };
        let full = {
            let mut new = self.unwritten();
            new.push((key, stamp, hash));
            if new.len() < AT_ONCE { Vec::new() } else { std::mem::take(&mut *new) }
        };
        self.write(&full);
    }

    /// Writes what is still to be written.
    pub(crate) fn flush(&self) {
        let rest = std::mem::take(&mut *self.unwritten());
        self.write(&rest);
    }

    fn write(&self, entries: &[(u128, Stamp, Hash)]) {
        if entries.is_empty() {
            return;
        }
        if let Err(e) = self.0.store.put(entries) {
            tracing::warn!("{e}; the files will be read again next time");
        }
    }

    fn unwritten(&self) -> std::sync::MutexGuard<'_, Vec<(u128, Stamp, Hash)>> {
        self.0.new.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A file by its whole path, so that it is the same from wherever a run is started.
fn key(file: &Path) -> Option<u128> {
    let path = std::path::absolute(file).ok()?;
    Some(XxHash3_128::oneshot(path.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    fn written(dir: &Path, name: &str, text: &str, seconds_ago: u64) -> Stamp {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        let then = SystemTime::now() - Duration::from_secs(seconds_ago);
        File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        Stamp::of(&fs::metadata(&path).unwrap()).unwrap()
    }

    #[test]
    fn a_file_is_known_until_its_size_or_its_time_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, file) = (dir.path().join("ledger"), dir.path().join("a.jpg"));
        let stamp = written(dir.path(), "a.jpg", "one", 60);
        {
            let ledger = Ledger::open(&ledger).unwrap();
            ledger.note(&file, stamp, [7; 32]);
            ledger.flush();
        }
        let ledger = Ledger::open(&ledger).unwrap();
        assert_eq!(ledger.hash(&file, stamp), Some([7; 32]));
        assert_eq!(ledger.hash(&dir.path().join("b.jpg"), stamp), None);
        for (text, ago) in [("other", 60), ("two", 30)] {
            assert_eq!(ledger.hash(&file, written(dir.path(), "a.jpg", text, ago)), None);
        }
    }

    #[test]
    fn a_file_that_was_written_just_now_is_not_noted() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger")).unwrap();
        let stamp = written(dir.path(), "a.jpg", "one", 0);
        ledger.note(&dir.path().join("a.jpg"), stamp, [7; 32]);
        ledger.flush();
        assert_eq!(ledger.hash(&dir.path().join("a.jpg"), stamp), None);
    }

    #[test]
    fn what_is_no_ledger_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let stamp = written(dir.path(), "a.jpg", "one", 60);
        for bytes in [&b""[..], b"nonsense", &[0xff; 8192]] {
            fs::write(&path, bytes).unwrap();
            let ledger = Ledger::open(&path).unwrap();
            ledger.note(&dir.path().join("a.jpg"), stamp, [7; 32]);
            ledger.flush();
            assert_eq!(ledger.hash(&dir.path().join("a.jpg"), stamp), Some([7; 32]));
        }
    }

    #[test]
    fn a_ledger_that_is_cut_off_is_read_or_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let stamp = written(dir.path(), "a.jpg", "one", 60);
        {
            let ledger = Ledger::open(&path).unwrap();
            for i in 0..500 {
                ledger.note(&dir.path().join(format!("{i}.jpg")), stamp, [7; 32]);
            }
            ledger.flush();
        }
        let whole = fs::read(&path).unwrap();
        for cut in [1, whole.len() / 3, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            let ledger = Ledger::open(&path).unwrap();
            let wrong =
                (0..500).filter_map(|i| ledger.hash(&dir.path().join(format!("{i}.jpg")), stamp));
            assert!(wrong.into_iter().all(|hash| hash == [7; 32]));
        }
    }

    #[test]
    fn two_at_once_are_refused_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let _first = Ledger::open(&path).unwrap();
        let error = Ledger::open(&path).unwrap_err();
        assert!(error.to_string().contains("another run"), "{error}");
    }
}
