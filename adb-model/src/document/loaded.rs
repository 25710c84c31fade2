//! A document made ready to use: it takes the place of a struct.

use std::sync::OnceLock;

use super::{Document, DocumentError, Field, Model, RelationDocument, Role, Set, row::spec};
use crate::{FieldRole, FieldSchema, Inside, MadeBy, ModelSchema, Relation, SchemaRef};

/// A document that rows are read by.
///
/// It lives as long as the program: what a graph says of classes and properties is borrowed from
/// it. A program loads few of them.
#[derive(Debug, Clone, Copy)]
pub struct LoadedModel(&'static Loaded);

#[derive(Debug)]
struct Loaded {
    document: Document,
    /// In the order of the document's models.
    schemas: Vec<OnceLock<ModelSchema>>,
}

impl Document {
    /// Makes a document ready to read rows by; its memory is not given back.
    ///
    /// # Errors
    /// When it names something that is not in it.
    pub fn load(self) -> Result<LoadedModel, DocumentError> {
        self.check().map_err(DocumentError::Broken)?;
        let schemas = self.models.iter().map(|_| OnceLock::new()).collect();
        let loaded: &'static Loaded = Box::leak(Box::new(Loaded { document: self, schemas }));
        for (model, place) in loaded.document.models.iter().zip(&loaded.schemas) {
            // Each place is filled once: here.
            let _ = place.set(loaded.schema(model));
        }
        Ok(LoadedModel(loaded))
    }
}

impl LoadedModel {
    /// The document.
    #[must_use]
    pub fn document(self) -> &'static Document {
        &self.0.document
    }

    /// What the macro would know of the struct. (What a row is filled up with that lacks a field
    /// stands in the document alone.)
    #[must_use]
    pub fn schema(self) -> &'static ModelSchema {
        // `load` has refused documents without a model.
        SchemaRef::Loaded(&self.0.schemas[0]).get()
    }
}

#[expect(clippy::expect_used, reason = "`load` has refused documents that lack what they name")]
impl Loaded {
    fn set(&'static self, name: &str) -> &'static Set {
        self.document.set(name).expect("the set is there")
    }

    fn place_of(&self, model: &str) -> usize {
        self.document.models.iter().position(|m| m.name == model).expect("the model is there")
    }

    fn schema(&'static self, model: &'static Model) -> ModelSchema {
        let fields: Vec<FieldSchema> = model.fields.iter().map(|f| self.field(f)).collect();
        ModelSchema {
            name: &model.name,
            class: &model.class,
            kind: model.kind,
            convention: model.convention,
            doc: &model.doc,
            fields: fields.leak(),
            untyped: model.untyped,
            content_id: model.content_id,
        }
    }

    fn field(&'static self, field: &'static Field) -> FieldSchema {
        // As `Field::of` spells fields of flattened structs.
        let (outer, name) = match field.name.split_once('.') {
            Some((outer, name)) => (Some(outer), name),
            None => (None, field.name.as_str()),
        };
        FieldSchema {
            name,
            key: &field.key,
            property: &field.property,
            doc: &field.doc,
            was: field.was.iter().map(String::as_str).collect::<Vec<_>>().leak(),
            role: self.role(&field.role),
            default: None,
            inside: outer.map(|outer| Inside {
                field: outer,
                key: field.within.as_deref(),
                optional: field.of_optional,
            }),
        }
    }

    fn role(&'static self, role: &'static Role) -> FieldRole {
        match role {
            Role::Id { r#type } => FieldRole::Id(*r#type),
            Role::Property { r#type, optional, indexed } => {
                FieldRole::Property { value_type: *r#type, optional: *optional, indexed: *indexed }
            }
            Role::Media { kind, optional } => FieldRole::Media { kind: *kind, optional: *optional },
            Role::Geometry { system } => FieldRole::Geometry(system),
            Role::Label { optional } => FieldRole::Label { optional: *optional },
            Role::Embedding { set, from, label, optional, class, face } => FieldRole::Embedding {
                set: spec(self.set(set)),
                from: from.as_deref(),
                label: label.as_deref(),
                optional: *optional,
                class: class.as_deref(),
                face: *face,
            },
            Role::Children { relation, edge, many, optional, model, made } => {
                let edge: Vec<FieldSchema> = edge.iter().map(|f| self.field(f)).collect();
                FieldRole::Children {
                    relation: relation.as_relation(*many),
                    edge: edge.leak(),
                    many: *many,
                    optional: *optional,
                    model: SchemaRef::Loaded(&self.schemas[self.place_of(model)]),
                    made: made.as_ref().map(|made| MadeBy {
                        maker: &made.by,
                        from: &made.from,
                        empty_stands: made.empty_stands,
                        by_default: || None,
                    }),
                }
            }
        }
    }
}

impl RelationDocument {
    /// The same for graphs.
    pub(super) fn as_relation(&'static self, many: bool) -> Relation {
        match self {
            RelationDocument::Connection(class) => Relation::Connection(class),
            RelationDocument::Reversed(class) => Relation::Reversed(class),
            RelationDocument::Part => Relation::Part,
            RelationDocument::ByField(field) => Relation::ByField { field, many },
        }
    }
}
