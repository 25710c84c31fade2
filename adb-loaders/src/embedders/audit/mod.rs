//! Which embedder made the vectors of a set, and how it prepared the pictures.
//!
//! A set that others filled says nothing about its vectors. [`Audit`] takes a sample of them, embeds
//! the same pictures again with all bundles that could have made them, prepared in all ways that are
//! known to be used, and compares.
//!
//! ```no_run
//! use adb_loaders::embedders::{Cache, audit::Audit};
//!
//! # async fn example(db: &dyn adb_model::Database) -> Result<(), adb_loaders::embedders::Error> {
//! let findings = Audit::new("photos").run(db, &Cache::from_env()?).await?;
//! println!("{findings}");
//! # Ok(())
//! # }
//! ```

mod compare;
mod findings;
mod sample;
mod ways;

use std::sync::Arc;

use adb_model::{Database, ensure::inspect_set};

use self::{
    compare::{Candidate, Sums},
    sample::{Sample, Taken},
};
use super::{Bundle, Cache, Device, Error, ErrorKind, MAX_DECODED_BYTES, OnnxEmbedder};

pub use findings::{Finding, Findings, Lengths, Scale, Verdict};
pub use ways::{Numbers, Scaling, Way};

/// Pictures by which the candidates are told apart before the rest is looked at: most ways are far
/// off.
const FIRST: usize = 8;
/// Candidates that are compared by the whole sample.
const FINALISTS: usize = 5;
/// Pictures that are held and embedded at once.
const BATCH: usize = 8;

/// An audit of one set.
#[derive(Debug, Clone)]
pub struct Audit {
    set: String,
    sample: usize,
    bundles: Vec<Bundle>,
    max_decoded_bytes: u64,
    device: Device,
}

impl Audit {
    /// Of a set, by a sample of 100 vectors.
    #[must_use]
    pub fn new(set: impl Into<String>) -> Self {
        Self {
            set: set.into(),
            sample: 100,
            bundles: Vec::new(),
            max_decoded_bytes: MAX_DECODED_BYTES,
            device: Device::default(),
        }
    }

    /// Sets how many vectors are looked at; they are spread over the set.
    #[must_use]
    pub fn sample(mut self, vectors: usize) -> Self {
        self.sample = vectors.max(1);
        self
    }

    /// Adds a bundle that may have made the set. Without any, all bundles in the cache are tried.
    #[must_use]
    pub fn bundle(mut self, bundle: Bundle) -> Self {
        self.bundles.push(bundle);
        self
    }

    /// Sets what computes; the processor unless it is set.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Sets how much memory decoding one picture may take, in bytes.
    #[must_use]
    pub fn max_decoded_bytes(mut self, bytes: u64) -> Self {
        self.max_decoded_bytes = bytes;
        self
    }

    /// Looks into the database, which is only read, and answers what was found. Needs a tokio
    /// runtime; inference runs on a thread that may block.
    ///
    /// `cache` is where bundles and ONNX Runtime's library are looked for.
    ///
    /// # Errors
    /// When there is no such set, no bundle with vectors of its length, or no picture in the sample;
    /// when the database can't be asked, or inference fails.
    pub async fn run(&self, db: &dyn Database, cache: &Cache) -> Result<Findings, Error> {
        let found = inspect_set(db, &self.set).await.map_err(ErrorKind::Database)?;
        let found = found.ok_or_else(|| ErrorKind::NoSet { set: self.set.clone() })?;
        let candidates = self.candidates(found.dimensions, cache)?;
        let mut sample = Sample::of(db, &found, self.sample).await?;

        // All candidates by a few pictures, then the best by all.
        let few = sample.some(db, FIRST).await?;
        let screened = self.add(Sums::of(candidates), few).await?.ranked();
        let finalists = screened.into_iter().map(|compared| compared.candidate).take(FINALISTS);
        let mut sums = Sums::of(finalists.collect());
        let mut lengths = Lengths::default();
        while let Some(batch) = sample.next(db, BATCH).await? {
            batch.iter().for_each(|taken| lengths.add(&taken.vector));
            sums = self.add(sums, batch).await?;
        }
        let unreadable = std::mem::take(&mut sums.unreadable);
        let compared = sums.ranked();
        if compared.is_empty() {
            let first = unreadable.first();
            return Err(ErrorKind::NoPictures {
                set: self.set.clone(),
                looked_at: sample.looked_at(),
                fault: first.map(|fault| format!(" ({fault})")).unwrap_or_default(),
            }
            .into());
        }
        Ok(Findings::of(&found, &compared, lengths, &sample, unreadable))
    }

    /// Each bundle of vectors of this length, in each way.
    fn candidates(&self, dimensions: usize, cache: &Cache) -> Result<Vec<Candidate>, Error> {
        let all = match self.bundles.as_slice() {
            [] => cache.bundles(),
            given => given.to_vec(),
        };
        let known: Vec<String> = all.iter().map(|b| b.identity().name.clone()).collect();
        let fitting = all
            .into_iter()
            .filter(|b| b.identity().dimensions == dimensions && b.identity().images);
        let candidates: Vec<Candidate> = fitting
            .map(|bundle| Arc::new(OnnxEmbedder::new(bundle, cache.clone()).device(self.device)))
            .flat_map(|embedder| Candidate::all(&embedder))
            .collect();
        if candidates.is_empty() {
            return Err(ErrorKind::NoneFound(format!(
                "no bundle that reads images makes vectors of {dimensions} components, as the set `{}` holds them ({}); fetch the one that may have made it into {}, or name its directory",
                self.set,
                match known.as_slice() {
                    [] => "there are none at all".to_owned(),
                    names => format!("there are {}", names.join(", ")),
                },
                cache.root().display()
            ))
            .into());
        }
        Ok(candidates)
    }

    /// Embeds pictures with all candidates, on a thread that may block.
    async fn add(&self, mut sums: Sums, taken: Vec<Taken>) -> Result<Sums, Error> {
        let (set, max_bytes) = (self.set.clone(), self.max_decoded_bytes);
        let work = move || sums.add(&taken, max_bytes).map(|()| sums);
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|source| {
                ErrorKind::Input { input: format!("a picture of the set `{set}`"), source }.into()
            }),
            Err(broken) => Err(ErrorKind::NoneFound(format!(
                "the audit of the set `{set}` broke off: {broken}; this is a bug in adb"
            ))
            .into()),
        }
    }
}
