//! Embeds a Cookbook's photos, names and captions, and writes what
//! `tools/models/evaluate.py --vectors` compares with its own.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{fs, path::PathBuf};

use adb::{Embedder as _, embedders::OnnxEmbedder};
use adb_bench::{SEARCHES, cores, embedder, photo, read_dishes};
use anyhow::Context as _;
use clap::Parser;
use serde_json::json;

/// Embeds a Cookbook's photos, names and captions, and the demo's searches, into a JSON file.
#[derive(Parser)]
struct Cli {
    /// A directory with dishes.json beside images/.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The bundle's directory [default: starter-512 in the cache].
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Where the vectors go.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Pictures, or texts, that are embedded at once.
    #[arg(long, default_value_t = 16)]
    batch: usize,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let embedder = embedder(cli.bundle.as_deref(), cores())?;
    let dishes = read_dishes(&cli.data)?;
    let paths = dishes.iter().map(photo).collect::<anyhow::Result<Vec<_>>>()?;
    let names: Vec<&str> = dishes.iter().map(|dish| dish.name.as_str()).collect();
    let captions: Vec<&str> = dishes.iter().map(|dish| dish.caption.as_str()).collect();
    let searches = SEARCHES.map(|(text, _)| text);

    let mut photos = Vec::new();
    for batch in paths.chunks(cli.batch.max(1)) {
        let mut prepared = Vec::new();
        for path in batch {
            let path = cli.data.join(path);
            let bytes =
                fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
            prepared.push(embedder.prepare_image(&bytes, None)?);
        }
        photos.extend(embedder.embed_images(&prepared)?);
    }
    let value = json!({
        "photo": paths, "photo_vectors": photos,
        "name_vectors": texts(&embedder, &names, cli.batch)?,
        "caption_vectors": texts(&embedder, &captions, cli.batch)?,
        "query": searches, "query_vectors": texts(&embedder, &searches, cli.batch)?,
    });
    fs::write(&cli.out, value.to_string())
        .with_context(|| format!("{} can't be written", cli.out.display()))?;
    println!("vectors of {} dishes written to {}", dishes.len(), cli.out.display());
    Ok(())
}

fn texts(embedder: &OnnxEmbedder, texts: &[&str], batch: usize) -> anyhow::Result<Vec<Vec<f32>>> {
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(batch.max(1)) {
        vectors.extend(embedder.embed_texts(batch)?);
    }
    Ok(vectors)
}
