//! From a stored object back to the row that it came from.

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::{Document, Field, LoadedModel, Model, Role};
use crate::{FieldSchema, ModelSchema, Record, Value, ValueError, error::ModelError};

/// A blob on its way out of a database.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StoredMedia<'r> {
    /// The bytes.
    pub bytes: &'r Bytes,
    /// Path or address that it had in the source, if it came from one.
    pub origin: Option<&'r str>,
    /// The unique id of the object that has it.
    pub unique_id: &'r str,
}

impl LoadedModel {
    /// The row that an object of the model is, as a source would have it: the reverse of reading a
    /// row. `media` says what stands in it for a blob, such as the path of a file that it was
    /// written to.
    ///
    /// What was not fetched with the record is left out: vectors, and children beyond the depth
    /// that was asked for.
    ///
    /// # Errors
    /// When the database sent something that is no value, or `media` fails.
    pub fn row<E: From<ModelError>>(
        self,
        record: &Record,
        media: &mut dyn FnMut(StoredMedia<'_>) -> Result<String, E>,
    ) -> Result<Json, E> {
        let Some(root) = self.document().root() else { return Ok(Json::Null) };
        Ok(Json::Object(Rows { document: self.document(), media }.row(
            root,
            self.schema(),
            record,
        )?))
    }
}

struct Rows<'d, 'm, E> {
    document: &'d Document,
    media: &'m mut dyn FnMut(StoredMedia<'_>) -> Result<String, E>,
}

impl<E: From<ModelError>> Rows<'_, '_, E> {
    fn row(
        &mut self,
        model: &Model,
        schema: &'static ModelSchema,
        record: &Record,
    ) -> Result<Map<String, Json>, E> {
        let mut row = Map::new();
        // `Document::load` makes the one list from the other.
        for (field, of_schema) in model.fields.iter().zip(schema.fields) {
            if let Some(value) = self.value(model, schema, field, of_schema, record)? {
                put(&mut row, field, value);
            }
        }
        Ok(row)
    }

    fn value(
        &mut self,
        model: &Model,
        schema: &'static ModelSchema,
        field: &Field,
        of_schema: &'static FieldSchema,
        record: &Record,
    ) -> Result<Option<Json>, E> {
        Ok(match &field.role {
            Role::Id { .. } | Role::Property { .. } => property(model, field, record)?,
            Role::Geometry { system } => record.properties().get(system).cloned(),
            Role::Label { .. } => record.label().map(Json::from),
            Role::Embedding { .. } => record.vector(of_schema.name).map(|vector| {
                vector.iter().map(|component| Json::from(f64::from(*component))).collect()
            }),
            Role::Media { kind, .. } => {
                let holder = match *kind == schema.kind {
                    true => Some(record),
                    false => record.children(of_schema.name).and_then(<[Record]>::first),
                };
                let Some((holder, bytes)) =
                    holder.and_then(|holder| Some((holder, holder.blob()?)))
                else {
                    return Ok(None);
                };
                let origin = holder.properties().get(&field.property).and_then(Json::as_str);
                let stored = StoredMedia { bytes, origin, unique_id: holder.unique_id() };
                Some(Json::String((self.media)(stored)?))
            }
            Role::Children { edge, many, model: name, .. } => {
                let crate::FieldRole::Children { model: child_schema, .. } = of_schema.role else {
                    return Ok(None);
                };
                let (Some(children), Some(child)) =
                    (record.children(of_schema.name), self.document.model(name))
                else {
                    return Ok(None);
                };
                let mut rows = Vec::with_capacity(children.len());
                for one in children {
                    let mut row = self.row(child, child_schema.get(), one)?;
                    for field in edge {
                        let of_edge = one.edge.as_deref();
                        if let Some(edge) = of_edge
                            && let Some(value) = property(child, field, edge)?
                        {
                            put(&mut row, field, value);
                        }
                    }
                    rows.push(Json::Object(row));
                }
                match *many {
                    true => Some(Json::Array(rows)),
                    false => rows.into_iter().next(),
                }
            }
        })
    }
}

/// Under its key, in the object that has it.
fn put(row: &mut Map<String, Json>, field: &Field, value: Json) {
    let row = match &field.within {
        None => row,
        Some(within) => {
            let inner = row.entry(within).or_insert_with(|| Json::Object(Map::new()));
            match inner.as_object_mut() {
                Some(inner) => inner,
                None => return,
            }
        }
    };
    row.insert(field.key.clone(), value);
}

fn property(model: &Model, field: &Field, record: &Record) -> Result<Option<Json>, ModelError> {
    let fault = |e: ValueError| ModelError::new(format!("{}.{}", model.name, field.name), e.into());
    Ok(match record.get(&field.property).map_err(fault)? {
        None => None,
        Some(Value::Date(date)) => Some(date.to_string().into()),
        Some(value) => Some(value.to_json()),
    })
}
