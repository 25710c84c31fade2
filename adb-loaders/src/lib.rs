//! Sources, embedders and the pipeline that brings records into any [`adb_model::Database`].
//!
//! ```text
//! source → graph → probe → make children → media → decode → embed → pack → write → report
//! ```
//! [`Ingest`] runs it; [`JsonSource`] reads JSON and JSON Lines, [`CsvSource`] CSV: as a
//! struct, or by a [document](adb_model::document) without compiling.

pub mod commands;
mod compare;
mod counted;
pub mod embedders;
mod error;
mod ledger;
pub mod letters;
mod makers;
mod media;
pub mod pipeline;
mod retry;
pub mod runs;
pub mod sdk;
pub mod source;
mod spread;
#[cfg(feature = "terminal")]
pub mod terminal;
mod vectors;

pub use commands::{CommandRow, CommandSource, CommandTransform, ImageDescriptors};
pub use compare::{Comparison, compare};
pub use counted::Counted;
pub use error::{Error, ErrorKind};
pub use letters::{DeadLetters, LetterFile};
#[cfg(feature = "http")]
pub use media::{Entry, Listing};
pub use media::{MediaError, MediaErrorKind, MediaOptions, MediaReader, MediaRoot};
pub use pipeline::{
    Event, Ingest, Meter, Mirror, Mirrored, OnExisting, Options, Progress, Reembed, Report,
    RowFailure, Stage, Stop, dry_run,
};
pub use sdk::{IngestType, SdkCsv};
#[cfg(feature = "http")]
pub use source::ListedObjects;
#[cfg(feature = "parquet")]
pub use source::ParquetObjects;
#[cfg(feature = "webdataset")]
pub use source::TarObjects;
pub use source::{
    CommandObjects, CsvObjects, CsvSource, DirObjects, EachCells, EachObject, Filtered, FromJson,
    JsonObjects, JsonSource, LoadedRow, Object, ObjectRow, ObjectSource, ObjectText, PlainModel,
    RowPlace, Selection, Shard, Source, SourceRow, ToGraph, Transform, WithVectors, shards,
    vectors_in,
};
