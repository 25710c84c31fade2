//! From an address to a database.

use std::sync::Arc;

use adb_model::Database;

/// Opens a database, whichever kind of address leads to it.
///
/// | address | what it is |
/// |---|---|
/// | `my.adb`, `file://my.adb` | an embedded database: a directory, made if it is not there |
/// | `adb://user:password@host:55555` | a server; `?tls=off`, `?tls=unverified` or `?ca_cert=FILE` may follow |
/// | `https://user:password@host/api`, `http://…` | a server's REST interface |
/// | `config:NAME`, `config:` | a server by a configuration of the Python SDK; without a name the one that the SDK would take here |
///
/// A server is asked only with the first request, which needs a runtime of `tokio`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # std::env::set_current_dir(&dir)?;
/// let local = adb::connect("my.adb")?;
/// let server = adb::connect("adb://anna:secret@db.example.com")?;
/// # drop((local, server)); Ok(()) }
/// ```
///
/// # Errors
/// When a directory is not adb's, is of a newer format, or another process writes to it; when an
/// address can't be understood, or there is no such configuration.
pub fn connect(address: &str) -> Result<Arc<dyn Database>, ConnectError> {
    connect_for(address, Access::Write)
}

/// The same for those who only read: an embedded database is neither made nor locked, so this works
/// while another process writes to it, and shows what that one has committed. What a server lets
/// its users do is the server's to say.
///
/// # Errors
/// As [`connect`]; also when there is no database in a directory.
pub fn connect_read_only(address: &str) -> Result<Arc<dyn Database>, ConnectError> {
    connect_for(address, Access::Read)
}

/// What an embedded database is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

fn connect_for(address: &str, access: Access) -> Result<Arc<dyn Database>, ConnectError> {
    if let Some(name) = address.strip_prefix("config:") {
        return configured(name);
    }
    match address.split_once("://") {
        Some(("file", path)) => open(path, access),
        Some(("adb" | "https" | "http", _)) => server(address),
        Some((scheme, _)) => Err(ConnectError::Scheme(scheme.to_owned())),
        None => match mistyped(address) {
            Some(scheme) => Err(ConnectError::Mistyped(scheme.to_owned(), address.to_owned())),
            None => open(address, access),
        },
    }
}

/// The scheme of what looks like an address and is none: `confg:lab`, `adb:/host`. A directory of
/// such a name would be made in silence. One letter is a drive.
fn mistyped(address: &str) -> Option<&str> {
    let (scheme, _) = address.split_once(':')?;
    let is_scheme = scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphabetic());
    (is_scheme && !std::path::Path::new(address).exists()).then_some(scheme)
}

#[cfg(feature = "engine")]
fn open(path: &str, access: Access) -> Result<Arc<dyn Database>, ConnectError> {
    let options = adb_engine::Engine::options().read_only(access == Access::Read);
    Ok(Arc::new(options.open(path)?))
}

#[cfg(not(feature = "engine"))]
fn open(_: &str, _: Access) -> Result<Arc<dyn Database>, ConnectError> {
    Err(ConnectError::Feature("engine"))
}

#[cfg(feature = "remote")]
fn server(address: &str) -> Result<Arc<dyn Database>, ConnectError> {
    let configuration =
        adb_protocol::Configuration::from_address(address).map_err(adb_remote::Error::from)?;
    let options = adb_remote::Options::default();
    Ok(Arc::new(adb_remote::Remote::new(&configuration, options)?))
}

#[cfg(feature = "remote")]
fn configured(name: &str) -> Result<Arc<dyn Database>, ConnectError> {
    let name = Some(name).filter(|name| !name.is_empty());
    let found = adb_remote::Remote::find(name, adb_remote::Options::default())?;
    found.map_or(Err(ConnectError::NotConfigured), |remote| Ok(Arc::new(remote) as _))
}

#[cfg(not(feature = "remote"))]
fn server(_: &str) -> Result<Arc<dyn Database>, ConnectError> {
    Err(ConnectError::Feature("remote"))
}

#[cfg(not(feature = "remote"))]
fn configured(_: &str) -> Result<Arc<dyn Database>, ConnectError> {
    Err(ConnectError::Feature("remote"))
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The embedded database can't be opened.
    #[cfg(feature = "engine")]
    #[error(transparent)]
    Engine(#[from] adb_engine::Error),
    /// The server's configuration can't be used.
    #[cfg(feature = "remote")]
    #[error(transparent)]
    Remote(#[from] adb_remote::Error),
    /// There is no configuration of a server.
    #[error(
        "no server is configured: there is none of APERTUREDB_KEY, APERTUREDB_JSON, \
         APERTUREDB_CONFIG, nor an active configuration; give an address, such as `./my.adb` or \
         `adb://user:password@host`"
    )]
    NotConfigured,
    /// An address of a kind that is not known.
    #[error(
        "`{0}://` is not known: give a directory, such as `./my.adb`, a server, such as \
         `adb://user:password@host` or `https://user:password@host/api`, or `config:NAME`"
    )]
    Scheme(String),
    /// An address with one colon that no kind of address has.
    #[error(
        "`{1}` is no address: nothing begins with `{0}:`; take `adb://…`, `https://…`, or \
         `config:NAME`, and for a directory of this name `./{1}`"
    )]
    Mistyped(String, String),
    /// This build lacks what the address needs.
    #[error("this program was built without the feature `{0}`")]
    Feature(&'static str),
}

impl ConnectError {
    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            #[cfg(feature = "engine")]
            ConnectError::Engine(e) => e.is_transient(),
            #[cfg(feature = "remote")]
            ConnectError::Remote(e) => e.is_transient(),
            _ => false,
        }
    }
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_mistyped_address_makes_no_directory() {
        for address in ["confg:lab", "adb:/admin@host", "https:/host/api"] {
            let error = connect(address).err().unwrap().to_string();
            assert!(error.contains(&format!("`{address}` is no address")), "{error}");
            assert!(!std::path::Path::new(address).exists());
        }
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("a:b");
        drop(connect(odd.to_str().unwrap()).unwrap());
        assert!(odd.exists());
    }
}
