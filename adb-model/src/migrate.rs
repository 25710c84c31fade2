//! A database follows its models: what can be added or renamed is, and what can't be is said.

use std::{collections::HashMap, fmt};

use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Constraint, DataModel, Database, DbError, Dialect, EmbedderIdentity, FieldRole,
    FieldSchema, ModelSchema, Relation, Request, SetSpec,
    check::{Difference, check, property_entry},
    database::ask,
    ensure::{EnsureError, ensure},
    graph::USER_TYPE,
};

/// Objects that one request renames a property of.
const AT_ONCE: u64 = 500;

/// Something in which a database and its models differ.
#[derive(Debug)]
#[non_exhaustive]
pub enum Change {
    /// A property that no object of the model has yet. There is nothing to do.
    NewProperty {
        /// The model's class.
        class: &'static str,
        /// The property.
        property: &'static str,
        /// Whether its field is an `Option`; if not, objects that are there can't be read unless
        /// the field has a `default`.
        optional: bool,
        /// The objects that are there.
        objects: u64,
    },
    /// A descriptor set or an index that is to be made.
    ToMake(Difference),
    /// A property that is to be renamed.
    Rename {
        /// The class of objects or connections.
        class: &'static str,
        /// Its name in the database.
        from: &'static str,
        /// Its name in the model.
        to: &'static str,
        /// How many have it under the old name.
        objects: u64,
    },
    /// Something to know. There is nothing to do.
    Note(Difference),
    /// What can't be done, and keeps everything else from being done.
    Blocked(Difference),
    /// A property that can't be renamed, since its type is another as well.
    BlockedRename {
        /// The class.
        class: &'static str,
        /// Its name in the database.
        from: &'static str,
        /// Its name in the model.
        to: &'static str,
        /// Its type in the database.
        database: String,
        /// Its type in the model.
        model: &'static str,
    },
}

impl Change {
    /// Whether [`migrate`](crate::migrate()) has something to do for it.
    #[must_use]
    pub fn is_to_do(&self) -> bool {
        matches!(self, Change::ToMake(_) | Change::Rename { .. })
    }

    /// Whether it keeps [`migrate`](crate::migrate()) from doing anything.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        matches!(self, Change::Blocked(_) | Change::BlockedRename { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::NewProperty { class, property, optional: true, objects } => write!(
                f,
                "`{class}.{property}` is new: nothing to do, {objects} objects are without it"
            ),
            Change::NewProperty { class, property, optional: false, objects } => write!(
                f,
                "`{class}.{property}` is new: nothing to do, but {objects} objects are without it and can be read only if the field is an `Option`, has a `default`, or is filled, as `find().update(…)` does"
            ),
            Change::ToMake(Difference::SetMissing(name)) => {
                write!(f, "the descriptor set `{name}` is to be made")
            }
            Change::ToMake(Difference::IndexMissing { class, property }) => {
                write!(f, "an index on `{class}.{property}` is to be made")
            }
            Change::ToMake(other) | Change::Note(other) => other.fmt(f),
            Change::Rename { class, from, to, objects } => {
                write!(f, "`{class}.{from}` becomes `{class}.{to}` ({objects} have it)")
            }
            Change::Blocked(difference @ Difference::PropertyType { .. }) => write!(
                f,
                "{difference}; the way round: store it under another name (`#[adb(rename = \"…\")]`), fill that from the old property, then remove the old one"
            ),
            Change::Blocked(difference) => difference.fmt(f),
            Change::BlockedRename { class, from, to, database, model } => write!(
                f,
                "`{class}.{from}` is a {database} and can't become `{class}.{to}`, a {model}: take `was` away, fill `{to}` from `{from}` yourself, then remove `{from}`"
            ),
        }
    }
}

/// What a database needs to follow its models: made by [`plan`].
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Plan {
    /// All that differs.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether there is something to do.
    #[must_use]
    pub fn is_to_do(&self) -> bool {
        self.changes.iter().any(Change::is_to_do)
    }

    /// Whether something can't be done.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.changes.iter().any(Change::is_blocked)
    }
}

/// A line for each change.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("the database fits");
        }
        for (i, change) in self.changes.iter().enumerate() {
            let end = if i + 1 < self.changes.len() { "\n" } else { "" };
            write!(f, "{change}{end}")?;
        }
        Ok(())
    }
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Migrated {
    /// Descriptor sets that it made.
    pub sets_made: usize,
    /// Indexes that it made.
    pub indexes_made: usize,
    /// Indexes on old names that it removed.
    pub indexes_removed: usize,
    /// Objects and connections of which it renamed a property.
    pub renamed: u64,
}

/// Why a migration ended early. What had been done until then stays done, and another one goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The database could not be asked, or refused.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A set does not fit.
    #[error(transparent)]
    Ensure(#[from] EnsureError),
    /// Some of it can't be done: nothing was.
    #[error("nothing was changed, since not all can be: {0}")]
    Blocked(Plan),
}

impl MigrateError {
    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            MigrateError::Database(e) => e.is_transient(),
            MigrateError::Ensure(e) => e.is_transient(),
            MigrateError::Blocked(_) => false,
        }
    }
}

/// What a database needs to follow a model and all that it is connected to. Changes nothing.
///
/// `embedder` answers who would fill a set, as in [`ensure`](crate::ensure()).
///
/// # Errors
/// When the database can't be asked. What can't be done is part of the answer.
pub async fn plan<'e, M: DataModel>(
    db: &dyn Database,
    embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
) -> Result<Plan, DbError> {
    plan_for(db, M::SCHEMA, embedder).await
}

/// [`plan`] for a model that the compiler does not know.
///
/// # Errors
/// When the database can't be asked.
pub async fn plan_for<'e>(
    db: &dyn Database,
    schema: &'static ModelSchema,
    embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
) -> Result<Plan, DbError> {
    let mut plan = Plan::default();
    for difference in check(db, &[schema], embedder).await? {
        plan.changes.push(match difference {
            made if made.is_mended_by_ensure() => Change::ToMake(made),
            note if note.is_note() => Change::Note(note),
            other => Change::Blocked(other),
        });
    }
    let stored = stored_properties(schema);
    if stored.is_empty() {
        return Ok(plan);
    }
    let mut commands = vec![json!({"GetSchema": {}})];
    let mut asked = Vec::new();
    for property in &stored {
        let Property { of, field } = property;
        let mut count = |constraint: Option<Constraint>| {
            let mut body = of.body(constraint, Dialect::Classic);
            body.insert("results".to_owned(), json!({"count": true}));
            commands.push(json!({ format!("Find{}", of.command): body }));
            commands.len() - 1
        };
        let all = count(None);
        let now = count(Some(present(field.property)));
        let before = field.was.iter().map(|old| (*old, count(Some(present(old))))).collect();
        asked.push(Asked { all, now, before });
    }
    let (answers, _) = ask(db, Request::json(&Json::Array(commands))).await?;
    let schema = Answer::at(&answers, 0)?;
    let counted = |command: usize| -> Result<u64, DbError> {
        Ok(Answer::at(&answers, command)?.get("count").and_then(Json::as_u64).unwrap_or(0))
    };
    for (property, asked) in stored.iter().zip(asked) {
        let (all, now) = (counted(asked.all)?, counted(asked.now)?);
        let mut renamed = false;
        for (old, command) in asked.before {
            let objects = counted(command)?;
            if objects > 0 {
                renamed = true;
                plan.changes.push(property.rename(&schema, old, objects));
            }
        }
        if let (FieldRole::Property { optional, .. }, true, 0, false) =
            (property.field.role, all > 0, now, renamed)
        {
            plan.changes.push(Change::NewProperty {
                class: property.of.class,
                property: property.field.property,
                optional,
                objects: all,
            });
        }
    }
    Ok(plan)
}

/// Where the counts of a property are.
struct Asked {
    all: usize,
    now: usize,
    before: Vec<(&'static str, usize)>,
}

/// Makes a database follow a model: sets and indexes are made, properties renamed.
///
/// Every object is renamed by one command, old and new name at once, so that none is ever without
/// both; 500 of them in a request. When it is interrupted, the next one goes on. Where an object
/// has both names, the new one's value counts. The second time there is nothing to do.
///
/// `embedder` answers who fills a set that is made, as in [`ensure`](crate::ensure()).
///
/// # Errors
/// See [`MigrateError`].
pub async fn migrate<'e, M: DataModel>(
    db: &dyn Database,
    embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
) -> Result<Migrated, MigrateError> {
    migrate_for(db, M::SCHEMA, embedder).await
}

/// [`migrate`](crate::migrate()) for a model that the compiler does not know.
///
/// # Errors
/// See [`MigrateError`].
pub async fn migrate_for<'e>(
    db: &dyn Database,
    schema: &'static ModelSchema,
    embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
) -> Result<Migrated, MigrateError> {
    let plan = plan_for(db, schema, &embedder).await?;
    if plan.is_blocked() {
        let changes = plan.changes.into_iter().filter(Change::is_blocked).collect();
        return Err(MigrateError::Blocked(Plan { changes }));
    }
    let ensured = ensure(db, schema, &embedder).await?;
    let mut migrated = Migrated {
        sets_made: ensured.sets_made.len(),
        indexes_made: ensured.indexes_made,
        ..Migrated::default()
    };
    for property in stored_properties(schema) {
        for old in property.field.was {
            migrated.renamed += property.of.rename(db, old, property.field.property).await?;
            migrated.indexes_removed += usize::from(property.of.drop_index(db, old).await?);
        }
    }
    Ok(migrated)
}

/// Objects or connections that a property is of.
#[derive(Debug, Clone, PartialEq)]
struct Holder {
    /// What commands on them end with.
    command: &'static str,
    /// What the model calls them.
    class: &'static str,
    /// What the database does.
    stored_as: &'static str,
    /// `entities` or `connections`.
    part: &'static str,
    /// Whether the class is a property of theirs.
    typed: bool,
    /// Their descriptor set, if they are descriptors.
    set: Option<&'static str>,
}

struct Property {
    of: Holder,
    field: &'static FieldSchema,
}

/// Properties of a model, of all that it is connected to and of the connections.
fn stored_properties(schema: &'static ModelSchema) -> Vec<Property> {
    let mut found: Vec<Property> = Vec::new();
    for model in schema.reachable() {
        let of = Holder {
            command: model.kind.command_suffix(),
            class: model.class,
            stored_as: model.kind.system_class().unwrap_or(model.class),
            part: "entities",
            typed: model.is_typed(),
            set: model.own_vector().map(|(_, set)| set.name),
        };
        for field in model.fields {
            let one = match field.role {
                FieldRole::Id(_) | FieldRole::Property { .. } => true,
                FieldRole::Media { kind, .. } => kind == model.kind,
                _ => false,
            };
            if one {
                add(&mut found, of.clone(), field);
            }
            if let FieldRole::Children { relation, edge, .. } = field.role
                && let Relation::Connection(class) | Relation::Reversed(class) = relation
            {
                for property in edge {
                    let (command, stored_as) = ("Connection", class);
                    let part = "connections";
                    let of = Holder { command, class, stored_as, part, typed: false, set: None };
                    add(&mut found, of, property);
                }
            }
        }
    }
    found
}

fn add(found: &mut Vec<Property>, of: Holder, field: &'static FieldSchema) {
    if !found.iter().any(|p| p.of == of && p.field.property == field.property) {
        found.push(Property { of, field });
    }
}

impl Property {
    fn rename(&self, schema: &Answer<'_>, old: &'static str, objects: u64) -> Change {
        let Holder { class, stored_as, part, .. } = self.of;
        let to = self.field.property;
        let model = match self.field.role {
            FieldRole::Id(value_type) | FieldRole::Property { value_type, .. } => {
                value_type.database_name()
            }
            _ => crate::ValueType::String.database_name(),
        };
        match property_entry(schema, part, stored_as, old) {
            Some((_, database)) if database != model => {
                Change::BlockedRename { class, from: old, to, database, model }
            }
            _ => Change::Rename { class, from: old, to, objects },
        }
    }
}

fn present(property: &'static str) -> Constraint {
    Constraint::Present { property: property.into(), present: true }
}

fn absent(property: &'static str) -> Constraint {
    Constraint::Present { property: property.into(), present: false }
}

impl Holder {
    /// What selects them in a command.
    fn body(&self, constraint: Option<Constraint>, dialect: Dialect) -> Map<String, Json> {
        let mut body = Map::new();
        let own = self.typed.then(|| Constraint::equal(USER_TYPE, self.class));
        if self.class == self.stored_as {
            body.insert("with_class".to_owned(), self.class.into());
        }
        if let Some(set) = self.set {
            body.insert("set".to_owned(), set.into());
        }
        let both = own.into_iter().chain(constraint).reduce(Constraint::and);
        if let Some(constraint) = both {
            body.insert("constraints".to_owned(), constraint.to_json(dialect));
        }
        body
    }

    /// Renames a property of all that have it; answers of how many.
    async fn rename(
        &self,
        db: &dyn Database,
        old: &'static str,
        new: &'static str,
    ) -> Result<u64, DbError> {
        let mut renamed = 0;
        loop {
            let only_old = present(old).and(absent(new));
            let mut body = self.body(Some(only_old), Dialect::Classic);
            body.insert("uniqueids".to_owned(), true.into());
            body.insert("results".to_owned(), json!({"list": [old], "limit": AT_ONCE}));
            let find = json!([{ format!("Find{}", self.command): body }]);
            let (answers, _) = ask(db, Request::json(&find)).await?;
            let answer = Answer::at(&answers, 0)?;
            let found = answer.get("entities").or_else(|| answer.get("connections"));
            let found = found.and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
            if found.is_empty() {
                break;
            }
            // Objects that have the same value change together.
            let mut by_value: HashMap<String, (&Json, Vec<&str>)> = HashMap::new();
            for object in found {
                let id = object.get("_uniqueid").and_then(Json::as_str);
                let (Some(id), Some(value)) = (id, object.get(old)) else { continue };
                by_value.entry(value.to_string()).or_insert_with(|| (value, Vec::new())).1.push(id);
            }
            let updates: Vec<Json> = by_value
                .into_values()
                .map(|(value, ids)| {
                    let ids = ids.into_iter().map(Into::into);
                    let by_id = Constraint::one_of("_uniqueid", ids).to_json(Dialect::Classic);
                    let mut body = json!({
                        "constraints": by_id, "properties": {new: value}, "remove_props": [old],
                    });
                    if self.class == self.stored_as {
                        body["with_class"] = self.class.into();
                    }
                    json!({ format!("Update{}", self.command): body })
                })
                .collect();
            let commands = updates.len();
            let (answers, _) = ask(db, Request::json(&Json::Array(updates))).await?;
            let before = renamed;
            for i in 0..commands {
                renamed += counted(&Answer::at(&answers, i)?);
            }
            if renamed == before {
                return Err(DbError::permanent(format!(
                    "`{}.{old}` could not be renamed: the database found objects that it then did not change",
                    self.class
                )));
            }
        }
        let mut both = self.body(Some(present(old).and(present(new))), Dialect::Classic);
        both.insert("remove_props".to_owned(), json!([old]));
        let (answers, _) =
            ask(db, Request::json(&json!([{ format!("Update{}", self.command): both }]))).await?;
        Ok(renamed + counted(&Answer::at(&answers, 0)?))
    }

    /// Removes the index on an old name, if nobody has that property any more.
    async fn drop_index(&self, db: &dyn Database, old: &'static str) -> Result<bool, DbError> {
        let target = if self.part == "entities" { "entity" } else { "connection" };
        let mut body = match self.class == self.stored_as {
            true => self.body(Some(present(old)), Dialect::Classic),
            // Other models are of the same class.
            false => {
                let mut body = Map::new();
                let has = present(old).to_json(Dialect::Classic);
                body.insert("constraints".to_owned(), has);
                body
            }
        };
        body.insert("results".to_owned(), json!({"count": true}));
        let (answers, _) =
            ask(db, Request::json(&json!([{ format!("Find{}", self.command): body }]))).await?;
        if counted(&Answer::at(&answers, 0)?) > 0 {
            return Ok(false);
        }
        let remove = json!([{"RemoveIndex": {
            "index_type": target, "class": self.stored_as, "property_key": old,
        }}]);
        // One that is not there is refused, or answered with another status.
        Ok(match db.execute(Request::json(&remove)).await?.done() {
            Ok((answers, _)) => Answer::at(&answers, 0)?.status() == 0,
            Err(_) => false,
        })
    }
}

fn counted(answer: &Answer<'_>) -> u64 {
    answer.get("count").and_then(Json::as_u64).unwrap_or(0)
}
