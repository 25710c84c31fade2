//! How a field of a struct becomes part of a graph: traits, so that no type is known by its name.

use std::{borrow::Cow, sync::Arc};

use crate::{
    EmbedInput, Embedding, Image, ModelSchema, Property, SetSpec,
    error::{ModelError, ModelErrorKind},
    graph::{GraphBuilder, NodeId},
    schema::FieldKind,
};

/// A field without a role attribute: a property or media, as its type says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored as a property",
    label = "not a string, a number, a boolean, an `Image`, or an `Option` of one",
    note = "a child model, or a list of them: `#[adb(connect = \"HasPart\")]`",
    note = "a list of texts or numbers: a property holds one value, so make each a child model, or keep the list as one `String`, such as JSON",
    note = "an embedding: `#[adb(embed(from = photo, set = Photos))]`, without `from` if you give the vectors yourself",
    note = "a type of your own that is one value: implement `adb::Property` for it",
    note = "a field that the database need not see: `#[adb(skip)]`"
)]
pub trait Field {
    /// What the type is stored as.
    const KIND: FieldKind;

    /// Adds the field to its node.
    ///
    /// # Errors
    /// When the database can't hold the value.
    fn add(&self, graph: &mut GraphBuilder, node: NodeId, at: FieldPlace)
    -> Result<(), ModelError>;
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

// Who has neither is told of fields, which is what the macro speaks of.
#[diagnostic::do_not_recommend]
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
}

impl Field for Image {
    const KIND: FieldKind = FieldKind::Image { optional: false };
    fn add(
        &self,
        graph: &mut GraphBuilder,
        node: NodeId,
        at: FieldPlace,
    ) -> Result<(), ModelError> {
        graph.image(node, at.property, self);
        Ok(())
    }
}

/// An absent value is left out.
impl<T: Field> Field for Option<T> {
    const KIND: FieldKind = match T::KIND {
        FieldKind::Property { value_type, .. } => {
            FieldKind::Property { value_type, optional: true }
        }
        FieldKind::Image { .. } => FieldKind::Image { optional: true },
    };
    fn add(
        &self,
        graph: &mut GraphBuilder,
        node: NodeId,
        at: FieldPlace,
    ) -> Result<(), ModelError> {
        self.as_ref().map_or(Ok(()), |value| value.add(graph, node, at))
    }
}

/// A field with `#[adb(embed(…))]`: an [`Embedding`], or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't hold an embedding",
    label = "expected `Embedding<N>`",
    note = "declare the field as `Embedding<N>`, where N is the embedder's dimension"
)]
pub trait EmbeddingField {
    /// The vector's type, without `Option`.
    type Vector;
    /// Whether an object may be without one.
    const OPTIONAL: bool;
    /// The vector, when the caller gave one.
    fn vector(&self) -> Option<Arc<[f32]>>;

    /// Adds the descriptor for a field that is made from another, or given all the same.
    ///
    /// # Errors
    /// When a given vector does not fit the set.
    fn add_from(
        &self,
        source: Option<EmbedInput>,
        graph: &mut GraphBuilder,
        owner: NodeId,
        at: FieldPlace,
        set: SetSpec,
    ) -> Result<(), ModelError> {
        graph.descriptor(owner, at.property, set, self.vector(), source)
    }

    /// Adds the descriptor for a field that only the caller can fill.
    ///
    /// # Errors
    /// When the vector does not fit the set, or is missing and not an `Option`.
    fn add_given(
        &self,
        graph: &mut GraphBuilder,
        owner: NodeId,
        at: FieldPlace,
        set: SetSpec,
    ) -> Result<(), ModelError> {
        let vector = self.vector();
        if vector.is_none() && !Self::OPTIONAL {
            return Err(at.error(ModelErrorKind::NoVector { set: set.name }));
        }
        graph.descriptor(owner, at.property, set, vector, None)
    }
}

impl<const N: usize> EmbeddingField for Embedding<N> {
    type Vector = Self;
    const OPTIONAL: bool = false;
    fn vector(&self) -> Option<Arc<[f32]>> {
        self.shared()
    }
}

impl<T: EmbeddingField> EmbeddingField for Option<T> {
    type Vector = T::Vector;
    const OPTIONAL: bool = true;
    fn vector(&self) -> Option<Arc<[f32]>> {
        self.as_ref().and_then(EmbeddingField::vector)
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
        Some(EmbedInput::Image(self.clone()))
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

/// A struct with `#[derive(DataModel)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a data model",
    label = "not a data model",
    note = "add `#[derive(DataModel)]` to `{Self}`"
)]
pub trait DataModel {
    /// What the macro knows of the struct.
    const SCHEMA: &'static ModelSchema;

    /// Adds this value, and all that hangs on it, to a graph.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError>;

    /// Begins a search for objects of this model.
    #[must_use]
    fn find() -> crate::query::Find<Self>
    where
        Self: Sized,
    {
        crate::query::Find::new()
    }

    /// The graph of this value alone.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn graph(&self) -> Result<crate::Graph, ModelError> {
        let mut builder = GraphBuilder::new();
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
pub trait Children {
    /// Whether there can be more than one.
    const MANY: bool;
    /// The children's schema.
    fn schema() -> &'static ModelSchema;
    /// Adds the children and their edges.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        connection: &'static str,
    ) -> Result<(), ModelError>;
}

impl<T: DataModel> Children for T {
    const MANY: bool = false;
    fn schema() -> &'static ModelSchema {
        T::SCHEMA
    }
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        connection: &'static str,
    ) -> Result<(), ModelError> {
        let child = self.build(graph)?;
        graph.connect(parent, child, connection);
        Ok(())
    }
}

/// One child or none.
impl<T: Children> Children for Option<T> {
    const MANY: bool = T::MANY;
    fn schema() -> &'static ModelSchema {
        T::schema()
    }
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        connection: &'static str,
    ) -> Result<(), ModelError> {
        self.iter().try_for_each(|child| child.add(graph, parent, connection))
    }
}

/// An edge to each child.
impl<T: Children> Children for Vec<T> {
    const MANY: bool = true;
    fn schema() -> &'static ModelSchema {
        T::schema()
    }
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        connection: &'static str,
    ) -> Result<(), ModelError> {
        self.iter().try_for_each(|child| child.add(graph, parent, connection))
    }
}

/// A box with a model in it is that model.
impl<T: DataModel> DataModel for Box<T> {
    const SCHEMA: &'static ModelSchema = T::SCHEMA;
    fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError> {
        (**self).build(graph)
    }
}

/// A pointer to a model is that model; shared by two parents, it is one node by its id.
impl<T: DataModel> DataModel for Arc<T> {
    const SCHEMA: &'static ModelSchema = T::SCHEMA;
    fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError> {
        (**self).build(graph)
    }
}
