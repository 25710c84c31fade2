//! The embedded database of adb: a directory on disk that answers the query language.
//!
//! [`Engine`] implements [`adb_model::Database`]. SQLite holds all that must not be lost; FORMAT.md
//! describes the directory. One thread writes and commits the requests that wait together with one
//! sync; others read snapshots and never wait for it. One process writes at a time; others may
//! read meanwhile.
//!
//! What part of the language it answers so far, and what it does where the language's reference is
//! unsure, stands in `docs/compatibility.md`. What it does not answer yet it refuses by name.

mod directory;
mod engine;
mod error;
mod geometry;
mod holder;
mod media;
mod options;
mod request;
mod run;
mod store;
mod vectors;
mod verify;
mod worker;

pub use engine::Engine;
pub use error::{Error, ErrorKind, StoreError};
pub use holder::Holder;
pub use media::fetch::{FetchError, Fetcher};
#[cfg(feature = "fetch")]
pub use media::http::HttpFetcher;
pub use options::Options;
pub use store::compact::Reclaimed;
#[doc(hidden)]
pub use store::pack::files::{PackFile, PackFiles};
pub use vectors::scan::ExactScan;
pub use verify::{Problem, Report};

/// For the fuzz target of the parser: the refusal of a request that does not parse.
#[doc(hidden)]
#[must_use]
pub fn parse_only(request: &adb_model::Request) -> Option<adb_model::Refusal> {
    request::parse(request).err()
}
