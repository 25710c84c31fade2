//! What left the source leaves the database, too.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use adb_model::{
    Constraint, Graph, Identity, ModelSchema, Value,
    query::QueryError,
    removal::{Added, Removed, remove},
    upsert::Connections,
};
use serde::Serialize;
use serde_json::Value as Json;
use twox_hash::XxHash3_128;

use super::{Context, lock};
use crate::{Counted, runs::find};

/// What becomes of objects that earlier runs of a source added and that it has no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mirror {
    /// The report tells what would be deleted.
    Tell,
    /// They are deleted, with what is there for them alone. Children that something else refers to
    /// stay.
    Delete,
}

/// Objects that are named in a report.
const NAMED: usize = 20;

/// Objects that are deleted in one transaction.
const AT_ONCE: usize = 500;

/// What left the source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Mirrored {
    /// How much was deleted, or would be.
    pub removed: Removed,
    /// Whether it was.
    pub deleted: bool,
    /// The ids of the first objects.
    pub first: Vec<String>,
}

impl fmt::Display for Mirrored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Removed { objects, parts, children } = self.removed;
        if objects == 0 {
            return write!(f, "mirror: nothing left the source");
        }
        write!(
            f,
            "mirror: {} left the source; {}, {} and {children} children that nothing else refers to {}",
            Counted(objects, "object"),
            if objects == 1 { "it" } else { "they" },
            Counted(parts, "part"),
            if self.deleted { "were deleted" } else { "would be deleted (`--yes` does it)" },
        )?;
        write!(f, ": {}", self.first.join(", "))?;
        if objects > self.first.len() as u64 {
            write!(f, ", …")?;
        }
        Ok(())
    }
}

/// The rows that a run has seen: 16 bytes each.
pub(super) struct Seen {
    pub(super) mirror: Mirror,
    ids: Mutex<HashSet<u128>>,
    /// The properties that identify the model's objects.
    identity: OnceLock<Vec<&'static str>>,
    /// Rows of which it is not known what they are.
    unknown: AtomicU64,
}

impl Seen {
    pub(super) fn new(mirror: Mirror) -> Self {
        Self {
            mirror,
            ids: Mutex::default(),
            identity: OnceLock::new(),
            unknown: AtomicU64::new(0),
        }
    }

    /// A row whose object could not be told.
    pub(super) fn unknown(&self) {
        self.unknown.fetch_add(1, Ordering::Relaxed);
    }

    /// A row whose object is known.
    pub(super) fn row(&self, graph: &Graph) {
        let Some(root) = graph.root().filter(|root| !root.is_unidentified()) else { return };
        self.identity
            .get_or_init(|| root.identity.parts().iter().map(|(property, _)| *property).collect());
        lock(&self.ids).insert(key(&root.identity));
    }
}

/// The same for an identity as the row has it and as the database answers it.
fn key(identity: &Identity) -> u128 {
    let parts = identity.parts().iter().map(|(_, value)| spelled(value));
    XxHash3_128::oneshot(parts.collect::<Vec<_>>().join("\0").as_bytes())
}

fn spelled(value: &Value) -> String {
    match value {
        // Databases do not tell 2 from 2.0.
        Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => format!("{}", *x as i64),
        other => other.to_string(),
    }
}

/// Deletes, or tells, what left the source. In words why it can't be told.
pub(super) async fn settle(
    context: &Context,
    seen: &Seen,
    schema: &'static ModelSchema,
    source: &str,
) -> Result<Mirrored, String> {
    let unknown = seen.unknown.load(Ordering::Relaxed);
    if unknown > 0 {
        return Err(format!(
            "of {unknown} rows that failed nobody knows which objects they are; mend them first"
        ));
    }
    let Some(identity) = seen.identity.get() else {
        return Err(
            "it has no rows, and everything would go; `adb undo` takes runs back".to_owned()
        );
    };
    let said = |e: QueryError| e.to_string();
    let ours = Constraint::equal("source", source.to_owned())
        .and(Constraint::equal("model", schema.class));
    let runs = find(&context.db, context.dialect, Some(ours)).await.map_err(|e| e.to_string())?;
    let runs: Vec<String> = runs.into_iter().map(|run| run.id).collect();
    let mut mirrored = Mirrored { deleted: seen.mirror == Mirror::Delete, ..Mirrored::default() };
    if runs.is_empty() {
        return Ok(mirrored);
    }
    let mut gone = Vec::new();
    let mut added = Added::new(context.dialect, schema, &runs);
    loop {
        let page = added.next(&context.db, identity).await.map_err(said)?;
        if page.is_empty() {
            break;
        }
        let ids = lock(&seen.ids);
        for (unique_id, parts) in page {
            let id = read(identity, &parts)
                .map_err(|part| format!("the database answers {part} where an id is expected"))?;
            if !ids.contains(&key(&id)) {
                if mirrored.first.len() < NAMED {
                    mirrored.first.push(id.text());
                }
                gone.push(unique_id);
            }
        }
    }
    if gone.is_empty() {
        return Ok(mirrored);
    }
    let connections = Connections::of(&context.db, schema).await.map_err(|e| e.to_string())?;
    for some in gone.chunks(AT_ONCE) {
        let removed = remove(
            &context.db,
            context.dialect,
            schema,
            some,
            &runs,
            &connections,
            mirrored.deleted,
        );
        mirrored.removed.add(removed.await.map_err(said)?);
    }
    Ok(mirrored)
}

fn read(identity: &[&'static str], parts: &[Json]) -> Result<Identity, Json> {
    let values = identity.iter().zip(parts).map(|(property, part)| {
        let value = Value::from_answer(part).ok().flatten().ok_or_else(|| part.clone())?;
        Ok((*property, value))
    });
    Ok(Identity::new(values.collect::<Result<_, Json>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_however_the_database_writes_it() {
        let id = |value| key(&Identity::new(vec![("id", value)]));
        assert_eq!(id(Value::Int(7)), id(Value::Float(7.0)));
        assert_ne!(id(Value::Int(7)), id(Value::Int(8)));
        let date = Value::from_answer(&serde_json::json!({"_date": "2026-01-02T03:04:05+00:00"}));
        let date = date.unwrap().unwrap();
        assert_eq!(id(date.clone()), id(Value::from_answer(&date.to_json()).unwrap().unwrap()));
    }
}
