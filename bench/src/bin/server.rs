//! The Rust sides of `bench/server.sh`: rows through a server or straight into the engine, and round
//! trips of a small request. Each prints one line of JSON.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use adb::{
    Database, Request, ask,
    loaders::{CsvSource, Ingest, Options},
    prelude::*,
};
use anyhow::ensure;
use clap::{Parser, Subcommand};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// Measures one side.
#[derive(Parser)]
struct Cli {
    /// The database: `adb://…`, or a directory.
    #[arg(long)]
    db: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Rows of a CSV file through the loader.
    Load {
        rows: PathBuf,
        #[arg(long)]
        batch: usize,
        #[arg(long, default_value_t = 4)]
        threads: usize,
    },
    /// Ready requests of so many guarded AddEntity each, from several tasks.
    Write {
        #[arg(long)]
        rows: usize,
        #[arg(long)]
        batch: usize,
        #[arg(long, default_value_t = 4)]
        threads: usize,
    },
    /// One small request after the other.
    Trips {
        #[arg(long, default_value_t = 2000)]
        count: usize,
    },
}

/// A row of the CSV file, with the columns that the SDK's loader takes.
#[derive(Debug, DataModel, Deserialize)]
struct Person {
    #[adb(id)]
    id: u64,
    name: String,
    age: i64,
    height: f64,
    city: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let db = adb::connect(&cli.db)?;
    let result = match cli.what {
        What::Load { rows, batch, threads } => load(db, rows, batch, threads).await?,
        What::Write { rows, batch, threads } => write(db, rows, batch, threads).await?,
        What::Trips { count } => trips(&*db, count).await?,
    };
    println!("{result}");
    Ok(())
}

async fn load(
    db: Arc<dyn Database>,
    rows: PathBuf,
    batch: usize,
    threads: usize,
) -> anyhow::Result<Json> {
    let source = CsvSource::<Person>::open(rows)?;
    let mut options = Options::default();
    options.rows_per_request = batch;
    options.writers = threads;
    let start = Instant::now();
    let report = Ingest::new(db).options(options).run(source).await?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(report.failed == 0 && report.added > 0, "{report}");
    Ok(json!({"rows": report.added, "seconds": seconds}))
}

async fn write(
    db: Arc<dyn Database>,
    rows: usize,
    batch: usize,
    threads: usize,
) -> anyhow::Result<Json> {
    let index =
        json!([{"CreateIndex": {"index_type": "entity", "class": "Person", "property_key": "id"}}]);
    ask(&*db, Request::json(&index)).await?;
    let requests: Vec<Request> = (0..rows)
        .step_by(batch)
        .map(|first| {
            let add = |id: usize| {
                json!({"AddEntity": {"class": "Person", "if_not_found": {"id": ["==", id]},
                    "properties": {"id": id, "name": format!("person {id}"), "age": id % 90,
                        "height": id as f64 / 7.0, "city": "Leeds"}}})
            };
            Request::json(&Json::from_iter((first..rows.min(first + batch)).map(add)))
        })
        .collect();
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now();
    let tasks: Vec<_> = (0..threads)
        .map(|_| {
            let (db, requests, next) = (db.clone(), requests.clone(), next.clone());
            tokio::spawn(async move {
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    ask(&*db, request.clone()).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(json!({"rows": rows, "seconds": start.elapsed().as_secs_f64()}))
}

async fn trips(db: &dyn Database, count: usize) -> anyhow::Result<Json> {
    let request = Request::json(&json!([{"GetStatus": {}}]));
    // Connects and logs in.
    ask(db, request.clone()).await?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        ask(db, request.clone()).await?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |share: f64| {
        let place = (share * (times.len() - 1) as f64).round() as usize;
        times.get(place).copied().unwrap_or(Duration::ZERO).as_secs_f64() * 1e6
    };
    Ok(json!({"p50_us": at(0.5), "p99_us": at(0.99), "count": count}))
}
