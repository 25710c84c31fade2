//! Downloads that are kept on disk, to be asked for again only if they changed.
//!
//! Each is one file, named by the hash of its address: a line of JSON, then the bytes. It is written
//! beside its place and moved there, so that it is whole or not there; what a crash of the machine
//! leaves of one is seen by the hash of the bytes, and thrown away. Several processes may share a
//! directory. The address itself is not kept: it may hold a signature.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ask::Tags;
use crate::media::{MediaError, MediaErrorKind};

/// How these files are written; others are left alone.
const FORMAT: &str = "v1";
/// When there is no room, so much of it is made: a part of the whole in this many.
const MAKE_ROOM: u64 = 10;
/// No tag of a server is so long that the line is longer.
const MAX_HEAD: u64 = 64 << 10;
/// What a process that was killed left half-written, and no other is writing any longer.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A directory of downloads.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    dir: PathBuf,
    max_bytes: u64,
    /// As far as this process knows.
    bytes: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
}

/// A download that was kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) tags: Tags,
    pub(super) size: u64,
    fresh_until: u64,
}

impl Kept {
    /// Whether it may be used without asking.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh_until > now()
    }
}

/// What stands before the bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    etag: Option<String>,
    modified: Option<String>,
    /// Seconds since 1970.
    asked: u64,
    /// Seconds for which it may be used without asking again.
    fresh_for: u64,
    size: u64,
    sha256: String,
}

impl Cache {
    pub(super) fn open(dir: &Path, max_bytes: u64) -> Result<Self, MediaError> {
        let dir = dir.join(FORMAT);
        let failed = |e| {
            let place = format!("the cache for media {}", dir.display());
            MediaError::new(place, MediaErrorKind::Io(e))
        };
        fs::create_dir_all(&dir).map_err(failed)?;
        private(&dir).map_err(failed)?;
        let cache = Self { dir, max_bytes, bytes: Arc::default(), written: Arc::default() };
        let held = cache.files().iter().map(|f| f.bytes).sum();
        cache.bytes.store(held, Ordering::Relaxed);
        Ok(cache)
    }

    /// What is known of a download that was kept.
    pub(super) async fn find(&self, key: &str) -> Option<Kept> {
        let path = self.path(key);
        blocking(move || find(&path)).await?
    }

    /// Its bytes, and that they are used.
    pub(super) async fn read(&self, key: &str) -> Option<Bytes> {
        let path = self.path(key);
        blocking(move || read(&path)).await?
    }

    /// Keeps a download; what goes wrong with that is no fault of the download.
    pub(super) async fn put(&self, key: String, tags: Tags, fresh_for: Duration, bytes: Bytes) {
        let cache = self.clone();
        let kept = blocking(move || {
            let path = cache.path(&key);
            cache.write(&path, tags, fresh_for, &bytes)
        });
        if let Some(Err(e)) = kept.await {
            tracing::warn!(dir = %self.dir.display(), error = %e, "a download could not be kept");
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        let name = hex(&Sha256::digest(key));
        self.dir.join(&name[..2]).join(name)
    }

    fn write(&self, path: &Path, tags: Tags, fresh_for: Duration, bytes: &[u8]) -> io::Result<()> {
        let head = Head {
            etag: tags.etag,
            modified: tags.modified,
            asked: now(),
            fresh_for: fresh_for.as_secs(),
            size: bytes.len() as u64,
            sha256: hex(&Sha256::digest(bytes)),
        };
        let mut start = serde_json::to_vec(&head)?;
        start.push(b'\n');
        let size = (start.len() + bytes.len()) as u64;
        if size > self.max_bytes / 2 {
            return Ok(());
        }
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_extension(format!("{}-{number}.partial", std::process::id()));
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&start)?;
            file.write_all(bytes)?;
            fs::rename(&beside, path)
        };
        write().inspect_err(|_| {
            // It may not be there.
            let _ = fs::remove_file(&beside);
        })?;
        let held = self.bytes.fetch_add(size, Ordering::Relaxed) + size;
        if held > self.max_bytes {
            self.make_room();
        }
        Ok(())
    }

    /// Removes what was not used for the longest time.
    fn make_room(&self) {
        let mut files = self.files();
        files.sort_by_key(|f| f.used);
        let mut held: u64 = files.iter().map(|f| f.bytes).sum();
        let aim = self.max_bytes - self.max_bytes / MAKE_ROOM;
        for file in files {
            if held <= aim {
                break;
            }
            // Another process may have been quicker.
            let _ = fs::remove_file(&file.path);
            held = held.saturating_sub(file.bytes);
        }
        self.bytes.store(held, Ordering::Relaxed);
    }

    /// All that is kept. What was abandoned half-written goes.
    fn files(&self) -> Vec<Found> {
        let inside = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten();
        let mut found = Vec::new();
        for entry in inside(self.dir.clone()).flat_map(|dir| inside(dir.path())) {
            let (path, Ok(meta)) = (entry.path(), entry.metadata()) else { continue };
            let used = meta.modified().unwrap_or(UNIX_EPOCH);
            if path.extension().is_some() {
                let age = SystemTime::now().duration_since(used).unwrap_or_default();
                if age > ABANDONED {
                    // Another process may have been quicker.
                    let _ = fs::remove_file(&path);
                }
                continue;
            }
            found.push(Found { path, bytes: meta.len(), used });
        }
        found
    }
}

struct Found {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// The head, and where the bytes begin. What is broken goes.
fn head(path: &Path) -> Option<(Head, u64)> {
    let read = || {
        let mut file = BufReader::new(File::open(path).ok()?);
        let mut line = Vec::new();
        file.by_ref().take(MAX_HEAD).read_until(b'\n', &mut line).ok()?;
        let head: Head = serde_json::from_slice(&line).ok()?;
        let start = line.len() as u64;
        let len = file.get_ref().metadata().ok()?.len();
        (len == start + head.size).then_some((head, start))
    };
    let found = read();
    if found.is_none() && path.exists() {
        broken(path);
    }
    found
}

fn find(path: &Path) -> Option<Kept> {
    let (head, _) = head(path)?;
    Some(Kept {
        tags: Tags { etag: head.etag, modified: head.modified },
        size: head.size,
        fresh_until: head.asked.saturating_add(head.fresh_for),
    })
}

fn read(path: &Path) -> Option<Bytes> {
    let (head, start) = head(path)?;
    let all = Bytes::from(fs::read(path).ok()?);
    let bytes = all.slice(usize::try_from(start).ok()?.min(all.len())..);
    if hex(&Sha256::digest(&bytes)) != head.sha256 {
        broken(path);
        return None;
    }
    touch(path);
    Some(bytes)
}

fn broken(path: &Path) {
    tracing::debug!(path = %path.display(), "a kept download is broken, and thrown away");
    // Another process may have been quicker.
    let _ = fs::remove_file(path);
}

/// What was not used for the longest time goes first.
fn touch(path: &Path) {
    if let Ok(file) = File::options().append(true).open(path) {
        // It is then taken for older than it is, and goes earlier.
        let _ = file.set_modified(SystemTime::now());
    }
}

#[cfg(unix)]
fn private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn private(_: &Path) -> io::Result<()> {
    Ok(())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// On a thread that may wait; nothing if it panicked or the program ends.
async fn blocking<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(task).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(etag: &str) -> Tags {
        Tags { etag: Some(etag.to_owned()), modified: None }
    }

    fn put(cache: &Cache, key: &str, bytes: &[u8]) {
        cache.write(&cache.path(key), tags(key), Duration::ZERO, bytes).unwrap();
    }

    #[test]
    fn what_is_broken_is_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), 1 << 20).unwrap();
        put(&cache, "a", b"one\ntwo");
        let path = cache.path("a");
        let kept = find(&path).unwrap();
        assert_eq!((kept.size, kept.tags), (7, tags("a")));
        assert_eq!(read(&path).unwrap(), &b"one\ntwo"[..]);
        let whole = fs::read(&path).unwrap();
        let mut other = whole.clone();
        *other.last_mut().unwrap() ^= 1;
        let longer = [whole.as_slice(), b"x"].concat();
        let broken = [&whole[..whole.len() - 1], &whole[..10], b"", b"\n", &longer, &other];
        for bytes in broken {
            fs::write(&path, bytes).unwrap();
            assert!(read(&path).is_none());
            assert!(!path.exists());
        }
    }

    #[test]
    fn it_stays_within_its_bounds_and_keeps_what_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), 10_000).unwrap();
        let old = SystemTime::now() - Duration::from_secs(1000);
        for i in 0..40u64 {
            let key = i.to_string();
            put(&cache, &key, &[0; 1000]);
            let written = File::options().append(true).open(cache.path(&key)).unwrap();
            written.set_modified(old + Duration::from_secs(i)).unwrap();
            // The first is used again and again.
            touch(&cache.path("0"));
            let held: u64 = cache.files().iter().map(|f| f.bytes).sum();
            assert!(held <= 10_000, "{held}");
        }
        assert!(read(&cache.path("0")).is_some() && read(&cache.path("39")).is_some());
        assert!(read(&cache.path("1")).is_none());
        // Too large to be worth it.
        put(&cache, "large", &[0; 6000]);
        assert!(read(&cache.path("large")).is_none());
        // Another process finds as much.
        let again = Cache::open(dir.path(), 10_000).unwrap();
        assert_eq!(
            again.bytes.load(Ordering::Relaxed),
            cache.files().iter().map(|f| f.bytes).sum::<u64>()
        );
    }

    #[test]
    fn what_was_left_half_written_goes_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), 10_000).unwrap();
        put(&cache, "a", b"a");
        let partial = |name| cache.path("a").with_extension(name);
        fs::write(partial("1-0.partial"), b"old").unwrap();
        fs::write(partial("1-1.partial"), b"new").unwrap();
        let old = File::options().append(true).open(partial("1-0.partial")).unwrap();
        old.set_modified(SystemTime::now() - 2 * ABANDONED).unwrap();
        assert_eq!(cache.files().len(), 1);
        assert!(!partial("1-0.partial").exists() && partial("1-1.partial").exists());
    }
}
