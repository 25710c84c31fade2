//! Embedders: from pictures and text to vectors, by bundles of ONNX graphs.
//!
//! A [`Bundle`] is a directory with a `bundle.json`; [`OnnxEmbedder`] runs it; [`choose`] finds the
//! one that belongs to a set. [`Runtime`] says what computes, [`Cache`] where things are kept,
//! [`Hub`] where bundles come from that are not there yet.

mod bundle;
mod cache;
mod choose;
mod error;
mod hub;
mod onnx;
mod preprocess;
mod preset;
mod runtime;
mod session;
mod tokenizer;

pub use bundle::{
    Bundle, FORMAT, FileEntry, Filter, ImageTower, Manifest, Preprocess, Resize, TextInputs,
    TextTower, TokenizerSpec,
};
pub use cache::Cache;
pub use choose::{Chooser, Chosen, Why, choose};
pub use error::{Error, ErrorKind};
pub use hub::{Download, Hub, OnDownload};
pub use onnx::OnnxEmbedder;
pub use preset::Preset;
pub use runtime::{Backend, Found, Runtime};
