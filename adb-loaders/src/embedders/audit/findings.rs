//! What an audit found.

use std::fmt;

use adb_model::ensure::{FilledBy, FoundSet};

use super::{Way, compare::Compared, sample::Sample};

/// Vectors of the same picture, weights and steps are as near as this in the mean, whoever decoded
/// the picture and whatever computed; those of another way are further apart. See docs/pictures.md.
const SAME: f64 = 0.999;
/// And none is further apart than this.
const SAME_AT_LEAST: f64 = 0.99;
/// How far a length may be from 1 to count as 1.
const UNIT: f64 = 1e-3;
/// How far vectors may be from the graph's own, relative to their length, to count as these.
const RAW: f64 = 0.05;

/// What is to be said of a set.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Findings {
    /// The set's name.
    pub set: String,
    /// Components of its vectors.
    pub dimensions: usize,
    /// Vectors in the set, if the database says.
    pub count: Option<u64>,
    /// Who fills it, by what the set itself says.
    pub says: Option<FilledBy>,
    /// Vectors that were looked at.
    pub looked_at: usize,
    /// Of these, the ones that stand for no picture, or not for a single one.
    pub left_out: usize,
    /// Why pictures could not be read, one for each of these.
    pub unreadable: Vec<String>,
    /// The lengths of the stored vectors.
    pub lengths: Lengths,
    /// The candidates that came nearest, the nearest first; at least one.
    pub nearest: Vec<Finding>,
    /// Which of them it was.
    pub verdict: Verdict,
}

/// One bundle in one way, beside the stored vectors.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// The bundle's name.
    pub embedder: String,
    /// The bundle's hash.
    pub hash: String,
    /// How pictures were prepared.
    pub way: Way,
    /// What became of the lengths.
    pub scale: Scale,
    /// Pictures that were compared.
    pub pictures: usize,
    /// Mean cosine between stored vectors and those made again.
    pub mean_cosine: f64,
    /// The smallest cosine.
    pub min_cosine: f64,
    /// Mean Euclidean distance between stored vectors and those made again, of the length that
    /// `scale` says.
    pub mean_distance: f64,
}

/// What became of the lengths of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scale {
    /// As the bundle says.
    Own,
    /// The bundle says that vectors are brought to unit length, and they were not.
    NotNormalized,
    /// The bundle leaves vectors as they are, and they were brought to unit length.
    Normalized,
    /// Neither of unit length nor of the length that comes out of the graph.
    Other,
}

/// Who made the set.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The first of [`Findings::nearest`].
    Found {
        /// How many of those after it can't be told from it by these pictures: gray ones look the
        /// same with red and blue swapped.
        as_near: usize,
    },
    /// None of the candidates.
    None,
}

/// Lengths of vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths {
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Default for Lengths {
    /// Of no vector.
    fn default() -> Self {
        Self { min: f64::INFINITY, max: 0.0 }
    }
}

impl Lengths {
    pub(super) fn add(&mut self, vector: &[f32]) {
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        self.min = self.min.min(length);
        self.max = self.max.max(length);
    }

    fn are_1(&self) -> bool {
        (self.min - 1.0).abs() < UNIT && (self.max - 1.0).abs() < UNIT
    }
}

impl Findings {
    pub(super) fn of(
        set: &FoundSet,
        compared: &[Compared],
        lengths: Lengths,
        sample: &Sample,
        unreadable: Vec<String>,
    ) -> Self {
        let nearest: Vec<Finding> = compared.iter().map(|c| Finding::of(c, lengths)).collect();
        let verdict = match nearest.as_slice() {
            [best, others @ ..] if best.mean_cosine >= SAME && best.min_cosine >= SAME_AT_LEAST => {
                // What is left of a cosine is the noise of decoders and of rounding.
                let bound = 3.0 * (1.0 - best.mean_cosine) + 1e-5;
                let as_near = |other: &&Finding| 1.0 - other.mean_cosine <= bound;
                Verdict::Found { as_near: others.iter().take_while(as_near).count() }
            }
            _ => Verdict::None,
        };
        Self {
            set: set.name.clone(),
            dimensions: set.dimensions,
            count: set.count,
            says: set.filled_by.clone(),
            looked_at: sample.looked_at(),
            left_out: sample.left_out(),
            unreadable,
            lengths,
            nearest,
            verdict,
        }
    }

    /// The bundle and the way that made the set, if one did.
    #[must_use]
    pub fn made_by(&self) -> Option<&Finding> {
        self.nearest.first().filter(|_| self.verdict != Verdict::None)
    }
}

impl Finding {
    fn of(compared: &Compared, lengths: Lengths) -> Self {
        let embedder = &compared.candidate.embedder;
        let normalizes = embedder.bundle().manifest().normalize;
        let is_raw = compared.raw_distance() <= RAW * compared.raw_length();
        let (scale, mean_distance) = match (lengths.are_1(), is_raw, normalizes) {
            (true, _, true) => (Scale::Own, compared.unit_distance()),
            (_, true, false) => (Scale::Own, compared.raw_distance()),
            (true, _, false) => (Scale::Normalized, compared.unit_distance()),
            (_, true, true) => (Scale::NotNormalized, compared.raw_distance()),
            (false, false, true) => (Scale::Other, compared.unit_distance()),
            (false, false, false) => (Scale::Other, compared.raw_distance()),
        };
        let identity = embedder.bundle().identity();
        Self {
            embedder: identity.name.clone(),
            hash: identity.hash.clone(),
            way: compared.candidate.way,
            scale,
            pictures: compared.pictures,
            mean_cosine: compared.mean_cosine(),
            min_cosine: compared.min_cosine,
            mean_distance,
        }
    }
}

/// "`clip-vit-b-32` (0123456789ab), prepared as its bundle says"
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.hash.get(..12).unwrap_or(&self.hash);
        write!(f, "`{}` ({hash}), {}", self.embedder, self.way)?;
        match self.scale {
            Scale::Own => Ok(()),
            Scale::NotNormalized => f.write_str(", vectors not normalised"),
            Scale::Normalized => f.write_str(", vectors normalised, which its bundle does not do"),
            Scale::Other => f.write_str(", vectors of other lengths than it makes"),
        }
    }
}

/// A sentence, and a line for each of the nearest candidates.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(best) = self.nearest.first() else { return Ok(()) };
        match self.verdict {
            Verdict::Found { as_near } => {
                write!(f, "The set `{}` was made by {best}.", self.set)?;
                if as_near > 0 {
                    f.write_str(" By these pictures it can't be told from:")?;
                    for (i, other) in self.nearest[1..=as_near].iter().enumerate() {
                        write!(f, "{} {other}", if i > 0 { ";" } else { "" })?;
                    }
                    f.write_str(".")?;
                }
            }
            Verdict::None => write!(
                f,
                "The set `{}` was made by none of the bundles that were tried, in none of the known ways. The nearest is {best}, and that is not it.",
                self.set
            )?,
        }
        if let Some(says @ FilledBy::Embedder { hash, .. }) = &self.says {
            let agrees = self.made_by().is_some_and(|made| {
                made.hash == *hash && made.way.is_own() && made.scale == Scale::Own
            });
            let word =
                if agrees { "So it says itself." } else { "It says of itself something else:" };
            write!(f, " {word}")?;
            if !agrees {
                write!(f, " {says}.")?;
            }
        }
        write!(f, "\n{} vectors were looked at", self.looked_at)?;
        if let Some(count) = self.count {
            write!(f, " of {count}")?;
        }
        if self.left_out > 0 {
            write!(f, "; {} of them stand for no picture, or not for a single one", self.left_out)?;
        }
        if let Some(first) = self.unreadable.first() {
            write!(
                f,
                "; {} pictures can't be read, the first because: {first}",
                self.unreadable.len()
            )?;
        }
        write!(f, "; lengths {:.4} to {:.4}.", self.lengths.min, self.lengths.max)?;
        for finding in &self.nearest {
            write!(
                f,
                "\n  cosine {:.5} (at least {:.5}), distance {:.4}: {finding}",
                finding.mean_cosine, finding.min_cosine, finding.mean_distance
            )?;
        }
        Ok(())
    }
}
