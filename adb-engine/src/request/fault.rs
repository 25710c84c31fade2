//! What is wrong with a command.

use adb_model::Refusal;

use crate::error::ErrorKind;

/// A request's own fault: the transaction is refused.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    status: i64,
    message: String,
    code: Option<&'static str>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { status: -1, message: message.into(), code: None }
    }

    pub(crate) fn not_unique(message: impl Into<String>) -> Self {
        Self { status: 3, message: message.into(), code: Some("not_unique") }
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self { status: 4, message: message.into(), code: Some("too_large") }
    }

    pub(crate) fn not_yet(what: &str) -> Self {
        Self::new(format!("{what} is not supported yet")).code("not_supported")
    }

    pub(crate) fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// As the database answers it.
    pub(crate) fn refuse(self, index: usize, command: &str) -> Refusal {
        Refusal {
            status: self.status,
            info: format!("command {index} ({command}): {}", self.message),
            code: self.code.map(str::to_owned),
            command: Some(index),
        }
    }
}

/// Why a command was not run.
#[derive(Debug)]
pub(crate) enum Fail {
    /// Its own fault.
    Fault(Fault),
    /// The store's.
    Store(ErrorKind),
    /// Nobody's: whoever runs it has no time for it. See [`crate::run::Run::hurried`].
    Slow,
}

impl From<Fault> for Fail {
    fn from(fault: Fault) -> Self {
        Fail::Fault(fault)
    }
}

impl From<ErrorKind> for Fail {
    fn from(kind: ErrorKind) -> Self {
        Fail::Store(kind)
    }
}

/// Limits that only SQLite knows of are the request's fault, the rest is the store's.
impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::TooBig;
        let too_big = error.sqlite_error_code() == Some(TooBig);
        let text = match &error {
            rusqlite::Error::SqlInputError { msg, .. } => msg.as_str(),
            rusqlite::Error::SqliteFailure(_, Some(msg)) => msg.as_str(),
            _ => "",
        };
        let too_complex =
            ["too many", "too large", "integer overflow"].iter().any(|part| text.contains(part));
        if too_big || too_complex {
            Fail::Fault(Fault::new(format!("it is more than the store can take: {error}")))
        } else {
            Fail::Store(error.into())
        }
    }
}
