//! Changing and deleting what a search finds.

use serde_json::{Map, Value as Json, json};

use super::{
    Find, QueryError,
    plan::{self, Commands, Target},
};
use crate::{
    Answer, Assignment, Constraint, DataModel, Database, Dialect, FieldRole, ModelSchema,
    ObjectKind, Request,
    database::ask,
    error::{ModelError, ModelErrorKind},
    graph::{USER_TYPE, part_class},
};

/// The property as which a label is found; a parameter of its own sets it.
const LABEL: &str = "_label";

/// Objects that one request deletes at most: the list of their ids is part of it.
const AT_ONCE: usize = 1000;

/// What a deletion removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Objects of the model.
    pub objects: u64,
    /// What belonged to them alone: descriptors, pictures of entities, regions, clips, frames.
    pub parts: u64,
}

impl<M: DataModel> Find<M> {
    /// Sets properties of every object that is found; answers how many there were.
    ///
    /// # Errors
    /// See [`QueryError`]; a limit or an offset is one. Ids can't be set, nor what a vector is made from: the vector would no
    /// longer fit.
    pub async fn update<const N: usize>(
        self,
        db: &dyn Database,
        set: impl FnOnce(M::Columns) -> [Assignment<M>; N],
    ) -> Result<u64, QueryError> {
        let schema = M::SCHEMA;
        let mut properties = Map::new();
        let mut removed = Vec::new();
        let mut label = None;
        for set in set(M::columns()) {
            let value = set.value.map_err(|e| ModelError::new(set.property, e.into()))?;
            settable(schema, set.property, value.is_some())?;
            match value {
                Some(value) if set.property == LABEL => label = Some(value.to_json()),
                Some(value) => {
                    properties.insert(set.property.to_owned(), value.to_json());
                }
                None => removed.push(set.property),
            }
        }
        let dialect = self.dialect;
        let target = self.into_changed()?;
        let mut change = json!({});
        if !properties.is_empty() {
            change["properties"] = properties.into();
        }
        if !removed.is_empty() {
            change["remove_props"] = json!(removed);
        }
        if let Some(label) = label {
            change["label"] = label;
        }
        // Update commands know constraints and no connections: those are followed first.
        let constraint = match target.edges.is_empty() {
            true => target.constraint?,
            false => match ids(db, dialect, target).await? {
                none if none.is_empty() => return Ok(0),
                ids => by_id(ids),
            },
        };
        let mut body = match change {
            Json::Object(body) => body,
            _ => Map::new(),
        };
        Commands::new(dialect).of_model(&mut body, schema, constraint);
        let command = json!({ format!("Update{}", schema.kind.command_suffix()): body });
        let (answers, _) = ask(db, Request::json(&json!([command]))).await?;
        Ok(Answer::at(&answers, 0)?.count())
    }

    /// What [`delete`](Find::delete) would remove; removes nothing.
    ///
    /// # Errors
    /// See [`QueryError`]; a limit or an offset is one.
    pub async fn would_delete(self, db: &dyn Database) -> Result<Deleted, QueryError> {
        let dialect = self.dialect;
        let found = ids(db, dialect, self.into_changed()?).await?;
        let mut counted = Deleted { objects: found.len() as u64, parts: 0 };
        for some in found.chunks(AT_ONCE) {
            let owned = owned_ids(db, dialect, M::SCHEMA, some).await?;
            counted.parts += owned.iter().map(|(_, ids)| ids.len() as u64).sum::<u64>();
        }
        Ok(counted)
    }

    /// Deletes every object that is found, with what belongs to it alone; children that are
    /// connected stay, since others may share them;
    /// [`would_delete`](Find::would_delete) tells beforehand what it comes to.
    ///
    /// Thousand by thousand, each in one transaction: what has been deleted stays deleted when a
    /// later one fails.
    ///
    /// # Errors
    /// See [`QueryError`]; a limit or an offset is one.
    pub async fn delete(self, db: &dyn Database) -> Result<Deleted, QueryError> {
        let schema = M::SCHEMA;
        let dialect = self.dialect;
        let target = self.into_changed()?;
        let found = ids(db, dialect, target).await?;
        let mut deleted = Deleted::default();
        for some in found.chunks(AT_ONCE) {
            let owned = owned_ids(db, dialect, schema, some).await?;
            let mut commands = Vec::new();
            for (kind, ids) in owned.into_iter().rev().filter(|(_, ids)| !ids.is_empty()) {
                commands.push(delete(kind, dialect, ids));
            }
            let parts = commands.len();
            commands.push(delete(schema.kind, dialect, some.to_vec()));
            let (answers, _) = ask(db, Request::json(&Json::Array(commands))).await?;
            for i in 0..=parts {
                let n = Answer::at(&answers, i)?.count();
                if i == parts {
                    deleted.objects += n;
                } else {
                    deleted.parts += n;
                }
            }
        }
        Ok(deleted)
    }
}

fn settable(
    schema: &'static ModelSchema,
    property: &'static str,
    to_a_value: bool,
) -> Result<(), ModelError> {
    let fault = |kind| Err(ModelError::new(schema.name, kind));
    if property == LABEL && !to_a_value {
        return fault(ModelErrorKind::Fixed { property, why: "a label can be changed, not taken" });
    }
    if property.starts_with('_') && property != LABEL {
        return fault(ModelErrorKind::Fixed { property, why: "it says where the object lies" });
    }
    let Some(field) = schema.fields.iter().find(|f| f.property == property) else {
        return Ok(());
    };
    if matches!(field.role, FieldRole::Id(_)) {
        return fault(ModelErrorKind::Fixed { property, why: "it identifies the object" });
    }
    if matches!(field.role, FieldRole::Property { optional: false, .. }) && !to_a_value {
        return fault(ModelErrorKind::Fixed { property, why: "its field is not an `Option`" });
    }
    let is_own = field.inside.is_none();
    for other in schema.fields.iter().filter(|_| is_own) {
        let FieldRole::Embedding { from, label, .. } = other.role else { continue };
        if from == Some(field.name) {
            return fault(ModelErrorKind::Fixed {
                property,
                why: "a vector was made from it; `upsert` of the whole value makes the vector anew",
            });
        }
        if label == Some(field.name) {
            return fault(ModelErrorKind::Fixed { property, why: "it is a vector's label" });
        }
    }
    Ok(())
}

/// Unique ids of a target's objects.
async fn ids(
    db: &dyn Database,
    dialect: Dialect,
    target: Target,
) -> Result<Vec<String>, QueryError> {
    let kind = target.schema.kind;
    let mut commands = Commands::new(dialect);
    let mut body = listed();
    commands.select(&mut body, target)?;
    let command = commands.push(plan::find(kind, body));
    let (answers, _) = ask(db, commands.request()).await?;
    Ok(listed_ids(&Answer::at(&answers, command)?))
}

/// Unique ids of what belongs to some objects alone, by kind; what hangs on a thing comes after it.
pub(crate) async fn owned_ids(
    db: &dyn Database,
    dialect: Dialect,
    schema: &'static ModelSchema,
    owners: &[String],
) -> Result<Vec<(ObjectKind, Vec<String>)>, QueryError> {
    let mut commands = Commands::new(dialect);
    let reference = commands.reference();
    let mut body = Map::new();
    body.insert("_ref".to_owned(), reference.into());
    commands.of_model(&mut body, schema, by_id(owners.to_vec()));
    commands.push(plan::find(schema.kind, body));
    let mut found = Vec::new();
    find_owned(&mut commands, schema, reference, &mut found);
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let (answers, _) = ask(db, commands.request()).await?;
    found
        .into_iter()
        .map(|(kind, command)| Ok((kind, listed_ids(&Answer::at(&answers, command)?))))
        .collect()
}

fn find_owned(
    commands: &mut Commands,
    schema: &'static ModelSchema,
    owner: u32,
    found: &mut Vec<(ObjectKind, usize)>,
) {
    for field in schema.fields {
        let own_class = || part_class(schema.class, field.property);
        let (kind, class, part) = match field.role {
            FieldRole::Embedding { .. } if schema.kind != ObjectKind::Descriptor => {
                let (_, class) = plan::descriptors(schema, field);
                (ObjectKind::Descriptor, class.into_owned(), None)
            }
            FieldRole::Media { kind, .. } if kind != schema.kind => (kind, own_class(), None),
            FieldRole::Children { relation: crate::Relation::Part, model, .. } => {
                let part = model.get();
                (part.kind, part.class.to_owned(), Some(part))
            }
            _ => continue,
        };
        let reference = commands.reference();
        let mut body = listed();
        body.insert("_ref".to_owned(), reference.into());
        body.insert("is_connected_to".to_owned(), json!({ "ref": owner }));
        match part {
            Some(part) => commands.of_model(&mut body, part, Constraint::All(Vec::new())),
            None => {
                let own = Constraint::equal(USER_TYPE, class).to_json(commands.dialect);
                body.insert("constraints".to_owned(), own);
            }
        }
        found.push((kind, commands.push(plan::find(kind, body))));
        if let Some(part) = part {
            find_owned(commands, part, reference, found);
        }
    }
}

/// The body of a Find that asks for unique ids alone.
pub(crate) fn listed() -> Map<String, Json> {
    let mut body = Map::new();
    body.insert("uniqueids".to_owned(), true.into());
    body
}

pub(crate) fn listed_ids(answer: &Answer<'_>) -> Vec<String> {
    answer.unique_ids().map(str::to_owned).collect()
}

pub(crate) fn by_id(ids: Vec<String>) -> Constraint {
    Constraint::one_of("_uniqueid", ids.into_iter().map(Into::into))
}

pub(crate) fn delete(kind: ObjectKind, dialect: Dialect, ids: Vec<String>) -> Json {
    let constraints = by_id(ids).to_json(dialect);
    json!({ format!("Delete{}", kind.command_suffix()): { "constraints": constraints } })
}
