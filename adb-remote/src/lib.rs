//! A client of ApertureDB's wire protocol: a [`Database`](adb_model::Database) that is somewhere
//! else.
//!
//! ```no_run
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! use adb_model::{Database, Request};
//! use adb_protocol::{Configuration, Credentials};
//! use adb_remote::{Options, Remote};
//!
//! let credentials = Credentials::Token { username: None, token: "adbp_…".into() };
//! let configuration = Configuration::new("dev", "db.example.com", credentials);
//! let db = Remote::new(&configuration, Options::default())?;
//! let status = db.execute(Request::json(&serde_json::json!([{"GetStatus": {}}]))).await?;
//! # drop(status); Ok(()) }
//! ```
//! Whoever has the Python SDK set up needs nothing of this: [`Remote::find`] looks where the SDK
//! looks.
//!
//! There are two transports with the same commands: frames (`adb://`), and REST (`https://`, or
//! `use_rest` in a configuration), for servers that nothing but HTTP leads to.
//!
//! Nobody is asked before the first request. Connections are kept and used again; the session is
//! one for all of them, and is renewed before it ends. A request is sent again by itself only when
//! that can't do anything twice: when it did not reach the server whole, or when it changes nothing
//! that is not guarded by `if_not_found`. Otherwise the error says that its fate is unknown
//! ([`Fate::Unknown`](adb_model::Fate)).

mod connection;
mod dial;
mod error;
mod framed;
mod pool;
mod remote;
mod rest;
mod session;
mod shape;
mod surroundings;
mod tls;

pub use error::Error;
pub use remote::{Options, Remote};
pub use surroundings::Machine;
