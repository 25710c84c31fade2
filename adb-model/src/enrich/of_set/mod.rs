//! Descriptors of a second set, one for each of a first.

mod counterpart;

use std::{borrow::Cow, collections::HashMap};

use serde_json::{Map, Value as Json, json};

use super::{Draft, Lacks, Object, of_model::first_id};
use crate::{
    Answer, Constraint, Database, DbError, Dialect, FieldRole, FieldSchema, ModelSchema, NoFace,
    ObjectKind, Record, Rect, Relation, SetSpec,
    answer::unique_id,
    database::ask,
    graph::{CONTENT, SOURCE_FIELD, USER_TYPE, part_class},
    query::plan::{Commands, PROPERTIES, Shape, connected, descriptors, fetched, find},
};

use counterpart::{By, Counterpart, Input, copied};

pub(super) struct Task {
    pub(super) from: &'static str,
    pub(super) to: SetSpec,
    pub(super) schema: Option<&'static ModelSchema>,
    /// Whether one that is there is made all the same.
    pub(super) anew: bool,
}

/// Objects that descriptors of the first set hang on.
struct Owners {
    kind: ObjectKind,
    /// The class of entities; a word for others.
    class: &'static str,
    /// The field that fills the first set, where a model says so.
    field: Option<OfField>,
    /// Finds them, grouped by the first set's descriptors.
    found: usize,
    /// Finds, grouped by them, the second set's descriptors, and the connections from them to those
    /// and to the first set's.
    there: usize,
    to_there: usize,
    to_first: usize,
    origin: Origin,
}

struct OfField {
    /// The class of the field's descriptors.
    class: Cow<'static, str>,
    /// Whether no other field of the model fills the set: then a vector without a class is its.
    sole: bool,
    /// Whether it is made from the largest face of a picture.
    face: Option<NoFace>,
}

#[derive(Clone, Copy)]
enum Origin {
    /// The owner's own picture.
    Own,
    /// A picture that is joined to the owner; a command finds it.
    Beside(usize),
    /// The owner's part of an image; a command finds that.
    Region(usize),
    /// The owner's property.
    Text(&'static FieldSchema),
    /// Something that is not stored.
    Unknown,
}

pub(super) async fn look_up(
    dialect: Dialect,
    db: &dyn Database,
    task: &Task,
    unique_ids: &[String],
) -> Result<Vec<Object>, DbError> {
    let mut commands = Commands::new(dialect);
    let reference = commands.reference();
    let mut body = fetched(ObjectKind::Descriptor, Shape { vectors: false, ..PROPERTIES });
    body.insert("_ref".to_owned(), reference.into());
    body.insert("set".to_owned(), task.from.into());
    let ids = Constraint::one_of("_uniqueid", unique_ids.iter().map(|id| id.as_str().into()));
    body.insert("constraints".to_owned(), ids.to_json(dialect));
    commands.push(find(ObjectKind::Descriptor, body));
    let mut owners = Vec::new();
    for model in task.schema.map(ModelSchema::reachable).unwrap_or_default() {
        if model.kind == ObjectKind::Descriptor {
            continue;
        }
        let fills = |field: &&'static FieldSchema| matches!(field.role, FieldRole::Embedding { set, .. } if set.name == task.from);
        let sole = model.fields.iter().filter(fills).count() == 1;
        for field in model.fields.iter().filter(fills) {
            owners.push(of_field(&mut commands, reference, task, (model, field, sole)));
        }
    }
    for (kind, class) in [(ObjectKind::Image, "image"), (ObjectKind::BoundingBox, "bounding box")] {
        owners.push(of_kind(&mut commands, reference, task, kind, class));
    }
    let (answers, _) = ask(db, commands.request()).await?;
    let connections = Connections::read(&answers, &owners)?;
    let found = Answer::at(&answers, 0)?;
    let objects = found.entities().iter().filter_map(Json::as_object);
    objects
        .map(|object| {
            let record = Record::new(ObjectKind::Descriptor, object, &[]);
            describe(task, &owners, &connections, &answers, &record)
        })
        .collect()
}

/// Owners that a model knows.
fn of_field(
    commands: &mut Commands,
    first: u32,
    task: &Task,
    (model, field, sole): (&'static ModelSchema, &'static FieldSchema, bool),
) -> Owners {
    let (relation, class) = descriptors(model, field);
    let mut body = fetched(model.kind, PROPERTIES);
    commands.of_model(&mut body, model, Constraint::All(Vec::new()));
    let step = connected(first, relation, &class, true, commands.dialect);
    body.insert("is_connected_to".to_owned(), step);
    let (reference, mut owners) = find_owners(commands, first, task, model.kind, model.class, body);
    let (from, face) = match field.role {
        FieldRole::Embedding { from, face, .. } => (from, face),
        _ => (None, None),
    };
    let from = from.and_then(|from| model.fields.iter().find(|f| f.name == from));
    owners.origin = match from.map(|f| (f, f.role)) {
        Some((_, FieldRole::Media { kind, .. })) if kind == model.kind => Origin::Own,
        Some((from, FieldRole::Media { kind, .. })) => {
            let own = part_class(model.class, from.property);
            let relation = Relation::Connection(from.property);
            let step = connected(reference, relation, &own, false, commands.dialect);
            let own = Constraint::equal(USER_TYPE, own).to_json(commands.dialect);
            Origin::Beside(picture(commands, kind, step, Some(own)))
        }
        Some((_, FieldRole::Geometry("_coordinates"))) => {
            Origin::Region(picture(commands, ObjectKind::Image, json!({ "ref": reference }), None))
        }
        None | Some((_, FieldRole::Geometry(_))) => Origin::Unknown,
        Some((from, _)) => Origin::Text(from),
    };
    owners.field = Some(OfField { class, sole, face });
    owners
}

/// Owners of one kind, whatever their model.
fn of_kind(
    commands: &mut Commands,
    first: u32,
    task: &Task,
    kind: ObjectKind,
    class: &'static str,
) -> Owners {
    let mut body = Map::new();
    body.insert("uniqueids".to_owned(), true.into());
    if kind == ObjectKind::BoundingBox {
        body.insert("coordinates".to_owned(), true.into());
    }
    body.insert("is_connected_to".to_owned(), json!({ "ref": first }));
    let (reference, mut owners) = find_owners(commands, first, task, kind, class, body);
    if kind == ObjectKind::BoundingBox {
        let image = picture(commands, ObjectKind::Image, json!({ "ref": reference }), None);
        owners.origin = Origin::Region(image);
    }
    owners
}

/// Finds owners, what of the second set hangs on them, and the connections to both; answers the
/// owners' reference, too.
fn find_owners(
    commands: &mut Commands,
    first: u32,
    task: &Task,
    kind: ObjectKind,
    class: &'static str,
    mut body: Map<String, Json>,
) -> (u32, Owners) {
    let reference = commands.reference();
    body.insert("_ref".to_owned(), reference.into());
    body.insert("group_by_source".to_owned(), true.into());
    let found = commands.push(find(kind, body));
    let second = commands.reference();
    let mut body = Map::new();
    body.insert("_ref".to_owned(), second.into());
    body.insert("set".to_owned(), task.to.name.into());
    body.insert("uniqueids".to_owned(), true.into());
    body.insert("is_connected_to".to_owned(), json!({ "ref": reference }));
    body.insert("group_by_source".to_owned(), true.into());
    body.insert("results".to_owned(), json!({ "list": [USER_TYPE] }));
    let there = commands.push(find(ObjectKind::Descriptor, body));
    let mut edges = |to: u32| {
        let list = ["_src", "_dst", SOURCE_FIELD];
        commands.push(json!({ "FindConnection": {
            "src": reference, "dst": to, "results": {"list": list},
        }}))
    };
    let (to_there, to_first) = (edges(second), edges(first));
    let owners =
        Owners { kind, class, field: None, found, there, to_there, to_first, origin: Origin::Own };
    (reference, owners)
}

fn picture(
    commands: &mut Commands,
    kind: ObjectKind,
    step: Json,
    constraints: Option<Json>,
) -> usize {
    let mut body = Map::new();
    body.insert("uniqueids".to_owned(), true.into());
    body.insert("is_connected_to".to_owned(), step);
    body.insert("group_by_source".to_owned(), true.into());
    if let Some(constraints) = constraints {
        body.insert("constraints".to_owned(), constraints);
    }
    commands.push(find(kind, body))
}

/// The fields that connections name, as those of the Python SDK's models do; by the ends.
struct Connections(HashMap<(String, String), String>);

impl Connections {
    fn read(answers: &[Json], owners: &[Owners]) -> Result<Self, DbError> {
        let mut fields = HashMap::new();
        for command in owners.iter().flat_map(|o| [o.to_there, o.to_first]) {
            for edge in Answer::at(answers, command)?.connections() {
                let text = |key: &str| edge.get(key).and_then(Json::as_str).map(str::to_owned);
                if let (Some(src), Some(dst), Some(field)) =
                    (text("_src"), text("_dst"), text(SOURCE_FIELD))
                {
                    fields.insert((src, dst), field);
                }
            }
        }
        Ok(Self(fields))
    }

    fn field(&self, src: &str, dst: &str) -> Option<&str> {
        self.0.get(&(src.to_owned(), dst.to_owned())).map(String::as_str)
    }
}

/// What one descriptor of the first set becomes in the second.
fn describe(
    task: &Task,
    all: &[Owners],
    connections: &Connections,
    answers: &[Json],
    record: &Record,
) -> Result<Object, DbError> {
    let id = record.unique_id();
    let class = record.properties().get(USER_TYPE).and_then(Json::as_str);
    let mut name = format!("{} ({id})", task.from);
    let mut lacks = Lacks::Unmakeable(
        "it hangs on no image and no box in an image; for vectors of texts, give the model that says what they were made from".to_owned(),
    );
    for owners in all {
        let is_other = |of: &OfField| class.map_or(!of.sole, |class| class != of.class);
        if owners.field.as_ref().is_some_and(is_other) {
            continue;
        }
        let group = Answer::at(answers, owners.found)?.group(id);
        let Some(owner) = group.first().and_then(Json::as_object) else { continue };
        let owner = Record::new(owners.kind, owner, &[]);
        name = format!("{} of {} {} ({id})", task.from, owners.class, owner.unique_id());
        lacks = compare(task, owners, connections, answers, record, &owner)?;
        break;
    }
    Ok(Object { unique_id: id.to_owned(), name, lacks })
}

fn compare(
    task: &Task,
    owners: &Owners,
    connections: &Connections,
    answers: &[Json],
    record: &Record,
    owner: &Record,
) -> Result<Lacks, DbError> {
    let class = record.properties().get(USER_TYPE).and_then(Json::as_str);
    let field = connections.field(owner.unique_id(), record.unique_id());
    let is_it = |there: &Json| {
        let id = unique_id(there).unwrap_or_default();
        there.get(USER_TYPE).and_then(Json::as_str) == class
            && connections.field(owner.unique_id(), id) == field
    };
    let there = Answer::at(answers, owners.there)?.group(owner.unique_id());
    if !task.anew && there.iter().any(is_it) {
        return Ok(Lacks::Nothing);
    }
    let input = match owners.origin {
        Origin::Own => Some(Input::Blob((owners.kind, owner.unique_id().to_owned()))),
        Origin::Beside(command) => first_id(answers, command, owner.unique_id())?
            .map(|id| Input::Blob((ObjectKind::Image, id.to_owned()))),
        Origin::Region(command) => {
            let image = first_id(answers, command, owner.unique_id())?;
            let rect = owner.properties().get("_coordinates");
            let rect = rect.and_then(|r| serde_json::from_value::<Rect>(r.clone()).ok());
            image
                .zip(rect)
                .map(|(image, rect)| Input::Region((ObjectKind::Image, image.to_owned()), rect))
        }
        Origin::Text(field) => match field.role {
            FieldRole::Label { .. } => owner.label().map(|text| Input::Text(text.to_owned())),
            _ => {
                let text = owner.properties().get(field.property).and_then(Json::as_str);
                text.map(|text| Input::Text(text.to_owned()))
            }
        },
        Origin::Unknown => None,
    };
    let Some(input) = input else {
        return Ok(Lacks::Unmakeable(format!(
            "what it was made from is not stored with {} {}",
            owners.class,
            owner.unique_id()
        )));
    };
    let blobs = match &input {
        Input::Blob(at) | Input::Region(at, _) => vec![at.clone()],
        Input::Text(_) => Vec::new(),
    };
    let counterpart = Counterpart {
        to: task.to,
        kind: owners.kind,
        class: owners.class,
        owner: owner.unique_id().to_owned(),
        field: field.map(str::to_owned),
        of: copied(record)?,
        input,
        by: match &owners.field {
            Some(field) => By::Field(field.face),
            None => {
                By::Note(record.properties().get(CONTENT).and_then(Json::as_str).map(str::to_owned))
            }
        },
    };
    Ok(Lacks::Something(Draft { blobs, build: Box::new(move |blobs| counterpart.graph(blobs)) }))
}
