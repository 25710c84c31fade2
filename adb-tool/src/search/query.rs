//! From what is looked for to a vector.

use std::{path::Path, sync::Arc};

use adb::{
    Database, EmbedError, Embedder, NoFace, SetSpec,
    ensure::{FilledBy, FoundSet},
};
use anyhow::{Context as _, bail};
use serde_json::Value as Json;

use crate::{embedders::chooser, exit::usage, out};

/// The embedder whose vectors a set holds.
pub(super) async fn embedder(
    db: &dyn Database,
    set: &FoundSet,
    asked: Option<&str>,
) -> anyhow::Result<Arc<dyn Embedder>> {
    match (&set.filled_by, asked) {
        (Some(FilledBy::Caller), _) => bail!(
            "the set `{}` holds vectors that were given, not made by an embedder: \
             give one to search with (--vector FILE)",
            set.name
        ),
        (None, _) if set.is_vacant => {
            bail!("the set `{}` is empty: the run that made it put nothing in", set.name)
        }
        (None, None) => usage!(
            "the set `{}` does not say which embedder filled it: name it (--embedder NAME), find it \
             out (`adb audit {} --db …`), or write it down for good (`adb claim`)",
            set.name,
            set.name
        ),
        _ => {}
    }
    let mut spec = SetSpec::named(&set.name);
    spec.dimensions = set.dimensions;
    let chosen = chooser()?.choose_to_search(db, &spec, asked).await?;
    // The first says which embedder it is: the set has said that.
    chosen.notices.iter().skip(1).for_each(out::notice);
    Ok(chosen.embedder)
}

pub(super) fn of_text(embedder: &dyn Embedder, text: &str) -> anyhow::Result<Vec<f32>> {
    only(embedder.embed_texts(&[text]).map_err(with_way_out)?)
}

/// An embedder that looks for faces compares the largest one, and the whole where there is none.
pub(super) fn of_picture(
    embedder: &dyn Embedder,
    path: &Path,
    whole: bool,
) -> anyhow::Result<Vec<f32>> {
    let place = || path.display().to_string();
    let bytes = std::fs::read(path).with_context(place)?;
    let face = match whole {
        true => None,
        false => match embedder.prepare_face(&bytes, NoFace::Skip, None) {
            Ok(face) => match face.into_image() {
                None => {
                    out::notice("no face was found in the picture: it is compared as a whole");
                    None
                }
                found => found,
            },
            Err(EmbedError::Modality { what: "faces", .. }) => None,
            Err(other) => return Err(other).with_context(place),
        },
    };
    let prepared = match face {
        Some(face) => face,
        None => embedder.prepare_image(&bytes, None).map_err(with_way_out).with_context(place)?,
    };
    only(embedder.embed_images(&[prepared])?)
}

fn with_way_out(error: EmbedError) -> anyhow::Error {
    match &error {
        EmbedError::Modality { what: "text", .. } => {
            anyhow::anyhow!("{error}; search with a picture (--image FILE)")
        }
        EmbedError::Modality { what: "images", .. } => {
            anyhow::anyhow!("{error}; search with a text")
        }
        _ => error.into(),
    }
}

fn only(vectors: Vec<Vec<f32>>) -> anyhow::Result<Vec<f32>> {
    vectors.into_iter().next().context("the embedder gave no vector")
}

/// `[0.1, …]`, or `{"vector": [0.1, …]}` as `adb embedders embed` prints it.
pub(super) fn from_file(path: &Path) -> anyhow::Result<Vec<f32>> {
    let place = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(place)?;
    let json: Json = serde_json::from_str(&text)
        .with_context(|| format!("{}: a JSON array of numbers is wanted", path.display()))?;
    let numbers = json.get("vector").unwrap_or(&json);
    match serde_json::from_value(numbers.clone()) {
        Ok(vector) => Ok(vector),
        Err(_) => bail!(
            "{}: a JSON array of numbers is wanted, or an object with one under `vector`",
            path.display()
        ),
    }
}
