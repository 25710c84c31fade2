//! `adb ingest`: rows of files into a database.

mod again;
mod embedding_csv;
mod how;
mod media;
mod retry;
mod rows;
mod sdk;
mod transformers;

use crate::exit::Exit;

/// Bring rows into a database.
#[derive(clap::Subcommand)]
pub(crate) enum Ingest {
    FromCsv(rows::FromCsv),
    FromJson(rows::FromJson),
    Retry(retry::Retry),
    #[command(name = "generate-embedding-csv-from-image-csv")]
    EmbeddingCsv(embedding_csv::EmbeddingCsv),
}

impl Ingest {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Ingest::FromCsv(command) => command.run().await,
            Ingest::FromJson(command) => command.run().await,
            Ingest::Retry(command) => command.run().await,
            Ingest::EmbeddingCsv(command) => command.run().await,
        }
    }
}
