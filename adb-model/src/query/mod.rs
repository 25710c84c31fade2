//! Searching: from a model and what is asked of it to typed objects, in one round trip.

pub(crate) mod change;
mod find;
mod groups;
mod nearest;
pub(crate) mod plan;
mod records;
mod untyped;

use bytes::Bytes;

use crate::{
    Accepts, DbError, EmbedError, Embedding, Image, Produces, ensure::EnsureError,
    error::ModelError,
};

pub use change::Deleted;
pub use find::Find;
pub use groups::Groups;
pub use nearest::{Hit, Nearest};
pub use records::Records;
pub use untyped::{AnyHit, Described, NearestAny};

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The database could not be asked, or refused.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The query could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The set holds another embedder's vectors.
    #[error(transparent)]
    Set(#[from] EnsureError),
    /// A value that is asked for can't be in the database, or one that is there does not fit the
    /// model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is no such set: nothing has been ingested yet.
    #[error("the database has no descriptor set `{0}`; ingest something first")]
    NoSet(&'static str),
    /// A change of what a search finds, with a limit.
    #[error(
        "a change knows no limit: it would change all that is found; leave `limit` and `offset` out, or fetch the objects first and filter by their ids"
    )]
    Limited,
}

impl QueryError {
    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            QueryError::Database(e) => e.is_transient(),
            QueryError::Set(e) => e.is_transient(),
            _ => false,
        }
    }
}

/// What nearness is measured to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Query {
    /// A text, for the set's embedder.
    Text(String),
    /// An encoded picture, for the set's embedder.
    Image(Bytes),
    /// A vector that the caller made.
    Vector(Vec<f32>),
}

/// A query that an embedder `E` can make a vector of, or that is one.
#[diagnostic::on_unimplemented(
    message = "nothing is near to a `{Self}`",
    label = "expected a text, a `Vec<f32>`, an array that is as long as the set's vectors, or a `Query`"
)]
pub trait Asks<E>: Into<Query> {}

impl<E: Accepts<String>> Asks<E> for &str {}
impl<E: Accepts<String>> Asks<E> for String {}
impl<E: Accepts<Image>> Asks<E> for Bytes {}
impl<E> Asks<E> for Vec<f32> {}
impl<E> Asks<E> for &[f32] {}
/// An array has the length that the set's embedder makes, or the compiler says so.
impl<E: Produces<Embedding<N>>, const N: usize> Asks<E> for [f32; N] {}
/// Of a kind that is known when the program runs: the embedder refuses then what it can't read.
impl<E> Asks<E> for Query {}

/// An encoded picture.
impl From<Bytes> for Query {
    fn from(picture: Bytes) -> Self {
        Query::Image(picture)
    }
}

impl From<&str> for Query {
    fn from(text: &str) -> Self {
        Query::Text(text.to_owned())
    }
}

impl From<String> for Query {
    fn from(text: String) -> Self {
        Query::Text(text)
    }
}

impl From<Vec<f32>> for Query {
    fn from(vector: Vec<f32>) -> Self {
        Query::Vector(vector)
    }
}

impl From<&[f32]> for Query {
    fn from(vector: &[f32]) -> Self {
        Query::Vector(vector.to_vec())
    }
}

impl<const N: usize> From<[f32; N]> for Query {
    fn from(vector: [f32; N]) -> Self {
        Query::Vector(vector.into())
    }
}
