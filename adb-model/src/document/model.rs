//! Models as a document has them: what [`ModelSchema`](crate::ModelSchema) says, as data.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Convention, Engine, Metric, NoFace, ObjectKind, ValueType};

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
    /// Whether the flattened struct that it is of may be absent as a whole.
    #[serde(default, skip_serializing_if = "is_false")]
    pub of_optional: bool,
    /// What it is.
    #[serde(flatten)]
    pub role: Role,
    /// What is there when a row lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
}

/// What a field is: [`FieldRole`](crate::FieldRole) as data.
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

/// [`MadeBy`](crate::MadeBy) as data.
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

/// [`Relation`](crate::Relation) as data.
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

impl Model {
    /// The field that is the object's own blob.
    pub(super) fn own_media(&self) -> Option<&Field> {
        self.fields.iter().find(|f| matches!(f.role, Role::Media { kind, .. } if kind == self.kind))
    }
}

impl Field {
    /// Whether a source may leave it out.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.of_optional || self.is_optional_in_struct()
    }

    /// The same, where the flattened struct is there that it is of.
    pub(super) fn is_optional_in_struct(&self) -> bool {
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
