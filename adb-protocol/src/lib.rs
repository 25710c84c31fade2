//! What client and server of ApertureDB's protocol have in common: bytes, keys and configurations.
//!
//! ```text
//! hello ⇄ hello → TLS, if both want it → message ⇄ message …
//! ```
//! [`Hello`] opens a connection, [`Message`] carries a request or an answer behind the length that
//! [`frame`] describes, [`login`] holds the commands that begin and renew a session, [`rest`] the
//! other transport, [`unavailable`] the answer to what was not done and may be sent again. [`Key`] reads and writes what `APERTUREDB_KEY` holds, [`config`] the files and
//! the order in which the official SDK looks for them.
//!
//! Nothing here opens a file or a socket: what is read comes from the caller. Secrets are
//! [`secrecy::SecretString`]s, which Debug shows redacted.

pub mod config;
mod error;
pub mod frame;
mod hello;
mod key;
pub mod login;
mod message;
pub mod rest;
mod unavailable;

pub use config::{Configuration, Credentials, Tls};
pub use error::Error;
pub use hello::{Hello, Protocols, VERSION};
pub use key::Key;
pub use message::{Encoded, Message};
pub use secrecy;
pub use unavailable::{unavailable, why_unavailable};

/// The port of the framed protocol.
pub const DEFAULT_PORT: u16 = 55555;
