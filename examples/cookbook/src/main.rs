//! The Cookbook: photos of dishes go in, "creamy curry" comes out. Copy this to begin your own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use adb::{
    DescriptorSet as _,
    document::Document,
    embedders::{Chooser, Chosen, OnDownload},
    loaders::{Ingest, JsonSource, Progress, Stop, terminal::Bar},
    prelude::*,
    query::Hit,
};
use clap::{Parser, Subcommand};
use comfy_table::{Table, presets};
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
    /// The database: a directory.
    #[arg(long, value_name = "DIR", default_value = "cookbook.adb", global = true)]
    db: String,
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Bring the dishes of DIR/dishes.json, with their photos, into the database.
    Ingest {
        /// A directory with dishes.json beside images/.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Embedder for a new database: a bundle's name or directory.
        #[arg(long)]
        embedder: Option<String>,
    },
    /// Find the dishes whose photos look most like TEXT.
    Search {
        /// What to look for, such as "creamy curry".
        text: String,
        /// How many dishes to show.
        #[arg(short, default_value_t = 5)]
        k: usize,
        /// Print a JSON array instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Print what a dish is as a document, by which rows go in without compiling.
    Model,
    /// Get the embedder that the database has, or would be made with, and print its name.
    Embedder,
}

#[tokio::main]
async fn main() -> ExitCode {
    run(Cli::parse()).await.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(Cli { db, job }: Cli) -> anyhow::Result<ExitCode> {
    match job {
        Job::Ingest { data, embedder } => {
            let db = adb::connect(&db)?;
            let source = JsonSource::<Dish>::open(data.join("dishes.json"))?;
            let chosen = choose(&*db, embedder.as_deref()).await?;
            let progress = Arc::new(Progress::default());
            let bar = Bar::start(progress.clone());
            let ingest = Ingest::new(db).embedder(chosen.embedder).progress(progress);
            let report = ingest.stop_on(Stop::on_ctrl_c()).run(source).await?;
            drop(bar);
            println!("{report}");
            return Ok(ExitCode::from(report.exit_code()));
        }
        Job::Search { text, k, json } => {
            let db = adb::connect(&db)?;
            let chooser = Chooser::from_env()?;
            let embedder = chooser.choose_to_search(&*db, &DishPhotos::SPEC, None).await?.embedder;
            let hits = Dish::find().nearest::<DishPhotos>(text, k).fetch(&*db, &*embedder).await?;
            show(hits, json);
        }
        Job::Model => println!("{}", serde_json::to_string_pretty(&Document::of(Dish::SCHEMA))?),
        Job::Embedder => {
            let db = adb::connect(&db)?;
            println!("{}", choose(&*db, None).await?.embedder.identity().name);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The embedder that the database's vectors come from, or are to come from.
async fn choose(db: &dyn Database, asked: Option<&str>) -> anyhow::Result<Chosen> {
    let chooser = Chooser::from_env()?.on_download(OnDownload::shown());
    let chosen = chooser.choose(db, &DishPhotos::SPEC, asked).await?;
    chosen.notices.iter().for_each(|notice| eprintln!("{notice}"));
    Ok(chosen)
}

fn show(hits: Vec<Hit<Dish>>, json: bool) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["rank", "dish", "cuisine", "similarity", "image file"]);
    let mut list = Vec::new();
    for (rank, Hit { value: dish, distance, .. }) in (1..).zip(hits) {
        let cuisine = dish.cuisine.unwrap_or_default();
        let file = dish.photo.source().origin().unwrap_or_default();
        table.add_row([&rank.to_string(), &dish.name, &cuisine, &format!("{distance:.3}"), &file]);
        list.push(serde_json::json!({
            "rank": rank, "dish": dish.name, "cuisine": cuisine, "similarity": distance, "file": file,
        }));
    }
    let shown = if json { serde_json::Value::from(list).to_string() } else { table.to_string() };
    println!("{shown}");
}
