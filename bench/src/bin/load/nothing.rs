//! What is left when embedder and database cost nothing.

use std::{path::PathBuf, sync::Arc};

use adb::{
    loaders::{CsvSource, Ingest, JsonSource, Options, Report},
    prelude::*,
};
use adb_bench::{Clock, Dish, Nobody, Nowhere, print};
use anyhow::{Context as _, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Brings a file of `rows` into nowhere.
#[derive(Args)]
pub(crate) struct Nothing {
    #[arg(long)]
    file: PathBuf,
    /// Rows in a request.
    #[arg(long, default_value_t = Options::default().rows_per_request)]
    batch: usize,
    /// Requests at once.
    #[arg(long, default_value_t = Options::default().writers)]
    writers: usize,
}

/// A dish without a picture.
#[derive(Debug, DataModel, Serialize, Deserialize)]
struct Recipe {
    #[adb(id)]
    dish_id: u64,
    name: String,
    #[adb(index)]
    cuisine: Option<String>,
    caption: String,
    contributor: Option<String>,
    location: Option<String>,
}

impl Nothing {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let name = self.file.file_name().and_then(|n| n.to_str()).context("an odd name")?;
        let mut options = Options::default();
        (options.rows_per_request, options.writers) = (self.batch, self.writers);
        let ingest =
            Ingest::new(Arc::new(Nowhere)).embedder(Arc::new(Nobody::default())).options(options);
        let clock = Clock::start()?;
        let report: Report = match name {
            "photos.jsonl" => ingest.run(JsonSource::<Dish>::open(&self.file)?).await?,
            "photos.csv" => ingest.run(CsvSource::<Dish>::open(&self.file)?).await?,
            "dishes.jsonl" => ingest.run(JsonSource::<Recipe>::open(&self.file)?).await?,
            "dishes.csv" => ingest.run(CsvSource::<Recipe>::open(&self.file)?).await?,
            other => anyhow::bail!("{other}: `load rows` writes no such file"),
        };
        let used = clock.stop()?;
        ensure!(report.added == report.rows && report.rows > 0, "{report}");
        let rows = report.rows as f64;
        print(name, "rows/s", rows / used.wall);
        print(name, "CPU-s for 1,000 rows", 1000.0 * used.processors / rows);
        Ok(())
    }
}
