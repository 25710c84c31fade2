//! The trait behind which pictures and text become vectors.

use serde::{Deserialize, Serialize};

use crate::{NoFace, PreparedFace, Rect};

/// Which embedder made a set's vectors: written on the set, checked on every later use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedderIdentity {
    /// The bundle's name, such as `clip-vit-b-16`.
    pub name: String,
    /// A hash over all that decides its vectors: weights, vocabulary, preprocessing.
    pub hash: String,
    /// Components of its vectors.
    pub dimensions: usize,
    /// Whether it reads images.
    pub images: bool,
    /// Whether it reads text.
    pub texts: bool,
}

/// A picture made ready for inference: the input tensor of one image, in the layout that its
/// embedder wants.
#[derive(Debug, Clone)]
pub struct PreparedImage(pub Box<[f32]>);

/// Makes vectors of pictures and text.
///
/// Two steps for pictures, so that a pipeline can decode and resize on many threads beside the
/// inference of the batch before: [`prepare_image`](Embedder::prepare_image), then
/// [`embed_images`](Embedder::embed_images). All methods block.
pub trait Embedder: Send + Sync {
    /// Who it is.
    fn identity(&self) -> &EmbedderIdentity;

    /// Decodes and resizes one encoded image, or the part of it that `region` names.
    ///
    /// # Errors
    /// When the bytes are no picture that it can read, or nothing of `region` lies in it; only
    /// that picture is lost.
    fn prepare_image(
        &self,
        encoded: &[u8],
        region: Option<Rect>,
    ) -> Result<PreparedImage, EmbedError>;

    /// Finds the largest face of one encoded image and makes it ready; `otherwise` says what is to
    /// be done if there is none, `max_bytes` how much memory decoding may take, where the caller
    /// has a say.
    ///
    /// # Errors
    /// When the bytes are no picture that it can read; when it looks for no faces, as most don't;
    /// when there is none and that is to fail.
    fn prepare_face(
        &self,
        encoded: &[u8],
        otherwise: NoFace,
        max_bytes: Option<u64>,
    ) -> Result<PreparedFace, EmbedError> {
        let _ = (encoded, otherwise, max_bytes);
        Err(EmbedError::Modality { embedder: self.identity().name.clone(), what: "faces" })
    }

    /// The same, for a caller who says how much memory decoding may take.
    ///
    /// An embedder that decodes pictures follows it; this default is for those that don't.
    ///
    /// # Errors
    /// Also when the picture would take more than `max_bytes` of memory.
    fn prepare_image_within(
        &self,
        encoded: &[u8],
        region: Option<Rect>,
        max_bytes: u64,
    ) -> Result<PreparedImage, EmbedError> {
        let _ = max_bytes;
        self.prepare_image(encoded, region)
    }

    /// The vectors of prepared images, in order, each of unit length if the embedder normalises.
    ///
    /// # Errors
    /// When inference fails: the fault is the embedder's, not one picture's.
    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// The vectors of texts, in order.
    ///
    /// # Errors
    /// When it reads no text, or inference fails.
    fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// How many images it likes at once, from how many threads.
    fn image_batches(&self) -> Batches {
        Batches::default()
    }

    /// How many texts it likes at once, from how many threads.
    fn text_batches(&self) -> Batches {
        Batches::default()
    }
}

/// In which portions an embedder computes fastest. Any other number of inputs gives the same
/// vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Inputs for one call.
    pub size: usize,
    /// Calls that make progress at the same time, each from a thread of its own.
    pub at_once: usize,
}

impl Default for Batches {
    /// Eight inputs, one call: more inputs gain nothing on a processor, since what a graph computes
    /// on leaves the caches.
    fn default() -> Self {
        Self { size: 8, at_once: 1 }
    }
}

/// The vector of a single input.
pub(crate) fn only_vector(
    vectors: Vec<Vec<f32>>,
    embedder: &dyn Embedder,
) -> Result<Vec<f32>, EmbedError> {
    vectors.into_iter().next().ok_or_else(|| EmbedError::Inference {
        embedder: embedder.identity().name.clone(),
        message: "it gave no vector".to_owned(),
    })
}

/// Why there is no vector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The bytes are no readable picture.
    #[error("not a readable image: {0}")]
    Unreadable(String),
    /// The picture would take more memory than was allowed.
    #[error(
        "the image has {width} × {height} pixels, which take about {bytes} bytes when they are decoded, and the limit is {max_bytes}; make it smaller, or, in code, raise `max_decoded_bytes`"
    )]
    TooLarge {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// Memory that decoding it takes.
        bytes: u64,
        /// Memory that it may take.
        max_bytes: u64,
    },
    /// The embedder does not take this kind of input.
    #[error("the embedder `{embedder}` does not read {what}")]
    Modality {
        /// Its name.
        embedder: String,
        /// `images`, `text` or `faces`.
        what: &'static str,
    },
    /// No face was found, and the model has it that this fails.
    #[error(
        "no face was found in this image; take another, or let the model say what is to be done: `face = LargestOrSkip`, `face = LargestOrWhole` (`\"skip\"`, `\"whole\"` in a model document)"
    )]
    NoFace,
    /// Inference failed.
    #[error("the embedder `{embedder}` failed: {message}")]
    Inference {
        /// Its name.
        embedder: String,
        /// What the run time said.
        message: String,
    },
}

impl EmbedError {
    /// Another attempt with the same input fails the same way.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        false
    }
}
