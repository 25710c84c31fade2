//! `adb embedders embed`

use std::path::PathBuf;

use adb::embedders::{Device, Vectors};
use anyhow::ensure;

use serde_json::json;

/// Print the vectors of pictures and texts, a JSON object on each line
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
    /// What computes: `cpu`, or `cuda` (with the feature of that name).
    #[arg(long, default_value_t)]
    device: Device,
    /// Batches that are computed at the same time [default: what was tuned].
    #[arg(long)]
    sessions: Option<usize>,
    /// Threads of each [default: what was tuned].
    #[arg(long)]
    threads: Option<usize>,
    /// Inputs in a batch [default: what was tuned].
    #[arg(long)]
    batch: Option<usize>,
}

impl Embed {
    pub(super) fn run(self) -> anyhow::Result<()> {
        ensure!(!self.files.is_empty() || !self.texts.is_empty(), "name files, or give --text");
        let mut embedder = super::chooser()?.open(&self.name)?.device(self.device);
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
