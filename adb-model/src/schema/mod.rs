//! Schemas: what a model looks like, without a value of it.

mod field_kind;
mod object_kind;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize};

use crate::{AnyMaker, NoFace, SetSpec, Value, ValueType, graph::Relation};

pub use field_kind::{FieldKind, KindFault};
pub use object_kind::ObjectKind;

/// How classes, connections and properties are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Convention {
    /// adb's own way: a connection is called as its field says.
    #[default]
    Adb,
    /// As the Python SDK's data models do (`aperturedb`, 0.4.58 and 0.5.3), so that a database that
    /// was filled by them can be read and continued: the identity is the property `id`; a
    /// connection has the class of the child, and its property `source_field` names the field, and
    /// the place in a list; a descriptor is a child as any other; where a picture came from is no
    /// property. Beside that, connections get an `edge_id`.
    PythonSdk,
}

impl Convention {
    /// Whether it is adb's own.
    #[must_use]
    pub fn is_own(&self) -> bool {
        *self == Convention::Adb
    }
}

/// A data model: what `#[derive(DataModel)]` knows of a struct.
///
/// Children are functions, not references, so that models can refer to each other in cycles.
#[derive(Debug, Clone, Copy)]
pub struct ModelSchema {
    /// The struct's name.
    pub name: &'static str,
    /// Entity class, or the `user_type` of other kinds.
    pub class: &'static str,
    /// What its objects are.
    pub kind: ObjectKind,
    /// How it names things.
    pub convention: Convention,
    /// The struct's doc comment.
    pub doc: &'static str,
    /// Its fields, in order; skipped ones are not among them, those of flattened structs are.
    pub fields: &'static [FieldSchema],
    /// Whether its objects bear no `user_type`, and none is asked for. Entities always have a
    /// class.
    pub untyped: bool,
    /// Whether an object is identified by the hash of its blob.
    pub content_id: bool,
}

/// One field of a model.
#[derive(Debug, Clone, Copy)]
pub struct FieldSchema {
    /// The field's name in Rust.
    pub name: &'static str,
    /// Its key in a source: serde's name.
    pub key: &'static str,
    /// Its property's name in the database.
    pub property: &'static str,
    /// The field's doc comment.
    pub doc: &'static str,
    /// Names that its property had before: [`migrate`](crate::migrate()) renames it.
    pub was: &'static [&'static str],
    /// What it is.
    pub role: FieldRole,
    /// What serde puts there when a row lacks it, as far as that is one value.
    pub default: Option<fn() -> Option<Value>>,
    /// The field that holds it, if it is one of a flattened struct.
    pub inside: Option<Inside>,
}

/// Where a field of a flattened struct stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// The Rust name of the model's field that holds the struct.
    pub field: &'static str,
    /// The key under which a source has the struct; nothing if its keys lie among the model's, as
    /// serde's `flatten` has them.
    pub key: Option<&'static str>,
    /// Whether the struct may be absent as a whole: the field is an `Option` of it.
    pub optional: bool,
}

/// What a field is to its object.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum FieldRole {
    /// The property that identifies the object.
    Id(ValueType),
    /// A property.
    Property {
        /// Its type.
        value_type: ValueType,
        /// Whether it may be absent.
        optional: bool,
        /// Whether the database keeps an index on it.
        indexed: bool,
    },
    /// The object's own blob (models of that kind), or an object of its own joined to it.
    Media {
        /// Image, video or blob.
        kind: ObjectKind,
        /// Whether it may be absent.
        optional: bool,
    },
    /// Where the object lies in its container; comes back as this system property.
    Geometry(&'static str),
    /// The object's label.
    Label {
        /// Whether it may be absent.
        optional: bool,
    },
    /// A vector in a descriptor set.
    Embedding {
        /// The set.
        set: SetSpec,
        /// The Rust name of the field that it is made from.
        from: Option<&'static str>,
        /// The Rust name of the field that labels it.
        label: Option<&'static str>,
        /// Whether an object may be without one.
        optional: bool,
        /// The class of the descriptors, where it is not that of model and field (`Dish.look`).
        class: Option<&'static str>,
        /// Whether it is made from the largest face of the picture, and what is to be done if there
        /// is none.
        face: Option<NoFace>,
    },
    /// One or more connected objects.
    Children {
        /// How they are joined to the object.
        relation: Relation,
        /// Properties of the connections.
        edge: &'static [FieldSchema],
        /// Whether there can be more than one.
        many: bool,
        /// Whether a row may leave them out.
        optional: bool,
        /// Their model.
        model: SchemaRef,
        /// Who makes them, if the row does not bring them.
        made: Option<MadeBy>,
    },
}

/// A child's schema, which may refer back to its parent's: it is looked up when it is asked for.
#[derive(Clone, Copy)]
pub enum SchemaRef {
    /// Of a struct.
    Declared(fn() -> &'static ModelSchema),
    /// Of a document.
    Loaded(&'static OnceLock<ModelSchema>),
}

impl SchemaRef {
    /// The schema.
    ///
    /// # Panics
    /// When a document's schemas are looked at before all of them are there: only
    /// [`Document::load`](crate::document::Document::load) holds such.
    #[must_use]
    pub fn get(self) -> &'static ModelSchema {
        match self {
            SchemaRef::Declared(schema) => schema(),
            #[expect(clippy::expect_used, reason = "stated above")]
            SchemaRef::Loaded(schema) => schema.get().expect("all schemas of a document are made"),
        }
    }
}

/// Its name alone: models can refer to each other in cycles.
impl fmt::Debug for SchemaRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SchemaRef").field(&self.get().name).finish()
    }
}

/// Who makes children that the row does not bring.
#[derive(Debug, Clone, Copy)]
pub struct MadeBy {
    /// The maker's name.
    pub maker: &'static str,
    /// The Rust name of the field that they are made from.
    pub from: &'static str,
    /// Whether an empty list in a row stands; otherwise it is one to be filled.
    pub empty_stands: bool,
    /// The maker itself, if it needs nothing to be made.
    pub by_default: fn() -> Option<Arc<dyn AnyMaker>>,
}

impl FieldRole {
    /// The role of a field that bears no role attribute: its type decides.
    #[must_use]
    pub const fn of(kind: FieldKind, indexed: bool) -> Self {
        match kind {
            FieldKind::Property { value_type, optional } => {
                FieldRole::Property { value_type, optional, indexed }
            }
            FieldKind::Media { kind, optional } => FieldRole::Media { kind, optional },
            FieldKind::Geometry { property, .. } => FieldRole::Geometry(property),
        }
    }

    /// Whether the database keeps an index on the property.
    #[must_use]
    pub const fn is_indexed(&self) -> bool {
        matches!(self, FieldRole::Id(_) | FieldRole::Property { indexed: true, .. })
    }
}

impl FieldSchema {
    /// Whether an object may be without its property: since the field may be absent, or the
    /// flattened struct that it is of.
    #[must_use]
    pub const fn may_be_absent(&self) -> bool {
        let of_optional = matches!(self.inside, Some(Inside { optional: true, .. }));
        of_optional
            || matches!(
                self.role,
                FieldRole::Property { optional: true, .. }
                    | FieldRole::Media { optional: true, .. }
                    | FieldRole::Label { optional: true }
            )
    }

    /// A field that has one name everywhere.
    #[must_use]
    pub const fn named(name: &'static str, role: FieldRole) -> Self {
        Self {
            name,
            key: name,
            property: name,
            doc: "",
            was: &[],
            role,
            default: None,
            inside: None,
        }
    }
}

impl ModelSchema {
    /// An entity without a name or a field: what is left unsaid in a schema that is written by
    /// hand.
    pub const BARE: Self = Self {
        name: "",
        class: "",
        kind: ObjectKind::Entity,
        convention: Convention::Adb,
        doc: "",
        fields: &[],
        untyped: false,
        content_id: false,
    };

    /// Whether its objects bear their class as `user_type`.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        !self.untyped && !matches!(self.kind, ObjectKind::Entity)
    }

    /// For models of descriptors: the field that is the object's vector, and its set.
    #[must_use]
    pub fn own_vector(&self) -> Option<(&'static FieldSchema, SetSpec)> {
        let is_descriptor = self.kind == ObjectKind::Descriptor;
        self.fields.iter().filter(|_| is_descriptor).find_map(|field| match field.role {
            FieldRole::Embedding { set, .. } => Some((field, set)),
            _ => None,
        })
    }

    /// The fields that identify an object, together; none where its row does.
    pub fn ids(&self) -> impl Iterator<Item = &'static FieldSchema> {
        self.fields.iter().filter(|f| matches!(f.role, FieldRole::Id(_)))
    }

    /// This model and all that can be reached from it, each once, this one first.
    #[must_use]
    pub fn reachable(&'static self) -> Vec<&'static ModelSchema> {
        let mut found: Vec<&'static ModelSchema> = vec![self];
        let mut next = 0;
        while next < found.len() {
            for field in found[next].fields {
                if let FieldRole::Children { model, .. } = field.role {
                    let child = model.get();
                    if !found.iter().any(|m| m.is(child)) {
                        found.push(child);
                    }
                }
            }
            next += 1;
        }
        found
    }

    /// The descriptor sets that this model and its children fill, each declaration once.
    #[must_use]
    pub fn sets(&'static self) -> Vec<SetSpec> {
        let mut sets = Vec::new();
        for model in self.reachable() {
            for field in model.fields {
                if let FieldRole::Embedding { set, .. } = field.role
                    && !sets.contains(&set)
                {
                    sets.push(set);
                }
            }
        }
        sets
    }

    /// Whether vectors of these objects are made from their own part of the picture that they lie
    /// in: that picture must be at hand.
    #[must_use]
    pub const fn embeds_its_region(&self) -> bool {
        // Iterators can't be used in constants yet.
        let mut i = 0;
        while i < self.fields.len() {
            if let FieldRole::Embedding { from: Some(from), .. } = self.fields[i].role {
                let mut k = 0;
                while k < self.fields.len() {
                    let is_geometry = matches!(self.fields[k].role, FieldRole::Geometry(_));
                    if is_geometry && same(self.fields[k].name, from) {
                        return true;
                    }
                    k += 1;
                }
            }
            i += 1;
        }
        false
    }

    fn is(&self, other: &ModelSchema) -> bool {
        std::ptr::eq(self, other)
            || (self.class == other.class && self.kind == other.kind && self.name == other.name)
    }
}

/// Whether two texts are equal, for constants.
pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClipVitB16, ClipVitL14, Engine, Metric};

    const LOOKS: SetSpec = SetSpec::new::<ClipVitB16>("looks", Metric::Cosine, Engine::Flat);
    const OTHER: SetSpec = SetSpec::new::<ClipVitL14>("looks", Metric::Cosine, Engine::Flat);

    const fn child(model: fn() -> &'static ModelSchema) -> FieldRole {
        FieldRole::Children {
            relation: Relation::Connection("Has"),
            edge: &[],
            many: false,
            optional: false,
            model: SchemaRef::Declared(model),
            made: None,
        }
    }

    const fn vector(set: SetSpec) -> FieldRole {
        FieldRole::Embedding {
            set,
            from: None,
            label: None,
            optional: false,
            class: None,
            face: None,
        }
    }

    static DISH: ModelSchema = ModelSchema {
        name: "Dish",
        class: "Dish",
        kind: ObjectKind::Image,
        fields: &[
            FieldSchema::named("id", FieldRole::Id(ValueType::Int)),
            FieldSchema::named("look", vector(LOOKS)),
            FieldSchema::named("smell", vector(LOOKS)),
            FieldSchema::named("part", child(|| &PART)),
        ],
        ..ModelSchema::BARE
    };
    static PART: ModelSchema = ModelSchema {
        name: "Part",
        class: "Part",
        fields: &[
            FieldSchema::named("look", vector(OTHER)),
            FieldSchema::named("part", child(|| &PART)),
            FieldSchema::named("dish", child(|| &DISH)),
        ],
        ..ModelSchema::BARE
    };

    #[test]
    fn cycles_are_walked_once() {
        let names: Vec<_> = PART.reachable().iter().map(|m| m.name).collect();
        assert_eq!(names, ["Part", "Dish"]);
    }

    #[test]
    fn one_declaration_is_one_set_and_two_that_differ_are_two() {
        assert_eq!(DISH.sets(), [LOOKS, OTHER]);
    }

    #[test]
    fn the_id_is_found() {
        assert_eq!(DISH.ids().map(|f| f.name).collect::<Vec<_>>(), ["id"]);
        assert_eq!(PART.ids().count(), 0);
    }
}
