//! `embedders embed`

use std::{
    io::{self, Write},
    path::PathBuf,
};

use adb::embedders::{Device, Vectors};
use anyhow::ensure;
use clap::Args;
use serde_json::json;

/// Print the vectors of pictures and texts, a JSON object on each line
#[derive(Args)]
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
    pub(crate) fn run(self) -> anyhow::Result<()> {
        ensure!(!self.files.is_empty() || !self.texts.is_empty(), "name files, or give --text");
        let mut embedder = crate::chooser()?.open(&self.name)?.device(self.device);
        if let Some(sessions) = self.sessions {
            embedder = embedder.sessions(sessions);
        }
        if let Some(threads) = self.threads {
            embedder = embedder.threads(threads);
        }
        if let Some(batch) = self.batch {
            embedder = embedder.batch(batch);
        }
        let mut out = io::stdout().lock();
        print(&mut out, "file", &self.files, &embedder.images(&self.files)?)?;
        print(&mut out, "text", &self.texts, &embedder.texts(&self.texts)?)?;
        Ok(())
    }
}

fn print<T: serde::Serialize>(
    out: &mut impl Write,
    key: &str,
    inputs: &[T],
    vectors: &Vectors,
) -> anyhow::Result<()> {
    for (input, vector) in inputs.iter().zip(vectors.rows()) {
        writeln!(out, "{}", json!({ key: input, "vector": vector }))?;
    }
    Ok(())
}
