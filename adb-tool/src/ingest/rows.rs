//! Rows by a model document.

use std::path::{Path, PathBuf};

use adb::loaders::{CsvObjects, JsonObjects};

use super::{
    again::Existing,
    by_model::ByModel,
    objects::{Changes, pair},
    running::Running,
    sdk::Sdk,
    vectors::Vectors,
};
use crate::{
    exit::{Exit, usage},
    model,
};

/// Bring the rows of a CSV file in, as a model document says; or without one, the files of the
/// Python SDK.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb ingest from-csv dishes.csv --model dish.model.json --db my.adb
  adb ingest from-csv dishes.adb.csv ingredients.adb.csv dish_ingredients.adb.csv --db my.adb")]
pub(crate) struct FromCsv {
    /// The rows; with a model, `-` is standard input. Packed with gzip or Zstandard is well. Pictures
    /// are named relative to this file. Without a model: one file of the Python SDK, or several,
    /// which go in by need.
    #[arg(required = true, value_name = "FILE")]
    rows: Vec<PathBuf>,
    /// The model document: what `Document::of(Dish::SCHEMA)` is as JSON.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
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
    changes: Changes,
    #[command(flatten)]
    vectors: Vectors,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    sdk: Sdk,
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
    by: ByModel,
}

impl FromCsv {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let Some(model) = self.model else {
            let options = [
                ("--map", !self.map.is_empty()),
                ("--delimiter", self.delimiter.is_some()),
                ("--transform-cmd", self.changes.is_some()),
                ("--embedder", self.vectors.embedder.is_some()),
                ("--no-embedder", self.vectors.no_embedder),
                ("--vectors", !self.vectors.vectors.is_empty()),
                ("--strict", self.running.strict),
                ("--on-existing", self.running.again.on_existing != Existing::Keep),
                ("--mirror", self.running.again.mirror),
            ];
            if let Some((option, _)) = options.into_iter().find(|(_, given)| *given) {
                usage!(
                    "{option} is for rows of a model: give --model, or take a file of the Python SDK without it"
                );
            }
            return self.sdk.ingest(&self.rows, &self.running).await;
        };
        let [file] = self.rows.as_slice() else {
            usage!(
                "one model reads one file; several files are those of the Python SDK, without --model"
            );
        };
        let mut rows = CsvObjects::open(file)?.list_separator(self.list_separator);
        for (column, field) in self.map {
            rows = rows.map(column, field);
        }
        if let Some(delimiter) = self.delimiter {
            rows = rows.delimiter(delimiter);
        }
        let model = model::load(&model)?;
        self.changes.ingest(rows, named(file), model, self.vectors, self.running).await
    }
}

impl FromJson {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let rows = JsonObjects::open(&self.rows)?;
        let from = named(&self.rows).to_owned();
        self.by.ingest(rows, &from).await
    }
}

/// What failed rows are kept beside.
fn named(rows: &Path) -> &Path {
    match rows.as_os_str() == "-" {
        true => Path::new("standard-input"),
        false => rows,
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        (_, [byte]) if byte.is_ascii() => Ok(*byte),
        _ => Err("it takes one ASCII character, or `tab`".to_owned()),
    }
}
