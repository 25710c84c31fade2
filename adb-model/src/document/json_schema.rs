//! The JSON Schema of a source's rows.

use schemars::Schema;
use serde_json::{Map, Value as Json, json};

use super::{Document, Field, Model, Role};
use crate::{ObjectKind, ValueType};

impl Document {
    /// What a row must look like, as JSON Schema (draft 2020-12): for editors, forms and checks of
    /// sources by other programs.
    #[must_use]
    pub fn to_json_schema(&self) -> Schema {
        let mut schema = Schema::default();
        schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        let definitions: Map<String, Json> =
            self.models.iter().map(|m| (m.name.clone(), self.object(m))).collect();
        if let Some(root) = self.root() {
            schema.insert("title".to_owned(), root.name.as_str().into());
            schema.insert("$ref".to_owned(), format!("#/$defs/{}", root.name).into());
        }
        schema.insert("$defs".to_owned(), definitions.into());
        schema
    }

    fn object(&self, model: &Model) -> Json {
        let mut object = json!({ "type": "object" });
        if !model.doc.is_empty() {
            object["description"] = model.doc.as_str().into();
        }
        let (properties, required) = self.members(&model.fields);
        object["properties"] = properties.into();
        object["required"] = required.into();
        object
    }

    fn members(&self, fields: &[Field]) -> (Map<String, Json>, Vec<Json>) {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in fields {
            let key = field.key.as_str();
            let (properties, needed) = match &field.within {
                None => (&mut properties, &mut required),
                Some(within) => {
                    let object = properties.entry(within).or_insert_with(|| {
                        let types = if field.of_optional {
                            json!(["object", "null"])
                        } else {
                            json!("object")
                        };
                        json!({ "type": types, "properties": {}, "required": [] })
                    });
                    if !field.of_optional && !required.contains(&within.as_str().into()) {
                        required.push(within.as_str().into());
                    }
                    match inner(object) {
                        Some(inner) => inner,
                        None => continue,
                    }
                }
            };
            properties.insert(key.to_owned(), self.member(field));
            if !may_be_absent(field) {
                needed.push(key.into());
            }
        }
        (properties, required)
    }

    fn member(&self, field: &Field) -> Json {
        let mut member = match &field.role {
            Role::Id { r#type } | Role::Property { r#type, .. } => of_type(*r#type),
            Role::Media { kind, .. } => json!({
                "type": "string",
                "$comment": match kind {
                    ObjectKind::Video => "a path or an address of a video",
                    ObjectKind::Blob => "a path or an address of a file",
                    _ => "a path or an address of an image",
                },
            }),
            Role::Geometry { system } => geometry(system),
            Role::Label { .. } => json!({ "type": "string" }),
            Role::Embedding { set, .. } => {
                let n = self.set(set).map_or(0, |s| s.dimensions);
                json!({
                    "type": ["array", "null"], "items": { "type": "number" },
                    "minItems": n, "maxItems": n,
                })
            }
            Role::Children { edge, many, model, .. } => {
                let mut child = json!({ "$ref": format!("#/$defs/{model}") });
                if !edge.is_empty() {
                    let (properties, required) = self.members(edge);
                    child["properties"] = properties.into();
                    child["required"] = required.into();
                }
                if *many { json!({ "type": "array", "items": child }) } else { child }
            }
        };
        if let Some(Json::String(one)) = member.get("type")
            && may_be_absent(field)
            && one != "array"
        {
            member["type"] = json!([one, "null"]);
        }
        if let Some(default) = &field.default {
            member["default"] = default.clone();
        }
        if !field.doc.is_empty() {
            member["description"] = field.doc.as_str().into();
        }
        member
    }
}

/// Whether its key may be absent from the object that has it.
fn may_be_absent(field: &Field) -> bool {
    match field.within {
        Some(_) => field.is_optional_in_struct(),
        None => field.is_optional(),
    }
}

/// Properties and required keys of an object that is a part of the row.
fn inner(object: &mut Json) -> Option<(&mut Map<String, Json>, &mut Vec<Json>)> {
    let object = object.as_object_mut()?;
    let (mut properties, mut required) = (None, None);
    for (key, value) in object {
        match (key.as_str(), value) {
            ("properties", Json::Object(members)) => properties = Some(members),
            ("required", Json::Array(keys)) => required = Some(keys),
            _ => {}
        }
    }
    Some((properties?, required?))
}

fn of_type(value_type: ValueType) -> Json {
    match value_type {
        ValueType::Bool => json!({ "type": "boolean" }),
        ValueType::Int => json!({ "type": "integer" }),
        ValueType::Float => json!({ "type": "number" }),
        ValueType::String => json!({ "type": "string" }),
        ValueType::Date => json!({ "type": "string" }),
        // An array or an object of any shape; serde's own types say more than can be known here.
        ValueType::Json => json!(true),
    }
}

fn geometry(system: &str) -> Json {
    let object = |keys: &[&str], each: &Json| {
        let properties: Map<String, Json> =
            keys.iter().map(|k| ((*k).to_owned(), each.clone())).collect();
        json!({ "type": "object", "properties": properties, "required": keys })
    };
    let frame = json!({ "type": "integer", "minimum": 0 });
    let fraction = json!({ "type": "number", "minimum": 0, "maximum": 1 });
    let time = json!({ "type": ["number", "string"], "minimum": 0 });
    match system {
        "_coordinates" => {
            let mut rect = object(&["x", "y", "width", "height"], &json!({ "type": "integer" }));
            for side in ["width", "height"] {
                rect["properties"][side]["minimum"] = 1.into();
            }
            rect
        }
        "_frame_number_range" => object(&["start", "stop"], &frame),
        "_time_offset_range" => object(&["start", "stop"], &time),
        "_time_fraction_range" => object(&["start", "stop"], &fraction),
        "_frame_number" => frame,
        "_time_offset" => time,
        "_time_fraction" => fraction,
        _ => json!({ "type": "array" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_bounds_that_rows_are_held_to() {
        let rect = geometry("_coordinates");
        assert_eq!(rect["properties"]["width"], json!({ "type": "integer", "minimum": 1 }));
        assert_eq!(rect["properties"]["x"], json!({ "type": "integer" }), "it may begin outside");
        assert_eq!(geometry("_frame_number")["minimum"], 0);
        assert_eq!(geometry("_time_offset_range")["properties"]["stop"]["minimum"], 0);
        assert_eq!(geometry("_time_fraction")["maximum"], 1);
    }
}
