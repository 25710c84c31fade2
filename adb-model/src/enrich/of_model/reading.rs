//! What the answers say: what each object lacks, and what that is to be made from.

use serde_json::Value as Json;

use super::{
    Children, Origin, Source, Vector,
    draft::{ChildrenPart, Input, Part, VectorPart, draft},
    first_id,
};
use crate::{
    Answer, DbError, FieldRole, FieldSchema, ModelSchema, Record, Rect, Value, ValueType,
    enrich::{Lacks, Object},
    graph::{CONTENT_ID, MADE, OBJECT_ID, USER_TYPE},
};

pub(super) struct Reading<'a> {
    pub(super) schema: &'static ModelSchema,
    pub(super) vectors: &'a [Vector],
    pub(super) children: &'a [Children],
    pub(super) answers: &'a [Json],
}

impl Reading<'_> {
    pub(super) fn object(&self, record: Record) -> Result<Object, DbError> {
        let unique_id = record.unique_id().to_owned();
        let identity = identity(self.schema, &record);
        let id = identity.as_ref().ok().and_then(|parts| match parts.as_slice() {
            [(property, _)] if *property == "_uniqueid" => None,
            parts => Some(parts.iter().map(|(_, v)| v.to_string()).collect::<Vec<_>>().join("/")),
        });
        let name = match id {
            Some(id) => format!("{} {id} ({unique_id})", self.schema.name),
            None => format!("{} ({unique_id})", self.schema.name),
        };
        let lacks = match self.parts(&record)? {
            Err(reason) => Lacks::Unmakeable(reason),
            Ok((vectors, children)) if vectors.is_empty() && children.is_empty() => Lacks::Nothing,
            Ok((vectors, children)) => match identity {
                Err(reason) => Lacks::Unmakeable(reason),
                Ok(identity) => {
                    Lacks::Something(draft(self.schema, record, identity, vectors, children))
                }
            },
        };
        Ok(Object { unique_id, name, lacks })
    }

    #[expect(clippy::type_complexity, reason = "two lists, or why one can't be made")]
    fn parts(
        &self,
        record: &Record,
    ) -> Result<Result<(Vec<Part<VectorPart>>, Vec<Part<ChildrenPart>>), String>, DbError> {
        let (mut vectors, mut children) = (Vec::new(), Vec::new());
        for vector in self.vectors {
            let there = Answer::at(self.answers, vector.command)?.group(record.unique_id());
            let is_it = |descriptor: &Json| match descriptor.get(USER_TYPE).and_then(Json::as_str) {
                Some(class) => class == vector.class,
                None => vector.sole,
            };
            if there.iter().any(is_it) {
                continue;
            }
            match self.input(vector.source, record, vector.field)? {
                Err(reason) => return Ok(Err(reason)),
                Ok(None) => {}
                Ok(Some(input)) => {
                    let label = match vector.label {
                        None => None,
                        Some(field) => match text(record, field) {
                            Ok(label) => label,
                            Err(reason) => return Ok(Err(reason)),
                        },
                    };
                    let FieldRole::Embedding { class, .. } = vector.field.role else { continue };
                    let declared =
                        VectorPart { field: vector.field, set: vector.set, class, label };
                    vectors.push(Part { declared, input });
                }
            }
        }
        let made = record.properties().get(MADE).and_then(Json::as_str).unwrap_or_default();
        for task in self.children {
            let before = |m: &str| m.split_once('=').is_some_and(|(f, _)| f == task.field.name);
            if made.split(',').any(before)
                || !Answer::at(self.answers, task.command)?.group(record.unique_id()).is_empty()
            {
                continue;
            }
            match self.input(task.source, record, task.field)? {
                Err(reason) => return Ok(Err(reason)),
                Ok(None) => {}
                Ok(Some(input)) => {
                    let Children { field, relation, made, .. } = *task;
                    children.push(Part { declared: ChildrenPart { field, relation, made }, input });
                }
            }
        }
        Ok(Ok((vectors, children)))
    }

    /// What something is to be made from; nothing where the object has none and need not.
    fn input(
        &self,
        source: Source,
        record: &Record,
        wanted: &FieldSchema,
    ) -> Result<Result<Option<Input>, String>, DbError> {
        let id = record.unique_id();
        let (name, wanted) = (source.field.name, wanted.name);
        let optional = match source.field.role {
            FieldRole::Media { optional, .. }
            | FieldRole::Property { optional, .. }
            | FieldRole::Label { optional } => optional,
            _ => false,
        };
        let found = match source.origin {
            Origin::Own => Some(Input::Blob(id.to_owned())),
            Origin::Beside(command) => {
                first_id(self.answers, command, id)?.map(|id| Input::Blob(id.to_owned()))
            }
            Origin::Region(command) => {
                let rect = record.properties().get("_coordinates");
                let rect = rect.and_then(|r| serde_json::from_value::<Rect>(r.clone()).ok());
                match (first_id(self.answers, command, id)?, rect) {
                    (Some(image), Some(rect)) => Some(Input::Region(image.to_owned(), rect)),
                    (None, _) => {
                        return Ok(Err(format!(
                            "`{wanted}` is made from a part of an image, and it lies in none; what lies in a frame has no picture of its own"
                        )));
                    }
                    (_, None) => None,
                }
            }
            Origin::Text => match text(record, source.field) {
                Ok(text) => text.map(Input::Text),
                Err(reason) => return Ok(Err(reason)),
            },
        };
        Ok(match found {
            None if !optional => Err(format!("it has no `{name}`, which `{wanted}` is made from")),
            found => Ok(found),
        })
    }
}

/// A field's text.
fn text(record: &Record, field: &FieldSchema) -> Result<Option<String>, String> {
    if matches!(field.role, FieldRole::Label { .. }) {
        return Ok(record.label().map(str::to_owned));
    }
    match record.get(field.property) {
        Ok(None) => Ok(None),
        Ok(Some(Value::String(text))) => Ok(Some(text)),
        Ok(Some(other)) => Err(format!("its `{}` is {other}, and no text", field.property)),
        Err(e) => Err(format!("its `{}` can't be read: {e}", field.property)),
    }
}

/// What identifies an object, as an ingestion of it would have it; the database's id of it where the
/// model knows of no other.
fn identity(
    schema: &'static ModelSchema,
    record: &Record,
) -> Result<Vec<(&'static str, Value)>, String> {
    let mut parts = Vec::new();
    for field in schema.ids() {
        let FieldRole::Id(value_type) = field.role else { continue };
        let value = record.get(field.property).map_err(|e| e.to_string())?;
        let value = value.ok_or_else(|| {
            format!("it has no `{}`, which the model says identifies it", field.property)
        })?;
        parts.push((field.property, of_type(value, value_type)));
    }
    if !parts.is_empty() {
        return Ok(parts);
    }
    let property = if schema.content_id { CONTENT_ID } else { OBJECT_ID };
    let own = record.properties().get(property).and_then(Json::as_str);
    Ok(vec![match own {
        Some(id) => (property, id.into()),
        None => ("_uniqueid", record.unique_id().into()),
    }])
}

/// Loaders of tables store whole numbers as floats where a row had none.
fn of_type(value: Value, value_type: ValueType) -> Value {
    match value {
        Value::Float(x) if value_type == ValueType::Int && x.fract() == 0.0 && x.abs() < 9e15 => {
            Value::Int(x as i64)
        }
        other => other,
    }
}
