//! From what is asked for to commands, and from their answers to records.

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Constraint, DbError, Dialect, FieldRole, ModelSchema, ObjectKind, Record, Request,
    error::ModelError, graph::USER_TYPE,
};

/// Objects of one model, by their properties and by what they are connected to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) schema: &'static ModelSchema,
    pub(super) constraint: Result<Constraint, ModelError>,
    pub(super) edges: Vec<Via>,
}

/// A connection that wanted objects must have.
#[derive(Debug)]
pub(super) struct Via {
    pub(super) connection: &'static str,
    /// Seen from the objects at the other end, as the language has it: `out` when the edge starts
    /// there.
    pub(super) direction: &'static str,
    pub(super) to: Target,
}

impl Target {
    pub(super) fn all(schema: &'static ModelSchema) -> Self {
        Self { schema, constraint: Ok(Constraint::All(Vec::new())), edges: Vec::new() }
    }

    /// Whether every object of the model is meant.
    pub(super) fn is_everything(&self) -> bool {
        self.edges.is_empty() && self.constraint.as_ref().is_ok_and(Constraint::is_everything)
    }
}

/// What to fetch of each object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) blobs: bool,
    pub(super) vectors: bool,
    /// How many connections deep children are fetched.
    pub(super) depth: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { blobs: false, vectors: false, depth: 1 }
    }
}

/// Commands being written.
#[derive(Debug)]
pub(super) struct Commands {
    pub(super) dialect: Dialect,
    list: Vec<Json>,
    next_ref: u32,
}

impl Commands {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, list: Vec::new(), next_ref: 1 }
    }

    /// Appends a command; answers its place.
    pub(super) fn push(&mut self, command: Json) -> usize {
        self.list.push(command);
        self.list.len() - 1
    }

    pub(super) fn reference(&mut self) -> u32 {
        let reference = self.next_ref;
        self.next_ref += 1;
        reference
    }

    pub(super) fn request(self) -> Request {
        Request::json(&Json::Array(self.list))
    }

    /// Adds, to the body of a Find, which objects it is after. What they are connected to is
    /// found first.
    pub(super) fn select(
        &mut self,
        body: &mut Map<String, Json>,
        target: Target,
    ) -> Result<(), ModelError> {
        let mut edges = Vec::with_capacity(target.edges.len());
        for via in target.edges {
            let kind = via.to.schema.kind;
            let mut other = Map::new();
            self.select(&mut other, via.to)?;
            let reference = self.reference();
            other.insert("_ref".to_owned(), reference.into());
            self.push(find(kind, other));
            edges.push(json!({
                "ref": reference, "connection_class": via.connection, "direction": via.direction,
            }));
        }
        self.of_model(body, target.schema, target.constraint?);
        if let Some(edge) = match edges.len() {
            0 => None,
            1 => edges.pop(),
            _ => Some(json!({ "all": edges })),
        } {
            body.insert("is_connected_to".to_owned(), edge);
        }
        Ok(())
    }

    /// Class and constraints of one model's objects.
    pub(super) fn of_model(
        &self,
        body: &mut Map<String, Json>,
        schema: &ModelSchema,
        constraint: Constraint,
    ) {
        let constraint = if schema.kind == ObjectKind::Entity {
            body.insert("with_class".to_owned(), schema.class.into());
            constraint
        } else {
            Constraint::equal(USER_TYPE, schema.class).and(constraint)
        };
        if !constraint.is_everything() {
            body.insert("constraints".to_owned(), constraint.to_json(self.dialect));
        }
    }

    /// Limits and sorting stand inside `results` in the classic dialect.
    pub(super) fn shaping(&self, body: &mut Map<String, Json>, key: &str, value: Json) {
        match self.dialect {
            Dialect::Expression => body.insert(key.to_owned(), value),
            Dialect::Classic => {
                let results = body.entry("results").or_insert_with(|| json!({}));
                results.as_object_mut().and_then(|r| r.insert(key.to_owned(), value))
            }
        };
    }

    /// Appends what fetches the parts of objects that `reference` names.
    pub(super) fn parts(
        &mut self,
        schema: &'static ModelSchema,
        reference: u32,
        shape: Shape,
    ) -> Vec<Part> {
        let mut parts = Vec::new();
        for field in schema.fields {
            let (kind, class, connection, child) = match field.role {
                FieldRole::Children { connection, model, .. } if shape.depth > 0 => {
                    let child = model();
                    (child.kind, child.class.to_owned(), Some(connection), Some(child))
                }
                FieldRole::Image { .. } if schema.kind != ObjectKind::Image => {
                    let class = format!("{}.{}", schema.class, field.property);
                    (ObjectKind::Image, class, Some(field.property), None)
                }
                FieldRole::Embedding { .. } if shape.vectors => {
                    let class = format!("{}.{}", schema.class, field.property);
                    (ObjectKind::Descriptor, class, None, None)
                }
                _ => continue,
            };
            let mut edge = json!({ "ref": reference });
            if let Some(connection) = connection {
                edge["connection_class"] = connection.into();
                edge["direction"] = "out".into();
            }
            let mut body = fetched(kind, shape.blobs || kind == ObjectKind::Descriptor);
            body.insert("is_connected_to".to_owned(), edge);
            body.insert("group_by_source".to_owned(), true.into());
            if let FieldRole::Embedding { set, .. } = field.role {
                body.insert("set".to_owned(), set.name.into());
            }
            if kind == ObjectKind::Entity {
                body.insert("with_class".to_owned(), class.into());
            } else {
                let own = Constraint::equal(USER_TYPE, class);
                body.insert("constraints".to_owned(), own.to_json(self.dialect));
            }
            let deeper = Shape { depth: shape.depth.saturating_sub(1), ..shape };
            let own = child.filter(|child| has_parts(child, deeper)).map(|_| self.reference());
            if let Some(own) = own {
                body.insert("_ref".to_owned(), own.into());
            }
            let command = self.push(find(kind, body));
            let inner = match (child, own) {
                (Some(child), Some(own)) => self.parts(child, own, deeper),
                _ => Vec::new(),
            };
            parts.push(Part { field: field.name, kind, command, parts: inner });
        }
        parts
    }
}

/// Whether objects of a model come in more than one command.
pub(super) fn has_parts(schema: &ModelSchema, shape: Shape) -> bool {
    schema.fields.iter().any(|field| match field.role {
        FieldRole::Children { .. } => shape.depth > 0,
        FieldRole::Image { .. } => schema.kind != ObjectKind::Image,
        FieldRole::Embedding { .. } => shape.vectors,
        _ => false,
    })
}

/// A Find command.
pub(super) fn find(kind: ObjectKind, body: Map<String, Json>) -> Json {
    json!({ format!("Find{}", kind.command_suffix()): body })
}

/// The body of a Find whose objects are read.
pub(super) fn fetched(kind: ObjectKind, blobs: bool) -> Map<String, Json> {
    let mut body = Map::new();
    body.insert("uniqueids".to_owned(), true.into());
    body.insert("results".to_owned(), json!({"all_properties": true}));
    if blobs && kind != ObjectKind::Entity {
        body.insert("blobs".to_owned(), true.into());
    }
    body
}

/// A command that fetches, for each object of another, what hangs on it.
#[derive(Debug)]
pub(super) struct Part {
    field: &'static str,
    kind: ObjectKind,
    command: usize,
    parts: Vec<Part>,
}

/// Answers, being read.
pub(super) struct Reading<'a> {
    pub(super) answers: &'a [Json],
    pub(super) blobs: &'a [Bytes],
}

impl Reading<'_> {
    /// The objects that a command listed.
    pub(super) fn records(
        &self,
        kind: ObjectKind,
        command: usize,
        parts: &[Part],
    ) -> Result<Vec<Record>, DbError> {
        let answer = Answer::at(self.answers, command)?;
        self.each(kind, answer.entities(), parts)
    }

    /// The objects that a command grouped under another object.
    pub(super) fn group(
        &self,
        kind: ObjectKind,
        command: usize,
        source: &str,
        parts: &[Part],
    ) -> Result<Vec<Record>, DbError> {
        let answer = Answer::at(self.answers, command)?;
        let group = answer.get("entities").and_then(|groups| groups.get(source));
        self.each(kind, group.and_then(Json::as_array).map_or(&[], Vec::as_slice), parts)
    }

    fn each(
        &self,
        kind: ObjectKind,
        objects: &[Json],
        parts: &[Part],
    ) -> Result<Vec<Record>, DbError> {
        objects
            .iter()
            .filter_map(Json::as_object)
            .map(|object| {
                let mut record = Record::new(kind, object, self.blobs);
                for part in parts {
                    let found =
                        self.group(part.kind, part.command, &record.unique_id, &part.parts)?;
                    if part.kind != ObjectKind::Descriptor {
                        record.children.insert(part.field, found);
                    } else if let Some(blob) = found.first().and_then(Record::blob) {
                        record.vectors.insert(part.field, vector(blob));
                    }
                }
                Ok(record)
            })
            .collect()
    }
}

/// Little-endian binary32, as the wire has vectors.
fn vector(blob: &[u8]) -> std::sync::Arc<[f32]> {
    let (components, _) = blob.as_chunks::<4>();
    components.iter().map(|c| f32::from_le_bytes(*c)).collect()
}
