//! Taking a run back: what it added goes, unless others refer to it by now.

mod added;
mod delete;
mod stay;

use adb_model::{Constraint, Database, DbError, Dialect, Request, ask};
use serde_json::json;

use self::added::Added;
use super::{CLASS, now, run};
use crate::{Counted, Error};

/// What was taken back, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Undone {
    /// The run.
    pub run: String,
    /// Objects that were deleted: those that it added, and vectors that others hung on them since.
    pub objects: u64,
    /// Connections that it added between objects that stay, and that were deleted.
    pub connections: u64,
    /// Objects that it added and that stay, since others refer to them.
    pub kept: u64,
    /// Rows that it changed: what they were before is not known, and they stay as they are.
    pub updated: u64,
}

impl std::fmt::Display for Undone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { run, objects, connections, kept, .. } = self;
        let stay = Counted(*kept, "object");
        if (*objects, *connections) == (0, 0) && *kept > 0 {
            write!(f, "{run} is not undone: others refer to {stay}, and all stays")?;
            return self.write_updated(f);
        }
        write!(f, "{run} undone: {} deleted, with their connections", Counted(*objects, "object"))?;
        if *connections > 0 {
            write!(f, ", and {} of others", Counted(*connections, "connection"))?;
        }
        if *kept > 0 {
            write!(f, "; kept, since others refer to what it added: {stay}")?;
        }
        self.write_updated(f)
    }
}

impl Undone {
    fn write_updated(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.updated {
            0 => Ok(()),
            updated => write!(
                f,
                "; what it changed stays as it is, since nobody knows what that was before: {}",
                Counted(updated, "row")
            ),
        }
    }
}

/// Whether nothing in a database bears a run's id.
pub(super) async fn left_nothing(db: &dyn Database, id: &str) -> Result<bool, DbError> {
    Added::by_run(db, id).await?.is_nothing().await
}

/// Takes a run back: deletes the objects that it added and the connections that it made.
///
/// An object that other runs or programs have connected to something since stays, with all that it
/// is connected to and that hangs on it. Objects that the run changed stay changed; of how many
/// rows that is so the answer says. Ingestions that come after it compare every row with the
/// database again, so what is gone comes back if a source has it.
///
/// It may be broken off and begun again.
///
/// # Errors
/// When there is no such run, or the database can't be asked. What has been deleted by then stays
/// deleted.
pub async fn undo(db: &dyn Database, id: &str) -> Result<Undone, Error> {
    let known = run(db, id).await?;
    let all = super::runs(db).await?;
    // First of all, so that nobody believes what is noted of rows that are half gone.
    let latest = all.iter().map(|run| run.id.clone() + "~").max().unwrap_or_default();
    let stamp = now().max(latest);
    let this = Constraint::equal("id", id).to_json(Dialect::Classic);
    let mark = json!([{"UpdateEntity": {
        "with_class": CLASS, "constraints": this, "properties": {"undone": stamp},
    }}]);
    ask(db, Request::json(&mark)).await?;

    let added = Added::by_run(db, id).await?;
    let kept = added.kept().await?;
    let mut undone = Undone { run: id.to_owned(), updated: known.updated, ..Undone::default() };
    for group in 0..added.groups.len() {
        added.delete(group, &kept, &mut undone).await?;
    }
    undone.connections = added.delete_connections(&kept).await?;
    let kept = json!([{"UpdateEntity": {
        "with_class": CLASS, "constraints": this, "properties": {"kept": undone.kept},
    }}]);
    ask(db, Request::json(&kept)).await?;
    Ok(undone)
}
