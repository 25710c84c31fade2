//! `adb ingest`: rows of files into a database.

mod again;
mod by_model;
mod command;
mod dir;
mod dry;
mod embedding_csv;
mod export;
mod media;
mod objects;
mod of_python;
mod parquet;
mod plain;
mod retry;
mod rows;
mod running;
mod sdk;
mod transformers;
mod vectors;
mod webdataset;

use crate::exit::Exit;

/// Bring rows into a database.
#[derive(clap::Subcommand)]
#[command(after_help = "Examples:
  adb ingest from-json examples/data/cookbook/dishes.json \\
      --model examples/data/cookbook/dish.model.json --db my.adb
  adb ingest from-dir photos --class Photo --db my.adb
  adb ingest from-csv dishes.adb.csv --db my.adb")]
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
