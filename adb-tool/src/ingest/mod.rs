//! `adb ingest`: rows of files into a database.

mod how;
mod media;
mod retry;
mod rows;

use crate::exit::Exit;

/// Bring rows into a database.
#[derive(clap::Subcommand)]
pub(crate) enum Ingest {
    FromCsv(rows::FromCsv),
    FromJson(rows::FromJson),
    Retry(retry::Retry),
}

impl Ingest {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Ingest::FromCsv(command) => command.run().await,
            Ingest::FromJson(command) => command.run().await,
            Ingest::Retry(command) => command.run().await,
        }
    }
}
