//! Finds and embeds the faces of photos, and writes what `tools/models/evaluate_faces.py` compares
//! with its own.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::PathBuf,
    time::Instant,
};

use adb::{
    Embedder as _, NoFace, PreparedFace,
    embedders::{Bundle, Cache, Face, MAX_DECODED_BYTES, OnnxEmbedder, decode},
};
use anyhow::Context as _;
use clap::Parser;
use serde_json::json;

/// Finds the faces of photos, and embeds the largest of each and the whole.
#[derive(Parser)]
struct Cli {
    /// A bundle's directory [default: facenet-128 in the cache].
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Where boxes and vectors go, a photo on each line, as JSON.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where the squares go that the network saw, one after the other: f32, as it takes them.
    #[arg(long, value_name = "FILE")]
    squares: Option<PathBuf>,
    /// Photos.
    photos: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let cache = Cache::from_env()?;
    let dir = cli.bundle.unwrap_or_else(|| cache.bundle_dir("facenet-128"));
    let embedder = OnnxEmbedder::new(Bundle::open(dir)?, cache);
    let detector = embedder.detector()?;
    let create = |path: &PathBuf| {
        let file = File::create(path);
        file.map(BufWriter::new).with_context(|| format!("{} can't be written", path.display()))
    };
    let mut out = create(&cli.out)?;
    let mut squares = cli.squares.as_ref().map(create).transpose()?;
    let (mut looking, mut found) = (0.0, 0);
    for path in &cli.photos {
        let bytes = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        let pixels =
            decode(&bytes, MAX_DECODED_BYTES).with_context(|| path.display().to_string())?;
        let start = Instant::now();
        let faces = detector.detect(&pixels)?;
        looking += start.elapsed().as_secs_f64();
        found += faces.len();
        let vector = match embedder.prepare_face(&bytes, NoFace::Skip, None)? {
            PreparedFace::Found(square) => {
                if let Some(squares) = &mut squares {
                    for value in &square.0 {
                        squares.write_all(&value.to_le_bytes())?;
                    }
                }
                Some(embedder.embed_images(&[square])?.remove(0))
            }
            _ => None,
        };
        let whole = embedder.embed_images(&[embedder.prepare_image(&bytes, None)?])?.remove(0);
        let line = json!({
            "photo": path, "faces": faces.iter().map(written).collect::<Vec<_>>(),
            "vector": vector, "whole": whole,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    squares.map_or(Ok(()), |mut squares| squares.flush())?;
    let photos = cli.photos.len();
    println!(
        "{found} faces in {photos} photos, {:.1} ms for each photo to look for them",
        looking * 1000.0 / photos.max(1) as f64
    );
    Ok(())
}

fn written(face: &Face) -> serde_json::Value {
    let points = &face.landmarks;
    let points =
        [points.left_eye, points.right_eye, points.nose, points.mouth_left, points.mouth_right];
    json!({
        "box": [face.left, face.top, face.right, face.bottom],
        "score": face.score, "points": points,
    })
}
