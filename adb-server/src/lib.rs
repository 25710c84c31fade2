//! Serves any [`adb_model::Database`] over ApertureDB's wire protocol and over REST, so that the
//! official Python SDK works against it.
//!
//! ```no_run
//! # async fn serve(db: std::sync::Arc<dyn adb_model::Database>) -> Result<(), adb_server::Error> {
//! use adb_server::{Access, Accounts, Lifetimes, Options, Server};
//!
//! let state = std::path::Path::new("server");
//! let (accounts, password) = Accounts::create(state, Lifetimes::default())?;
//! let server = Server::bind(db, Options::new(55555, Access::Accounts(accounts.into()))).await?;
//! server.run(std::future::pending()).await;
//! # drop(password); Ok(()) }
//! ```
//! Sessions, users and tokens are the server's own: the database never sees them. An address that
//! other machines can reach is refused without TLS and accounts.

mod accounts;
mod connection;
mod desk;
mod error;
mod files;
mod metrics;
mod names;
mod options;
mod pace;
mod rest;
mod server;
mod service;
mod tls;

pub use accounts::{Accounts, Lifetimes, Role, UserDetails};
#[doc(hidden)]
pub use desk::Desk;
pub use error::Error;
pub use options::{Access, Limits, Options};
pub use server::{Guards, Listener, Server};
pub use tls::Identity;
