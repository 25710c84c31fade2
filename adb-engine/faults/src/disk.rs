//! What happened on a disk, and what is to fail on it.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Something that happened, in the order in which it did. Files go by their names.
#[derive(Debug, Clone)]
pub enum Event {
    /// A file that was not there.
    Made(String),
    /// A file got another name, and the directory was synced.
    Renamed(String, String),
    /// A file is gone; whether the directory was synced after it.
    Deleted(String, bool),
    /// Bytes at an offset.
    Written(String, u64, Arc<[u8]>),
    /// A new length.
    Truncated(String, u64),
    /// The directory was synced: names that were made or taken away are on the disk.
    NamesSynced,
    /// All of a file before this is on the disk.
    Synced(String),
    /// A sync failed: of what was written before it, the system keeps showing all, and the disk
    /// may never see any.
    SyncFailed(String),
    /// What a test wants to remember, such as a request that was answered.
    Mark(u64),
}

/// How calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Writes that would make a file longer find the disk full.
    Full,
    /// Writes fail when they are half done.
    Write,
    /// Syncs fail.
    Sync,
    /// Reads fail.
    Read,
    /// Reads give the first half.
    ShortRead,
}

/// Which calls fail.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How.
    pub fault: Fault,
    /// Calls of this kind that still succeed.
    pub after: usize,
    /// Calls that then fail.
    pub times: usize,
    /// Only on files whose names end so.
    pub files: &'static str,
}

/// A watched directory.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tape: Vec<Event>,
    /// The names under which files were made, by inode.
    names: HashMap<u64, String>,
    plan: Option<Plan>,
    hits: usize,
}

/// All that are watched, by the directory.
static DISKS: Mutex<Vec<(PathBuf, Weak<Disk>)>> = Mutex::new(Vec::new());

impl Disk {
    /// Watches an existing directory until dropped.
    ///
    /// # Errors
    /// If the directory's path cannot be resolved.
    pub fn watch(root: &Path) -> std::io::Result<Arc<Self>> {
        let root = fs::canonicalize(root)?;
        let disk = Arc::new(Self { root: root.clone(), state: Mutex::default() });
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        disks.retain(|(_, disk)| disk.strong_count() > 0);
        disks.push((root, Arc::downgrade(&disk)));
        Ok(disk)
    }

    /// Who watches this file's directory, and the file's name.
    pub(crate) fn of(file: &Path) -> Option<(Arc<Self>, String)> {
        let name = file.file_name()?.to_str()?.to_owned();
        let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        let found = disks.iter().find(|(root, _)| Some(root.as_path()) == file.parent())?;
        Some((found.1.upgrade()?, name))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a mark on the tape.
    pub fn mark(&self, mark: u64) {
        self.state().tape.push(Event::Mark(mark));
    }

    /// What happened so far.
    #[must_use]
    pub fn tape(&self) -> Vec<Event> {
        self.state().tape.clone()
    }

    /// Makes calls fail from now on, instead of those of an earlier plan.
    pub fn inject(&self, plan: Plan) {
        let mut state = self.state();
        state.plan = Some(plan);
        state.hits = 0;
    }

    /// Lets all calls succeed again; says how many have failed.
    pub fn lift(&self) -> usize {
        let mut state = self.state();
        state.plan = None;
        state.hits
    }

    /// Whether a call is to fail.
    pub(crate) fn fails(&self, faults: &[Fault], file: &str) -> Option<Fault> {
        let mut state = self.state();
        let plan = state.plan.as_mut()?;
        if !faults.contains(&plan.fault) || !file.ends_with(plan.files) {
            return None;
        }
        if plan.after > 0 {
            plan.after -= 1;
            return None;
        }
        plan.times = plan.times.checked_sub(1)?;
        let fault = plan.fault;
        state.hits += 1;
        Some(fault)
    }

    /// Takes an event down while it happens, so that the tape's order is that of the disk.
    pub(crate) fn happens<T>(&self, act: impl FnOnce() -> (T, Option<Event>)) -> T {
        let mut state = self.state();
        let (result, event) = act();
        state.tape.extend(event);
        result
    }

    /// Opens a file, and takes down whether it was made by that. A known file under a new name was
    /// renamed without SQLite's doing.
    pub(crate) fn opens(&self, name: &str, open: impl FnOnce() -> bool) {
        // Held meanwhile: another thread may find the file at once, and write to it.
        let mut state = self.state();
        let file = self.root.join(name);
        let was_there = file.exists();
        if !open() {
            return;
        }
        let Ok(inode) = fs::metadata(file).map(|m| m.ino()) else { return };
        if !was_there {
            state.tape.push(Event::Made(name.to_owned()));
        } else if let Some(old) = state.names.get(&inode).filter(|old| *old != name).cloned() {
            state.tape.push(Event::Renamed(old, name.to_owned()));
        }
        state.names.insert(inode, name.to_owned());
    }
}

/// Writes a file's bytes once more and syncs it, as far as its disk and a failing sync are
/// concerned: for what goes to the disk without SQLite. A missing file is as good as written.
///
/// # Errors
/// If the sync is to fail, or the file cannot be read.
pub fn write_anew(path: &Path) -> std::io::Result<()> {
    let Some((disk, name)) = Disk::of(path).filter(|_| path.exists()) else { return Ok(()) };
    let fails = disk.fails(&[Fault::Sync], &name).is_some();
    let mut state = disk.state();
    let bytes = fs::read(path)?;
    state.tape.push(Event::Written(name.clone(), 0, bytes.into()));
    if fails {
        state.tape.push(Event::SyncFailed(name));
        return Err(std::io::Error::other("a sync failed"));
    }
    state.tape.push(Event::Synced(name));
    Ok(())
}
