//! `adb conform`: a trace against the engine, or against another database.

use std::{path::PathBuf, sync::Arc};

use adb::{
    Database,
    engine::{Engine, FetchError, Fetcher, HttpFetcher},
    trace::{Trace, picture, replay},
};
use anyhow::Context as _;

use crate::exit::Exit;

/// Replay what `adb serve --record` wrote, and tell where the answers differ.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb conform day.adbtrace                  # against an empty embedded database
  adb conform day.adbtrace --db copy.adb    # against a copy of what was there when recording began

Ends with 1 if there is a difference. What counts as none: docs/traces.md.")]
pub(crate) struct Conform {
    /// The trace.
    trace: PathBuf,
    /// The database to hold it against, which is written to: a directory, an address, or `fresh` for an
    /// empty embedded one that is removed afterwards.
    #[arg(long, value_name = "DB", default_value = "fresh")]
    db: String,
    /// Fetch what `url` names in requests. Without it a picture is made up for each address.
    #[arg(long)]
    fetch: bool,
    /// Print all that was found as JSON.
    #[arg(long)]
    json: bool,
}

impl Conform {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let trace = Trace::open(&self.trace)?;
        // Removed when all is done.
        let scratch = tempfile::tempdir().context("there is no room for an empty database")?;
        let db: Arc<dyn Database> = match self.db.as_str() {
            "fresh" => Arc::new(self.engine().without_sync().open(scratch.path())?),
            address if address.contains("://") || address.starts_with("config:") => {
                adb::connect(address)?
            }
            directory => Arc::new(self.engine().open(directory)?),
        };
        let conformity = replay(trace, &*db).await?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&conformity)?);
        } else {
            println!("{conformity}");
        }
        Ok(if conformity.conforms() { Exit::Well } else { Exit::Failed })
    }

    fn engine(&self) -> adb::engine::Options {
        let fetcher: Arc<dyn Fetcher> = match self.fetch {
            true => Arc::new(HttpFetcher::new()),
            false => Arc::new(MadeUp),
        };
        Engine::options().fetcher(fetcher)
    }
}

/// A picture for each address, always the same: what an address gave is in no trace.
#[derive(Debug)]
struct MadeUp;

impl Fetcher for MadeUp {
    fn fetch(&self, url: &str, _limit: usize) -> Result<bytes::Bytes, FetchError> {
        Ok(picture(url))
    }
}
