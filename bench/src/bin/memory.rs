//! The most memory that an ingestion takes, by its number of rows.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use adb::{
    BoxFuture, Database, DbError, Request, Response,
    loaders::{DeadLetters, Ingest, JsonSource, Options},
};
use adb_bench::{Dish, Nobody, Nowhere, peak_megabytes};
use anyhow::ensure;
use clap::Parser;

/// Ingests generated rows into a database that keeps nothing, some of large files, some that fail,
/// and tells the most memory that the process took.
#[derive(Parser)]
struct Cli {
    /// How many rows.
    #[arg(long, default_value_t = 10_000)]
    rows: u64,
    /// Rows with a large file; they stand together, where they do the most harm.
    #[arg(long, default_value_t = 40)]
    large: u64,
    /// Size of a large file, in MB.
    #[arg(long, default_value_t = 50)]
    megabytes: u64,
    /// One row in so many fails.
    #[arg(long, default_value_t = 100)]
    fails: u64,
    /// Memory for media in flight, in MiB [default: that of the library].
    #[arg(long)]
    memory: Option<usize>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let directory = tempfile::tempdir()?;
    let rows = write_rows(&cli, directory.path())?;
    let mut options = Options::default();
    options.bytes_in_flight = cli.memory.map_or(options.bytes_in_flight, |mib| mib << 20);
    let db = Slow { bytes_per_second: 200e6 };
    let report = Ingest::new(Arc::new(db))
        .embedder(Arc::new(Nobody::default()))
        .options(options)
        .dead_letters(DeadLetters::beside(&rows))
        .run(JsonSource::<Dish>::open(&rows)?)
        .await?;
    ensure!(report.adds_up() && report.broken_off.is_none(), "{report}");
    ensure!(report.failed == cli.rows / cli.fails, "{report}");
    println!(
        "{} rows, {} of them with a file of {} MB, {} failed: {:.0} MiB at most, {:.1} s",
        report.rows,
        cli.large,
        cli.megabytes,
        report.failed,
        peak_megabytes()?,
        report.time.as_secs_f64(),
    );
    Ok(())
}

/// JSON Lines in a file; their pictures are one small file, one large one, and one that is not
/// there.
fn write_rows(cli: &Cli, directory: &Path) -> anyhow::Result<std::path::PathBuf> {
    fs::write(directory.join("small.bin"), vec![7; 10_000])?;
    File::create(directory.join("large.bin"))?.set_len(cli.megabytes * 1_000_000)?;
    let path = directory.join("rows.jsonl");
    let mut out = BufWriter::new(File::create(&path)?);
    let large_from = cli.rows / 2;
    for row in 0..cli.rows {
        let file = match row {
            row if row % cli.fails == cli.fails - 1 => "none.bin",
            row if (large_from..large_from + cli.large).contains(&row) => "large.bin",
            _ => "small.bin",
        };
        writeln!(
            out,
            r#"{{"dish_id": {row}, "name": "dish {row}", "caption": "one of many", "url": "{file}"}}"#
        )?;
    }
    out.flush()?;
    Ok(path)
}

/// Takes its time with large blobs, as disks and networks do: rows pile up before it.
struct Slow {
    bytes_per_second: f64,
}

impl Database for Slow {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            let bytes: usize = request.blobs.iter().map(bytes::Bytes::len).sum();
            if bytes > 10_000_000 {
                let time = bytes as f64 / self.bytes_per_second;
                tokio::time::sleep(Duration::from_secs_f64(time)).await;
            }
            Nowhere.execute(request).await
        })
    }
}
