//! Before the first row: descriptor sets and indexes are there and agree with the model.

mod index;
mod set;

use serde_json::{Value as Json, json};

use crate::{
    Answer, Constraint, Database, DbError, Dialect, EmbedderIdentity, ModelSchema, Request,
    SetSpec, database::ask,
};

use index::found_indexes;
pub(crate) use index::{Index, indexes};
pub use index::{PropertyIndex, ensure_indexes};
use set::take_set;
pub use set::{
    CALLER, FilledBy, FoundSet, SET_EMBEDDER, SET_EMBEDDER_HASH, inspect_set, unclaimed_notice,
    vacate_set,
};
pub(crate) use set::{
    check_filler, check_fillers, check_shape, find_set, find_sets, read_set, read_sets,
};

/// Why model and database don't fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnsureError {
    /// The database could not be asked.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Two models declare one set differently.
    #[error(
        "the set `{name}` is declared twice and differently: {first:?} and {second:?}; declare it once (`#[derive(DescriptorSet)]`), or make the `sets` of the model documents agree"
    )]
    Disagree {
        /// The set's name.
        name: &'static str,
        /// One declaration.
        first: Box<SetSpec>,
        /// The other.
        second: Box<SetSpec>,
    },
    /// The set in the database has other dimensions or another metric.
    #[error(
        "the set `{name}` in the database has {found}, the model declares {declared}; give the model's set another name, or fill a new database"
    )]
    Shape {
        /// The set's name.
        name: String,
        /// What the database has.
        found: String,
        /// What the model says.
        declared: String,
    },
    /// The set belongs to another embedder: its vectors and these can't be compared.
    #[error(
        "the set `{name}` is filled by {found}, not by {given}: vectors of the two can't be compared; {}",
        way_out(found, given)
    )]
    OtherEmbedder {
        /// The set's name.
        name: String,
        /// Whose vectors it holds.
        found: FilledBy,
        /// Whose were to go in, or to be searched with.
        given: FilledBy,
    },
    /// A set that must be there is not.
    #[error("the database has no descriptor set `{0}`")]
    NoSet(String),
    /// The embedder's vectors have another length than the model declares.
    #[error(
        "the embedder `{embedder}` makes vectors of {got} components, the set `{set}` takes {expected}"
    )]
    EmbedderDimensions {
        /// The embedder's name.
        embedder: String,
        /// Its dimension.
        got: usize,
        /// The set's name.
        set: &'static str,
        /// The set's dimension.
        expected: usize,
    },
}

/// What is to be done about a set of another embedder.
fn way_out(found: &FilledBy, given: &FilledBy) -> String {
    match (found, given) {
        (FilledBy::Caller, _) => {
            "give vectors of your own, or name another set for the embedder's".to_owned()
        }
        (_, FilledBy::Caller) => {
            "leave the vectors to it, or name another set for yours".to_owned()
        }
        _ => format!(
            "use {found}, or fill another set with {given}: `reembed` does so from the stored pictures"
        ),
    }
}

impl EnsureError {
    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, EnsureError::Database(e) if e.is_transient())
    }
}

/// What [`ensure`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ensured {
    /// Names of the sets that it made, or that were left to it.
    pub sets_made: Vec<String>,
    /// How many indexes it made.
    pub indexes_made: usize,
    /// Names of sets that don't say who filled them, since adb did not make them. Vectors of any
    /// embedder go in; [`claim_set`] says whose they are.
    pub unclaimed: Vec<String>,
}

/// Makes the descriptor sets and indexes that a model needs, and refuses a database that does not
/// fit it. Runs before the first row, in requests of its own, and changes nothing the second time.
///
/// `embedder` answers who fills a set; nobody means that the caller gives the vectors. That is
/// written on a new set, and holds from then on.
///
/// # Errors
/// See [`EnsureError`]. Nothing is made unless every set fits.
pub async fn ensure<'e>(
    db: &dyn Database,
    schema: &'static ModelSchema,
    embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
) -> Result<Ensured, EnsureError> {
    ensure_in(Dialect::Classic, db, schema, embedder).await
}

/// The same in a dialect of one's choice. In the newer one, which answers the making of an index
/// that is there as that of a new one, the database is asked for its indexes first.
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_in<'e>(
    dialect: Dialect,
    db: &dyn Database,
    schema: &'static ModelSchema,
    embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
) -> Result<Ensured, EnsureError> {
    let filler = |set: &SetSpec| Some((FilledBy::of(embedder(set)), embedder(set)));
    ensure_sets(dialect, db, schema, filler).await
}

/// The same, where only sets that have an embedder are of interest: others are left alone, whoever
/// fills them.
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_embedded<'e>(
    dialect: Dialect,
    db: &dyn Database,
    schema: &'static ModelSchema,
    embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
) -> Result<Ensured, EnsureError> {
    let filler = |set: &SetSpec| embedder(set).map(|e| (FilledBy::of(Some(e)), Some(e)));
    ensure_sets(dialect, db, schema, filler).await
}

/// Sets of which `filler` knows nothing are not looked at.
async fn ensure_sets<'e>(
    dialect: Dialect,
    db: &dyn Database,
    schema: &'static ModelSchema,
    filler: impl Fn(&SetSpec) -> Option<(FilledBy, Option<&'e EmbedderIdentity>)>,
) -> Result<Ensured, EnsureError> {
    let sets = schema.sets();
    for (i, set) in sets.iter().enumerate() {
        if let Some(other) = sets[..i].iter().find(|s| s.name == set.name) {
            return Err(EnsureError::Disagree {
                name: set.name,
                first: Box::new(*other),
                second: Box::new(*set),
            });
        }
    }
    let (mut missing, mut vacant) = (Vec::new(), Vec::new());
    let mut ensured = Ensured::default();
    for set in &sets {
        let Some((filler, identity)) = filler(set) else { continue };
        if let Some(e) = identity
            && e.dimensions != set.dimensions
        {
            return Err(EnsureError::EmbedderDimensions {
                embedder: e.name.clone(),
                got: e.dimensions,
                set: set.name,
                expected: set.dimensions,
            });
        }
        match inspect_set(db, set.name).await? {
            None => missing.push((set, filler)),
            Some(found) if found.is_vacant => {
                check_shape(set, &found)?;
                vacant.push((set, filler));
            }
            Some(found) => {
                fits(set, &found, &filler)?;
                if found.filled_by.is_none() {
                    ensured.unclaimed.push(found.name);
                }
            }
        }
    }
    // One request each: on a server a set must be committed before its first descriptor.
    for (set, filler) in missing {
        if make_set(dialect, db, set, &filler).await? {
            ensured.sets_made.push(set.name.to_owned());
        }
    }
    for (set, filler) in vacant {
        take_set(dialect, db, set.name, &filler).await?;
        ensured.sets_made.push(set.name.to_owned());
    }
    let mut wanted = indexes(schema);
    if dialect == Dialect::Expression {
        let there = found_indexes(db).await?;
        wanted.retain(|index| !index.is_in(&there));
    }
    for index in wanted {
        let (answers, _) = ask(db, Request::json(&json!([index.create(dialect)]))).await?;
        if Answer::at(&answers, 0)?.status() == 0 {
            ensured.indexes_made += 1;
        }
    }
    Ok(ensured)
}

/// Makes one set unless it is there, and refuses one that does not fit; answers whether it was
/// made, or left to it.
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_set(
    dialect: Dialect,
    db: &dyn Database,
    set: &SetSpec,
    filler: &FilledBy,
) -> Result<bool, EnsureError> {
    match inspect_set(db, set.name).await? {
        Some(found) if found.is_vacant => {
            check_shape(set, &found)?;
            take_set(dialect, db, set.name, filler).await.map(|()| true)
        }
        Some(found) => fits(set, &found, filler).map(|()| false),
        None => make_set(dialect, db, set, filler).await,
    }
}

fn fits(set: &SetSpec, found: &FoundSet, filler: &FilledBy) -> Result<(), EnsureError> {
    check_shape(set, found)?;
    check_filler(found, filler)
}

/// Makes a set that was not there a moment ago. Where somebody else has made it since, theirs must
/// fit: or two programs that begin at once would fill one set with vectors of two embedders.
async fn make_set(
    dialect: Dialect,
    db: &dyn Database,
    set: &SetSpec,
    filler: &FilledBy,
) -> Result<bool, EnsureError> {
    let command = add_set(dialect, set, filler);
    let (answers, _) = ask(db, Request::json(&json!([command]))).await?;
    if Answer::at(&answers, 0)?.status() == 0 {
        return Ok(true);
    }
    if let Some(found) = inspect_set(db, set.name).await? {
        fits(set, &found, filler)?;
    }
    Ok(false)
}

fn add_set(dialect: Dialect, set: &SetSpec, filler: &FilledBy) -> Json {
    let properties = filler.properties();
    json!({"AddDescriptorSet": {
        "name": set.name, "dimensions": set.dimensions,
        "engine": set.engine.wire_name(), "metric": set.metric.wire_name(),
        "properties": properties,
        "if_not_found": Constraint::equal("_name", set.name).to_json(dialect),
    }})
}

/// Writes on a set that says nothing of its embedder that this one filled it; answers whether it
/// did. A set that says so already is left as it is.
///
/// Nothing here looks at the vectors. That they are the embedder's is for the caller to know, or to
/// find out: `compare` of adb-loaders embeds some stored pictures again and compares.
///
/// # Errors
/// When there is no such set, when its vectors have another length, or when it is filled by another
/// embedder or by the caller.
pub async fn claim_set(
    dialect: Dialect,
    db: &dyn Database,
    name: &str,
    embedder: &EmbedderIdentity,
) -> Result<bool, EnsureError> {
    let filler = FilledBy::of(Some(embedder));
    let found = inspect_set(db, name).await?.ok_or_else(|| EnsureError::NoSet(name.to_owned()))?;
    if found.dimensions != embedder.dimensions {
        return Err(EnsureError::Shape {
            name: name.to_owned(),
            found: format!("{} components", found.dimensions),
            declared: format!("{} components by {filler}", embedder.dimensions),
        });
    }
    check_filler(&found, &filler)?;
    if found.filled_by.is_some() {
        return Ok(false);
    }
    // The constraint leaves a set alone that somebody else claims just now.
    let unclaimed = Constraint::equal("_name", name)
        .and(Constraint::Present { property: SET_EMBEDDER.into(), present: false });
    let command = json!({"UpdateDescriptorSet": {
        "constraints": unclaimed.to_json(dialect), "properties": filler.properties(),
    }});
    let (answers, _) = ask(db, Request::json(&json!([command]))).await?;
    let changed = Answer::at(&answers, 0)?.count() == 1;
    if !changed && let Some(found) = inspect_set(db, name).await? {
        check_filler(&found, &filler)?;
    }
    Ok(changed)
}
