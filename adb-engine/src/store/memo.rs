//! What a connection that only reads has found out, kept while nobody commits.
//!
//! A filter over a large class costs far more than the search that it is for, and programs search
//! with one filter, and in one set, many times. SQLite tells a connection whether others have
//! committed since (`data_version`), in this process or another, so what is kept here is never of
//! another state than the snapshot that it is used in. A connection that writes keeps nothing: its
//! own changes would not be told.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use rusqlite::Connection;
use twox_hash::XxHash3_64;

use crate::vectors::{cache::SetState, places::Passed};

/// Bytes of all filters together.
const MAX_BYTES: usize = 64 << 20;
const MAX_FILTERS: usize = 32;
const MAX_SETS: usize = 256;
const MAX_TEXTS: usize = 1024;

/// What one connection keeps.
#[derive(Default)]
pub(crate) struct Memo {
    /// The state that it is of.
    version: Cell<Option<i64>>,
    /// The last used last.
    filters: RefCell<Vec<Kept>>,
    /// What asking a filter about a few rows has cost so far.
    spent: RefCell<HashMap<Vec<u8>, Duration>>,
    sets: RefCell<HashMap<String, Arc<DescriptorSet>>>,
    /// Requests that were answered in no time.
    quick: RefCell<HashSet<Text>>,
}

/// A request's commands as they were written, by a hash. What they ask for is the same whatever the
/// blobs are, and takes about as long; of two that share a hash one is perhaps misjudged, no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Text(u64);

impl Text {
    pub(crate) fn of(commands: &[u8]) -> Self {
        Self(XxHash3_64::oneshot(commands))
    }
}

/// A filter with all its values, and what it lets through.
struct Kept {
    filter: Vec<u8>,
    passed: Arc<Passed>,
    bytes: usize,
}

/// A descriptor set, as searches and additions need it.
#[derive(Debug)]
pub(crate) struct DescriptorSet {
    pub(crate) id: i64,
    pub(crate) dimensions: usize,
    /// The default first.
    pub(crate) metrics: Vec<String>,
    pub(crate) engines: Vec<String>,
    /// Of the snapshot in which the set was looked up.
    pub(crate) state: OnceLock<SetState>,
}

/// The state that a connection sees in its transaction, by a number that is its own.
pub(crate) fn data_version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

impl Memo {
    /// Whether it is of this state.
    pub(crate) fn is_of(&self, version: i64) -> bool {
        self.version.get() == Some(version)
    }

    /// Forgets all, and is of this state from now on.
    pub(crate) fn begin(&self, version: i64) {
        self.version.set(Some(version));
        self.filters.borrow_mut().clear();
        self.spent.borrow_mut().clear();
        self.sets.borrow_mut().clear();
        self.quick.borrow_mut().clear();
    }

    /// Whether a request was answered in no time when it was asked last.
    pub(crate) fn is_quick(&self, text: Text) -> bool {
        self.quick.borrow().contains(&text)
    }

    pub(crate) fn note_quick(&self, text: Text, quick: bool) {
        let mut all = self.quick.borrow_mut();
        if !quick {
            all.remove(&text);
            return;
        }
        if all.len() >= MAX_TEXTS {
            all.clear();
        }
        all.insert(text);
    }

    pub(crate) fn passed(&self, filter: &[u8]) -> Option<Arc<Passed>> {
        let mut filters = self.filters.borrow_mut();
        let at = filters.iter().rposition(|kept| kept.filter == filter)?;
        filters[at..].rotate_left(1);
        filters.last().map(|kept| kept.passed.clone())
    }

    pub(crate) fn keep_passed(&self, filter: Vec<u8>, passed: Arc<Passed>) {
        let mut filters = self.filters.borrow_mut();
        let bytes = filter.len() + passed.bytes();
        filters.push(Kept { filter, passed, bytes });
        let size = |filters: &[Kept]| -> usize { filters.iter().map(|kept| kept.bytes).sum() };
        while filters.len() > MAX_FILTERS || size(&filters) > MAX_BYTES {
            filters.remove(0);
        }
    }

    /// Adds to what a filter has cost; says how much it is now.
    pub(crate) fn spend(&self, filter: &[u8], time: Duration) -> Duration {
        let mut spent = self.spent.borrow_mut();
        if let Some(spent) = spent.get_mut(filter) {
            *spent += time;
            return *spent;
        }
        if spent.len() >= MAX_FILTERS {
            spent.clear();
        }
        spent.insert(filter.to_vec(), time);
        time
    }

    pub(crate) fn set(&self, name: &str) -> Option<Arc<DescriptorSet>> {
        self.sets.borrow().get(name).cloned()
    }

    pub(crate) fn keep_set(&self, name: &str, set: &Arc<DescriptorSet>) {
        let mut sets = self.sets.borrow_mut();
        if sets.len() >= MAX_SETS {
            sets.clear();
        }
        sets.insert(name.to_owned(), set.clone());
    }
}
