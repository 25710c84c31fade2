//! What is served: a database of its own, or another server's.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use adb::{
    ConnectError, Database,
    engine::{Engine, HttpFetcher},
    protocol::Configuration,
    remote::{Options, Remote},
};

use super::{limits::Limits, options::Listening};
use crate::exit::usage;

/// What is served.
#[derive(clap::Args)]
pub(crate) struct Source {
    /// The database: a directory, made if it is not there.
    #[arg(
        long,
        value_name = "DIR",
        env = "ADB_DB",
        hide_env_values = true,
        required_unless_present = "upstream"
    )]
    db: Option<PathBuf>,
    /// Pass everything on to another server instead: `adb://…`, `https://…/api` or `config:NAME`.
    /// Accounts are this server's own, and are kept in `proxy.server` unless --state says otherwise;
    /// whoever is let in acts there as the user of the address.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "ADB_UPSTREAM",
        hide_env_values = true,
        conflicts_with_all = ["db", "fetch_allow", "no_fetch"]
    )]
    upstream: Option<String>,
    /// A host that `url` in requests may name although its address is not of the public net, such as
    /// `localhost`; `.example.org` means all hosts below that name. May be given more than once.
    #[arg(long, value_name = "HOST", conflicts_with = "no_fetch")]
    fetch_allow: Vec<String>,
    /// Refuse requests that name a `url` to fetch from.
    #[arg(long)]
    no_fetch: bool,
}

impl Source {
    /// Whether it can be served, as far as can be said without making anything.
    pub(super) fn look(&self) -> anyhow::Result<()> {
        let Some(db) = &self.db else { return Ok(()) };
        directory(db)?;
        // What is wrong with the directory opening it says.
        if let Ok(Some(holder)) = Engine::writer(db) {
            anyhow::bail!("{} ({})", holder.refuses(), db.display());
        }
        Ok(())
    }

    /// A database of its own is held from now on: clients are not to learn that another process writes.
    /// Others are told the way in.
    pub(super) async fn open(
        &self,
        limits: &Limits,
        listening: &Listening,
        way_in: &str,
    ) -> anyhow::Result<Arc<dyn Database>> {
        if let Some(address) = &self.upstream {
            return upstream(address, limits);
        }
        let mut options = Engine::options().response_limit(limits.message_bytes());
        if !self.no_fetch {
            let fetcher = HttpFetcher::new().private_hosts(self.fetch_allow.iter().cloned());
            options = options.fetcher(Arc::new(fetcher));
        }
        let engine = options.open(self.name())?;
        engine.hold_at(listening.to_string(), way_in).await?;
        Ok(Arc::new(engine))
    }

    /// The directory that is served, wherever this process was started.
    pub(super) fn directory(&self) -> anyhow::Result<Option<PathBuf>> {
        Ok(self.db.as_deref().map(std::path::absolute).transpose()?)
    }

    /// What the accounts are kept beside.
    pub(super) fn name(&self) -> PathBuf {
        match (&self.db, &self.upstream) {
            (Some(db), None) => db.clone(),
            // Clap insists on either.
            _ => PathBuf::from("proxy"),
        }
    }
}

/// Refuses an address in the place of a directory: as a name of one it would be made, password and all.
/// It is not quoted for the same reason.
pub(super) fn directory(db: &Path) -> anyhow::Result<()> {
    let is_address = |name: &str| name.contains("://") || name.starts_with("config:");
    if db.to_str().is_some_and(is_address) {
        usage!(
            "--db (or ADB_DB) is an address here, and `adb serve` takes a directory; to pass requests \
             on to another server give its address to `--upstream`, and leave --db and ADB_DB out"
        );
    }
    Ok(())
}

/// A client with as many connections as there may be requests.
fn upstream(address: &str, limits: &Limits) -> anyhow::Result<Arc<dyn Database>> {
    let options = Options {
        connections: limits.requests(),
        message: limits.message_bytes(),
        ..Options::default()
    };
    let remote = match address.strip_prefix("config:") {
        Some(name) => {
            let name = Some(name).filter(|name| !name.is_empty());
            Remote::find(name, options)?.ok_or(ConnectError::NotConfigured)?
        }
        None => Remote::new(&Configuration::from_address(address)?, options)?,
    };
    tracing::info!(upstream = ?remote, "passing on");
    Ok(Arc::new(remote))
}
