//! Models as a diagram: entities and their relations, in Mermaid's words.

use std::fmt::Write as _;

use super::{Document, Field, RelationDocument, Role};
use crate::{ObjectKind, ValueType};

impl Document {
    /// An entity-relationship diagram, to be shown wherever Mermaid is.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut text = "erDiagram\n".to_owned();
        for model in &self.models {
            // Writing to a String can't fail.
            let _ = writeln!(text, "    {} {{", model.name);
            for field in &model.fields {
                if let Some((what, key)) = attribute(field) {
                    let key = if key { " PK" } else { "" };
                    let _ = writeln!(text, "        {what} {}{key}", field.property);
                }
            }
            let _ = writeln!(text, "    }}");
        }
        for model in &self.models {
            for field in &model.fields {
                let Role::Children { relation, many, model: child, .. } = &field.role else {
                    continue;
                };
                let ends = if *many { "}o--o{" } else { "}o--||" };
                let (from, to, label) = match relation {
                    RelationDocument::Connection(class) => (&model.name, child, class.as_str()),
                    RelationDocument::Reversed(class) => (child, &model.name, class.as_str()),
                    RelationDocument::Part => (&model.name, child, "contains"),
                    RelationDocument::ByField(field) => (&model.name, child, field.as_str()),
                };
                let _ = writeln!(text, "    {from} {ends} {to} : \"{label}\"");
            }
        }
        text
    }
}

/// An attribute's type, and whether it identifies the object.
fn attribute(field: &Field) -> Option<(&'static str, bool)> {
    Some(match &field.role {
        Role::Id { r#type } => (type_name(*r#type), true),
        Role::Property { r#type, .. } => (type_name(*r#type), false),
        Role::Media { kind, .. } => (kind_name(*kind), false),
        Role::Geometry { .. } => ("geometry", false),
        Role::Label { .. } => ("label", false),
        Role::Embedding { .. } => ("embedding", false),
        Role::Children { .. } => return None,
    })
}

const fn type_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Bool => "bool",
        ValueType::Int => "int",
        ValueType::Float => "float",
        ValueType::String => "string",
        ValueType::Date => "date",
        ValueType::Json => "json",
    }
}

const fn kind_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Video => "video",
        ObjectKind::Blob => "blob",
        _ => "image",
    }
}
