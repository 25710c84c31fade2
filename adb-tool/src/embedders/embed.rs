//! `adb embedders embed`

use std::path::PathBuf;

use adb::embedders::Vectors;
use serde_json::json;

use crate::{exit::usage, numbers::at_least_one};

/// Print the vectors of pictures and texts, a JSON object on each line.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb embedders embed clip-vit-b-32 --text \"a lentil dish\"")]
pub(crate) struct Embed {
    /// The embedder: a name, or the directory of a bundle.
    name: String,
    /// Pictures.
    files: Vec<PathBuf>,
    /// A text; may be given more than once.
    #[arg(long = "text", value_name = "TEXT")]
    texts: Vec<String>,
    /// Batches that are computed at the same time [default: what was tuned].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    sessions: Option<usize>,
    /// Threads of each [default: what was tuned].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    threads: Option<usize>,
    /// Inputs in a batch [default: what was tuned].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    batch: Option<usize>,
}

impl Embed {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.files.is_empty() && self.texts.is_empty() {
            usage!("there is nothing to embed: name files, or give --text");
        }
        let mut embedder = super::chooser()?.open(&self.name)?;
        if let Some(sessions) = self.sessions {
            embedder = embedder.sessions(sessions);
        }
        if let Some(threads) = self.threads {
            embedder = embedder.threads(threads);
        }
        if let Some(batch) = self.batch {
            embedder = embedder.batch(batch);
        }
        print("file", &self.files, &embedder.images(&self.files)?);
        print("text", &self.texts, &embedder.texts(&self.texts)?);
        Ok(())
    }
}

fn print<T: serde::Serialize>(key: &str, inputs: &[T], vectors: &Vectors) {
    for (input, vector) in inputs.iter().zip(vectors.rows()) {
        println!("{}", json!({ key: input, "vector": vector }));
    }
}
