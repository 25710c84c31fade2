//! From an address to a database.

use std::{path::PathBuf, sync::Arc};

use adb_model::Database;

/// Opens a database.
///
/// A path is an embedded database: a directory, made if it is not there. Other addresses
/// (`adb://…`, `https://…`) are those of servers, which this version can't reach yet.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # std::env::set_current_dir(&dir)?;
/// let db = adb::connect("my.adb")?;
/// assert!(adb::connect("adb://user@example.com:55555").is_err());
/// # drop(db); Ok(()) }
/// ```
///
/// # Errors
/// When the directory is not adb's, is of a newer format, or another process writes to it.
pub fn connect(address: &str) -> Result<Arc<dyn Database>, ConnectError> {
    match address.split_once("://") {
        Some(("file", path)) => open(PathBuf::from(path)),
        Some((scheme, _)) => Err(ConnectError::Scheme(scheme.to_owned())),
        None => open(PathBuf::from(address)),
    }
}

fn open(path: PathBuf) -> Result<Arc<dyn Database>, ConnectError> {
    Ok(Arc::new(adb_engine::Engine::open(path)?))
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The embedded database can't be opened.
    #[error(transparent)]
    Engine(#[from] adb_engine::Error),
    /// An address of a kind that this version does not know.
    #[error("`{0}://` is not supported yet: give a directory, such as `./my.adb`")]
    Scheme(String),
}

impl ConnectError {
    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            ConnectError::Engine(e) => e.is_transient(),
            ConnectError::Scheme(_) => false,
        }
    }
}
