//! Rows by a model document.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use adb::{
    Database,
    document::{Document, LoadedModel},
    embedders::{Chooser, OnDownload},
    loaders::{
        self, CsvObjects, JsonSource, ObjectSource as _, Options, Progress, Source, Stop,
        terminal::Bar,
    },
};
use anyhow::Context as _;

use super::media::Media;
use crate::{database::Db, exit::Exit};

/// Bring the rows of a CSV file in, as a model document says.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb ingest from-csv dishes.csv --model dish.model.json --db my.adb")]
pub(crate) struct FromCsv {
    /// The rows; `-` is standard input. Packed with gzip or Zstandard is well. Pictures are named
    /// relative to this file.
    rows: PathBuf,
    /// Reads a column as a field: `--map "Dish name=name"`. `--map column=` leaves it out.
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = pair)]
    map: Vec<(String, String)>,
    /// What stands between cells: a character, or `tab`. Without it, the header tells.
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// What stands between the items of a list in one cell (`ingredients[].name`).
    #[arg(long, value_name = "CHAR", default_value = "|")]
    list_separator: char,
    #[command(flatten)]
    how: How,
}

/// Bring the rows of a JSON file in, as a model document says.
#[derive(clap::Args)]
#[command(after_help = "Example, with the document that `cookbook model` prints:
  adb ingest from-json examples/data/cookbook/dishes.json \\
      --model examples/data/cookbook/dish.model.json --db my.adb")]
pub(crate) struct FromJson {
    /// The rows: a JSON array, or JSON Lines; `-` is standard input. Packed with gzip or Zstandard
    /// is well. Pictures are named relative to this file.
    rows: PathBuf,
    #[command(flatten)]
    how: How,
}

/// What all kinds of files have in common.
#[derive(clap::Args)]
struct How {
    /// The model document: what `Document::of(Dish::SCHEMA)` is as JSON.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    db: Db,
    /// Embedder for new sets: a bundle's name or directory.
    #[arg(long, conflicts_with = "no_embedder")]
    embedder: Option<String>,
    /// The rows bring their vectors.
    #[arg(long)]
    no_embedder: bool,
    /// Rows with a key that no field takes fail.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    media: Media,
}

impl FromCsv {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let model = load(&self.how.model)?;
        let mut rows = CsvObjects::open(&self.rows)?.list_separator(self.list_separator);
        for (column, field) in self.map {
            rows = rows.map(column, field);
        }
        if let Some(delimiter) = self.delimiter {
            rows = rows.delimiter(delimiter);
        }
        self.how.ingest(model, rows.by_model(model)).await
    }
}

impl FromJson {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let model = load(&self.how.model)?;
        self.how.ingest(model, JsonSource::by_model(&self.rows, model)?).await
    }
}

impl How {
    async fn ingest(self, model: LoadedModel, source: impl Source) -> anyhow::Result<Exit> {
        let db = self.db.open()?;
        let mut options = Options::default();
        options.strict = self.strict;
        options.media = self.media.options();
        let mut ingest =
            loaders::Ingest::new(db.clone()).options(options).stop_on(Stop::on_ctrl_c());
        if !self.no_embedder {
            ingest = with_embedders(ingest, &*db, model, self.embedder.as_deref()).await?;
        }
        let progress = Arc::new(Progress::default());
        let bar = Bar::start(progress.clone());
        let report = ingest.progress(progress).run(source).await?;
        drop(bar);
        println!("{report}");
        Ok(match report.exit_code() {
            0 => Exit::Well,
            3 => Exit::RowsFailed,
            130 => Exit::Stopped,
            _ => Exit::Failed,
        })
    }
}

/// `COLUMN=FIELD`. Columns may have `=` in their names; fields have none.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((column, field)) => Ok((column.to_owned(), field.to_owned())),
        None => Err("it takes COLUMN=FIELD".to_owned()),
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        (_, [byte]) if byte.is_ascii() => Ok(*byte),
        _ => Err("it takes one ASCII character, or `tab`".to_owned()),
    }
}

fn load(path: &Path) -> anyhow::Result<LoadedModel> {
    let load = || -> anyhow::Result<LoadedModel> {
        Ok(Document::parse(&fs::read_to_string(path)?)?.load()?)
    };
    load().with_context(|| path.display().to_string())
}

/// Each set's own embedder.
async fn with_embedders(
    mut ingest: loaders::Ingest,
    db: &dyn Database,
    model: LoadedModel,
    asked: Option<&str>,
) -> anyhow::Result<loaders::Ingest> {
    for set in model.schema().sets() {
        let chooser = Chooser::from_env()?.on_download(OnDownload::shown());
        let chosen = chooser.choose(db, &set, asked).await?;
        chosen.notices.iter().for_each(|notice| eprintln!("{notice}"));
        ingest = ingest.embedder_for(set.name, chosen.embedder);
    }
    Ok(ingest)
}
