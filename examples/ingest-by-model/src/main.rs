//! Ingestion without compiling: a model document says what the rows of a file are.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

use std::{fs, path::PathBuf, process::ExitCode, sync::Arc};

use adb::{
    Database,
    document::{Document, LoadedModel},
    embedders::{Chooser, OnDownload},
    loaders::{CsvSource, Ingest, JsonSource, Options, Progress, Stop, terminal::Bar},
};
use anyhow::Context as _;
use clap::Parser;

/// Bring the rows of a file into a database, as a model document says.
#[derive(Parser)]
#[command(after_help = "Example, with the document that `cookbook model` prints:
  ingest-by-model --model examples/data/cookbook/dish.model.json --db my.adb \\
      examples/data/cookbook/dishes.json")]
struct Cli {
    /// The rows: a JSON array, JSON Lines, or CSV if it is called so. Pictures are named relative
    /// to this file.
    rows: PathBuf,
    /// The model document: what `Document::of(Dish::SCHEMA)` is as JSON.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The database: a directory.
    #[arg(long, value_name = "DIR", default_value = "my.adb")]
    db: String,
    /// Embedder for new sets: a bundle's name or directory.
    #[arg(long, conflicts_with = "no_embedder")]
    embedder: Option<String>,
    /// The rows bring their vectors.
    #[arg(long)]
    no_embedder: bool,
    /// Rows with a key that no field takes fail.
    #[arg(long)]
    strict: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    run(Cli::parse()).await.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let model = load(&cli.model).with_context(|| cli.model.display().to_string())?;
    let db = adb::connect(&cli.db)?;
    let mut options = Options::default();
    options.strict = cli.strict;
    let mut ingest = Ingest::new(db.clone()).options(options).stop_on(Stop::on_ctrl_c());
    if !cli.no_embedder {
        ingest = with_embedders(ingest, &*db, model, cli.embedder.as_deref()).await?;
    }
    let progress = Arc::new(Progress::default());
    let bar = Bar::start(progress.clone());
    let ingest = ingest.progress(progress);
    let report = match cli.rows.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("csv") => {
            ingest.run(CsvSource::by_model(&cli.rows, model)?).await?
        }
        _ => ingest.run(JsonSource::by_model(&cli.rows, model)?).await?,
    };
    drop(bar);
    println!("{report}");
    Ok(ExitCode::from(report.exit_code()))
}

fn load(path: &PathBuf) -> anyhow::Result<LoadedModel> {
    Ok(Document::parse(&fs::read_to_string(path)?)?.load()?)
}

/// Each set's own embedder.
async fn with_embedders(
    mut ingest: Ingest,
    db: &dyn Database,
    model: LoadedModel,
    asked: Option<&str>,
) -> anyhow::Result<Ingest> {
    for set in model.schema().sets() {
        let chooser = Chooser::from_env()?.on_download(OnDownload::shown());
        let chosen = chooser.choose(db, &set, asked).await?;
        chosen.notices.iter().for_each(|notice| eprintln!("{notice}"));
        ingest = ingest.embedder_for(set.name, chosen.embedder);
    }
    Ok(ingest)
}
