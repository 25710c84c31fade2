//! The Cookbook: photos of dishes go in, "creamy curry" comes out. Copy this to begin your own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use adb::{
    embedders::{ChooseOptions, Chosen, embedder_for},
    loaders::{Ingest, JsonSource, Progress, Stop, progress},
    prelude::*,
};
use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};

/// The space in which photos of dishes lie.
#[derive(DescriptorSet)]
#[adb(name = "dish_photos", embedder = ClipVitB16, metric = Cosine, engine = Hnsw)]
struct DishPhotos;

/// A photo of a dish, and what is known of it.
#[derive(DataModel, Serialize, Deserialize)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    dish_id: u64,
    name: String,
    #[adb(index)]
    cuisine: Option<String>,
    caption: String,
    contributor: Option<String>,
    location: Option<String>,
    recipe_url: Option<String>,
    #[serde(rename = "url")]
    photo: Image,
    #[adb(embed(from = photo, set = DishPhotos))]
    look: Embedding<512>,
    #[adb(connect = "HasIngredient")]
    #[serde(default)]
    ingredients: Vec<Ingredient>,
}

/// What dishes are made of; dishes share it.
#[derive(DataModel, Serialize, Deserialize)]
struct Ingredient {
    #[adb(id)]
    name: String,
}

/// Photos of dishes, found by what is on the plate.
#[derive(Parser)]
#[command(after_help = "Examples:
  cookbook ingest --data examples/data/cookbook --db my.adb
  cookbook search --db my.adb \"creamy curry\" -k 3")]
struct Cli {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Bring the dishes of DIR/dishes.json, with their photos, into a database.
    Ingest {
        /// A directory with dishes.json beside images/.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The database: a directory, made if it is not there.
        #[arg(long, value_name = "DIR")]
        db: String,
        /// Embedder for a new database: a bundle's name or directory.
        #[arg(long)]
        embedder: Option<String>,
    },
    /// Find the dishes whose photos look most like TEXT.
    Search {
        /// The database.
        #[arg(long, value_name = "DIR")]
        db: String,
        /// What to look for, such as "creamy curry".
        text: String,
        /// How many dishes to show.
        #[arg(short, default_value_t = 5)]
        k: usize,
        /// Print a JSON array instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Get the embedder that this database has, or would be made with, and print its name.
    Embedder {
        /// The database.
        #[arg(long, value_name = "DIR")]
        db: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().job {
        Job::Ingest { data, db, embedder } => ingest(data, &db, embedder).await,
        Job::Search { db, text, k, json } => search(&db, &text, k, json).await,
        Job::Embedder { db } => embedder(&db).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn ingest(data: PathBuf, db: &str, asked: Option<String>) -> anyhow::Result<ExitCode> {
    let source = JsonSource::<Dish>::open(data.join("dishes.json"))?;
    let db = adb::connect(db)?;
    let chosen = choose(db.as_ref(), asked).await?;

    let stop = Stop::default();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.stop();
            }
        }
    });
    let progress = Arc::new(Progress::default());
    let bar = progress::Bar::start(progress.clone());
    let ingest = Ingest::new(db).embedder(chosen.embedder).progress(progress).stop_on(stop);
    let report = ingest.run(source).await;
    bar.finish();
    let report = report?;
    println!("{report}");
    Ok(ExitCode::from(report.exit_code()))
}

async fn search(db: &str, text: &str, k: usize, json: bool) -> anyhow::Result<ExitCode> {
    let db = adb::connect(db)?;
    let embedder = choose(db.as_ref(), None).await?.embedder;
    let hits = Dish::find().nearest::<DishPhotos>(text, k).fetch(&db, &*embedder).await?;
    ...
}
