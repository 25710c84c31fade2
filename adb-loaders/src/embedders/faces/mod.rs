//! Faces: where they are in a picture (MTCNN), and children made of them.
//!
//! The steps between the three nets are those of the Python package `mtcnn` 1.0.0, whose weights
//! they run with. The method is that of Zhang, Zhang, Li and Qiao, "Joint Face Detection and
//! Alignment using Multi-task Cascaded Convolutional Networks" (2016).

mod boxes;
mod detector;
mod maker;
mod sampling;
mod spec;

use adb_model::Rect;

pub use detector::FaceDetector;
pub use maker::{FaceMaker, FromFace};
pub use spec::{DetectorSpec, FaceFinder};

/// A face in a picture. Coordinates are pixels from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Face {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
    /// How sure the detector is: from its threshold to 1.
    pub score: f32,
    /// Where eyes, nose and mouth are.
    pub landmarks: Landmarks,
}

/// Five points of a face, `[x, y]` each; left and right as they lie in the picture. They can lie
/// outside of it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "they say what they are")]
pub struct Landmarks {
    pub left_eye: [f32; 2],
    pub right_eye: [f32; 2],
    pub nose: [f32; 2],
    pub mouth_left: [f32; 2],
    pub mouth_right: [f32; 2],
}

impl Face {
    /// Its box in whole pixels, edges rounded to the nearest, at least one pixel each way.
    #[must_use]
    pub fn rect(&self) -> Rect {
        // Edges lie in a picture, whose sizes are 32-bit integers.
        let [left, top, right, bottom] =
            [self.left, self.top, self.right, self.bottom].map(|edge| edge.round() as i64);
        Rect { x: left, y: top, width: (right - left).max(1), height: (bottom - top).max(1) }
    }

    /// The area of its box.
    #[must_use]
    pub fn area(&self) -> f32 {
        (self.right - self.left) * (self.bottom - self.top)
    }
}
