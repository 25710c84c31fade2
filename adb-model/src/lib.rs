//! What an ApertureDB record is, and nothing about where it is kept.
//!
//! A struct with `#[derive(DataModel)]` becomes a [`Graph`] of nodes and edges
//! ([`DataModel::graph`]); [`Lowering`] writes graphs as one [`Request`] in the query language;
//! anything that implements [`Database`] answers it. This crate does no I/O and knows no runtime.
//!
//! Users reach all of this through the facade, package `adb-rs`.

mod answer;
mod by_field;
pub mod check;
mod children;
mod column;
mod connection;
mod constraint;
mod content;
mod contract;
mod converted;
mod database;
pub mod document;
mod embedder;
mod embedding;
mod embedding_field;
pub mod enrich;
pub mod ensure;
mod error;
mod expression;
mod face;
mod field;
mod geometry;
pub mod graph;
mod kept;
mod lower;
mod make;
mod media;
pub mod migrate;
mod model;
mod nearest;
pub mod net;
mod part;
mod place_column;
pub mod probe;
mod properties;
pub mod query;
mod record;
pub mod removal;
mod row;
mod schema;
mod stored_schema;
pub mod upsert;
mod value;

/// The crate of dates, whose types are those of properties.
pub use jiff;
/// The crate of UUIDs: `Uuid::now_v7()` makes an id for a value that is made in code.
pub use uuid;

pub use answer::Answer;
pub use children::Children;
pub use column::{AnyColumn, Assignment, Column, Comparable, Filter, Link, Operand, Sort};
pub use connection::{
    AnyEdge, Connection, EdgeOf, Linked, NoEdge, PlainEdge, SameEdge, plain_edge, same_edge,
};
pub use constraint::{Constraint, Dialect, Op};
pub use contract::{
    Accepts, AnyEmbedder, ClipVitB16, ClipVitB32, ClipVitL14, DescriptorSet, EmbedderSpec, Engine,
    FaceNet128, Metric, Produces, SetSpec, Starter512,
};
pub use converted::{
    ConvertedColumn, WithField, with_is_optional, with_property, with_read, with_value,
};
pub use database::{
    BoxFuture, Database, DbError, Fate, Refusal, Request, Response, ask, only_reads,
};
pub use embedder::{Batches, EmbedError, Embedder, EmbedderIdentity, PreparedImage};
pub use embedding::{Embedding, EmbeddingError, MAX_DIMENSIONS, components};
pub use embedding_field::{EmbedSource, EmbeddingField};
pub use ensure::{ensure, ensure_in};
pub use error::{ModelError, ModelErrorKind};
pub use expression::ExpressionError;
pub use face::{FaceSource, NoFace, PreparedFace};
pub use field::{Field, FieldPlace, LabelField, SkippedField, default_of, media_of_kind};
pub use geometry::{
    FractionSpan, FrameNumber, FrameSpan, Geometry, Polygon, Rect, TimeFraction, TimeOffset,
    TimeSpan,
};
pub use graph::{Edge, EmbedInput, Graph, GraphBuilder, Identity, Node, NodeId, Relation, ToMake};
pub use lower::Lowering;
pub use make::{
    AnyMaker, ChildMaker, MadeChildren, MakeError, MakeInput, MakeSource, MakerInput, MakerProbe,
    MakerSource, MediaFile, OpenMedia, Picture, Pixels, Reads, SameChild, SameInput, WithDefault,
    Without,
};
pub use media::{Blob, Image, MediaSource, Video};
pub use migrate::migrate;
pub use model::DataModel;
pub use nearest::nearest_name;
pub use part::{ClipModel, DescriptorModel, FrameModel, RegionModel};
pub use place_column::{ClockText, Microseconds};
pub use properties::{FieldList, FlatColumns, Properties, SomeFields, clash, clash_of};
pub use record::Record;
pub use row::{NotANote, RowNote};
pub use schema::{
    Convention, FieldKind, FieldRole, FieldSchema, Inside, KindFault, MadeBy, ModelSchema,
    ObjectKind, SchemaRef,
};
pub use stored_schema::{StoredClass, StoredConnection, StoredProperty, StoredSchema};
pub use value::{AsJson, Date, IdProperty, Property, PropertyField, Value, ValueError, ValueType};
