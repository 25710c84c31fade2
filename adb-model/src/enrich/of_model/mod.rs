//! What objects of a model lack of that which the model declares.

mod draft;
mod reading;

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::Object;
use crate::{
    Answer, Constraint, Database, DbError, Dialect, FieldRole, FieldSchema, MadeBy, ModelSchema,
    ObjectKind, Record, Relation, SetSpec,
    answer::unique_id,
    database::ask,
    graph::{USER_TYPE, part_class},
    query::plan::{Commands, PROPERTIES, connected, descriptors, fetched, find},
};

use reading::Reading;

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
    origin: Origin,
}

#[derive(Clone, Copy)]
enum Origin {
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

pub(in crate::enrich) async fn look_up(
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
        let origin = match field.role {
            FieldRole::Media { kind, .. } if kind == self.schema.kind => Origin::Own,
            FieldRole::Media { kind, .. } => Origin::Beside(self.picture(field, Some(kind))),
            FieldRole::Geometry("_coordinates") => Origin::Region(self.picture(field, None)),
            FieldRole::Geometry(_) => return None,
            _ => Origin::Text,
        };
        Some(Source { field, origin })
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

/// The unique id of the first object that is joined to one, where a command groups them so.
pub(in crate::enrich) fn first_id<'a>(
    answers: &'a [Json],
    command: usize,
    source: &str,
) -> Result<Option<&'a str>, DbError> {
    Ok(Answer::at(answers, command)?.group(source).first().and_then(unique_id))
}
