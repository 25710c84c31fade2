//! Which rows a condition chose, kept while nobody commits.
//!
//! A filter over a large class costs far more than the search that it is for, and programs search
//! with one filter many times. SQLite tells a connection whether others have committed since
//! (`data_version`), so what is kept here is never older than the snapshot that it is used in. A
//! connection that writes keeps nothing: its own changes would not be told.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::Arc,
    time::Duration,
};

use rusqlite::Connection;

/// Ids that are kept at most, of all conditions together (64 MB).
const MAX_IDS: usize = 8 << 20;
const MAX_CONDITIONS: usize = 32;

/// What one connection keeps.
#[derive(Default)]
pub(crate) struct Chosen {
    version: Cell<i64>,
    /// The last used last.
    kept: RefCell<Vec<Kept>>,
    /// What asking a condition about a few rows has cost so far.
    spent: RefCell<HashMap<Vec<u8>, Duration>>,
}

/// A condition with all its values, and the rows in ascending order.
type Kept = (Vec<u8>, Arc<[i64]>);

impl Chosen {
    /// To be called in each transaction, after its first SELECT and before anything is asked for.
    pub(crate) fn follow(&self, conn: &Connection) -> rusqlite::Result<()> {
        let version = conn
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get::<_, i64>(0))?;
        if self.version.replace(version) != version {
            self.kept.borrow_mut().clear();
            self.spent.borrow_mut().clear();
        }
        Ok(())
    }

    pub(crate) fn get(&self, condition: &[u8]) -> Option<Arc<[i64]>> {
        let mut kept = self.kept.borrow_mut();
        let at = kept.iter().rposition(|(of, _)| of == condition)?;
        kept[at..].rotate_left(1);
        kept.last().map(|(_, ids)| ids.clone())
    }

    /// Adds to what a condition has cost; says how much it is now.
    pub(crate) fn spend(&self, condition: &[u8], time: Duration) -> Duration {
        let mut spent = self.spent.borrow_mut();
        if let Some(spent) = spent.get_mut(condition) {
            *spent += time;
            return *spent;
        }
        if spent.len() >= MAX_CONDITIONS {
            spent.clear();
        }
        spent.insert(condition.to_vec(), time);
        time
    }

    pub(crate) fn put(&self, condition: Vec<u8>, ids: &Arc<[i64]>) {
        let mut kept = self.kept.borrow_mut();
        kept.push((condition, ids.clone()));
        let size = |kept: &[Kept]| -> usize {
            kept.iter().map(|(of, ids)| of.len() / 8 + ids.len()).sum()
        };
        while kept.len() > MAX_CONDITIONS || size(&kept) > MAX_IDS {
            kept.remove(0);
        }
    }
}
