//! Why a server does not start, or stops.

use std::{io, path::PathBuf};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file of the server's own state, or a certificate, can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{path}: {fault}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// A server that anybody could reach without proof of who they are, or listen to.
    #[error(
        "{address} can be reached from other machines: give the server {lacks}, or listen on \
         127.0.0.1"
    )]
    Exposed {
        /// The address.
        address: String,
        /// What is missing.
        lacks: &'static str,
    },
    /// A rule of accounts is broken: a name, a password, a role.
    #[error("{0}")]
    Account(String),
    /// The system gives no random numbers, or a certificate can't be made.
    #[error("{0}")]
    Crypto(String),
}

impl Error {
    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Listen { source, .. } => source.kind() == io::ErrorKind::AddrInUse,
            Error::File { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }
}
