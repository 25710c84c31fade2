//! From what is asked for to commands, and from their answers to records.

use std::{borrow::Cow, collections::HashMap};

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Constraint, Convention, DbError, Dialect, FieldRole, FieldSchema, ModelSchema,
    ObjectKind, Op, Record, Relation, Request,
    error::ModelError,
    graph::{SOURCE_FIELD, USER_TYPE, part_class},
};

/// Objects of one model, by their properties and by what they are connected to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) schema: &'static ModelSchema,
    pub(super) constraint: Result<Constraint, ModelError>,
    pub(super) edges: Vec<Via>,
}

/// How wanted objects must be joined to others.
#[derive(Debug)]
pub(super) struct Via {
    relation: Relation,
    /// Whether the others are the children, and the wanted objects their parents.
    to_children: bool,
    to: Target,
}

impl Via {
    pub(super) fn new(relation: Relation, to_children: bool, to: Target) -> Self {
        Self { relation, to_children, to }
    }
}

/// The value of `is_connected_to` for objects that are joined to those of `reference`, which are
/// their children or their parents. Directions are seen from `reference`: `out` when the
/// connection starts there.
///
/// `child` is the children's class.
pub(crate) fn connected(
    reference: u32,
    relation: Relation,
    child: &str,
    to_children: bool,
    dialect: Dialect,
) -> Json {
    // What the system joins by itself is crossed when no class is named.
    let Some(class) = relation.class(child) else { return json!({ "ref": reference }) };
    let forward = !matches!(relation, Relation::Reversed(_));
    let direction = if forward == to_children { "in" } else { "out" };
    let mut step = json!({ "ref": reference, "connection_class": class, "direction": direction });
    if let Relation::ByField { field, many } = relation {
        let of_field = match many {
            false => Constraint::equal(SOURCE_FIELD, field),
            // `[` and the character after it.
            true => Constraint::compare(SOURCE_FIELD, Op::Ge, format!("{field}["))
                .and(Constraint::compare(SOURCE_FIELD, Op::Lt, format!("{field}\\"))),
        };
        step["constraints"] = of_field.to_json(dialect);
    }
    step
}

/// How a model is joined to the descriptors of a field, and their class.
pub(crate) fn descriptors<'c>(
    schema: &ModelSchema,
    field: &'c FieldSchema,
) -> (Relation, Cow<'c, str>) {
    let class = match field.role {
        FieldRole::Embedding { class: Some(class), .. } => class.into(),
        _ => part_class(schema.class, field.property).into(),
    };
    match schema.convention {
        Convention::Adb => (Relation::Part, class),
        Convention::PythonSdk => (Relation::ByField { field: field.property, many: false }, class),
    }
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
pub(crate) struct Shape {
    pub(crate) blobs: bool,
    pub(crate) vectors: bool,
    /// How many connections deep children are fetched.
    pub(crate) depth: usize,
}

/// Objects alone, without their blobs.
pub(crate) const PROPERTIES: Shape = Shape { blobs: false, vectors: false, depth: 0 };

impl Default for Shape {
    fn default() -> Self {
        Self { blobs: false, vectors: false, depth: 1 }
    }
}

/// Commands being written.
#[derive(Debug)]
pub(crate) struct Commands {
    pub(crate) dialect: Dialect,
    list: Vec<Json>,
    next_ref: u32,
}

impl Commands {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, list: Vec::new(), next_ref: 1 }
    }

    /// Appends a command; answers its place.
    pub(crate) fn push(&mut self, command: Json) -> usize {
        self.list.push(command);
        self.list.len() - 1
    }

    pub(crate) fn reference(&mut self) -> u32 {
        let reference = self.next_ref;
        self.next_ref += 1;
        reference
    }

    pub(crate) fn request(self) -> Request {
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
            let via_class = via.to.schema.class;
            let mut other = Map::new();
            self.select(&mut other, via.to)?;
            let reference = self.reference();
            other.insert("_ref".to_owned(), reference.into());
            self.push(find(kind, other));
            let child = if via.to_children { via_class } else { target.schema.class };
            edges.push(connected(reference, via.relation, child, via.to_children, self.dialect));
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
    pub(crate) fn of_model(
        &self,
        body: &mut Map<String, Json>,
        schema: &ModelSchema,
        constraint: Constraint,
    ) {
        let constraint = match schema.is_typed() {
            true => Constraint::equal(USER_TYPE, schema.class).and(constraint),
            false => constraint,
        };
        if schema.kind == ObjectKind::Entity {
            body.insert("with_class".to_owned(), schema.class.into());
        }
        if let Some((_, set)) = schema.own_vector() {
            body.insert("set".to_owned(), set.name.into());
        }
        if !constraint.is_everything() {
            body.insert("constraints".to_owned(), constraint.to_json(self.dialect));
        }
    }

    /// Limits and sorting stand inside `results` in the classic dialect.
    pub(crate) fn shaping(&self, body: &mut Map<String, Json>, key: &str, value: Json) {
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
            let own_class = || part_class(schema.class, field.property);
            let (kind, class, relation, child) = match field.role {
                FieldRole::Children { relation, model, .. } if shape.depth > 0 => {
                    let child = model.get();
                    (child.kind, child.class.to_owned(), relation, Some(child))
                }
                FieldRole::Media { kind, .. } if schema.kind != kind => {
                    (kind, own_class(), Relation::Connection(field.property), None)
                }
                FieldRole::Embedding { .. } if has_vectors_apart(schema, shape) => {
                    let (relation, class) = descriptors(schema, field);
                    (ObjectKind::Descriptor, class.into_owned(), relation, None)
                }
                _ => continue,
            };
            let edge = connected(reference, relation, &class, false, self.dialect);
            let is_vector = kind == ObjectKind::Descriptor && child.is_none();
            let mut body = fetched(kind, shape);
            body.insert("is_connected_to".to_owned(), edge);
            body.insert("group_by_source".to_owned(), true.into());
            match (child, field.role) {
                (Some(child), _) => {
                    self.of_model(&mut body, child, Constraint::All(Vec::new()));
                }
                (None, role) => {
                    if let FieldRole::Embedding { set, .. } = role {
                        body.insert("set".to_owned(), set.name.into());
                    }
                    let own = Constraint::equal(USER_TYPE, class).to_json(self.dialect);
                    body.insert("constraints".to_owned(), own);
                }
            }
            let deeper = Shape { depth: shape.depth.saturating_sub(1), ..shape };
            let edge_fields = match field.role {
                FieldRole::Children { edge, .. } => edge,
                _ => &[],
            };
            let own = child
                .filter(|child| has_parts(child, deeper) || !edge_fields.is_empty())
                .map(|_| self.reference());
            if let Some(own) = own {
                body.insert("_ref".to_owned(), own.into());
            }
            let command = self.push(find(kind, body));
            let edges = match own {
                Some(own) if !edge_fields.is_empty() => {
                    Some(self.edges(relation, edge_fields, reference, own))
                }
                _ => None,
            };
            let inner = match (child, own) {
                (Some(child), Some(own)) => self.parts(child, own, deeper),
                _ => Vec::new(),
            };
            parts.push(Part { field: field.name, kind, is_vector, command, edges, parts: inner });
        }
        parts
    }

    /// Appends what fetches the connections between two sets of objects.
    fn edges(
        &mut self,
        relation: Relation,
        fields: &[FieldSchema],
        parents: u32,
        children: u32,
    ) -> Edges {
        // Those by field have no properties of the model's.
        let (class, src, dst, reversed) = match relation {
            Relation::ByField { .. } => (None, parents, children, false),
            Relation::Connection(class) => (Some(class), parents, children, false),
            Relation::Reversed(class) => (Some(class), children, parents, true),
            Relation::Part => (None, parents, children, false),
        };
        let mut list = vec!["_src", "_dst"];
        list.extend(fields.iter().map(|f| f.property));
        let mut body = json!({ "src": src, "dst": dst, "results": {"list": list} });
        if let Some(class) = class {
            body["with_class"] = class.into();
        }
        Edges { command: self.push(json!({ "FindConnection": body })), reversed }
    }
}

/// Whether objects of a model come in more than one command.
pub(super) fn has_parts(schema: &ModelSchema, shape: Shape) -> bool {
    schema.fields.iter().any(|field| match field.role {
        FieldRole::Children { .. } => shape.depth > 0,
        FieldRole::Media { kind, .. } => schema.kind != kind,
        FieldRole::Embedding { .. } => has_vectors_apart(schema, shape),
        _ => false,
    })
}

/// Whether vectors are fetched, and are objects other than the model's own.
fn has_vectors_apart(schema: &ModelSchema, shape: Shape) -> bool {
    shape.vectors && schema.kind != ObjectKind::Descriptor
}

/// A Find command.
pub(crate) fn find(kind: ObjectKind, body: Map<String, Json>) -> Json {
    let mut command = Map::new();
    command.insert(format!("Find{}", kind.command_suffix()), Json::Object(body));
    Json::Object(command)
}

/// The body of a Find whose objects are read.
pub(crate) fn fetched(kind: ObjectKind, shape: Shape) -> Map<String, Json> {
    let mut body = Map::new();
    body.insert("uniqueids".to_owned(), true.into());
    body.insert("results".to_owned(), json!({"all_properties": true}));
    // A region's blob would be its crop, a clip's its cut: none of them is a field of a model.
    let has_blob = match kind {
        ObjectKind::Descriptor => shape.vectors,
        kind => shape.blobs && kind.has_media(),
    };
    if has_blob {
        body.insert("blobs".to_owned(), true.into());
    }
    let flags: &[&str] = match kind {
        ObjectKind::BoundingBox => &["labels", "coordinates"],
        ObjectKind::Polygon => &["labels", "vertices"],
        ObjectKind::Clip | ObjectKind::Frame | ObjectKind::Descriptor => &["labels"],
        _ => &[],
    };
    for flag in flags {
        body.insert((*flag).to_owned(), true.into());
    }
    body
}

/// A command that fetches, for each object of another, what hangs on it.
#[derive(Debug)]
pub(super) struct Part {
    field: &'static str,
    kind: ObjectKind,
    /// Whether the object is a field's vector, and no child.
    is_vector: bool,
    command: usize,
    /// Where the connections to these objects are, if they have properties.
    edges: Option<Edges>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy)]
struct Edges {
    command: usize,
    /// Whether they lead from the found objects to their parents.
    reversed: bool,
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
        self.each(kind, Answer::at(self.answers, command)?.group(source), parts)
    }

    /// Objects with what hangs on them.
    pub(super) fn each(
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
                    let mut found =
                        self.group(part.kind, part.command, &record.unique_id, &part.parts)?;
                    if let Some(edges) = part.edges {
                        self.attach(edges, &record.unique_id, &mut found)?;
                    }
                    if part.is_vector {
                        let vector = found.first().and_then(Record::own_vector);
                        record.vectors.insert(part.field, vector);
                    } else {
                        record.children.insert(part.field, found);
                    }
                }
                Ok(record)
            })
            .collect()
    }

    /// Gives each child the connection between it and its parent.
    fn attach(&self, edges: Edges, parent: &str, children: &mut [Record]) -> Result<(), DbError> {
        let all = Answer::at(self.answers, edges.command)?.connections();
        let (near, far) = if edges.reversed { ("_dst", "_src") } else { ("_src", "_dst") };
        let end = |edge: &Json, key: &str| edge.get(key).and_then(Json::as_str).map(str::to_owned);
        let own: HashMap<String, &Map<String, Json>> = all
            .iter()
            .filter(|edge| end(edge, near).as_deref() == Some(parent))
            .filter_map(|edge| Some((end(edge, far)?, edge.as_object()?)))
            .collect();
        for child in children {
            child.edge = own
                .get(&child.unique_id)
                .map(|edge| Box::new(Record::new(ObjectKind::Entity, edge, &[])));
        }
        Ok(())
    }
}
