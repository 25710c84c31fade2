//! Embedders: from pictures and text to vectors, by bundles of ONNX graphs.
//!
//! A [`Bundle`] is a directory with a `bundle.json`; [`OnnxEmbedder`] runs it; [`choose`] finds the
//! one that belongs to a set. [`Runtime`] says what computes, [`Cache`] where things are kept,
//! [`Hub`] where bundles come from that are not there yet.
//!
//! ```no_run
//! use adb_loaders::embedders;
//! use adb_model::{ClipVitB16, Database, Embedder, Engine, Metric, SetSpec};
//!
//! # async fn example(db: &dyn Database) -> Result<(), Box<dyn std::error::Error>> {
//! const PHOTOS: SetSpec =
//!     SetSpec::new::<ClipVitB16>("dish_photos", Metric::Cosine, Engine::Flat);
//! let chosen = embedders::choose(db, &PHOTOS, None).await?;
//! for notice in &chosen.notices {
//!     println!("{notice}");
//! }
//! let vector = chosen.embedder.embed_texts(&["creamy curry"])?.remove(0);
//! assert_eq!(vector.len(), 512);
//! # Ok(())
//! # }
//! ```

pub mod audit;
mod bundle;
mod cache;
mod checked;
mod choose;
mod device;
mod error;
mod faces;
mod hub;
mod init;
mod manifest;
mod onnx;
mod picture;
mod prepare;
mod preset;
mod resample;
mod runtime;
mod session;
mod setting;
mod sides;
mod steps;
mod tokenizer;
mod tune;
mod tuning;
mod vectors;

use adb_model::{EmbedError, Pixels};

pub use bundle::Bundle;
pub use cache::Cache;
pub use choose::{Chooser, Chosen, Why, choose};
pub use device::{Device, UnknownDevice};
pub use error::{Error, ErrorKind};
pub use faces::{DetectorSpec, Face, FaceDetector, FaceFinder, FaceMaker, FromFace, Landmarks};
pub use hub::{Download, Hub, OnDownload};
pub use init::{Draft, Known};
pub use manifest::{FORMAT, FileEntry, ImageTower, Manifest, TextInputs, TextTower, TokenizerSpec};
pub use onnx::OnnxEmbedder;
pub use preset::{Origin, Preset};
pub use runtime::{Backend, Found, Runtime};
pub use setting::Setting;
pub use steps::{Channels, Filter, Layout, Preprocess, Resize};
pub use tune::{Trial, TuneOptions, tune};
pub use tuning::{Tuned, Tuning};
pub use vectors::{AsPicture, Vectors};

/// The embedder to use by itself: `Embedder::open("clip-vit-b-32")?.images(&["a.jpg"])?`. Behind
/// the trait [`adb_model::Embedder`] it is what fills and searches sets.
pub type Embedder = OnnxEmbedder;

/// What decoding may take unless it is set otherwise, all threads of the process together: 512 MiB,
/// which is 179 million pixels of an ordinary JPEG. Pillow refuses more as well.
pub const MAX_DECODED_BYTES: u64 = 512 << 20;

/// Width and height of a picture as they stand in its file; nothing is decoded.
///
/// # Errors
/// When the bytes are no picture of a format that can be read.
pub fn dimensions(encoded: &[u8]) -> Result<(u32, u32), EmbedError> {
    picture::size(encoded)
}

/// The pixels of a picture, as embedders see them.
///
/// # Errors
/// When the bytes are no picture of a format that can be read, or decoding would take more than
/// `max_bytes` of memory: [`MAX_DECODED_BYTES`] is what the rest of this crate allows.
pub fn decode(encoded: &[u8], max_bytes: u64) -> Result<Pixels, EmbedError> {
    let picture::Rgb { width, height, pixels } = picture::decode(encoded, max_bytes)?.rgb;
    Ok(Pixels { width, height, rgb: pixels })
}
