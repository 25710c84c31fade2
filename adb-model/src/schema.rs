//! Schemas: what a model looks like, without a value of it.

use serde::Serialize;

use crate::{SetSpec, ValueType, graph::Relation};

/// What an object is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum ObjectKind {
    /// A node with a class and properties.
    Entity,
    /// A picture (a blob) with properties.
    Image,
    /// A film (a blob) with properties.
    Video,
    /// A file that the database does not look into, with properties.
    Blob,
    /// A stretch of a video.
    Clip,
    /// A moment of a video.
    Frame,
    /// A rectangle in an image or frame.
    BoundingBox,
    /// A polygon in an image or frame.
    Polygon,
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
            ObjectKind::Video => "Video",
            ObjectKind::Blob => "Blob",
            ObjectKind::Clip => "Clip",
            ObjectKind::Frame => "Frame",
            ObjectKind::BoundingBox => "BoundingBox",
            ObjectKind::Polygon => "Polygon",
            ObjectKind::Descriptor => "Descriptor",
        }
    }

    /// The class under which indexes on this kind are made; entities have their own.
    #[must_use]
    pub const fn system_class(self) -> Option<&'static str> {
        match self {
            ObjectKind::Entity => None,
            ObjectKind::Image => Some("_Image"),
            ObjectKind::Video => Some("_Video"),
            ObjectKind::Blob => Some("_Blob"),
            ObjectKind::Clip => Some("_Clip"),
            ObjectKind::Frame => Some("_Frame"),
            ObjectKind::BoundingBox => Some("_BoundingBox"),
            ObjectKind::Polygon => Some("_Polygon"),
            ObjectKind::Descriptor => Some("_Descriptor"),
        }
    }

    /// What an object of this kind is a part of: the parameter that names it, and what it is
    /// called.
    #[must_use]
    pub const fn container(self) -> Option<(&'static str, &'static str)> {
        match self {
            ObjectKind::BoundingBox | ObjectKind::Polygon => {
                Some(("image_ref", "an image or a frame"))
            }
            ObjectKind::Clip | ObjectKind::Frame => Some(("video_ref", "a video")),
            _ => None,
        }
    }

    /// Whether it has a blob of its own that travels with its Add command.
    #[must_use]
    pub const fn has_media(self) -> bool {
        matches!(self, ObjectKind::Image | ObjectKind::Video | ObjectKind::Blob)
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
    },
    /// One or more connected objects.
    Children {
        /// How they are joined to the object.
        relation: Relation,
        /// Properties of the connections.
        edge: &'static [FieldSchema],
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
            FieldKind::Media { kind, optional } => FieldRole::Media { kind, optional },
            FieldKind::Geometry { property, .. } => FieldRole::Geometry(property),
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
    /// Stored as a blob.
    Media {
        /// Image, video or blob.
        kind: ObjectKind,
        /// Whether it may be absent.
        optional: bool,
    },
    /// Where the object lies in what it is a part of.
    Geometry {
        /// The kind of object whose geometry it is.
        of: ObjectKind,
        /// The system property as which it comes back.
        property: &'static str,
    },
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
