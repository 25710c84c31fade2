//! An embedder that is not to be measured.

use adb::{EmbedError, Embedder, EmbedderIdentity, PreparedImage, Rect};

/// Reads no picture, and gives each the same vector.
#[derive(Debug)]
pub struct Nobody(EmbedderIdentity);

impl Default for Nobody {
    fn default() -> Self {
        Self(EmbedderIdentity {
            name: "nobody".to_owned(),
            hash: "0".repeat(64),
            dimensions: 512,
            images: true,
            texts: false,
        })
    }
}

impl Embedder for Nobody {
    fn identity(&self) -> &EmbedderIdentity {
        &self.0
    }

    fn prepare_image(&self, _: &[u8], _: Option<Rect>) -> Result<PreparedImage, EmbedError> {
        Ok(PreparedImage(Box::new([0.0; 4])))
    }

    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(vec![vec![0.5; 512]; images.len()])
    }

    fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(vec![vec![0.5; 512]; texts.len()])
    }
}
