//! An embedder that counts what it embeds, and whose vectors say what they were made from.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use adb::{EmbedError, EmbedderIdentity, PreparedImage, prelude::*};

/// What the compiler knows of it.
#[derive(Debug)]
pub struct Tiny;

impl adb::EmbedderSpec for Tiny {
    const NAME: &'static str = "tiny";
    const DIMENSIONS: usize = 4;
}
impl adb::Produces<Embedding<4>> for Tiny {}
impl adb::Accepts<Image> for Tiny {}
impl adb::Accepts<String> for Tiny {}

/// Its space of pictures.
#[derive(Debug, DescriptorSet)]
#[adb(name = "looks", embedder = Tiny, metric = L2, engine = Flat)]
pub struct Looks;

/// Its space of texts.
#[derive(Debug, DescriptorSet)]
#[adb(name = "meanings", embedder = Tiny, metric = L2, engine = Flat)]
pub struct Meanings;

/// Counts what it embeds. The vector of a picture is made of its last byte and the region, that of
/// a text of its length.
pub struct Counting {
    identity: EmbedderIdentity,
    images: AtomicUsize,
    texts: AtomicUsize,
    before: Option<Box<dyn Fn(usize) + Send + Sync>>,
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counting").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Default for Counting {
    fn default() -> Self {
        Self::new()
    }
}

impl Counting {
    /// One that has embedded nothing.
    #[must_use]
    pub fn new() -> Self {
        let identity = EmbedderIdentity {
            name: "tiny".into(),
            hash: "0123456789abcdef0123".into(),
            dimensions: 4,
            images: true,
            texts: true,
        };
        Self { identity, images: AtomicUsize::new(0), texts: AtomicUsize::new(0), before: None }
    }

    /// Is told before each batch of pictures how many it holds.
    #[must_use]
    pub fn before(mut self, before: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    /// Pictures and texts since the last call.
    pub fn count(&self) -> (usize, usize) {
        (self.images.swap(0, Ordering::Relaxed), self.texts.swap(0, Ordering::Relaxed))
    }
}

impl Embedder for Counting {
    fn identity(&self) -> &EmbedderIdentity {
        &self.identity
    }
    fn prepare_image(&self, bytes: &[u8], r: Option<Rect>) -> Result<PreparedImage, EmbedError> {
        let (x, y) = r.map_or((-1.0, -1.0), |r| (r.x as f32, r.y as f32));
        let last = f32::from(*bytes.last().unwrap());
        Ok(PreparedImage(Box::new([last, x, y, 1.0])))
    }
    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.before.iter().for_each(|before| before(images.len()));
        self.images.fetch_add(images.len(), Ordering::Relaxed);
        Ok(images.iter().map(|i| i.0.to_vec()).collect())
    }
    fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.texts.fetch_add(texts.len(), Ordering::Relaxed);
        Ok(texts.iter().map(|t| vec![t.len() as f32, 0.0, 0.0, 2.0]).collect())
    }
}
