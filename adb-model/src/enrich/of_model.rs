//! What objects of a model lack of that which the model declares.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::{BlobAt, Blobs, Draft, Lacks, Object};
use crate::{
    Answer, Constraint, Database, DbError, Dialect, EmbedInput, FieldPlace, FieldRole, FieldSchema,
    Graph, GraphBuilder, MadeBy, MakeInput, MediaSource, ModelSchema, ObjectKind, Record, Rect,
    Relation, SetSpec, ToMake, Value, ValueType,
    database::ask,
    graph::{CONTENT_ID, Entered, MADE, OBJECT_ID, USER_TYPE, part_class},
    query::plan::{Commands, PROPERTIES, connected, descriptors, fetched, find},
};

/// A vector that a field declares, and where the answers about it are.
struct Vector {
    field: &'static FieldSchema,
    set: SetSpec,
    label: Option<&'static FieldSchema>,
    class: Cow<'static, str>,
    /// Whether no other field of the model fills the set: then a vector without a class is its.
    sole: bool,
    source: Source,
    command: usize,
}

/// Children that a maker makes.
struct Children {
    field: &'static FieldSchema,
    relation: Relation,
    made: MadeBy,
    source: Source,
    command: usize,
}

/// What vectors or children are made from.
#[derive(Clone, Copy)]
struct Source {
    field: &'static FieldSchema,
    from: From,
}

#[derive(Clone, Copy)]
enum From {
    /// The object's own blob.
    Own,
    /// The blob of an object that is joined to it; a command finds it.
    Beside(usize),
    /// Its part of the image that contains it; a command finds that.
    Region(usize),
    Text,
}

struct Plan {
    schema: &'static ModelSchema,
    commands: Commands,
    /// The objects' reference.
    reference: u32,
    /// Commands that find pictures, by field.
    pictures: Vec<(&'static str, usize)>,
    vectors: Vec<Vector>,
    children: Vec<Children>,
}

/// Whether a model declares something that [`look_up`] can find missing.
pub(crate) fn declares_any(schema: &ModelSchema, embeds: &dyn Fn(&SetSpec) -> bool) -> bool {
    schema.kind != ObjectKind::Descriptor
        && schema.fields.iter().any(|field| match &field.role {
            FieldRole::Embedding { set, from, .. } => from.is_some() && embeds(set),
            FieldRole::Children { made, .. } => made.is_some(),
            _ => false,
        })
}

pub(super) async fn look_up(
    dialect: Dialect,
    db: &dyn Database,
    schema: &'static ModelSchema,
    unique_ids: &[String],
    embeds: &(dyn Fn(&SetSpec) -> bool + Sync),
) -> Result<Vec<Object>, DbError> {
    let plan = Plan::new(dialect, schema, unique_ids, embeds);
    let (answers, _) = ask(db, plan.commands.request()).await?;
    let found = Answer::at(&answers, 0)?;
    let reading =
        Reading { schema, vectors: &plan.vectors, children: &plan.children, answers: &answers };
    let objects = found.entities().iter().filter_map(Json::as_object);
    objects.map(|object| reading.object(Record::new(schema.kind, object, &[]))).collect()
}

impl Plan {
    fn new(
        dialect: Dialect,
        schema: &'static ModelSchema,
        unique_ids: &[String],
        embeds: &(dyn Fn(&SetSpec) -> bool + Sync),
    ) -> Self {
        let mut commands = Commands::new(dialect);
        let reference = commands.reference();
        let mut body = fetched(schema.kind, PROPERTIES);
        body.insert("_ref".to_owned(), reference.into());
        let ids = unique_ids.iter().map(|id| id.as_str().into());
        commands.of_model(&mut body, schema, Constraint::one_of("_uniqueid", ids));
        commands.push(find(schema.kind, body));
        let mut plan = Self {
            schema,
            commands,
            reference,
            pictures: Vec::new(),
            vectors: Vec::new(),
            children: Vec::new(),
        };
        for field in schema.fields {
            match field.role {
                FieldRole::Embedding { set, from: Some(from), label, .. } if embeds(&set) => {
                    plan.vector(field, set, from, label);
                }
                FieldRole::Children { relation, model, made: Some(made), .. } => {
                    plan.children(field, relation, model.get(), made);
                }
                _ => {}
            }
        }
        plan
    }

    fn named(&self, name: &str) -> Option<&'static FieldSchema> {
        self.schema.fields.iter().find(|f| f.name == name)
    }

    fn vector(
        &mut self,
        field: &'static FieldSchema,
        set: SetSpec,
        from: &str,
        label: Option<&str>,
    ) {
        let Some(source) = self.source(from) else { return };
        let (relation, class) = descriptors(self.schema, field);
        let in_set = |f: &&FieldSchema| matches!(f.role, FieldRole::Embedding { set: of, .. } if of.name == set.name);
        let sole = self.schema.fields.iter().filter(in_set).count() == 1;
        let mut body = Map::new();
        body.insert("set".to_owned(), set.name.into());
        body.insert("results".to_owned(), serde_json::json!({ "list": [USER_TYPE] }));
        let command = self.joined(ObjectKind::Descriptor, relation, &class, body);
        let label = label.and_then(|label| self.named(label));
        self.vectors.push(Vector { field, set, label, class, sole, source, command });
    }

    fn children(
        &mut self,
        field: &'static FieldSchema,
        relation: Relation,
        child: &'static ModelSchema,
        made: MadeBy,
    ) {
        let Some(source) = self.source(made.from) else { return };
        let mut body = Map::new();
        body.insert("uniqueids".to_owned(), true.into());
        self.commands.of_model(&mut body, child, Constraint::All(Vec::new()));
        let command = self.joined(child.kind, relation, child.class, body);
        self.children.push(Children { field, relation, made, source, command });
    }

    /// What a field gives to make something from, with the command that finds it if it is another
    /// object's.
    fn source(&mut self, from: &str) -> Option<Source> {
        let field = self.named(from)?;
        let from = match field.role {
            FieldRole::Media { kind, .. } if kind == self.schema.kind => From::Own,
            FieldRole::Media { kind, .. } => From::Beside(self.picture(field, Some(kind))),
            FieldRole::Geometry("_coordinates") => From::Region(self.picture(field, None)),
            FieldRole::Geometry(_) => return None,
            _ => From::Text,
        };
        Some(Source { field, from })
    }

    /// Finds the object that holds a field's media, or what contains the objects.
    fn picture(&mut self, field: &'static FieldSchema, kind: Option<ObjectKind>) -> usize {
        if let Some((_, command)) = self.pictures.iter().find(|(name, _)| *name == field.name) {
            return *command;
        }
        let mut body = Map::new();
        body.insert("uniqueids".to_owned(), true.into());
        let command = match kind {
            None => self.joined(ObjectKind::Image, Relation::Part, "", body),
            Some(kind) => {
                let class = part_class(self.schema.class, field.property);
                let own = Constraint::equal(USER_TYPE, class.clone());
                body.insert("constraints".to_owned(), own.to_json(self.commands.dialect));
                self.joined(kind, Relation::Connection(field.property), &class, body)
            }
        };
        self.pictures.push((field.name, command));
        command
    }

    /// A Find of what is joined to the objects, grouped by them.
    fn joined(
        &mut self,
        kind: ObjectKind,
        relation: Relation,
        class: &str,
        mut body: Map<String, Json>,
    ) -> usize {
        let step = connected(self.reference, relation, class, false, self.commands.dialect);
        body.insert("is_connected_to".to_owned(), step);
        body.insert("group_by_source".to_owned(), true.into());
        self.commands.push(find(kind, body))
    }
}

/// The objects of a grouped answer that are joined to one.
pub(super) fn group<'a>(
    answers: &'a [Json],
    command: usize,
    unique_id: &str,
) -> Result<&'a [Json], DbError> {
    let groups = Answer::at(answers, command)?.get("entities");
    let group = groups.and_then(|groups| groups.get(unique_id)?.as_array());
    Ok(group.map_or(&[], Vec::as_slice))
}

/// The unique id of the first of them.
pub(super) fn first_id(group: &[Json]) -> Option<&str> {
    group.first()?.get("_uniqueid")?.as_str()
}

struct Reading<'a> {
    schema: &'static ModelSchema,
    vectors: &'a [Vector],
    children: &'a [Children],
    answers: &'a [Json],
}

/// A vector or children to be made, with what they are made from.
struct Part<D> {
    declared: D,
    input: Input,
}

enum Input {
    Text(String),
    Blob(String),
    Region(String, Rect),
}

impl Reading<'_> {
    fn object(&self, record: Record) -> Result<Object, DbError> {
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
            let there = group(self.answers, vector.command, record.unique_id())?;
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
                || !group(self.answers, task.command, record.unique_id())?.is_empty()
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
        let found = match source.from {
            From::Own => Some(Input::Blob(id.to_owned())),
            From::Beside(command) => {
                first_id(group(self.answers, command, id)?).map(|id| Input::Blob(id.to_owned()))
            }
            From::Region(command) => {
                let rect = record.properties().get("_coordinates");
                let rect = rect.and_then(|r| serde_json::from_value::<Rect>(r.clone()).ok());
                match (first_id(group(self.answers, command, id)?), rect) {
                    (Some(image), Some(rect)) => Some(Input::Region(image.to_owned(), rect)),
                    (None, _) => {
                        return Ok(Err(format!(
                            "`{wanted}` is made from a part of an image, and it lies in none; what lies in a frame has no picture of its own"
                        )));
                    }
                    (_, None) => None,
                }
            }
            From::Text => match text(record, source.field) {
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

struct VectorPart {
    field: &'static FieldSchema,
    set: SetSpec,
    class: Option<&'static str>,
    label: Option<String>,
}

struct ChildrenPart {
    field: &'static FieldSchema,
    relation: Relation,
    made: MadeBy,
}

fn draft(
    schema: &'static ModelSchema,
    record: Record,
    identity: Vec<(&'static str, Value)>,
    vectors: Vec<Part<VectorPart>>,
    children: Vec<Part<ChildrenPart>>,
) -> Draft {
    let mut blobs: Vec<BlobAt> = Vec::new();
    let media_kind = |name: &str| {
        let field = schema.fields.iter().find(|f| f.name == name);
        match field.map(|f| f.role) {
            Some(FieldRole::Media { kind, .. }) => kind,
            _ => ObjectKind::Image,
        }
    };
    let from_vectors = vectors.iter().map(|p| (&p.input, ObjectKind::Image));
    let from_children = children.iter().map(|p| (&p.input, media_kind(p.declared.made.from)));
    for (input, kind) in from_vectors.chain(from_children) {
        if let Input::Blob(id) | Input::Region(id, _) = input
            && !blobs.iter().any(|(_, known)| known == id)
        {
            blobs.push((kind, id.clone()));
        }
    }
    let build = move |blobs: &Blobs| build(schema, &record, identity, vectors, children, blobs);
    Draft { blobs, build: Box::new(build) }
}

fn build(
    schema: &'static ModelSchema,
    record: &Record,
    identity: Vec<(&'static str, Value)>,
    vectors: Vec<Part<VectorPart>>,
    children: Vec<Part<ChildrenPart>>,
    blobs: &Blobs,
) -> Result<Graph, String> {
    let mut graph = GraphBuilder::new();
    let entered = graph.enter(schema.kind, schema.class, identity).map_err(|e| e.to_string())?;
    let (Entered::New(node) | Entered::Known(node)) = entered;
    graph.convention(node, schema.convention);
    if schema.untyped {
        graph.untyped(node);
    }
    let media = |id: &str| Ok::<_, String>(MediaSource::Bytes(blobs.get(id)?));
    let mut own = None;
    for Part { declared: VectorPart { field, set, class, label }, input } in vectors {
        if let Some(class) = class {
            graph.descriptor_class(node, field.property, class);
        }
        let input = match input {
            Input::Text(text) => EmbedInput::Text(text),
            Input::Region(id, rect) => EmbedInput::Region(media(&id)?, rect),
            Input::Blob(id) => EmbedInput::Image(media(&id)?),
        };
        let input = match field.role {
            FieldRole::Embedding { face: Some(otherwise), .. } => input.face(otherwise),
            _ => input,
        };
        let descriptor = graph
            .descriptor(node, field.property, set, None, Some(input))
            .map_err(|e| e.to_string())?;
        if let (Some(descriptor), Some(label)) = (descriptor, label) {
            graph.label(descriptor, label);
        }
    }
    for Part { declared: ChildrenPart { field, relation, made }, input } in children {
        let at = FieldPlace { model: schema.name, field: field.name, property: field.property };
        let input = match input {
            Input::Text(text) => MakeInput::Text(text),
            Input::Region(id, _) | Input::Blob(id) => {
                let blob = media(&id)?;
                if id == record.unique_id() {
                    // Its parts may be embedded from it.
                    own = Some(blob.clone());
                }
                MakeInput::Media(blob)
            }
        };
        graph.to_make(ToMake { owner: node, at, relation, maker: made.maker, input });
    }
    let mut graph = graph.finish();
    graph.stored(node, record.unique_id(), own);
    if let Some(made) = record.properties().get(MADE).and_then(Json::as_str) {
        graph.mark_made(node, made);
    }
    Ok(graph)
}
