//! Embedders: from pictures and text to vectors, by bundles of ONNX graphs.
//!
//! A [`Bundle`] is a directory with a `bundle.json`; [`OnnxEmbedder`] runs it.

mod bundle;
mod cache;
mod error;
mod onnx;
mod preprocess;
mod runtime;
mod session;
mod tokenizer;

pub use bundle::{
    Bundle, FORMAT, FileEntry, Filter, ImageTower, Manifest, Preprocess, Resize, TextInputs,
    TextTower, TokenizerSpec,
};
pub use cache::Cache;
pub use error::{Error, ErrorKind};
pub use onnx::OnnxEmbedder;
pub use runtime::{Backend, Found, Runtime};
