//! Listing objects: which columns, under which keys.

use std::collections::{HashMap, hash_map::Entry};

use rusqlite::{Statement, types::ValueRef};
use serde_json::{Map, Number, Value as Json, json};

use crate::{
    error::ErrorKind,
    geometry::{Ring, hull, pieces},
    request::{fault::Fail, shape::Shape},
    store::{catalog::Class, format::class_id, system, value::PropertyType},
};

use super::{Run, filter::place, refs::Object, shrink, unique_id};

/// What one class's objects show.
struct Projection {
    fields: Vec<Field>,
    /// The columns of one row; empty if none is needed.
    sql: String,
}

struct Field {
    key: String,
    source: Source,
    /// Whether the key stands there with null when the object lacks it.
    keep_null: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    UniqueId,
    Distance,
    Column(PropertyType),
    /// What `_label` is when there is none, is a word.
    Label,
    /// Made of a polygon's vertices.
    Hulls,
    Pieces,
    /// The class has no such property.
    Nowhere,
}

impl Projection {
    fn new(class: &Class, shape: &Shape) -> Self {
        let mut fields: Vec<Field> = Vec::new();
        let mut columns: Vec<String> = Vec::new();
        let mut add = |key: &str, keep_null: bool| {
            if fields.iter().any(|f| f.key == key) {
                return;
            }
            let source = match (key, place(class, key)) {
                ("_uniqueid", _) => Source::UniqueId,
                ("_distance", _) => Source::Distance,
                ("_hulls", _) if class.id == class_id::POLYGON => {
                    columns.push("vertices".to_owned());
                    Source::Hulls
                }
                ("_decompositions", _) if class.id == class_id::POLYGON => {
                    columns.push("vertices".to_owned());
                    Source::Pieces
                }
                (_, None) => Source::Nowhere,
                (_, Some(place)) => {
                    columns.push(place.sql);
                    if key == "_label" { Source::Label } else { Source::Column(place.kind) }
                }
            };
            fields.push(Field { key: key.to_owned(), source, keep_null });
        };
        if shape.unique_ids || shape.all_properties {
            add("_uniqueid", false);
        }
        for flag in &shape.flags {
            add(flag, false);
        }
        for key in &shape.list {
            add(key, true);
        }
        if shape.all_properties {
            for property in system::properties(class).iter().filter(|p| p.shown) {
                add(property.name, false);
            }
            for property in &class.properties {
                add(&property.name, false);
            }
        }
        let sql = if columns.is_empty() {
            String::new()
        } else {
            format!("SELECT {} FROM c{} WHERE id = ?", columns.join(", "), class.id)
        };
        Self { fields, sql }
    }
}

/// Where in the answer an object's blob lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlobAt(pub(super) usize);

impl Run<'_> {
    /// The objects as the answer shows them, in order.
    pub(super) fn list(
        &mut self,
        objects: &[Object],
        shape: &Shape,
        distances: &HashMap<i64, f32>,
        first_blob: Option<BlobAt>,
    ) -> Result<Vec<Json>, Fail> {
        let Self { store, room, limit, .. } = self;
        let mut projections: HashMap<i64, Projection> = HashMap::new();
        let mut listed = Vec::with_capacity(objects.len());
        for objects in objects.chunk_by(|a, b| a.class == b.class) {
            let class = objects[0].class;
            if let Entry::Vacant(free) = projections.entry(class) {
                let class = store
                    .catalog
                    .class_by_id(class)
                    .ok_or_else(|| ErrorKind::Damaged(format!("there is no class {class}")))?;
                free.insert(Projection::new(class, shape));
            }
            let projection = &projections[&class];
            let mut statement = match projection.sql.as_str() {
                "" => None,
                sql => Some(store.conn.prepare_cached(sql)?),
            };
            for object in objects {
                let mut shown = projection.show(*object, statement.as_deref_mut(), distances)?;
                if let Some(BlobAt(first)) = first_blob {
                    shown.insert("_blob_index".to_owned(), Json::from(first + listed.len()));
                }
                shrink(room, size(&shown), *limit)?;
                listed.push(Json::Object(shown));
            }
        }
        Ok(listed)
    }
}

impl Projection {
    /// What one object shows. `statement` is that of the columns, if there are any.
    fn show(
        &self,
        object: Object,
        mut statement: Option<&mut Statement<'_>>,
        distances: &HashMap<i64, f32>,
    ) -> Result<Map<String, Json>, Fail> {
        let mut rows = match &mut statement {
            None => None,
            Some(statement) => Some(statement.query([object.id])?),
        };
        let row = match &mut rows {
            None => None,
            Some(rows) => Some(rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?),
        };
        let mut shown = Map::with_capacity(self.fields.len() + 1);
        let mut column = 0;
        for field in &self.fields {
            let value = match field.source {
                Source::UniqueId => Json::String(unique_id(object.class, object.id)),
                Source::Distance => distances
                    .get(&object.id)
                    .and_then(|d| Number::from_f64(f64::from(*d)))
                    .map_or(Json::Null, Json::Number),
                Source::Nowhere => Json::Null,
                Source::Column(_) | Source::Label | Source::Hulls | Source::Pieces => {
                    let found = match row {
                        Some(row) => row.get_ref(column)?,
                        None => ValueRef::Null,
                    };
                    column += 1;
                    match field.source {
                        Source::Column(kind) => kind.to_json(found),
                        Source::Hulls => {
                            let rings = rings(found.as_str().unwrap_or_default())?;
                            json!(rings.iter().map(|ring| hull(ring)).collect::<Vec<_>>())
                        }
                        Source::Pieces => {
                            json!(pieces(&rings(found.as_str().unwrap_or_default())?))
                        }
                        _ if found == ValueRef::Null => Json::from("None"),
                        _ => PropertyType::String.to_json(found),
                    }
                }
            };
            if field.keep_null || !value.is_null() {
                shown.insert(field.key.clone(), value);
            }
        }
        Ok(shown)
    }
}

/// A polygon's rings, as its column has them.
pub(super) fn rings(vertices: &str) -> Result<Vec<Ring>, ErrorKind> {
    serde_json::from_str(vertices)
        .map_err(|e| ErrorKind::Damaged(format!("a polygon has no rings: {e}")))
}

/// About how many bytes of JSON that is.
fn size(object: &Map<String, Json>) -> usize {
    object.iter().map(|(key, value)| key.len() + 4 + value_size(value)).sum::<usize>() + 2
}

fn value_size(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) => 5,
        Json::Number(_) => 12,
        Json::String(text) => text.len() + 2,
        Json::Array(all) => all.iter().map(|v| value_size(v) + 1).sum::<usize>() + 2,
        Json::Object(object) => size(object),
    }
}
