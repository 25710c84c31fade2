//! Descriptor sets as a database has them: their shape, and whose vectors they hold.

use serde_json::{Value as Json, json};

use super::EnsureError;
use crate::{
    Answer, Constraint, Database, DbError, Dialect, EmbedderIdentity, Request, SetSpec,
    database::ask,
};

/// Property of a set: name of the embedder that fills it.
pub const SET_EMBEDDER: &str = "adb_embedder";

/// Property of a set: that embedder's hash.
pub const SET_EMBEDDER_HASH: &str = "adb_embedder_hash";

/// Stands for an embedder's name where the caller gave the vectors.
pub const CALLER: &str = "caller";

/// Stands for an embedder's name where whoever was to fill a set has put nothing in.
const NOBODY: &str = "nobody";

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
    /// Whether it is for the first who fills it: the run that made it put nothing in, nor has anybody
    /// since.
    pub is_vacant: bool,
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
    pub(super) fn properties(&self) -> Json {
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
    let count = set.get("_count").and_then(Json::as_u64);
    FoundSet {
        name: name.to_owned(),
        dimensions: set.get("_dimensions").and_then(Json::as_u64).unwrap_or(0) as usize,
        metrics: list("_metrics"),
        engines: list("_engines"),
        count,
        filled_by,
        // Somebody may have begun to fill it while it was left.
        is_vacant: text(SET_EMBEDDER).as_deref() == Some(NOBODY) && count == Some(0),
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

/// Leaves a set to whoever fills it next, if it is this filler's and holds nothing: the run that
/// made it came to nothing.
///
/// # Errors
/// When the database can't be asked.
pub async fn vacate_set(
    dialect: Dialect,
    db: &dyn Database,
    name: &str,
    filler: &FilledBy,
) -> Result<(), DbError> {
    let is_idle =
        |found: &FoundSet| found.count == Some(0) && found.filled_by.as_ref() == Some(filler);
    if inspect_set(db, name).await?.is_some_and(|found| is_idle(&found)) {
        let command = json!({"UpdateDescriptorSet": {
            "constraints": Constraint::equal("_name", name).to_json(dialect),
            "properties": {SET_EMBEDDER: NOBODY}, "remove_props": [SET_EMBEDDER_HASH],
        }});
        ask(db, Request::json(&json!([command]))).await?;
    }
    Ok(())
}

/// Takes a set that is vacant, unless somebody else takes it just now.
pub(super) async fn take_set(
    dialect: Dialect,
    db: &dyn Database,
    name: &str,
    filler: &FilledBy,
) -> Result<(), EnsureError> {
    let vacant = Constraint::equal("_name", name).and(Constraint::equal(SET_EMBEDDER, NOBODY));
    let command = json!({"UpdateDescriptorSet": {
        "constraints": vacant.to_json(dialect), "properties": filler.properties(),
    }});
    let (answers, _) = ask(db, Request::json(&json!([command]))).await?;
    if Answer::at(&answers, 0)?.count() == 0
        && let Some(found) = inspect_set(db, name).await?
    {
        check_filler(&found, filler)?;
    }
    Ok(())
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

/// What a person should know of a set that says nothing of its embedder.
#[must_use]
pub fn unclaimed_notice(set: &str) -> String {
    format!(
        "the set `{set}` does not say which embedder filled it, since adb did not make it; vectors of any are taken, and those of another can't be compared with its own: compare some (`compare`), then claim the set"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_was_left_and_is_filled_all_the_same_is_not_vacant() {
        let found =
            |count: Json| read_one("looks", &json!({SET_EMBEDDER: NOBODY, "_count": count}));
        assert!(found(json!(0)).is_vacant);
        assert!(!found(json!(3)).is_vacant);
        assert!(!found(Json::Null).is_vacant, "nobody has counted");
        assert_eq!(found(json!(3)).filled_by, None);
    }
}
