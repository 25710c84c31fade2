//! Pictures per second of the whole pipeline: from a JSON file to a database.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{fs, path::PathBuf, sync::Arc};

use adb::{
    Database, Embedder as _,
    loaders::{Ingest, JsonSource, Options},
};
use adb_bench::{Dish, Nowhere, cores, embedder, photo, read_dishes};
use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};

/// Ingests a Cookbook's photos again and again, each time as new dishes, and tells how fast.
#[derive(Parser)]
struct Cli {
    /// A directory with dishes.json beside images/.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The bundle's directory [default: starter-512 in the cache].
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// How often the files are gone through.
    #[arg(long, default_value_t = 10)]
    repeat: usize,
    /// Threads for inference.
    #[arg(long, default_value_t = cores())]
    threads: usize,
    /// Pictures that are embedded at once.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Threads that decode pictures.
    #[arg(long, default_value_t = Options::default().decoders)]
    decoders: usize,
    /// Where the rows go.
    #[arg(long, value_enum, default_value_t = Sink::Engine)]
    sink: Sink,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sink {
    /// An embedded database in a temporary directory.
    Engine,
    /// Nowhere: every request is answered at once.
    Null,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    ensure!(cli.repeat > 0 && cli.batch > 0, "--repeat and --batch want 1 or more");
    let mut dishes = read_dishes(&cli.data)?;
    let data = fs::canonicalize(&cli.data)?;
    let directory = tempfile::tempdir()?;
    let rows = directory.path().join("dishes.json");
    let count = dishes.len() * cli.repeat;
    let mut lines = String::new();
    for repeat in 0..cli.repeat {
        for (id, dish) in (repeat * dishes.len()..).zip(&mut dishes) {
            dish.dish_id = id as u64;
            dish.photo = adb::Image::path(data.join(photo(dish)?));
            lines.push_str(&serde_json::to_string(dish)?);
            lines.push('\n');
        }
    }
    fs::write(&rows, lines)?;

    // The run time and the graph are loaded, and have run once, before the clock starts.
    let embedder = Arc::new(embedder(cli.bundle.as_deref(), cli.threads)?);
    let mut first = Vec::new();
    for dish in dishes.iter().take(cli.batch) {
        first.push(embedder.prepare_image(&fs::read(photo(dish)?)?, None)?);
    }
    embedder.embed_images(&first)?;

    let db = match cli.sink {
        Sink::Null => Arc::new(Nowhere) as Arc<dyn Database>,
        Sink::Engine => {
            let path = directory.path().join("bench.adb");
            adb::connect(path.to_str().context("the temporary directory has an odd name")?)?
        }
    };
    let mut options = Options::default();
    // Rows name them by absolute paths.
    options.media.root = Some(data);
    options.embed_batch = Some(cli.batch);
    options.decoders = cli.decoders;
    let source = JsonSource::<Dish>::open(&rows)?;
    let report = Ingest::new(db).embedder(embedder.clone()).options(options).run(source).await?;
    ensure!(report.added == count as u64 && report.embedded == report.added, "{report}");

    let each = |time: std::time::Duration| 1000.0 * time.as_secs_f64() / count as f64;
    println!(
        "{}, {} threads, {} decoders, batch {}: {:.1} images/s ({count} images in {:.2} s; \
         read {:.2} ms, prepare {:.1} ms, inference {:.1} ms, write {:.1} ms each)",
        embedder.identity().name,
        cli.threads,
        cli.decoders,
        cli.batch,
        count as f64 / report.time.as_secs_f64(),
        report.time.as_secs_f64(),
        each(report.stages.read),
        each(report.stages.media + report.stages.decode),
        each(report.stages.embed),
        each(report.stages.write),
    );
    Ok(())
}
