//! Schemas: what a model looks like, without a value of it.

use serde::Serialize;

use crate::{SetSpec, ValueType};

/// What an object is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum ObjectKind {
    /// A node with a class and properties.
    Entity,
    /// A picture (a blob) with properties.
    Image,
    /// A vector in a descriptor set.
    Descriptor,
}

impl ObjectKind {
    /// The name in commands: `Add…`, `Find…`.
    #[must_use]
    pub const fn command_suffix(self) -> &'static str {
        match self {
            ObjectKind::Entity => "Entity",
            ObjectKind::Image => "Image",
            ObjectKind::Descriptor => "Descriptor",
        }
    }

    /// The class under which indexes on this kind are made; entities have their own.
    #[must_use]
    pub const fn system_class(self) -> Option<&'static str> {
        match self {
            ObjectKind::Entity => None,
            ObjectKind::Image => Some("_Image"),
            ObjectKind::Descriptor => Some("_Descriptor"),
        }
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
    /// The struct's doc comment.
    pub doc: &'static str,
    /// Its fields, in order; skipped ones are not among them.
    pub fields: &'static [FieldSchema],
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
    /// What it is.
    pub role: FieldRole,
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
    /// The image itself (image models), or an image of its own joined to the object (entities).
    Image {
        /// Whether it may be absent.
        optional: bool,
    },
    /// A vector in a descriptor set.
    Embedding {
        /// The set.
        set: SetSpec,
        /// The Rust name of the field that it is made from.
        from: Option<&'static str>,
    },
    /// One or more connected objects.
    Children {
        /// The connection's class.
        connection: &'static str,
        /// Whether there can be more than one.
        many: bool,
        /// Their model.
        model: fn() -> &'static ModelSchema,
    },
}

impl FieldRole {
    /// The role of a field that bears no role attribute: its type decides.
    #[must_use]
    pub const fn of(kind: FieldKind, indexed: bool) -> Self {
        match kind {
            FieldKind::Property { value_type, optional } => {
                FieldRole::Property { value_type, optional, indexed }
            }
            FieldKind::Image { optional } => FieldRole::Image { optional },
        }
    }
}

/// What a field's type says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// Stored as a property.
    Property {
        /// Its type.
        value_type: ValueType,
        /// Whether it may be absent.
        optional: bool,
    },
    /// Stored as an image.
    Image {
        /// Whether it may be absent.
        optional: bool,
    },
}

impl FieldKind {
    /// How many are pictures: those that are always there, those that may be absent.
    #[must_use]
    pub const fn pictures(kinds: &[FieldKind]) -> (usize, usize) {
        let (mut required, mut optional) = (0, 0);
        // Iterators can't be used in constants yet.
        let mut i = 0;
        while i < kinds.len() {
            match kinds[i] {
                FieldKind::Image { optional: false } => required += 1,
                FieldKind::Image { optional: true } => optional += 1,
                FieldKind::Property { .. } => {}
            }
            i += 1;
        }
        (required, optional)
    }
}

impl ModelSchema {
    /// The identifying field. The macro refuses models without one.
    #[must_use]
    pub fn id(&self) -> Option<&FieldSchema> {
        self.fields.iter().find(|f| matches!(f.role, FieldRole::Id(_)))
    }

    /// This model and all that can be reached from it, each once, this one first.
    #[must_use]
    pub fn reachable(&'static self) -> Vec<&'static ModelSchema> {
        let mut found: Vec<&'static ModelSchema> = vec![self];
        let mut next = 0;
        while next < found.len() {
            for field in found[next].fields {
                if let FieldRole::Children { model, .. } = field.role {
                    let child = model();
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

    fn is(&self, other: &ModelSchema) -> bool {
        std::ptr::eq(self, other)
            || (self.class == other.class && self.kind == other.kind && self.name == other.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClipVitB16, ClipVitL14, Engine, Metric};

    const LOOKS: SetSpec = SetSpec::new::<ClipVitB16>("looks", Metric::Cosine, Engine::Flat);
    const OTHER: SetSpec = SetSpec::new::<ClipVitL14>("looks", Metric::Cosine, Engine::Flat);

    const fn field(name: &'static str, role: FieldRole) -> FieldSchema {
        FieldSchema { name, key: name, property: name, doc: "", role }
    }

    const fn child(model: fn() -> &'static ModelSchema) -> FieldRole {
        FieldRole::Children { connection: "Has", many: false, model }
    }

    static DISH: ModelSchema = ModelSchema {
        name: "Dish",
        class: "Dish",
        kind: ObjectKind::Image,
        doc: "",
        fields: &[
            field("id", FieldRole::Id(ValueType::Int)),
            field("look", FieldRole::Embedding { set: LOOKS, from: None }),
            field("smell", FieldRole::Embedding { set: LOOKS, from: None }),
            field("part", child(|| &PART)),
        ],
    };
    static PART: ModelSchema = ModelSchema {
        name: "Part",
        class: "Part",
        kind: ObjectKind::Entity,
        doc: "",
        fields: &[
            field("look", FieldRole::Embedding { set: OTHER, from: None }),
            field("part", child(|| &PART)),
            field("dish", child(|| &DISH)),
        ],
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
        assert_eq!(DISH.id().unwrap().name, "id");
        assert!(PART.id().is_none());
    }

    #[test]
    fn pictures_are_counted_by_whether_they_may_be_absent() {
        const TEXT: FieldKind =
            FieldKind::Property { value_type: ValueType::String, optional: true };
        const ALWAYS: FieldKind = FieldKind::Image { optional: false };
        const PERHAPS: FieldKind = FieldKind::Image { optional: true };
        assert_eq!(FieldKind::pictures(&[TEXT]), (0, 0));
        assert_eq!(FieldKind::pictures(&[ALWAYS, TEXT, PERHAPS, ALWAYS]), (2, 1));
    }
}
