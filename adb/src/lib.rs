//! Typed, multimodal data models and ingestion for ApertureDB.
//!
//! ```
//! use adb::prelude::*;
//!
//! /// The space in which photos of dishes lie.
//! #[derive(DescriptorSet)]
//! #[adb(name = "dish_photos", embedder = ClipVitB16)]
//! struct DishPhotos;
//!
//! /// A photo of a dish.
//! #[derive(DataModel)]
//! #[adb(image)]
//! struct Dish {
//!     #[adb(id)]
//!     dish_id: u64,
//!     name: String,
//!     photo: Image,
//!     #[adb(embed(from = photo, set = DishPhotos))]
//!     look: Embedding<512>,
//! }
//!
//! let dish = Dish {
//!     dish_id: 1,
//!     name: "dal".into(),
//!     photo: Image::path("dal.jpg"),
//!     look: Embedding::default(), // to be filled
//! };
//! assert_eq!(dish.graph()?.nodes().len(), 2); // the image and its descriptor
//! # Ok::<_, adb::ModelError>(())
//! ```
//!
//! What the attributes mean: [`DataModel`](macro@DataModel),
//! [`DescriptorSet`](macro@DescriptorSet), [`Connection`](macro@Connection),
//! [`Properties`](macro@Properties), [`Property`](macro@Property).
//!
//! # Features
//!
//! | feature | what it brings |
//! |---|---|
//! | `default` | `engine`, `loaders`, `remote`; without them (`default-features = false`) there are models, queries and what they become, and no database |
//! | `engine` | the embedded database: a directory, through `connect` and by itself |
//! | `remote` | ApertureDB servers, through `connect` and by themselves |
//! | `server` | a database for others, over the wire and REST |
//! | `loaders` | sources of rows, the pipeline that brings them in, and embedders |
//! | `fetch` | the embedded database downloads what `url` names in requests |
//! | `hub` | embedders are fetched from a model hub |
//! | `http` | media at addresses |
//! | `s3` | media in buckets of S3 |
//! | `gs` | media in buckets of Google Cloud Storage |
//! | `parquet` | rows of Parquet files |
//! | `webdataset` | samples of WebDataset's tar files |
//! | `terminal` | a progress bar, and Ctrl-C that loses nothing |
//! | `trace` | requests and answers written to a file, and replayed |
//! | `tract` | embedders without ONNX Runtime's shared library: slower, and nothing to install |
//! | `cuda` | embedders on NVIDIA cards, with an ONNX Runtime that was built with CUDA |
//! | `url` | `Url` as a type of properties |

#[cfg(any(feature = "engine", feature = "remote"))]
mod connect;

/// The first page's example, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

/// The guide's examples, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/modelling.md")]
mod modelling {}

/// The files of the Python SDK, run as tests.
#[cfg(all(doctest, feature = "loaders"))]
#[doc = include_str!("../../docs/csv-formats.md")]
mod csv_formats {}

/// The guide for those who come from the Python SDK, run as tests.
#[cfg(all(doctest, feature = "engine", feature = "remote"))]
#[doc = include_str!("../../docs/from-the-python-sdk.md")]
mod from_the_python_sdk {}

/// The guide to embedders, run as tests.
#[cfg(all(doctest, feature = "loaders"))]
#[doc = include_str!("../../docs/embedders.md")]
mod embedders_guide {}

/// The guide to ingestion, run as tests.
#[cfg(all(doctest, feature = "engine", feature = "loaders"))]
#[doc = include_str!("../../docs/ingestion.md")]
mod ingestion_guide {}

/// The guide to faces, run as tests.
#[cfg(all(doctest, feature = "engine", feature = "loaders"))]
#[doc = include_str!("../../docs/faces.md")]
mod faces_guide {}

#[doc(inline)]
pub use adb_derive::{Connection, DataModel, DescriptorSet, Properties, Property};
#[cfg(feature = "engine")]
pub use adb_engine as engine;
#[cfg(feature = "loaders")]
pub use adb_loaders as loaders;
#[cfg(feature = "loaders")]
pub use adb_loaders::embedders;
#[doc(inline)]
pub use adb_model::*;
#[cfg(any(feature = "remote", feature = "server"))]
pub use adb_protocol as protocol;
#[cfg(feature = "remote")]
pub use adb_remote as remote;
#[cfg(feature = "server")]
pub use adb_server as server;
#[cfg(feature = "trace")]
pub use adb_trace as trace;
#[cfg(any(feature = "engine", feature = "remote"))]
pub use connect::{ConnectError, connect, connect_read_only};

/// What a program that declares models needs: `use adb::prelude::*;`.
pub mod prelude {
    pub use adb_derive::{Connection, DataModel, DescriptorSet, Properties, Property};
    pub use adb_model::{
        AsJson, Blob, ChildMaker, Connection, DataModel, Database, DescriptorSet, Embedder,
        Embedding, FractionSpan, FrameNumber, FrameSpan, Image, Linked, MakeError, MediaFile,
        NoFace, Picture, Polygon, Properties, Property, Rect, TimeFraction, TimeOffset, TimeSpan,
        Video,
    };

    pub use crate::presets::*;
}

/// Embedders with a name, a dimension and what they read: for `embedder = …`.
pub mod presets {
    pub use adb_model::{ClipVitB16, ClipVitB32, ClipVitL14, FaceNet128, Starter512};
}

/// What the macros' output names. Not part of the interface.
#[doc(hidden)]
pub mod __macro {
    pub use adb_model::{
        Accepts, AnyColumn, AnyEmbedder, ChildMaker, Children, ClipModel, Column, Connection,
        Convention, ConvertedColumn, DataModel, DescriptorModel, DescriptorSet, EdgeOf,
        EmbedSource, EmbedderSpec, EmbeddingField, Engine, FaceSource, Field, FieldKind, FieldList,
        FieldPlace, FieldRole, FieldSchema, FlatColumns, FrameModel, GraphBuilder, IdProperty,
        Inside, KindFault, LabelField, Link, MadeBy, MadeChildren, MakeSource, MakerProbe, Metric,
        ModelError, ModelSchema, NoEdge, NoFace, NodeId, ObjectKind, PlainEdge, Produces,
        Properties, Property, PropertyField, Record, RegionModel, Relation, SameChild, SameEdge,
        SameInput, SchemaRef, SetSpec, SkippedField, ToMake, Value, ValueError, ValueType,
        WithDefault, Without, clash, clash_of, default_of, graph::Entered, media_of_kind,
        plain_edge, same_edge, with_is_optional, with_property, with_read, with_value,
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_feature_stands_in_the_table() {
        let (manifest, page) = (include_str!("../Cargo.toml"), include_str!("lib.rs"));
        let features =
            manifest.split("[features]\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        let names = features.into_iter().flat_map(str::lines).filter_map(|l| l.split_once(" = ["));
        let mut count = 0;
        for (name, _) in names {
            assert!(page.contains(&format!("//! | `{name}` | ")), "`{name}` is not in the table");
            count += 1;
        }
        assert_eq!(page.matches("\n//! | `").count(), count, "the table has what is no feature");
    }
}
