//! Rows of Parquet files.

use std::path::Path;

use adb::loaders::ParquetObjects;

use super::{
    by_model::ByModelOrPlain,
    objects::{files, name, pair},
};
use crate::exit::Exit;

/// Bring the rows of Parquet files in.
///
/// Pictures may be bytes, a struct of `bytes` and `path` as Hugging Face data sets have them, paths
/// or addresses. Without a model document, the first column of bytes becomes the image, and all
/// else its properties.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb ingest from-parquet 'data/train-*.parquet' --db my.adb --class Photo --set photos")]
pub(crate) struct FromParquet {
    /// The files: `a.parquet`, `train-{00000..00010}.parquet`, `train-*.parquet`.
    #[arg(required = true)]
    files: Vec<String>,
    /// Reads a column as a field; `--map column=` leaves it out.
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = pair, help_heading = "The rows")]
    map: Vec<(String, String)>,
    #[command(flatten)]
    by: ByModelOrPlain,
}

impl FromParquet {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let files = files(&self.files)?;
        let first = files.first().cloned().unwrap_or_default();
        let mut rows = ParquetObjects::open(files)?.named(name(&self.files));
        for (column, key) in self.map {
            rows = rows.map(column, key);
        }
        let mut seen = None;
        let observed = |model| {
            let (rows, model) = rows.clone().observed(model)?;
            seen = Some(rows);
            Ok(model)
        };
        let model = self.by.model(observed).await?;
        let rows = seen.unwrap_or(rows);
        self.by.ingest(rows, Path::new(&first), model).await
    }
}
