//! A database follows its models: what can be added or renamed is, and what can't be is said.

mod change;
mod rename;

use serde_json::{Value as Json, json};

use crate::{
    Answer, Constraint, DataModel, Database, DbError, Dialect, EmbedderIdentity, FieldRole,
    ModelSchema, Request, SetSpec, StoredSchema,
    check::check,
    database::ask,
    ensure::{EnsureError, ensure},
};

pub use change::{Change, Plan};
use rename::{HeldProperty, present, stored_properties};

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
        let HeldProperty { of, field } = property;
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
    let schema = StoredSchema::read(&Answer::at(&answers, 0)?);
    let counted =
        |command: usize| -> Result<u64, DbError> { Ok(Answer::at(&answers, command)?.count()) };
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
        if let (FieldRole::Property { .. }, true, 0, false) =
            (property.field.role, all > 0, now, renamed)
        {
            plan.changes.push(Change::NewProperty {
                class: property.of.class,
                property: property.field.property,
                optional: property.field.may_be_absent(),
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
