//! What a database was asked and what it answered, written down and held against another one.
//!
//! [`Recorder`] is a [`Database`](adb_model::Database) around another: it passes everything on, and
//! writes it to a file, secrets left out. [`replay`] sends the requests of such a file to a database
//! and tells where it answers otherwise.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use adb_model::{Request, ask};
//! use adb_trace::{Blobs, Recorder, Trace, replay};
//!
//! let dir = tempfile::tempdir()?;
//! let file = dir.path().join("day.adbtrace");
//! let db: std::sync::Arc<dyn adb_model::Database> =
//!     std::sync::Arc::new(adb_engine::Engine::open(dir.path().join("db"))?);
//! let recorder = Recorder::create(db, &file, Blobs::Hashed)?;
//! let add = serde_json::json!([{"AddEntity": {"class": "Dish", "properties": {"name": "pho"}}}]);
//! ask(&recorder, Request::json(&add)).await?;
//! drop(recorder);
//!
//! let fresh = adb_engine::Engine::open(dir.path().join("fresh"))?;
//! let conformity = replay(Trace::open(&file)?, &fresh).await?;
//! assert!(conformity.conforms(), "{conformity}");
//! # Ok(()) }
//! ```
//! The file is JSON, one object a line; [`format`](mod@format) describes it.

mod error;
pub mod format;
mod read;
mod recorder;
mod replay;
mod secrets;

pub use error::Error;
pub use read::Trace;
pub use recorder::{Blobs, Recorder};
pub use replay::{Conformity, Difference, picture, replay};
