//! Models as data: a document that says all that a struct says, to be written, read and used
//! without compiling.

mod json_schema;
mod mermaid;
mod row;

pub use row::LoadedModel;

use serde::{Deserialize, Serialize};

use crate::{Engine, FieldRole, FieldSchema, Metric, ModelSchema, ObjectKind, Relation, ValueType};

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
    /// What it is.
    #[serde(flatten)]
    pub role: Role,
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
        /// The name of their model.
        model: String,
    },
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
                    Role::Embedding { set, .. } if self.set(set).is_none() => {
                        return Err(format!(
                            "{} names the set `{set}`, which is not in it",
                            at(field)
                        ));
                    }
                    Role::Embedding { from, label, .. } => {
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

impl Model {
    fn of(schema: &ModelSchema) -> Self {
        Self {
            name: schema.name.to_owned(),
            class: schema.class.to_owned(),
            kind: schema.kind,
            doc: schema.doc.to_owned(),
            fields: schema.fields.iter().map(Field::of).collect(),
            untyped: schema.untyped,
            content_id: schema.content_id,
        }
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
            role: Role::of(&schema.role),
        }
    }

    /// Whether a source may leave it out.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        match &self.role {
            Role::Id { .. } | Role::Geometry { .. } => false,
            Role::Property { optional, .. }
            | Role::Media { optional, .. }
            | Role::Label { optional } => *optional,
            Role::Embedding { .. } => true,
            Role::Children { many, .. } => *many,
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
            FieldRole::Embedding { set, from, label, optional } => Role::Embedding {
                set: set.name.to_owned(),
                from: from.map(str::to_owned),
                label: label.map(str::to_owned),
                optional,
            },
            FieldRole::Children { relation, edge, many, model } => Role::Children {
                relation: match relation {
                    Relation::Connection(class) => RelationDocument::Connection(class.to_owned()),
                    Relation::Reversed(class) => RelationDocument::Reversed(class.to_owned()),
                    Relation::Part => RelationDocument::Part,
                },
                edge: edge.iter().map(Field::of).collect(),
                many,
                model: model().name.to_owned(),
            },
        }
    }
}
