//! What can be wrong with bytes, keys and configurations.

/// Why something could not be read.
///
/// Texts of errors never hold a secret, nor the text in which one was looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A frame announces more than the reader allows.
    #[error("a message of {announced} bytes: more than {limit} bytes are not accepted")]
    TooLong {
        /// What the first four bytes say.
        announced: u64,
        /// What is allowed.
        limit: u64,
    },
    /// What stands where a hello is expected is none.
    #[error("not the beginning of an ApertureDB connection: {0}")]
    Hello(&'static str),
    /// A message that is none, or is cut off.
    #[error("a message that can't be read, at byte {at}: {fault}")]
    Message {
        /// Where reading stopped.
        at: usize,
        /// What was wrong there.
        fault: &'static str,
    },
    /// An answer over REST that is none.
    #[error("an answer that can't be read: {0}")]
    Answer(String),
    /// What the server answered to a login it did not allow.
    #[error("{0}")]
    Refused(String),
    /// Not an `APERTUREDB_KEY`.
    #[error("not an APERTUREDB_KEY: {0}")]
    Key(&'static str),
    /// A configuration that lacks something, or has something of a wrong kind.
    #[error("configuration {origin}: {fault}")]
    Configuration {
        /// Where it was found.
        origin: String,
        /// What was wrong.
        fault: String,
    },
}
