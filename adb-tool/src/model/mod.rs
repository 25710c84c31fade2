//! `adb model`: model documents, written by looking at rows, and shown.

mod draft;
mod look;
mod rust;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

use adb::document::{Document, LoadedModel};
use anyhow::Context as _;

use crate::{
    exit::{Exit, usage},
    numbers::at_least_one,
    out,
};

/// Model documents: what rows are, without compiling.
#[derive(clap::Subcommand)]
#[command(after_help = "Examples:
  adb model new examples/data/cookbook/dishes.json > dish.model.json
  adb model show dish.model.json")]
pub(crate) enum Model {
    New(New),
    Show(Show),
}

/// Write a model by looking at rows: a first draft, to be read and changed.
///
/// It says which columns are numbers, dates, pictures, and what may be absent; takes the column for
/// the identity that has another value in every row; and makes models of their own of the objects
/// within rows.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb model new examples/data/cookbook/dishes.json -o dish.model.json --embedder clip-vit-b-16
  adb model new examples/data/cookbook/dishes.json --rust
  gzip -c examples/data/cookbook/dishes.json | adb model new - --format json --class Dish")]
pub(crate) struct New {
    /// The rows: `.csv`, `.tsv`, `.json`, `.jsonl` or `.parquet`; packed with gzip or Zstandard is
    /// well, but of Parquet. `-` is standard input, with --format.
    rows: PathBuf,
    /// What the rows are written in [default: what the file's name says]. `json` is an array or
    /// JSON Lines.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<look::Format>,
    /// Print a Rust struct instead of a document.
    #[arg(long)]
    rust: bool,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that is there.
    #[arg(long, requires = "output")]
    replace: bool,
    /// The class of the rows [default: the file's name].
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// The key that identifies a row [default: one that differs in every row].
    #[arg(long, value_name = "KEY")]
    id: Option<String>,
    /// Embed the pictures: a preset's name, or another's with its dimensions (`mine:512`).
    #[arg(long, value_name = "NAME")]
    embedder: Option<String>,
    /// Rows to look at.
    #[arg(long = "rows", value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    sample: usize,
}

/// Print what a model document says.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb model show examples/data/cookbook/dish.model.json
  adb model show examples/data/cookbook/dish.model.json --json-schema")]
pub(crate) struct Show {
    /// The model document.
    model: PathBuf,
    /// As JSON Schema of its rows, for editors and other programs.
    #[arg(long, conflicts_with = "rust")]
    json_schema: bool,
    /// As a Rust struct.
    #[arg(long)]
    rust: bool,
}

/// Reads a model document, ready for use.
pub(crate) fn load(path: &Path) -> anyhow::Result<LoadedModel> {
    let load = || -> anyhow::Result<LoadedModel> {
        Ok(Document::parse(&fs::read_to_string(path)?)?.load()?)
    };
    load().with_context(|| path.display().to_string())
}

impl Model {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Model::New(command) => command.run(),
            Model::Show(command) => command.run(),
        }
    }
}

impl New {
    fn run(self) -> anyhow::Result<Exit> {
        if let Some(path) = self.output.as_ref().filter(|path| !self.replace && path.exists()) {
            usage!("{}: it is there already; --replace writes over it", path.display());
        }
        let seen = look::rows(&self.rows, self.format, self.sample)?;
        if seen.rows == 0 {
            usage!("{}: there is no row to look at", self.rows.display());
        }
        let class = match &self.class {
            Some(class) => class.clone(),
            None => words::class_of_file(&self.rows),
        };
        let embedder = self.embedder.as_deref().map(draft::Embedder::named).transpose()?;
        let draft = draft::Draft::of(&class, &seen, self.id.as_deref(), embedder)?;
        let text = match self.rust {
            true => rust::text(&draft.document, &draft.dates),
            false => serde_json::to_string_pretty(&draft.document)? + "\n",
        };
        // What is written must be readable: a draft that is not is a fault of ours.
        let json = serde_json::to_string(&draft.document)?;
        Document::parse(&json).context("the draft does not hold together; please report it")?;
        match &self.output {
            Some(path) => {
                fs::write(path, text).with_context(|| path.display().to_string())?;
                println!("{}", path.display());
            }
            None => out::bytes(text.as_bytes()),
        }
        draft.notes.iter().for_each(out::notice);
        Ok(Exit::Well)
    }
}

impl Show {
    fn run(self) -> anyhow::Result<Exit> {
        let document = load(&self.model)?.document();
        match (self.json_schema, self.rust) {
            (true, _) => println!("{}", serde_json::to_string_pretty(&document.to_json_schema())?),
            (_, true) => out::bytes(rust::text(document, &Default::default()).as_bytes()),
            _ => println!("{}", document.to_mermaid().trim_end()),
        }
        Ok(Exit::Well)
    }
}
