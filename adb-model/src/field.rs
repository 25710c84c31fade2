//! How a field of a struct becomes part of a graph: traits, so that no type is known by its name.

use std::{borrow::Cow, sync::Arc};

use crate::{
    Blob, DescriptorSet, EmbedInput, Embedding, Image, ModelSchema, ObjectKind, Property, Record,
    Video,
    error::{ModelError, ModelErrorKind},
    graph::{GraphBuilder, NodeId, Relation},
    schema::FieldKind,
};

/// A field without a role attribute: a property or media, as its type says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored as a property",
    label = "not text, a number, a boolean, a date, JSON, an `Image`, or an `Option` of one",
    note = "a list or a struct can go into one property as JSON: `AsJson<{Self}>`",
    note = "an embedding needs `#[adb(embed(from = …, set = …))]`, a child model `#[adb(connect = \"…\")]`",
    note = "a field that the database need not see takes `#[adb(skip)]`",
    note = "a type of your own can implement `adb::Property`"
)]
pub trait Field: Sized {
    /// What the type is stored as.
    const KIND: FieldKind;

    /// Adds the field to its node.
    ///
    /// # Errors
    /// When the database can't hold the value.
    fn add(&self, graph: &mut GraphBuilder, node: NodeId, at: FieldPlace)
    -> Result<(), ModelError>;

    /// Whether a stored object has nothing for this field.
    fn is_absent(record: &Record, at: FieldPlace) -> bool;

    /// Reads the field back.
    ///
    /// # Errors
    /// When the object lacks it, or has it with another type.
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError>;
}

/// Where a field stands: for names in the database and in errors.
#[derive(Debug, Clone, Copy)]
pub struct FieldPlace {
    /// The struct's name.
    pub model: &'static str,
    /// The field's name in Rust.
    pub field: &'static str,
    /// The property's name.
    pub property: &'static str,
}

impl FieldPlace {
    /// An error at this place.
    #[must_use]
    pub fn error(self, kind: ModelErrorKind) -> ModelError {
        ModelError::new(Cow::Owned(format!("{}.{}", self.model, self.field)), kind)
    }
}

impl<T: Property> Field for T {
    const KIND: FieldKind = FieldKind::Property { value_type: T::TYPE, optional: false };
    fn add(
        &self,
        graph: &mut GraphBuilder,
        node: NodeId,
        at: FieldPlace,
    ) -> Result<(), ModelError> {
        let value = self.to_value().map_err(|e| at.error(e.into()))?;
        graph.property(node, at.property, value);
        Ok(())
    }
    fn is_absent(record: &Record, at: FieldPlace) -> bool {
        record.lacks(at.property)
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        match record.get(at.property) {
            Ok(Some(value)) => T::from_value(value).map_err(|e| at.error(e.into())),
            Ok(None) => Err(at.error(ModelErrorKind::Absent { property: at.property })),
            Err(e) => Err(at.error(e.into())),
        }
    }
}

macro_rules! media_fields {
    ($($ty:ident),*) => {$(
        impl Field for $ty {
            const KIND: FieldKind = FieldKind::Media { kind: ObjectKind::$ty, optional: false };
            fn add(
                &self,
                graph: &mut GraphBuilder,
                node: NodeId,
                at: FieldPlace,
            ) -> Result<(), ModelError> {
                graph.media(node, ObjectKind::$ty, at.property, self.source());
                Ok(())
            }
            fn is_absent(record: &Record, at: FieldPlace) -> bool {
                record.media(ObjectKind::$ty, at.field, at.property).is_none()
            }
            fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
                record
                    .media(ObjectKind::$ty, at.field, at.property)
                    .map(Self::from)
                    .ok_or_else(|| at.error(ModelErrorKind::Absent { property: at.property }))
            }
        }
    )*};
}
media_fields!(Image, Video, Blob);

/// An absent value is left out.
impl<T: Field> Field for Option<T> {
    const KIND: FieldKind = match T::KIND {
        FieldKind::Property { value_type, .. } => {
            FieldKind::Property { value_type, optional: true }
        }
        FieldKind::Media { kind, .. } => FieldKind::Media { kind, optional: true },
        geometry @ FieldKind::Geometry { .. } => geometry,
    };
    fn add(
        &self,
        graph: &mut GraphBuilder,
        node: NodeId,
        at: FieldPlace,
    ) -> Result<(), ModelError> {
        self.as_ref().map_or(Ok(()), |value| value.add(graph, node, at))
    }
    fn is_absent(_: &Record, _: FieldPlace) -> bool {
        false // `None` is as good a value as any
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        if T::is_absent(record, at) { Ok(None) } else { T::read(record, at).map(Some) }
    }
}

/// A field with `#[adb(embed(…))]`: an [`Embedding`], or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't hold an embedding",
    label = "expected `Embedding<N>`",
    note = "declare the field as `Embedding<N>`, where N is the embedder's dimension"
)]
pub trait EmbeddingField: Sized {
    /// The vector's type, without `Option`.
    type Vector;
    /// The vector, when the caller gave one.
    fn vector(&self) -> Option<Arc<[f32]>>;
    /// Reads the vector back; "to be filled" when it was not fetched.
    ///
    /// # Errors
    /// When the stored vector has another length.
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError>;
}

impl<const N: usize> EmbeddingField for Embedding<N> {
    type Vector = Self;
    fn vector(&self) -> Option<Arc<[f32]>> {
        self.shared()
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        match record.vectors.get(at.field) {
            None => Ok(Self::default()),
            Some(vector) => Self::from_shared(vector.clone()).map_err(|e| at.error(e.into())),
        }
    }
}

impl<T: EmbeddingField> EmbeddingField for Option<T> {
    type Vector = T::Vector;
    fn vector(&self) -> Option<Arc<[f32]>> {
        self.as_ref().and_then(EmbeddingField::vector)
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        if record.vectors.contains_key(at.field) { T::read(record, at).map(Some) } else { Ok(None) }
    }
}

/// A field that a vector can be made from: `embed(from = …)` names one.
#[diagnostic::on_unimplemented(
    message = "nothing can be embedded from a `{Self}`",
    label = "an embedding is made from an `Image` or a `String`",
    note = "name another field in `from = …`, or leave `from` out and give the vectors yourself"
)]
pub trait EmbedSource {
    /// What an embedder must accept: [`Image`] or [`String`].
    type Modality: ?Sized;
    /// What to embed, when there is anything.
    fn input(&self) -> Option<EmbedInput>;
}

impl EmbedSource for Image {
    type Modality = Image;
    fn input(&self) -> Option<EmbedInput> {
        Some(EmbedInput::Image(self.source().clone()))
    }
}

/// The rectangle's part of the picture that contains it.
impl EmbedSource for crate::Rect {
    type Modality = Image;
    fn input(&self) -> Option<EmbedInput> {
        Some(EmbedInput::OwnRegion)
    }
}

impl EmbedSource for String {
    type Modality = String;
    fn input(&self) -> Option<EmbedInput> {
        Some(EmbedInput::Text(self.clone()))
    }
}

impl<T: EmbedSource> EmbedSource for Option<T> {
    type Modality = T::Modality;
    fn input(&self) -> Option<EmbedInput> {
        self.as_ref().and_then(EmbedSource::input)
    }
}

/// Adds a descriptor for an embedding field.
///
/// # Errors
/// When a given vector does not fit the set.
pub fn add_embedding<S: DescriptorSet>(
    graph: &mut GraphBuilder,
    owner: NodeId,
    at: FieldPlace,
    vector: &impl EmbeddingField,
    input: Option<EmbedInput>,
) -> Result<(), ModelError> {
    graph.descriptor(owner, at.property, S::SPEC, vector.vector(), input)
}

/// A struct with `#[derive(DataModel)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a data model",
    label = "not a data model",
    note = "add `#[derive(DataModel)]` to `{Self}`"
)]
pub trait DataModel: Sized {
    /// The model's properties and connections, for filters and sorting.
    type Columns;

    /// What the macro knows of the struct.
    const SCHEMA: &'static ModelSchema;

    /// Adds this value, and all that hangs on it, to a graph.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError>;

    /// The columns.
    fn columns() -> Self::Columns;

    /// Reads a stored object back.
    ///
    /// # Errors
    /// When it lacks something that the struct needs, or has it with another type.
    fn read(record: &Record) -> Result<Self, ModelError>;

    /// Begins a search for objects of this model.
    fn find() -> crate::query::Find<Self> {
        crate::query::Find::new()
    }

    /// The graph of this value alone.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn graph(&self) -> Result<crate::Graph, ModelError> {
        self.graph_in(GraphBuilder::new())
    }

    /// The graph of this value in a builder that knows more, such as
    /// [for a row](GraphBuilder::for_row).
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn graph_in(&self, mut builder: GraphBuilder) -> Result<crate::Graph, ModelError> {
        self.build(&mut builder)?;
        Ok(builder.finish())
    }
}

/// A field with `#[adb(connect = …)]`: one child model, an `Option`, a `Vec`, a `Box` or an `Arc`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be connected: it is neither a data model nor several of one",
    label = "not a data model",
    note = "`connect` takes `T`, `Option<T>`, `Vec<T>`, `Box<T>` or `Arc<T>`, where `T` has `#[derive(DataModel)]`"
)]
pub trait Children: Sized {
    /// The children's model.
    type Model: DataModel;
    /// The connection's type: `()` when it has no properties.
    type Edge;
    /// Whether there can be more than one.
    const MANY: bool;
    /// The children's schema.
    #[must_use]
    fn schema() -> &'static ModelSchema {
        Self::Model::SCHEMA
    }
    /// Adds the children and their edges.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        relation: Relation,
    ) -> Result<(), ModelError>;
    /// Reads the children back: `fetched` is nothing when they were not asked for.
    ///
    /// # Errors
    /// When there is not exactly one and the field takes exactly one; when a child can't be read.
    fn read(fetched: Option<&[Record]>, at: FieldPlace) -> Result<Self, ModelError>;
}

impl<T: DataModel> Children for T {
    type Model = T;
    type Edge = ();
    const MANY: bool = false;
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        relation: Relation,
    ) -> Result<(), ModelError> {
        let child = self.build(graph)?;
        graph.relate(parent, child, relation, Vec::new());
        Ok(())
    }
    fn read(fetched: Option<&[Record]>, at: FieldPlace) -> Result<Self, ModelError> {
        match fetched {
            None => Err(at.error(ModelErrorKind::NotFetched { field: at.field })),
            Some([]) => Err(at.error(ModelErrorKind::Absent { property: at.field })),
            Some([first, ..]) => <T as DataModel>::read(first),
        }
    }
}

macro_rules! children_through {
    ($($wrapper:ty, $many:expr, |$fetched:ident, $at:ident| $read:expr;)*) => {$(
        impl<T: Children> Children for $wrapper {
            type Model = T::Model;
            type Edge = T::Edge;
            const MANY: bool = $many;
            fn add(
                &self,
                graph: &mut GraphBuilder,
                parent: NodeId,
                relation: Relation,
            ) -> Result<(), ModelError> {
                self.iter().try_for_each(|child| child.add(graph, parent, relation))
            }
            fn read($fetched: Option<&[Record]>, $at: FieldPlace) -> Result<Self, ModelError> {
                $read
            }
        }
    )*};
}
children_through! {
    Option<T>, T::MANY, |fetched, at| match fetched {
        None | Some([]) => Ok(None),
        some => T::read(some, at).map(Some),
    };
    Vec<T>, true, |fetched, at| {
        let each = fetched.unwrap_or_default().chunks(1);
        each.map(|child| T::read(Some(child), at)).collect()
    };
}

/// A pointer to a model is that model: an `Arc` shared by two parents is one node all the same,
/// by its id.
macro_rules! models_behind_pointers {
    ($($pointer:ident),*) => {$(
        impl<T: DataModel> DataModel for $pointer<T> {
            type Columns = T::Columns;
            const SCHEMA: &'static ModelSchema = T::SCHEMA;
            fn columns() -> Self::Columns {
                T::columns()
            }
            fn read(record: &Record) -> Result<Self, ModelError> {
                T::read(record).map($pointer::new)
            }
            fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError> {
                (**self).build(graph)
            }
        }
    )*};
}
models_behind_pointers!(Box, Arc);
