//! Removing objects that their source has no longer, with all that was there for them alone.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Constraint, Database, Dialect, FieldRole, ModelSchema, Relation, Request,
    answer::unique_id,
    database::ask,
    graph::RUN,
    query::{
        QueryError,
        change::{by_id, delete, listed, listed_ids, owned_ids},
        plan::{Commands, connected, find},
    },
    upsert::Connections,
};

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Removed {
    /// Roots.
    pub objects: u64,
    /// What belonged to them, or to children that go, alone: descriptors, pictures of entities,
    /// regions, clips, frames.
    pub parts: u64,
    /// Children that nothing refers to any longer.
    pub children: u64,
}

impl Removed {
    /// Adds what another request removed.
    pub fn add(&mut self, more: Removed) {
        self.objects += more.objects;
        self.parts += more.parts;
        self.children += more.children;
    }
}

/// Removes objects of a model by their unique ids, in one transaction, or tells what that comes to.
///
/// Children go along that one of `runs` added and that nothing refers to then; one that something
/// else is connected to stays, and so do those of which nobody knows who added them.
///
/// # Errors
/// When the database can't be asked, or refuses.
pub async fn remove(
    db: &dyn Database,
    dialect: Dialect,
    schema: &'static ModelSchema,
    ids: &[String],
    runs: &[String],
    connections: &Connections,
    really: bool,
) -> Result<Removed, QueryError> {
    let mut going = Going { db, dialect, runs, connections, doomed: HashSet::new() };
    let mut levels: Vec<(&'static ModelSchema, Vec<String>)> = vec![(schema, ids.to_vec())];
    going.doomed.extend(ids.iter().cloned());
    let mut next = 0;
    while next < levels.len() {
        let (model, ids) = levels[next].clone();
        next += 1;
        for level in going.children(model, &ids).await? {
            going.doomed.extend(level.1.iter().cloned());
            levels.push(level);
        }
    }
    let mut removed = Removed {
        objects: ids.len() as u64,
        children: levels[1..].iter().map(|(_, ids)| ids.len() as u64).sum(),
        parts: 0,
    };
    // What hangs on a thing goes before it.
    let mut commands = Vec::new();
    for (model, ids) in levels.iter().rev() {
        let owned = owned_ids(db, dialect, model, ids).await?;
        for (kind, ids) in owned.into_iter().rev().filter(|(_, ids)| !ids.is_empty()) {
            removed.parts += ids.len() as u64;
            commands.push(delete(kind, dialect, ids));
        }
        commands.push(delete(model.kind, dialect, ids.clone()));
    }
    if really {
        let roots = commands.len() - 1;
        let (answers, _) = ask(db, Request::json(&Json::Array(commands))).await?;
        // Somebody else may have been quicker.
        removed.objects = Answer::at(&answers, roots)?.count();
    }
    Ok(removed)
}

struct Going<'a> {
    db: &'a dyn Database,
    dialect: Dialect,
    runs: &'a [String],
    connections: &'a Connections,
    doomed: HashSet<String>,
}

impl Going<'_> {
    /// Children of objects that go, as far as they go along.
    async fn children(
        &self,
        model: &'static ModelSchema,
        ids: &[String],
    ) -> Result<Vec<(&'static ModelSchema, Vec<String>)>, QueryError> {
        let mut going = Vec::new();
        for field in model.fields {
            let FieldRole::Children { relation, model: child, .. } = field.role else { continue };
            let child = child.get();
            let Some(class) = relation.class(child.class) else { continue };
            let ids = self.unreferred(model, ids, child, relation, class).await?;
            if !ids.is_empty() {
                going.push((child, ids));
            }
        }
        Ok(going)
    }

    async fn unreferred(
        &self,
        model: &'static ModelSchema,
        ids: &[String],
        child: &'static ModelSchema,
        relation: Relation,
        class: &str,
    ) -> Result<Vec<String>, QueryError> {
        let mut commands = Commands::new(self.dialect);
        let (near, far) = (commands.reference(), commands.reference());
        let mut body = Map::new();
        body.insert("_ref".to_owned(), near.into());
        commands.of_model(&mut body, model, by_id(ids.to_vec()));
        commands.push(find(model.kind, body));
        let mut body = listed();
        body.insert("_ref".to_owned(), far.into());
        let edge = connected(near, relation, child.class, false, self.dialect);
        body.insert("is_connected_to".to_owned(), edge);
        let ours = Constraint::one_of(RUN, self.runs.iter().map(|run| run.as_str().into()));
        commands.of_model(&mut body, child, ours);
        let children = commands.push(find(child.kind, body));
        // Whatever arrives at a child refers to it; where the model's own connections leave it,
        // these do.
        let database_class = child.kind.system_class().unwrap_or(child.class);
        let reversed = matches!(relation, Relation::Reversed(_));
        let mut referring = Vec::new();
        let mut ask_for = |class: &str, leaving: bool| {
            let (end, other) = if leaving { ("src", "_dst") } else { ("dst", "_src") };
            let list = [format!("_{end}"), other.to_owned()];
            let body = json!({"with_class": class, end: far, "results": {"list": list}});
            referring.push((commands.push(json!({"FindConnection": body})), end, other));
        };
        for joint in &self.connections.0 {
            if !joint.far(database_class, false).is_empty() {
                ask_for(&joint.class, false);
            }
        }
        if reversed {
            ask_for(class, true);
        }
        let (answers, _) = ask(self.db, commands.request()).await?;
        let mut referred: HashMap<&str, bool> = HashMap::new();
        for (command, end, other) in referring {
            for edge in Answer::at(&answers, command)?.connections() {
                let text = |key: &str| edge.get(key).and_then(Json::as_str).unwrap_or_default();
                let stays = !self.doomed.contains(text(other));
                *referred.entry(text(&format!("_{end}"))).or_default() |= stays;
            }
        }
        let found = listed_ids(&Answer::at(&answers, children)?);
        let goes = |id: &String| {
            !self.doomed.contains(id) && !referred.get(id.as_str()).copied().unwrap_or(false)
        };
        Ok(found.into_iter().filter(goes).collect())
    }
}

/// Objects of a model that some runs added: unique ids and identities, page by page.
#[derive(Debug)]
pub struct Added<'r> {
    dialect: Dialect,
    schema: &'static ModelSchema,
    runs: &'r [String],
    offset: u64,
}

/// Objects that one request asks for.
const AT_ONCE: u64 = 1000;

impl<'r> Added<'r> {
    /// From the first on.
    #[must_use]
    pub fn new(dialect: Dialect, schema: &'static ModelSchema, runs: &'r [String]) -> Self {
        Self { dialect, schema, runs, offset: 0 }
    }

    /// The next objects: unique id, and the properties that identify it, as they were asked for.
    /// None when that was all.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn next(
        &mut self,
        db: &dyn Database,
        identity: &[&'static str],
    ) -> Result<Vec<(String, Vec<Json>)>, QueryError> {
        let commands = Commands::new(self.dialect);
        let mut body = listed();
        let ours = Constraint::one_of(RUN, self.runs.iter().map(|run| run.as_str().into()));
        commands.of_model(&mut body, self.schema, ours);
        body.insert("results".to_owned(), json!({ "list": identity }));
        commands.shaping(&mut body, "limit", AT_ONCE.into());
        body.insert("offset".to_owned(), self.offset.into());
        let (answers, _) = ask(db, Request::json(&json!([find(self.schema.kind, body)]))).await?;
        let answer = Answer::at(&answers, 0)?;
        let read = |object: &Json| {
            let id = unique_id(object)?.to_owned();
            let parts = identity.iter().map(|p| object.get(*p).cloned().unwrap_or(Json::Null));
            Some((id, parts.collect()))
        };
        let found: Vec<(String, Vec<Json>)> = answer.entities().iter().filter_map(read).collect();
        self.offset += found.len() as u64;
        Ok(found)
    }
}
