//! Models as data: a document that says all that a struct says, to be written, read and used
//! without compiling.

mod check;
mod json_schema;
mod keys;
mod loaded;
mod mermaid;
mod model;
mod of_schema;
mod record;
mod row;
mod unknown;

pub use loaded::LoadedModel;
pub use model::{Field, Made, Model, RelationDocument, Role, Set};
pub use record::StoredMedia;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::ModelSchema;

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

/// Why a document can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is no such document.
    #[error("this is no model document: {0}")]
    Form(#[from] serde_json::Error),
    /// It, or something in it, is no object.
    #[error(
        "this is no model document: {place} is {found}, and an object is wanted, as `adb model new` and `Document::of` write it"
    )]
    NoObject {
        /// What of it.
        place: String,
        /// What was found.
        found: &'static str,
    },
    /// It has a key that means nothing.
    #[error(
        "the model document can't be used: {place} has the key `{key}`, which nobody knows: {help}"
    )]
    UnknownKey {
        /// Model and field, or what else has it.
        place: String,
        /// The key.
        key: String,
        /// What may have been meant.
        help: String,
    },
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
        let raw: Json = serde_json::from_str(json)?;
        let version = raw.get("version").and_then(Json::as_u64);
        if let Some(found) = version.and_then(|v| u32::try_from(v).ok()).filter(|v| *v != VERSION) {
            return Err(DocumentError::Version { found });
        }
        keys::check(&raw)?;
        // From the text once more, so that an error says the line.
        let document: Self = serde_json::from_str(json)?;
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
}
