//! What the attributes of a model do, through the embedded engine: flattened structs, conversions,
//! models without `user_type`, identity by content, models of descriptors, labels of vectors.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
mod content_id;
mod descriptor;
mod flatten;
mod label;
mod untyped;
mod with;
