//! Typed, multimodal data models and ingestion for ApertureDB.

pub use adb_model::*;
