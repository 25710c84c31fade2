//! `--db`: which database a command is about.

use std::sync::Arc;

use adb::Database;

/// The option that all commands share that need a database.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Db {
    /// The database: a directory, `adb://user@host`, or `config:NAME`. Without it: the server that
    /// the Python SDK's configuration names.
    #[arg(long = "db", value_name = "DB", env = "ADB_DB")]
    address: Option<String>,
}

impl Db {
    /// Opens it, or makes it where a directory is named that is not there.
    pub(crate) fn open(&self) -> Result<Arc<dyn Database>, adb::ConnectError> {
        adb::connect(self.address.as_deref().unwrap_or("config:"))
    }
}
