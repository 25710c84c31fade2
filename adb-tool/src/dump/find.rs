//! Asking a database for its objects by their classes and unique ids.

use std::{collections::HashMap, sync::Arc};

use adb::{Answer, Database, ObjectKind, Request, StoredSchema, ask};
use anyhow::Context as _;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

/// Ids in one answer.
const IDS: u64 = 10_000;
/// The class of descriptor sets, which no model is of.
pub(super) const SETS: &str = "_DescriptorSet";

/// Objects of a class, in the order of their ids.
pub(super) struct Class {
    pub(super) name: String,
    /// Shared with what tells the class of an id.
    pub(super) ids: Vec<Arc<str>>,
}

impl Class {
    /// The part of a command's name that names its objects.
    pub(super) fn suffix(&self) -> &str {
        match self.name.strip_prefix('_') {
            Some(kind) => kind,
            None => "Entity",
        }
    }

    /// Which file its rows go into, by [`STAGES`](super::STAGES).
    pub(super) fn stage(&self) -> usize {
        match self.name.as_str() {
            SETS => 0,
            "_Frame" | "_Clip" => 2,
            "_BoundingBox" | "_Polygon" => 3,
            "_Descriptor" => 4,
            _ => 1,
        }
    }
}

/// All classes with the ids of their objects.
pub(super) async fn classes(
    db: &dyn Database,
    schema: &StoredSchema,
) -> anyhow::Result<Vec<Class>> {
    let mut classes = Vec::new();
    let names = schema.classes.iter().map(|class| class.name.as_str());
    let known = names.filter(|name| *name != SETS && ObjectKind::of_stored_class(name).is_some());
    for name in [SETS].into_iter().chain(known) {
        let mut class = Class { name: name.to_owned(), ids: Vec::new() };
        loop {
            let mut body = Map::new();
            if !name.starts_with('_') {
                body.insert("with_class".to_owned(), name.into());
            }
            body.insert("uniqueids".to_owned(), true.into());
            // In both places: servers differ in where they look.
            let sort = json!({"key": "_uniqueid", "order": "ascending"});
            body.insert("sort".to_owned(), sort);
            body.insert("limit".to_owned(), IDS.into());
            body.insert("offset".to_owned(), (class.ids.len() as u64).into());
            let found = entities(db, &format!("Find{}", class.suffix()), body).await?.0;
            let ids: Vec<Arc<str>> =
                found.iter().map(|object| Ok(id(object)?.into())).collect::<anyhow::Result<_>>()?;
            let is_last = (ids.len() as u64) < IDS;
            class.ids.extend(ids);
            if is_last {
                break;
            }
        }
        classes.push(class);
    }
    classes.sort_by_key(Class::stage);
    Ok(classes)
}

/// Objects by their ids, with all that is known of them.
pub(super) async fn objects(
    db: &dyn Database,
    class: &Class,
    ids: &[Arc<str>],
    blobs: bool,
) -> anyhow::Result<(Vec<Json>, Vec<Bytes>)> {
    let mut body = Map::new();
    body.insert("constraints".to_owned(), by_ids(ids));
    if !class.name.starts_with('_') {
        body.insert("with_class".to_owned(), class.name.as_str().into());
    }
    let flags: &[&str] = match class.name.as_str() {
        "_BoundingBox" => &["coordinates", "labels"],
        "_Polygon" => &["vertices", "labels"],
        "_Descriptor" => &["labels"],
        "_DescriptorSet" => &["dimensions", "engines", "metrics"],
        "_Frame" | "_Clip" => &["labels"],
        "_Image" | "_Video" | "_Blob" => &["urls"],
        _ => &[],
    };
    for flag in flags.iter().chain(&["uniqueids"]).chain(blobs.then_some(&"blobs")) {
        body.insert((*flag).to_owned(), true.into());
    }
    body.insert("results".to_owned(), json!({"all_properties": true}));
    let found = entities(db, &format!("Find{}", class.suffix()), body).await?;
    anyhow::ensure!(
        found.0.len() == ids.len(),
        "{} objects of `{}` were asked for and {} came: the database is being written to; export a copy of it, or when nobody writes",
        ids.len(),
        class.name,
        found.0.len()
    );
    Ok(found)
}

/// The connections of a class that begin, or end, at one of these objects of a class: the two ends.
pub(super) async fn edges(
    db: &dyn Database,
    connection: &str,
    of: &Class,
    ids: &[Arc<str>],
    side: &str,
) -> anyhow::Result<Vec<(String, String)>> {
    let request = Request::json(&json!([
        {format!("Find{}", of.suffix()): {"constraints": by_ids(ids), "_ref": 1}},
        {"FindConnection": {
            "with_class": connection, side: 1, "results": {"list": ["_src", "_dst"]},
        }},
    ]));
    let (answers, _) = ask(db, request).await?;
    let ends = |edge: &Json| {
        Some((edge.get("_src")?.as_str()?.to_owned(), edge.get("_dst")?.as_str()?.to_owned()))
    };
    Ok(Answer::at(&answers, 1)?.connections().iter().filter_map(ends).collect())
}

/// What the objects of a class lie in, by their ids.
pub(super) async fn containers(
    db: &dyn Database,
    class: &Class,
    ids: &[Arc<str>],
) -> anyhow::Result<HashMap<String, String>> {
    let connection = match class.name.as_str() {
        "_Frame" => "_FrameToVideo",
        "_Clip" => "_ClipToVideo",
        "_BoundingBox" => "_BoundingBoxToImage",
        "_Polygon" => "_PolygonToImage",
        _ => return Ok(HashMap::new()),
    };
    Ok(edges(db, connection, class, ids, "src").await?.into_iter().collect())
}

/// The constraint that objects are these.
pub(super) fn by_ids(ids: &[Arc<str>]) -> Json {
    let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
    json!({"_uniqueid": ["in", ids]})
}

async fn entities(
    db: &dyn Database,
    command: &str,
    body: Map<String, Json>,
) -> anyhow::Result<(Vec<Json>, Vec<Bytes>)> {
    let (answers, blobs) = ask(db, Request::json(&json!([{command: body}]))).await?;
    Ok((Answer::at(&answers, 0)?.entities().to_vec(), blobs))
}

/// An object's unique id.
pub(super) fn id(object: &Json) -> anyhow::Result<String> {
    let id = object.get("_uniqueid").and_then(Json::as_str);
    id.map(str::to_owned).with_context(|| format!("the database gave no unique id of {object}"))
}

/// All unique ids in an answer, however it is grouped.
pub(super) fn ids_in(answer: &Json, found: &mut Vec<String>) {
    match answer {
        Json::Array(all) => all.iter().for_each(|one| ids_in(one, found)),
        Json::Object(object) => {
            found.extend(object.get("_uniqueid").and_then(Json::as_str).map(str::to_owned));
            object.values().filter(|v| !v.is_string()).for_each(|value| ids_in(value, found));
        }
        _ => {}
    }
}
