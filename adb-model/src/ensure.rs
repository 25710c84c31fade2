//! Before the first row: descriptor sets and indexes are there and agree with the model.

use serde_json::{Value as Json, json};

use crate::{
    Answer, Constraint, Database, DbError, Dialect, EmbedderIdentity, FieldRole, ModelSchema,
    ObjectKind, Request, SetSpec,
    database::ask,
    graph::{CONTENT_ID, EDGE_ID, OBJECT_ID, Relation, SDK_ID, USER_TYPE},
};

/// Property of a set: name of the embedder that fills it.
pub const SET_EMBEDDER: &str = "adb_embedder";
/// Property of a set: that embedder's hash.
pub const SET_EMBEDDER_HASH: &str = "adb_embedder_hash";
/// Stands for an embedder's name where the caller gave the vectors.
pub const CALLER: &str = "caller";

/// A descriptor set as the database has it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundSet {
    /// Its name.
    pub name: String,
    /// Components of each vector.
    pub dimensions: usize,
    /// Its metrics, the default first.
    pub metrics: Vec<String>,
    /// How it is searched, if the database said.
    pub engines: Vec<String>,
    /// How many vectors it holds, if the database said.
    pub count: Option<u64>,
    /// Who fills it, if adb made it.
    pub filled_by: Option<FilledBy>,
}

/// Who makes a set's vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilledBy {
    /// The caller.
    Caller,
    /// An embedder.
    Embedder {
        /// The bundle's name.
        name: String,
        /// The bundle's hash.
        hash: String,
    },
}

impl FilledBy {
    /// The filler that an embedder, or its absence, stands for.
    #[must_use]
    pub fn of(embedder: Option<&EmbedderIdentity>) -> Self {
        match embedder {
            None => FilledBy::Caller,
            Some(e) => FilledBy::Embedder { name: e.name.clone(), hash: e.hash.clone() },
        }
    }

    /// What the set's properties say of it.
    fn properties(&self) -> Json {
        match self {
            FilledBy::Caller => json!({ SET_EMBEDDER: CALLER }),
            FilledBy::Embedder { name, hash } => {
                json!({ SET_EMBEDDER: name, SET_EMBEDDER_HASH: hash })
            }
        }
    }
}

impl std::fmt::Display for FilledBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FilledBy::Caller => f.write_str("the caller's own vectors"),
            FilledBy::Embedder { name, hash } => {
                write!(f, "the embedder `{name}` ({})", hash.get(..12).unwrap_or(hash))
            }
        }
    }
}

/// Why model and database don't fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnsureError {
    /// The database could not be asked.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Two models declare one set differently.
    #[error(
        "the set `{name}` is declared twice and differently: {first:?} and {second:?}; declare it once, with `#[derive(DescriptorSet)]`"
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

/// The command that asks for a set with what a search has to know of it: the same in both dialects.
/// Not how many vectors it holds: a database may have to count them.
pub(crate) fn find_set(name: &str) -> Json {
    json!({"FindDescriptorSet": {
        "with_name": name, "dimensions": true, "metrics": true,
        "results": {"list": [SET_EMBEDDER, SET_EMBEDDER_HASH]},
    }})
}

/// The command that asks for all sets.
pub(crate) fn find_sets() -> Json {
    json!({"FindDescriptorSet": {
        "dimensions": true, "metrics": true, "engines": true, "counts": true,
        "results": {"list": ["_name", SET_EMBEDDER, SET_EMBEDDER_HASH]},
    }})
}

/// Reads the answer to [`find_sets`].
pub(crate) fn read_sets(answer: &Answer<'_>) -> Vec<FoundSet> {
    let name = |set: &Json| Some(set.get("_name")?.as_str()?.to_owned());
    answer.entities().iter().filter_map(|set| Some(read_one(&name(set)?, set))).collect()
}

/// Reads the answer to [`find_set`].
pub(crate) fn read_set(name: &str, answer: &Answer<'_>) -> Option<FoundSet> {
    Some(read_one(name, answer.entities().first()?))
}

fn read_one(name: &str, set: &Json) -> FoundSet {
    let text = |key: &str| set.get(key).and_then(Json::as_str).map(str::to_owned);
    let list = |key: &str| match set.get(key) {
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        Some(Json::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let filled_by = match (text(SET_EMBEDDER), text(SET_EMBEDDER_HASH)) {
        (Some(name), Some(hash)) => Some(FilledBy::Embedder { name, hash }),
        (Some(name), None) if name == CALLER => Some(FilledBy::Caller),
        _ => None,
    };
    FoundSet {
        name: name.to_owned(),
        dimensions: set.get("_dimensions").and_then(Json::as_u64).unwrap_or(0) as usize,
        metrics: list("_metrics"),
        engines: list("_engines"),
        count: set.get("_count").and_then(Json::as_u64),
        filled_by,
    }
}

/// What the database knows of a set; nothing if it has none of that name.
///
/// # Errors
/// When the database can't be asked.
pub async fn inspect_set(db: &dyn Database, name: &str) -> Result<Option<FoundSet>, DbError> {
    let mut find = find_set(name);
    find["FindDescriptorSet"]["counts"] = true.into();
    let (answers, _) = ask(db, Request::json(&json!([find]))).await?;
    Ok(read_set(name, &Answer::at(&answers, 0)?))
}

/// Refuses vectors that can't be compared with a set's own.
///
/// # Errors
/// [`EnsureError::OtherEmbedder`]. A set that adb did not make takes any.
pub(crate) fn check_filler(found: &FoundSet, given: &FilledBy) -> Result<(), EnsureError> {
    match &found.filled_by {
        Some(by) if by != given => Err(EnsureError::OtherEmbedder {
            name: found.name.clone(),
            found: by.clone(),
            given: given.clone(),
        }),
        _ => Ok(()),
    }
}

/// The same for several sets, in one request; a set that is not there takes any.
///
/// # Errors
/// [`EnsureError::OtherEmbedder`], or when the database can't be asked.
pub(crate) async fn check_fillers(
    db: &dyn Database,
    fillers: &[(&str, FilledBy)],
) -> Result<(), EnsureError> {
    if fillers.is_empty() {
        return Ok(());
    }
    let commands: Vec<Json> = fillers.iter().map(|(name, _)| find_set(name)).collect();
    let (answers, _) = ask(db, Request::json(&Json::Array(commands))).await?;
    for (i, (name, filler)) in fillers.iter().enumerate() {
        if let Some(found) = read_set(name, &Answer::at(&answers, i)?) {
            check_filler(&found, filler)?;
        }
    }
    Ok(())
}

/// What [`ensure`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ensured {
    /// Names of the sets that it made.
    pub sets_made: Vec<String>,
    /// How many indexes it made.
    pub indexes_made: usize,
    /// Names of sets that don't say who filled them, since adb did not make them. Vectors of any
    /// embedder go in; [`claim_set`] says whose they are.
    pub unclaimed: Vec<String>,
}

/// What a person should know of a set that says nothing of its embedder.
#[must_use]
pub fn unclaimed_notice(set: &str) -> String {
    format!(
        "the set `{set}` does not say which embedder filled it, since adb did not make it; vectors of any are taken, and those of another can't be compared with its own: compare some (`compare`), then claim the set"
    )
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
    let mut missing = Vec::new();
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
/// made.
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
    let changed = Answer::at(&answers, 0)?.get("count").and_then(Json::as_u64) == Some(1);
    if !changed && let Some(found) = inspect_set(db, name).await? {
        check_filler(&found, &filler)?;
    }
    Ok(changed)
}

/// `indexes` of GetIndexes: by target, class and property, or a flat list.
async fn found_indexes(db: &dyn Database) -> Result<Json, DbError> {
    let (answers, _) =
        ask(db, Request::json(&json!([{"GetIndexes": {"kind": "ordered"}}]))).await?;
    Ok(Answer::at(&answers, 0)?.get("indexes").cloned().unwrap_or_default())
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

pub(crate) fn check_shape(set: &SetSpec, found: &FoundSet) -> Result<(), EnsureError> {
    let metric = set.metric.wire_name();
    if found.dimensions == set.dimensions && found.metrics.iter().any(|m| m == metric) {
        return Ok(());
    }
    Err(EnsureError::Shape {
        name: set.name.to_owned(),
        found: format!("{} components, metric {}", found.dimensions, found.metrics.join("/")),
        declared: format!("{} components, metric {metric}", set.dimensions),
    })
}

/// An index on one property of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Index<'a> {
    /// `entity` or `connection`.
    pub(crate) target: &'static str,
    pub(crate) class: &'a str,
    pub(crate) property: &'a str,
}

/// An index that somebody wants who has no model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyIndex {
    target: &'static str,
    class: String,
    property: String,
}

impl PropertyIndex {
    /// On a property of objects of a class, such as `_Image`.
    #[must_use]
    pub fn of_entity(class: impl Into<String>, property: impl Into<String>) -> Self {
        Self { target: "entity", class: class.into(), property: property.into() }
    }

    /// On a property of connections of a class.
    #[must_use]
    pub fn of_connection(class: impl Into<String>, property: impl Into<String>) -> Self {
        Self { target: "connection", class: class.into(), property: property.into() }
    }
}

impl std::fmt::Display for PropertyIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` of `{}`", self.property, self.class)
    }
}

/// Makes indexes unless they are there; answers how many it made, and what the database said to
/// those that it refused: rows go in without them, and more slowly.
///
/// # Errors
/// When the database can't be asked.
pub async fn ensure_indexes(
    dialect: Dialect,
    db: &dyn Database,
    wanted: &[PropertyIndex],
) -> Result<(usize, Vec<String>), DbError> {
    let there = match dialect {
        Dialect::Expression if !wanted.is_empty() => found_indexes(db).await?,
        _ => Json::Null,
    };
    let (mut made, mut refused) = (0, Vec::new());
    for wanted in wanted {
        let PropertyIndex { target, class, property } = wanted;
        let index = Index { target, class, property };
        if index.is_in(&there) {
            continue;
        }
        match db.execute(Request::json(&json!([index.create(dialect)]))).await? {
            crate::Response::Refused(refusal) => {
                refused.push(format!("the database makes no index on {wanted}: {refusal}"));
            }
            crate::Response::Done { answers, .. } => match Answer::at(&answers, 0)?.status() {
                0 => made += 1,
                2 => {}
                _ => refused.push(format!("the database makes no index on {wanted}")),
            },
        }
    }
    Ok((made, refused))
}

impl Index<'_> {
    fn create(self, dialect: Dialect) -> Json {
        let Self { target, class, property } = self;
        json!({ "CreateIndex": match dialect {
            Dialect::Classic => {
                json!({"index_type": target, "class": class, "property_key": property})
            }
            Dialect::Expression => {
                json!({"target": target, "class": class, "property": property, "kind": "ordered"})
            }
        }})
    }

    /// Whether it is among the indexes of a GetIndexes.
    fn is_in(self, indexes: &Json) -> bool {
        let Self { target, class, property } = self;
        let Json::Array(flat) = indexes else {
            let found = indexes.get(target).and_then(|of| of.get(class)?.get(property));
            return found.and_then(Json::as_array).is_some_and(|kinds| !kinds.is_empty());
        };
        let is = |index: &Json, keys: [&str; 2], wanted: &str| {
            let mut found = keys.iter().filter_map(|key| index.get(*key)?.as_str());
            found.next() == Some(wanted)
        };
        flat.iter().any(|index| {
            is(index, ["target", "index_type"], target)
                && is(index, ["class", "class"], class)
                && is(index, ["property", "property_key"], property)
        })
    }
}

/// Every property that guards and constraints of this model look at.
pub(crate) fn indexes(schema: &'static ModelSchema) -> Vec<Index<'static>> {
    let mut wanted: Vec<Index<'static>> = Vec::new();
    let mut want = |target, class, property| {
        let index = Index { target, class, property };
        if !wanted.contains(&index) {
            wanted.push(index);
        }
    };
    for model in schema.reachable() {
        let class = model.kind.system_class().unwrap_or(model.class);
        if model.is_typed() {
            want("entity", class, USER_TYPE);
        }
        for field in model.fields {
            match field.role {
                role if role.is_indexed() => want("entity", class, field.property),
                FieldRole::Id(_)
                | FieldRole::Property { .. }
                | FieldRole::Geometry(_)
                | FieldRole::Label { .. } => {}
                FieldRole::Children { relation, edge, model, .. } => match relation {
                    Relation::Connection(class) | Relation::Reversed(class) => {
                        want("connection", class, EDGE_ID);
                        for property in edge.iter().filter(|f| f.role.is_indexed()) {
                            want("connection", class, property.property);
                        }
                    }
                    Relation::ByField { .. } => want("connection", model.get().class, EDGE_ID),
                    Relation::Part => {}
                },
                FieldRole::Embedding { .. } if model.kind == ObjectKind::Descriptor => {}
                FieldRole::Embedding { class: Some(class), .. } => {
                    want("entity", "_Descriptor", SDK_ID);
                    want("connection", class, EDGE_ID);
                }
                FieldRole::Embedding { .. } => want("entity", "_Descriptor", OBJECT_ID),
                FieldRole::Media { kind, .. } if model.kind == kind => {}
                FieldRole::Media { kind, .. } => {
                    want("entity", kind.system_class().unwrap_or_default(), OBJECT_ID);
                    want("connection", field.property, EDGE_ID);
                }
            }
        }
        if model.content_id {
            want("entity", class, CONTENT_ID);
        } else if model.ids().next().is_none() {
            want("entity", class, OBJECT_ID);
        }
    }
    wanted
}
