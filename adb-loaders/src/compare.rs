//! Whether a set's vectors are those that an embedder makes: for sets that say nothing of theirs.

use std::{fmt, sync::Arc};

use adb_model::{
    Database, Dialect, EmbedError, EmbedInput, Embedder, MediaSource, ModelSchema, ObjectKind,
    components,
    enrich::{Lacks, Missing, fetch_blobs},
    ensure::inspect_set,
};

use crate::{Error, ErrorKind, spread::spread};

/// What came of embedding some stored pictures again.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// Cosines between stored vectors and new ones, the lowest first.
    pub cosines: Vec<f32>,
    /// Vectors that could not be compared.
    pub passed_over: usize,
    /// Why the first of them could not.
    pub reason: Option<String>,
}

/// Another way of decoding and resizing pictures leaves cosines above .98; vectors of two embedders
/// are about as near as chance would have them.
const SAME: f32 = 0.95;

impl Comparison {
    /// Whether the vectors are the embedder's: nine of ten at least are as near to the new ones as
    /// two ways of reading one picture leave them.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let same = self.cosines.iter().filter(|c| **c >= SAME).count();
        same > 0 && same * 10 >= self.cosines.len() * 9
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.cosines.first(), self.cosines.get(self.cosines.len() / 2)) {
            (Some(lowest), Some(median)) => write!(
                f,
                "{} vectors compared: cosine {lowest:.3} at the lowest, {median:.3} in the middle; {}",
                self.cosines.len(),
                if self.agrees() {
                    "they are this embedder's"
                } else {
                    "they are not this embedder's"
                },
            )?,
            _ => f.write_str("no vector could be compared")?,
        }
        match &self.reason {
            Some(reason) => write!(f, " ({} passed over; the first: {reason})", self.passed_over),
            None => Ok(()),
        }
    }
}

/// Embeds the stored pictures of up to `sample` vectors again, spread evenly over a set, and compares.
/// Changes nothing. `model` is needed for sets whose vectors were made from texts.
///
/// With an answer that [agrees](Comparison::agrees), [`claim_set`](adb_model::ensure::claim_set) writes
/// on the set whose it is.
///
/// # Errors
/// When there is no such set, its vectors have another length than the embedder's, or the database
/// can't be asked.
pub async fn compare(
    dialect: Dialect,
    db: &dyn Database,
    set: &str,
    embedder: Arc<dyn Embedder>,
    model: Option<&'static ModelSchema>,
    sample: usize,
) -> Result<Comparison, Error> {
    let no_source = |why: String| Error::from(ErrorKind::NoSource { set: set.to_owned(), why });
    let found = inspect_set(db, set).await?;
    let found = found.ok_or_else(|| no_source("the database has none of that name".to_owned()))?;
    let dimensions = embedder.identity().dimensions;
    if found.dimensions != dimensions {
        return Err(no_source(format!(
            "its vectors have {} components, those of `{}` {dimensions}",
            found.dimensions,
            embedder.identity().name
        )));
    }
    let missing = Missing::again(set, model);
    let ids = spread(db, &found, sample.max(1)).await?;
    let mut comparison = Comparison::default();
    for object in missing.look_up(dialect, db, &ids, &|_| true).await? {
        let draft = match object.lacks {
            Lacks::Something(draft) => draft,
            Lacks::Unmakeable(reason) => {
                comparison.pass_over(reason);
                continue;
            }
            Lacks::Nothing => continue,
        };
        let mut wanted = draft.blobs.clone();
        wanted.push((ObjectKind::Descriptor, object.unique_id.clone()));
        let blobs = fetch_blobs(dialect, db, &wanted).await?;
        let stored = blobs.get(&object.unique_id);
        let graph = draft.graph(&blobs);
        let embedder = embedder.clone();
        // Inference blocks.
        let compared = tokio::task::spawn_blocking(move || {
            let graph = graph?;
            let input = graph.wanted().map_err(|e| e.to_string())?;
            let (_, _, input) = input.first().ok_or("it was made from nothing that is stored")?;
            let stored: Vec<f32> = components(&stored?).collect();
            Ok::<_, String>(cosine(&stored, &embed(&*embedder, input)?))
        });
        match compared.await.map_err(|e| ErrorKind::Worker(e.to_string()))? {
            Ok(cosine) => comparison.cosines.push(cosine),
            Err(reason) => comparison.pass_over(reason),
        }
    }
    comparison.cosines.sort_by(f32::total_cmp);
    Ok(comparison)
}

impl Comparison {
    fn pass_over(&mut self, reason: String) {
        self.passed_over += 1;
        self.reason.get_or_insert(reason);
    }
}

fn embed(embedder: &dyn Embedder, input: &EmbedInput) -> Result<Vec<f32>, String> {
    let picture = |source: &MediaSource, region| {
        let bytes = source.loaded().ok_or("the picture was not read")?;
        let prepared = embedder.prepare_image(bytes, region).map_err(|e| e.to_string())?;
        embedder.embed_images(&[prepared]).map_err(|e| e.to_string())
    };
    let vectors = match input {
        EmbedInput::Image(source) => picture(source, None)?,
        EmbedInput::Region(source, rect) => picture(source, Some(*rect))?,
        EmbedInput::Face(source, otherwise) => {
            let bytes = source.loaded().ok_or("the picture was not read")?;
            let prepared = embedder.prepare_face(bytes, *otherwise, None);
            let image = prepared.map_err(|e| e.to_string())?.into_image();
            let image = image.ok_or_else(|| EmbedError::NoFace.to_string())?;
            embedder.embed_images(&[image]).map_err(|e| e.to_string())?
        }
        EmbedInput::Text(text) => embedder.embed_texts(&[text]).map_err(|e| e.to_string())?,
        other => return Err(format!("nothing can be embedded from {other:?}")),
    };
    vectors.into_iter().next().ok_or_else(|| "the embedder gave no vector".to_owned())
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let length = (dot(a, a) * dot(b, b)).sqrt();
    if a.len() == b.len() && length > 0.0 { dot(a, b) / length } else { 0.0 }
}
