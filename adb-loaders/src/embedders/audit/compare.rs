//! Stored vectors beside those that candidates make.

use std::sync::Arc;

use adb_model::{EmbedError, Embedder as _, NoFace, PreparedImage};

use super::{Scaling, Way, sample::Taken};
use crate::embedders::{
    OnnxEmbedder,
    picture::{Decoded, Rgb, decode},
    prepare::Preparer,
};

/// A bundle and a way to prepare its pictures.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) embedder: Arc<OnnxEmbedder>,
    pub(super) way: Way,
    preparer: Arc<Preparer>,
    orients: bool,
}

impl Candidate {
    /// A bundle in all ways.
    pub(super) fn all(embedder: &Arc<OnnxEmbedder>) -> Vec<Self> {
        let Some(tower) = &embedder.bundle().manifest().image else { return Vec::new() };
        let mut ways = Way::all(&tower.preprocess);
        if tower.faces.is_some() {
            ways.insert(1, (Way::FACE, tower.preprocess.clone()));
        }
        let ways = ways.into_iter().map(|(way, steps)| Self {
            embedder: embedder.clone(),
            way,
            preparer: Arc::new(Preparer::new(&steps)),
            orients: steps.orient,
        });
        ways.collect()
    }

    /// What of a picture goes into the graph, if it takes it: one is smaller than the square that a
    /// bundle cuts without scaling, perhaps.
    fn prepared(&self, taken: &Taken, rgb: &Rgb, max_bytes: u64) -> Option<PreparedImage> {
        if self.way.scaling != Scaling::Face {
            return self.preparer.prepare_rgb(rgb).ok();
        }
        if taken.region.is_some() {
            // What is a part of a picture already was not looked for by a detector.
            return None;
        }
        let face = self.embedder.prepare_face(&taken.picture, NoFace::Whole, Some(max_bytes));
        face.ok()?.into_image()
    }
}

/// What was seen of one candidate.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    pub(super) candidate: Candidate,
    pub(super) pictures: usize,
    cosines: f64,
    pub(super) min_cosine: f64,
    unit_distances: f64,
    raw_distances: f64,
    raw_lengths: f64,
}

impl Compared {
    fn mean(&self, sum: f64) -> f64 {
        sum / self.pictures.max(1) as f64
    }

    pub(super) fn mean_cosine(&self) -> f64 {
        self.mean(self.cosines)
    }

    /// Between the stored vectors and those of unit length.
    pub(super) fn unit_distance(&self) -> f64 {
        self.mean(self.unit_distances)
    }

    /// Between the stored vectors and those that come out of the graph.
    pub(super) fn raw_distance(&self) -> f64 {
        self.mean(self.raw_distances)
    }

    /// Length of what comes out of the graph.
    pub(super) fn raw_length(&self) -> f64 {
        self.mean(self.raw_lengths)
    }

    fn add(&mut self, stored: &[f32], made: &[f32]) {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let (of_stored, of_made) = (dot(stored, stored).sqrt(), dot(made, made).sqrt());
        // A stored vector of zeros is like none.
        let cosine = if of_stored > 0.0 { dot(stored, made) / (of_stored * of_made) } else { 0.0 };
        let apart = |scale: f64| {
            let squares = stored.iter().zip(made);
            squares
                .map(|(a, b)| (f64::from(*a) - f64::from(*b) * scale).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        self.pictures += 1;
        self.cosines += cosine;
        self.min_cosine = self.min_cosine.min(cosine);
        self.unit_distances += apart(1.0 / of_made);
        self.raw_distances += apart(1.0);
        self.raw_lengths += of_made;
    }
}

/// All candidates, side by side.
#[derive(Debug)]
pub(super) struct Sums {
    all: Vec<Compared>,
    /// Pictures that can't be read, and why.
    pub(super) unreadable: Vec<String>,
}

impl Sums {
    pub(super) fn of(candidates: Vec<Candidate>) -> Self {
        let begun = |candidate| Compared {
            candidate,
            pictures: 0,
            cosines: 0.0,
            min_cosine: f64::INFINITY,
            unit_distances: 0.0,
            raw_distances: 0.0,
            raw_lengths: 0.0,
        };
        Self { all: candidates.into_iter().map(begun).collect(), unreadable: Vec::new() }
    }

    /// Embeds the pictures with each candidate. Blocks.
    pub(super) fn add(&mut self, taken: &[Taken], max_bytes: u64) -> Result<(), EmbedError> {
        for taken in taken {
            let decoded = match readable(taken, max_bytes) {
                Ok(decoded) => decoded,
                Err(fault) => {
                    self.unreadable.push(fault.to_string());
                    continue;
                }
            };
            let upright =
                self.all.iter().any(|c| c.candidate.orients).then(|| decoded.clone().upright());
            for compared in &mut self.all {
                let candidate = &compared.candidate;
                let upright = upright.as_ref().filter(|_| candidate.orients);
                let rgb = upright.unwrap_or(&decoded.rgb);
                let Some(prepared) = candidate.prepared(taken, rgb, max_bytes) else { continue };
                for made in candidate.embedder.embed_unscaled(&[prepared])? {
                    compared.add(&taken.vector, &made);
                }
            }
        }
        Ok(())
    }

    /// What was seen, the nearest first; candidates that took no picture are left out.
    pub(super) fn ranked(self) -> Vec<Compared> {
        let mut all: Vec<Compared> = self.all.into_iter().filter(|c| c.pictures > 0).collect();
        // The order of the candidates decides among equals: a bundle's own way is the first.
        all.sort_by(|a, b| b.mean_cosine().total_cmp(&a.mean_cosine()));
        all
    }
}

fn readable(taken: &Taken, max_bytes: u64) -> Result<Decoded, EmbedError> {
    let decoded = decode(&taken.picture, max_bytes)?;
    match taken.region {
        Some(region) => decoded.part(region),
        None => Ok(decoded),
    }
}
