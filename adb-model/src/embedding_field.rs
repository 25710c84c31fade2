//! Fields that hold an embedding, and those that one is made from.

use std::sync::Arc;

use crate::{
    EmbedInput, Embedding, FieldPlace, GraphBuilder, Image, ModelError, ModelErrorKind, NodeId,
    Record, Rect, SetSpec,
};

/// A field with `#[adb(embed(…))]`: an [`Embedding`], or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't hold an embedding",
    label = "expected `Embedding<N>`",
    note = "declare the field as `Embedding<N>`, where N is the embedder's dimension"
)]
pub trait EmbeddingField: Sized {
    /// The vector's type, without `Option`.
    type Vector;
    /// Whether an object may be without one.
    const OPTIONAL: bool;
    /// The vector, when the caller gave one.
    fn vector(&self) -> Option<Arc<[f32]>>;

    /// Adds the descriptor for a field that is made from another, or given all the same; answers
    /// as [`GraphBuilder::descriptor`] does.
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
    ) -> Result<Option<NodeId>, ModelError> {
        graph.descriptor(owner, at.property, set, self.vector(), source)
    }

    /// Adds the descriptor for a field that only the caller can fill; answers as
    /// [`GraphBuilder::descriptor`] does.
    ///
    /// # Errors
    /// When the vector does not fit the set, or is missing: `None` alone says that there is none.
    fn add_given(
        &self,
        graph: &mut GraphBuilder,
        owner: NodeId,
        at: FieldPlace,
        set: SetSpec,
    ) -> Result<Option<NodeId>, ModelError> {
        let Some(vector) = self.vector() else {
            return Err(at.error(ModelErrorKind::NoVector { set: set.name }));
        };
        graph.descriptor(owner, at.property, set, Some(vector), None)
    }

    /// Reads the vector back; "to be filled", in an `Option` as well, when it was not fetched.
    ///
    /// # Errors
    /// When the stored vector has another length.
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError>;
}

impl<const N: usize> EmbeddingField for Embedding<N> {
    type Vector = Self;
    const OPTIONAL: bool = false;
    fn vector(&self) -> Option<Arc<[f32]>> {
        self.shared()
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        match record.vector(at.field) {
            None => Ok(Self::default()),
            Some(vector) => Self::from_shared(vector).map_err(|e| at.error(e.into())),
        }
    }
}

impl<T: EmbeddingField> EmbeddingField for Option<T> {
    type Vector = T::Vector;
    const OPTIONAL: bool = true;
    fn vector(&self) -> Option<Arc<[f32]>> {
        self.as_ref().and_then(EmbeddingField::vector)
    }
    fn add_given(
        &self,
        graph: &mut GraphBuilder,
        owner: NodeId,
        at: FieldPlace,
        set: SetSpec,
    ) -> Result<Option<NodeId>, ModelError> {
        match self {
            Some(vector) => vector.add_given(graph, owner, at, set),
            None => graph.descriptor(owner, at.property, set, None, None),
        }
    }
    /// `None` where there is none, and not where it was not fetched: a value that is changed and
    /// written back takes away what it does not have.
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        match record.lacks_vector(at.field) {
            true => Ok(None),
            false => T::read(record, at).map(Some),
        }
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
impl EmbedSource for Rect {
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
