//! `adb ingest`: rows of files into a database.

mod again;
mod command;
mod dir;
mod embedding_csv;
mod export;
mod how;
mod media;
mod objects;
mod of_python;
mod parquet;
mod plain;
mod retry;
mod rows;
mod sdk;
mod transformers;
mod webdataset;

use crate::exit::Exit;

/// Bring rows into a database.
#[derive(clap::Subcommand)]
pub(crate) enum Ingest {
    FromCsv(rows::FromCsv),
    FromJson(rows::FromJson),
    FromDir(dir::FromDir),
    FromCommand(command::FromCommand),
    FromParquet(parquet::FromParquet),
    FromWebdataset(webdataset::FromWebdataset),
    FromExport(export::FromExport),
    Retry(retry::Retry),
    #[command(name = "generate-embedding-csv-from-image-csv")]
    EmbeddingCsv(embedding_csv::EmbeddingCsv),
    /// Python alone does that.
    #[command(hide = true)]
    FromGenerator(of_python::Anything),
    /// Python alone does that.
    #[command(hide = true)]
    FromCroissant(of_python::Anything),
}

impl Ingest {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Ingest::FromCsv(command) => command.run().await,
            Ingest::FromJson(command) => command.run().await,
            Ingest::FromDir(command) => command.run().await,
            Ingest::FromCommand(command) => command.run().await,
            Ingest::FromParquet(command) => command.run().await,
            Ingest::FromWebdataset(command) => command.run().await,
            Ingest::FromExport(command) => command.run().await,
            Ingest::Retry(command) => command.run().await,
            Ingest::EmbeddingCsv(command) => command.run().await,
            Ingest::FromGenerator(_) => of_python::from_generator(),
            Ingest::FromCroissant(_) => of_python::from_croissant(),
        }
    }
}
