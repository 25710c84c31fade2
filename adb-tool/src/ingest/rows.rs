//! Rows by a model document.

use std::path::PathBuf;

use adb::loaders::{CsvObjects, JsonSource, ObjectSource as _};

use super::how::How;
use crate::exit::Exit;

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

impl FromCsv {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let mut rows = CsvObjects::open(&self.rows)?.list_separator(self.list_separator);
        for (column, field) in self.map {
            rows = rows.map(column, field);
        }
        if let Some(delimiter) = self.delimiter {
            rows = rows.delimiter(delimiter);
        }
        self.how.ingest(&self.rows, |model| Ok(rows.by_model(model))).await
    }
}

impl FromJson {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        self.how.ingest(&self.rows, |model| Ok(JsonSource::by_model(&self.rows, model)?)).await
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
