//! What can be wrong with a value.

use std::borrow::Cow;

use crate::{EmbeddingError, MediaSource, ValueError};

/// A value that can't become a graph: which model, which field, why.
#[derive(Debug, thiserror::Error)]
#[error("{kind} ({place})")]
pub struct ModelError {
    place: Cow<'static, str>,
    kind: Box<ModelErrorKind>,
}

impl ModelError {
    pub(crate) fn new(place: impl Into<Cow<'static, str>>, kind: ModelErrorKind) -> Self {
        Self { place: place.into(), kind: Box::new(kind) }
    }

    /// Model and field, such as `Dish.grams`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What was wrong.
    #[must_use]
    pub fn kind(&self) -> &ModelErrorKind {
        &self.kind
    }

    /// Another attempt with the same value fails the same way.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        false
    }
}

/// What was wrong with a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelErrorKind {
    /// A property's value.
    #[error("{0}")]
    Value(#[from] ValueError),
    /// A vector.
    #[error("{0}")]
    Embedding(#[from] EmbeddingError),
    /// An id that is an empty text.
    #[error("the id `{field}` is empty, so the object could not be told from others")]
    EmptyId {
        /// The id's property.
        field: &'static str,
    },
    /// An id that would come from a row, for a value that came with none.
    #[error(
        "its id is made from the row of a source, and this value came with none; give the struct an `#[adb(id)]` field to use it from code"
    )]
    NoRow,
    /// A region, clip or frame outside of what it is a part of.
    #[error("it is a part of {container}, and must be reached through one")]
    NoContainer {
        /// What it must be a part of.
        container: &'static str,
    },
    /// A descriptor with neither vector nor source.
    #[error(
        "there is no vector for the set `{set}`, and nothing to make one from: give the vector (a value that was read has it only if the search said `with_vectors()`), or let the model say what it is made from (`from`)"
    )]
    NoVector {
        /// The set's name.
        set: &'static str,
    },
    /// Children that are to be made, in a graph that is written without them.
    #[error(
        "its children have not been made by `{maker}`: ingest the row with that maker, or give the children; `Option<Vec<…>>` can say that there are none"
    )]
    NotMade {
        /// The maker's name.
        maker: &'static str,
    },
    /// A row that lacks what tells it from the others.
    #[error("the row has no `{key}`, by which it would be known from the others; give it one")]
    MissingId {
        /// The field's key in the row.
        key: &'static str,
    },
    /// A row that lacks what a field of its model document needs.
    #[error("the row has no `{key}`; give it a value, or make the field optional in the model")]
    Missing {
        /// The field's key in the row.
        key: &'static str,
    },
    /// A stored object that lacks what a field needs.
    #[error(
        "the object in the database has no `{property}`; make the field an `Option` (`\"optional\": true` in a model document), or give it a `default`"
    )]
    Absent {
        /// The property, or the field of a child.
        property: &'static str,
    },
    /// A property that can't be set by itself.
    #[error("`{property}` can't be changed so: {why}")]
    Fixed {
        /// The property.
        property: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// A child that was not fetched.
    #[error(
        "the objects behind `{field}` were not fetched; ask for more depth, or make the field an `Option`"
    )]
    NotFetched {
        /// The field.
        field: &'static str,
    },
    /// An object that is identified by its blob, and has none.
    #[error("it is identified by what it holds, and holds nothing")]
    NoContent,
    /// An object whose identity is the hash of a blob that has not been read.
    #[error(
        "its identity is the hash of `{0}`, which has not been read: give the bytes, or bring it in by an ingestion, which reads files and addresses (`Graph::identify` takes the hash in code)"
    )]
    Unidentified(String),
    /// Media that has not been read when its command is written, or its vector made.
    #[error(
        "`{0}` has not been read: give the bytes (`Image::bytes`, `Video::bytes`, `Blob::bytes`), or bring the value in by an ingestion, which alone reads files and addresses"
    )]
    Unread(String),
    /// Media that lies in the database and was not fetched, when its bytes are needed.
    #[error(
        "the bytes that the database has of it are needed, and were not fetched: read the value with `with_blobs()`, or give it new bytes"
    )]
    BlobNotFetched,
}

impl ModelErrorKind {
    /// Whose bytes are needed, and are not here.
    pub(crate) fn unread(media: &MediaSource) -> Self {
        media.origin().map_or(ModelErrorKind::BlobNotFetched, ModelErrorKind::Unread)
    }
}
