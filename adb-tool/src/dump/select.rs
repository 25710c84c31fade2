//! What a query finds, with what that needs.

use std::collections::HashSet;

use adb::{Database, Request, ask};
use anyhow::Context as _;
use serde_json::{Value as Json, json};

use super::{
    WITHOUT,
    find::{self, Class, SETS},
};

/// The ids of what Find commands find.
pub(super) async fn found(db: &dyn Database, query: &Json) -> anyhow::Result<HashSet<String>> {
    let commands = query.as_array().context("a query is an array of Find commands")?;
    let mut asked = Vec::new();
    for command in commands {
        let one = command.as_object().filter(|object| object.len() == 1);
        let (name, body) = one
            .and_then(|object| object.iter().next())
            .filter(|(name, _)| name.starts_with("Find"))
            .with_context(|| {
                format!("a query is an array of Find commands; this is none: {command}")
            })?;
        let mut body = body.as_object().cloned().unwrap_or_default();
        body.remove("blobs");
        body.insert("uniqueids".to_owned(), true.into());
        asked.push(json!({ name.as_str(): body }));
    }
    let (answers, _) = ask(db, Request::json(&Json::Array(asked))).await?;
    let mut ids = Vec::new();
    find::ids_in(&Json::Array(answers), &mut ids);
    Ok(ids.into_iter().collect())
}

/// Leaves the objects of a selection, with what they lie in and the sets that they are in.
pub(super) async fn keep(
    db: &dyn Database,
    classes: &mut Vec<Class>,
    mut selected: HashSet<String>,
) -> anyhow::Result<()> {
    // What lies in something comes later in the order of need, so one way back finds all.
    for class in classes.iter_mut().rev() {
        if class.name != SETS {
            class.ids.retain(|id| selected.contains(&**id));
        }
        for ids in class.ids.chunks(WITHOUT) {
            selected.extend(find::containers(db, class, ids).await?.into_values());
        }
    }
    let has_vectors = classes.iter().any(|c| c.name == "_Descriptor" && !c.ids.is_empty());
    classes.retain(|class| !class.ids.is_empty() && (has_vectors || class.name != SETS));
    Ok(())
}
