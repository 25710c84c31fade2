//! Sources, embedders and the pipeline that brings records into any [`adb_model::Database`].
//!
//! ```text
//! source → graph → probe → media → decode → embed → pack → write → report
//! ```
//! [`Ingest`] runs it; [`source::JsonSource`] reads JSON and JSON Lines.

pub mod embedders;
mod error;
mod media;
pub mod pipeline;
mod retry;
pub mod source;
#[cfg(feature = "terminal")]
pub mod terminal;

pub use error::{Error, ErrorKind};
pub use media::MediaRoot;
pub use pipeline::{Ingest, Options, Progress, Report, RowFailure, Stop};
pub use source::{JsonSource, RowPlace, Source, SourceRow};
