//! `--db`: which database a command is about.

use std::{path::Path, sync::Arc};

use adb::{
    ConnectError, Database,
    engine::{Engine, ErrorKind},
};
use clap::builder::NonEmptyStringValueParser;

use crate::{exit::Usage, unmade::Unmade};

/// The option that all commands share that need a database.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Db {
    /// The database: a directory, `adb://user:password@host`, or `config:NAME`. Without it: the
    /// server that `adb config` or the Python SDK has set up.
    #[arg(
        id = "db",
        long = "db",
        value_name = "DB",
        env = "ADB_DB",
        hide_env_values = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    address: Option<String>,
}

impl Db {
    /// Opens it for writing. Where a directory is named that is not there, it is made with the first
    /// request that writes.
    pub(crate) fn open(&self) -> anyhow::Result<Arc<dyn Database>> {
        if self.absent().is_none() {
            return self.make();
        }
        match adb::connect_read_only(self.address()) {
            Err(ConnectError::Engine(e)) if matches!(e.kind(), ErrorKind::Missing) => {
                Ok(Arc::new(Unmade::at(self.address())?))
            }
            // An address that is none, say.
            other => told(other),
        }
    }

    /// Opens it for writing, or makes it at once where a directory is named that is not there.
    pub(crate) fn make(&self) -> anyhow::Result<Arc<dyn Database>> {
        self.check_free()?;
        self.log("opening for reading and writing");
        told(adb::connect(self.address()))
    }

    /// Opens it for writing; it must be there.
    pub(crate) fn open_existing(&self) -> anyhow::Result<Arc<dyn Database>> {
        self.check_there()?;
        self.open()
    }

    /// The directory that was named, if it is yet to be made.
    pub(crate) fn absent(&self) -> Option<&Path> {
        self.directory().filter(|path| !path.exists())
    }

    fn check_there(&self) -> anyhow::Result<()> {
        if let Some(directory) = self.absent() {
            anyhow::bail!(
                "there is no database at {}; `adb ingest` makes one",
                directory.display()
            );
        }
        Ok(())
    }

    /// Whether no other process writes to its directory or holds it. The first write would tell, and
    /// there may be much to do before that.
    fn check_free(&self) -> anyhow::Result<()> {
        let Some(directory) = self.directory().filter(|path| path.is_dir()) else { return Ok(()) };
        // What is wrong with the directory opening it says.
        if let Ok(Some(holder)) = Engine::writer(directory) {
            anyhow::bail!("{} ({})", holder.refuses(), directory.display());
        }
        Ok(())
    }

    /// Opens it for reading: works while another process writes to it.
    pub(crate) fn read(&self) -> anyhow::Result<Arc<dyn Database>> {
        self.log("opening for reading");
        let opened = adb::connect_read_only(self.address());
        if matches!(opened, Err(ConnectError::Engine(_))) {
            self.check_there()?;
        }
        told(opened)
    }

    /// An address may hold a password: of servers no more is told.
    fn log(&self, what: &str) {
        match self.directory() {
            Some(directory) => tracing::debug!(directory = %directory.display(), "{what}"),
            None => tracing::debug!("{what} on a server"),
        }
    }

    /// The directory of an embedded one.
    pub(crate) fn directory(&self) -> Option<&Path> {
        let address = self.address();
        match address.split_once("://") {
            Some(("file", path)) => Some(Path::new(path)),
            Some(_) => None,
            None if address.starts_with("config:") => None,
            None => Some(Path::new(address)),
        }
    }

    /// Where it is, as far as it was said; `config:` if it was not.
    pub(crate) fn address(&self) -> &str {
        self.address.as_deref().unwrap_or("config:")
    }
}

fn told(opened: Result<Arc<dyn Database>, ConnectError>) -> anyhow::Result<Arc<dyn Database>> {
    opened.map_err(|error| match error {
        ConnectError::NotConfigured => Usage(
            "no database is named, and no server is configured; give --db DIR (a directory, made by \
             `adb ingest`), --db adb://user:password@host, or set a server up with `adb config create`"
                .to_owned(),
        )
        .into(),
        ConnectError::Scheme(_) => Usage(format!("--db: {error}")).into(),
        // Faults in configurations end as the SDK's do.
        ConnectError::Remote(adb::remote::Error::Protocol(error)) => Usage(error.to_string()).into(),
        other => other.into(),
    })
}
