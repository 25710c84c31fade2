//! Our loader on a file of the Python SDK.

use std::{path::PathBuf, sync::Arc};

use adb::loaders::{Ingest, Options, SdkCsv};
use adb_bench::{Clock, print};
use anyhow::ensure;
use clap::Args;

/// Brings a file of the Python SDK into a database.
#[derive(Args)]
pub(crate) struct Into {
    #[arg(long)]
    file: PathBuf,
    /// A directory or an address.
    #[arg(long)]
    db: String,
    /// Rows in a request.
    #[arg(long)]
    batch: usize,
    /// Requests at once.
    #[arg(long)]
    threads: usize,
    /// What the figures are of.
    #[arg(long)]
    case: String,
}

impl Into {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut options = Options::default();
        (options.rows_per_request, options.writers) = (self.batch, self.threads);
        let source = SdkCsv::open(&self.file)?;
        let ingest = Ingest::new(Arc::clone(&adb::connect(&self.db)?)).options(options);
        let clock = Clock::start()?;
        let report = ingest.run_commands(source).await?;
        let used = clock.stop()?;
        ensure!(report.added == report.rows && report.rows > 0, "{report}");
        let (rows, variant) = (report.rows as f64, format!("{}, batch {}", self.case, self.batch));
        print(&variant, "rows/s", rows / used.wall);
        print(&variant, "CPU-s for 1,000 rows", 1000.0 * used.processors / rows);
        Ok(())
    }
}
