//! The largest face of a photo in place of the photo: what a model says of it.

use serde::{Deserialize, Serialize};

use crate::{EmbedInput, Image, PreparedImage};

/// What comes of an image in which no face is found, where one was to be embedded. There is never
/// a vector of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoFace {
    /// The row fails, with this reason.
    #[default]
    Fail,
    /// The object is stored without this descriptor, or without faces.
    Skip,
    /// The whole image stands for the face, as it does for an embedder that looks for none.
    Whole,
}

/// What [`Embedder::prepare_face`](crate::Embedder::prepare_face) found in an image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PreparedFace {
    /// Its largest face, made ready.
    Found(PreparedImage),
    /// No face; the whole image, made ready.
    Whole(PreparedImage),
    /// No face, and nothing in place of it.
    Skipped,
}

impl PreparedFace {
    /// What there is to embed, if there is anything.
    #[must_use]
    pub fn into_image(self) -> Option<PreparedImage> {
        match self {
            PreparedFace::Found(image) | PreparedFace::Whole(image) => Some(image),
            PreparedFace::Skipped => None,
        }
    }
}

impl EmbedInput {
    /// The largest face of a picture in place of the picture; other inputs stay as they are.
    #[must_use]
    pub fn face(self, otherwise: NoFace) -> Self {
        match self {
            EmbedInput::Image(media) => EmbedInput::Face(media, otherwise),
            other => other,
        }
    }
}

/// A field in which a face can be looked for: `embed(from = …, face = …)`.
#[diagnostic::on_unimplemented(
    message = "no face can be looked for in a `{Self}`",
    label = "a face is looked for in an `Image`",
    note = "leave `face` out: of a region, its own part of the picture is embedded"
)]
pub trait FaceSource {
    /// What the macro names so that the compiler checks the bound where the user wrote it.
    #[doc(hidden)]
    const CHECKED: () = ();
}

impl FaceSource for Image {}
impl<T: FaceSource> FaceSource for Option<T> {}
