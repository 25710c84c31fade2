//! Models as data: a document that says all that a struct says, to be written, read and used
//! without compiling.

mod json_schema;
mod loaded;
mod mermaid;
mod record;
mod row;
mod unknown;

pub use loaded::LoadedModel;
pub use record::StoredMedia;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    Convention, Engine, FieldRole, FieldSchema, MadeBy, Metric, ModelSchema, NoFace, ObjectKind,
    Relation, Value, ValueType,
};

/// The version of the document's form that this code writes and reads.
pub const VERSION: u32 = 1;

/// A model, and all that it is connected to.
///
/// ```
/// # use adb_model::{FieldRole, FieldSchema, ModelSchema, ValueType};
/// use adb_model::document::Document;
/// # static RICE: ModelSchema = ModelSchema {
/// #     name: "Ingredient", class: "Ingredient",
/// #     fields: &[FieldSchema::named("name", FieldRole::Id(ValueType::String))],
/// #     ..ModelSchema::BARE
/// # };
/// let document = Document::of(&RICE); // `Ingredient::SCHEMA` of a derived model
/// let text = serde_json::to_string(&document).unwrap();
/// assert_eq!(Document::parse(&text).unwrap(), document);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// [`VERSION`].
    pub version: u32,
    /// The models; the first is the one that rows are of.
    pub models: Vec<Model>,
    /// The descriptor sets that they fill.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<Set>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name, by which others refer to it.
    pub name: String,
    /// Entity class, or `user_type` of other kinds.
    pub class: String,
    /// What its objects are.
    pub kind: ObjectKind,
    /// How it names things.
    #[serde(default, skip_serializing_if = "Convention::is_own")]
    pub convention: Convention,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Whether its objects bear no `user_type`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub untyped: bool,
    /// Whether an object is identified by the hash of its blob.
    #[serde(default, skip_serializing_if = "is_false")]
    pub content_id: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// One field of a model, or property of a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name, by which `from` and `label` refer to it. One of a flattened struct has the name
    /// of the field that holds that before its own, and a dot between.
    pub name: String,
    /// Its key in a source.
    pub key: String,
    /// The key, in the row, of the object that has it: nothing if that is the row itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// Its property's name in the database.
    pub property: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Names that its property had before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub was: Vec<String>,
    /// What it is.
    #[serde(flatten)]
    pub role: Role,
    /// What is there when a row lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
}

/// What a field is: [`FieldRole`] as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Role {
    /// It identifies the object.
    Id {
        /// Its type.
        r#type: ValueType,
    },
    /// A property.
    Property {
        /// Its type.
        r#type: ValueType,
        /// Whether it may be absent.
        #[serde(default)]
        optional: bool,
        /// Whether the database keeps an index on it.
        #[serde(default)]
        indexed: bool,
    },
    /// A blob.
    Media {
        /// Image, video or blob.
        kind: ObjectKind,
        /// Whether it may be absent.
        #[serde(default)]
        optional: bool,
    },
    /// Where the object lies in its container.
    Geometry {
        /// The system property as which it comes back.
        system: String,
    },
    /// The object's label.
    Label {
        /// Whether it may be absent.
        #[serde(default)]
        optional: bool,
    },
    /// A vector.
    Embedding {
        /// The name of its set.
        set: String,
        /// The field that it is made from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The field that labels it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// Whether an object may be without one.
        #[serde(default)]
        optional: bool,
        /// The class of the descriptors, where it is not that of model and field.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<String>,
        /// Whether it is made from the largest face of the picture, and what is to be done if there
        /// is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        face: Option<NoFace>,
    },
    /// Other objects.
    Children {
        /// How they are joined.
        relation: RelationDocument,
        /// Properties of the connections.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        edge: Vec<Field>,
        /// Whether there can be more than one.
        many: bool,
        /// Whether a row may leave them out.
        #[serde(default)]
        optional: bool,
        /// The name of their model.
        model: String,
        /// Who makes them, if the row does not bring them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made: Option<Made>,
    },
}

/// [`MadeBy`] as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The maker's name: whoever reads rows must have one that is called so.
    pub by: String,
    /// The field that they are made from.
    pub from: String,
    /// Whether an empty list in a row stands; otherwise it is one to be filled.
    #[serde(default)]
    pub empty_stands: bool,
}

/// [`Relation`] as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationDocument {
    /// A connection of this class, from the model to the child.
    Connection(String),
    /// A connection of this class, from the child to the model.
    Reversed(String),
    /// The child is a part of the model.
    Part,
    /// By a connection of the child's class that names this field.
    ByField(String),
}

/// A descriptor set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Its name in the database.
    pub name: String,
    /// Components of each vector.
    pub dimensions: usize,
    /// How nearness is measured.
    pub metric: Metric,
    /// How it is searched.
    pub engine: Engine,
    /// Name of the embedder that fills it unless the user says otherwise.
    pub embedder: String,
}

/// Why a document can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is no such document.
    #[error("this is no model document: {0}")]
    Form(#[from] serde_json::Error),
    /// It is of another version.
    #[error("this model document is of version {found}, and version {VERSION} is what can be read")]
    Version {
        /// Its version.
        found: u32,
    },
    /// It contradicts itself.
    #[error("the model document does not hold together: {0}")]
    Broken(String),
}

impl Document {
    /// The document of a model.
    #[must_use]
    pub fn of(schema: &'static ModelSchema) -> Self {
        let models = schema.reachable();
        Self {
            version: VERSION,
            models: models.iter().map(|m| Model::of(m)).collect(),
            sets: schema
                .sets()
                .iter()
                .map(|s| Set {
                    name: s.name.to_owned(),
                    dimensions: s.dimensions,
                    metric: s.metric,
                    engine: s.engine,
                    embedder: s.embedder.to_owned(),
                })
                .collect(),
        }
    }

    /// Reads a document, and sees to it that all that it names is in it.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn parse(json: &str) -> Result<Self, DocumentError> {
        let document: Self = serde_json::from_str(json)?;
        if document.version != VERSION {
            return Err(DocumentError::Version { found: document.version });
        }
        document.check().map_err(DocumentError::Broken)?;
        Ok(document)
    }

    /// The model that rows are of.
    #[must_use]
    pub fn root(&self) -> Option<&Model> {
        self.models.first()
    }

    fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|m| m.name == name)
    }

    fn set(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|s| s.name == name)
    }

    fn check(&self) -> Result<(), String> {
        if self.models.is_empty() {
            return Err("it has no model".to_owned());
        }
        for model in &self.models {
            let at = |field: &Field| format!("`{}.{}`", model.name, field.name);
            for field in &model.fields {
                match &field.role {
                    Role::Children { model: child, .. } if self.model(child).is_none() => {
                        return Err(format!(
                            "{} names the model `{child}`, which is not in it",
                            at(field)
                        ));
                    }
                    Role::Children { made: Some(made), .. }
                        if model.fields.iter().all(|f| f.name != made.from) =>
                    {
                        return Err(format!(
                            "{} is made from `{}`, which is no field",
                            at(field),
                            made.from
                        ));
                    }
                    Role::Embedding { class: None, .. } if !model.convention.is_own() => {
                        return Err(format!("{} has no `class` for its descriptors", at(field)));
                    }
                    Role::Children { relation: RelationDocument::Part, model: child, .. }
                        if model.kind == ObjectKind::Frame
                            && self.model(child).is_some_and(Model::embeds_its_region) =>
                    {
                        return Err(format!(
                            "{}: the regions of a frame have no picture that `{child}` could be embedded from",
                            at(field)
                        ));
                    }
                    Role::Embedding { set, .. } if self.set(set).is_none() => {
                        return Err(format!(
                            "{} names the set `{set}`, which is not in it",
                            at(field)
                        ));
                    }
                    Role::Embedding { from, label, face, .. } => {
                        let is_picture = |name: &String| {
                            let mut fields = model.fields.iter().filter(|f| f.name == *name);
                            fields.any(|f| {
                                matches!(f.role, Role::Media { kind: ObjectKind::Image, .. })
                            })
                        };
                        if face.is_some() && !from.as_ref().is_some_and(is_picture) {
                            return Err(format!(
                                "{} is made from a face, and `from` names no picture",
                                at(field)
                            ));
                        }
                        let is_field = |name: &String| model.fields.iter().any(|f| f.name == *name);
                        if let Some(from) = from.as_ref().filter(|f| !is_field(f)) {
                            return Err(format!(
                                "{} is made from `{from}`, which is no field",
                                at(field)
                            ));
                        }
                        if let Some(label) = label.as_ref().filter(|l| !is_field(l)) {
                            return Err(format!(
                                "{} is labelled by `{label}`, which is no field",
                                at(field)
                            ));
                        }
                    }
                    _ => {}
                }
            }
            model.check_kind()?;
        }
        Ok(())
    }
}

/// What rows are filled up with, if it is the same for each: a new id is not, and a date may be
/// today's. Rows must bring such a field when they are read by the document.
fn constant(default: fn() -> Option<Value>) -> Option<Json> {
    let value = default()?;
    let is_constant = !matches!(value, Value::Date(_)) && default().as_ref() == Some(&value);
    is_constant.then(|| value.to_json())
}

impl Model {
    fn of(schema: &ModelSchema) -> Self {
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

    /// As [`ModelSchema::embeds_its_region`].
    fn embeds_its_region(&self) -> bool {
        self.fields.iter().any(|field| match &field.role {
            Role::Embedding { from: Some(from), .. } => {
                let mut sources = self.fields.iter().filter(|f| f.name == *from);
                sources.any(|f| matches!(f.role, Role::Geometry { .. }))
            }
            _ => false,
        })
    }

    /// What the macro asks of a model of this kind, as far as graphs rely on it.
    fn check_kind(&self) -> Result<(), String> {
        let vectors = self.fields.iter().filter(|f| matches!(f.role, Role::Embedding { .. }));
        if self.kind == ObjectKind::Descriptor && vectors.count() != 1 {
            return Err(format!("`{}` is a descriptor, and must have one embedding", self.name));
        }
        if self.content_id && self.own_media().is_none() {
            return Err(format!("`{}` has no blob of its own to be identified by", self.name));
        }
        Ok(())
    }

    /// The field that is the object's own blob.
    fn own_media(&self) -> Option<&Field> {
        self.fields.iter().find(|f| matches!(f.role, Role::Media { kind, .. } if kind == self.kind))
    }
}

impl Field {
    fn of(schema: &FieldSchema) -> Self {
        Self {
            name: match schema.inside {
                Some(inside) => format!("{}.{}", inside.field, schema.name),
                None => schema.name.to_owned(),
            },
            key: schema.key.to_owned(),
            within: schema.inside.and_then(|inside| inside.key).map(str::to_owned),
            property: schema.property.to_owned(),
            doc: schema.doc.to_owned(),
            was: schema.was.iter().map(|name| (*name).to_owned()).collect(),
            role: Role::of(&schema.role),
            default: schema.default.and_then(constant),
        }
    }

    /// Whether a source may leave it out.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        if self.default.is_some() {
            return true;
        }
        match &self.role {
            Role::Id { .. } | Role::Geometry { .. } => false,
            Role::Property { optional, .. }
            | Role::Media { optional, .. }
            | Role::Label { optional } => *optional,
            Role::Embedding { .. } => true,
            Role::Children { optional, .. } => *optional,
        }
    }
}

impl Role {
    fn of(role: &FieldRole) -> Self {
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
