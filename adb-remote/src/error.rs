//! Why a server gives no answer.

use std::{io, path::PathBuf, time::Duration};

use adb_model::{DbError, Fate};
use adb_protocol::{Error as WireError, Protocols};

/// Why a server gives no answer, or can't be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration, or an answer, can't be understood.
    #[error(transparent)]
    Protocol(#[from] WireError),
    /// No connection comes about.
    #[error("can't connect to {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server does not speak what is wanted.
    #[error("{address} does not offer {wanted} (it answers: {answered}); {}", way_in(*wanted))]
    Refused {
        /// Host and port.
        address: String,
        /// What the configuration asks for.
        wanted: Protocols,
        /// What the server answered.
        answered: Protocols,
    },
    /// The certificate is not trusted, or TLS fails in another way.
    #[error("no TLS with {address}: {source}{}", hint(source))]
    Tls {
        /// Host and port.
        address: String,
        /// What is wrong.
        source: io::Error,
    },
    /// A file with certificates can't be used.
    #[error("certificates of {path}: {fault}")]
    Certificates {
        /// The file; empty for those of the system.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// The server does not let this user in.
    #[error("{address}: {source}")]
    LogIn {
        /// Host and port.
        address: String,
        /// What it says.
        source: WireError,
    },
    /// A connection was lost before the request had gone out whole: it was not done.
    #[error("lost the connection to {address} before the request was sent: {source}")]
    Lost {
        /// Host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// A connection was lost after the request had gone out: it may have been done.
    #[error("lost the connection to {address} before the answer came: {source}")]
    Unanswered {
        /// Host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// An answer took too long: the request may have been done.
    #[error("no answer from {address} within {limit:?}")]
    Late {
        /// Host and port.
        address: String,
        /// How long was waited.
        limit: Duration,
    },
    /// An answer that does not fit the request.
    #[error("{address} gave an answer that does not fit the request: {fault}")]
    Misfit {
        /// Host and port.
        address: String,
        /// What does not fit.
        fault: String,
    },
    /// HTTP's own refusal, over REST: of the server, or of what stands between.
    #[error("{address} answered with the HTTP status {status}: {told}")]
    Status {
        /// Host and port.
        address: String,
        /// The status.
        status: u16,
        /// What was said, or what is likely.
        told: String,
        /// When to try again, if that was said.
        retry_after: Option<Duration>,
        /// What became of the request.
        fate: Fate,
    },
    /// The server is there, and the database behind it is not: the request was not done.
    #[error("{address} can't reach its database: {told}")]
    Unavailable {
        /// Host and port.
        address: String,
        /// What it says.
        told: String,
    },
    /// The server does not take the session that it has just given.
    #[error(
        "{address} does not take the session that it has just given: do several machines answer \
         there that do not share their accounts, or are their clocks wrong?"
    )]
    NoSession {
        /// Host and port.
        address: String,
    },
}

/// What to do where a server speaks TLS, or does not, against what the configuration says.
fn way_in(wanted: Protocols) -> &'static str {
    match wanted {
        Protocols::TLS => {
            "if it goes without TLS, put `?tls=off` behind the address, or set `use_ssl` to false in \
             the configuration (`adb config create … --no-use-ssl`)"
        }
        _ => {
            "if it wants TLS, remove `?tls=off` from the address, or set `use_ssl` to true in the \
             configuration; a key says the same of itself, and is made again"
        }
    }
}

/// What to do about a certificate, or about a server that hangs up where TLS would begin.
fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::InvalidData if source.to_string().contains("UnknownIssuer") => {
            "; a server that made its certificate itself (`adb serve --tls-self-signed`) is trusted by \
             that file: `?ca_cert=FILE` behind the address, or `ca_cert` in the configuration"
        }
        io::ErrorKind::InvalidData if source.to_string().contains("CaUsedAsEndEntity") => {
            "; the server's certificate says that it is an authority's (CA:TRUE), as `openssl req -x509` \
             makes it unless told otherwise, and such a one is not taken for a server's: make it again \
             with `-addext basicConstraints=critical,CA:FALSE`, or let `adb serve --tls-self-signed` \
             make one"
        }
        io::ErrorKind::InvalidData if source.to_string().contains("corrupt message") => {
            "; does it go without TLS there? `http://…`, or `use_ssl` false in the configuration"
        }
        _ => "",
    }
}

impl Error {
    /// Whether the same request can succeed at another time.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Connect { .. }
            | Error::Lost { .. }
            | Error::Unanswered { .. }
            | Error::Late { .. }
            | Error::Unavailable { .. } => true,
            // A handshake that was cut off, unlike a certificate that is not trusted.
            Error::Tls { source, .. } => source.kind() != io::ErrorKind::InvalidData,
            Error::Status { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=529)
            }
            _ => false,
        }
    }

    /// What became of the request.
    #[must_use]
    pub fn fate(&self) -> Fate {
        match self {
            Error::Unanswered { .. } | Error::Late { .. } | Error::Misfit { .. } => Fate::Unknown,
            Error::Status { fate, .. } => *fate,
            _ => Fate::NotApplied,
        }
    }

    /// How long to wait before the next attempt, if the server said.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        let fate = error.fate();
        let mut told = error.to_string();
        if fate == Fate::Unknown {
            told.push_str("; whether the request was done is not known");
        }
        let mut base = match error.is_transient() {
            true => DbError::transient(told),
            false => DbError::permanent(told),
        };
        if let Some(after) = error.retry_after() {
            base = base.with_retry_after(after);
        }
        base.with_fate(fate).with_source(error)
    }
}
