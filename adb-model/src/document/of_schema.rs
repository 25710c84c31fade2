//! From a struct's schema to the document that says the same.

use serde_json::Value as Json;

use super::{Field, Made, Model, RelationDocument, Role};
use crate::{FieldRole, FieldSchema, MadeBy, ModelSchema, Relation, Value};

impl Model {
    pub(super) fn of(schema: &ModelSchema) -> Self {
        Self {
            name: schema.name.to_owned(),
            class: schema.class.to_owned(),
            kind: schema.kind,
            convention: schema.convention,
            doc: schema.doc.to_owned(),
            fields: schema.fields.iter().map(Field::of).collect(),
            untyped: schema.untyped,
            content_id: schema.content_id,
        }
    }
}

impl Field {
    pub(super) fn of(schema: &FieldSchema) -> Self {
        Self {
            name: match schema.inside {
                Some(inside) => format!("{}.{}", inside.field, schema.name),
                None => schema.name.to_owned(),
            },
            key: schema.key.to_owned(),
            within: schema.inside.and_then(|inside| inside.key).map(str::to_owned),
            property: schema.property.to_owned(),
            of_optional: schema.inside.is_some_and(|inside| inside.optional),
            doc: schema.doc.to_owned(),
            was: schema.was.iter().map(|name| (*name).to_owned()).collect(),
            role: Role::of(&schema.role),
            default: schema.default.and_then(constant),
        }
    }
}

/// What rows are filled up with, if it is the same for each: a new id is not, and a date may be
/// today's. Rows must bring such a field when they are read by the document.
fn constant(default: fn() -> Option<Value>) -> Option<Json> {
    let value = default()?;
    let is_constant = !matches!(value, Value::Date(_)) && default().as_ref() == Some(&value);
    is_constant.then(|| value.to_json())
}

impl Role {
    pub(super) fn of(role: &FieldRole) -> Self {
        match *role {
            FieldRole::Id(r#type) => Role::Id { r#type },
            FieldRole::Property { value_type, optional, indexed } => {
                Role::Property { r#type: value_type, optional, indexed }
            }
            FieldRole::Media { kind, optional } => Role::Media { kind, optional },
            FieldRole::Geometry(system) => Role::Geometry { system: system.to_owned() },
            FieldRole::Label { optional } => Role::Label { optional },
            FieldRole::Embedding { set, from, label, optional, class, face } => Role::Embedding {
                class: class.map(str::to_owned),
                face,
                set: set.name.to_owned(),
                from: from.map(str::to_owned),
                label: label.map(str::to_owned),
                optional,
            },
            FieldRole::Children { relation, edge, many, optional, model, made } => Role::Children {
                relation: match relation {
                    Relation::Connection(class) => RelationDocument::Connection(class.to_owned()),
                    Relation::Reversed(class) => RelationDocument::Reversed(class.to_owned()),
                    Relation::Part => RelationDocument::Part,
                    Relation::ByField { field, .. } => RelationDocument::ByField(field.to_owned()),
                },
                edge: edge.iter().map(Field::of).collect(),
                many,
                optional,
                model: model.get().name.to_owned(),
                made: made.map(|MadeBy { maker, from, empty_stands, .. }| Made {
                    by: maker.to_owned(),
                    from: from.to_owned(),
                    empty_stands,
                }),
            },
        }
    }
}
