//! From a picture to numbers: the steps that `bundle.json` describes.

use serde::{Deserialize, Serialize};

/// The longest edge that a step may ask for, in pixels.
const MAX_EDGE: u32 = 16_384;

/// What happens to a decoded picture, in the order of the fields.
///
/// What is left out decides the vectors as much as what is there, so each key means one thing:
/// ```json
/// {
///   "orient": false,
///   "resize": {"shortest_edge": 224, "filter": "bicubic"},
///   "center_crop": 224,
///   "mean": [0.481, 0.458, 0.408], "std": [0.269, 0.261, 0.276],
///   "channels": "rgb", "layout": "nchw"
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Whether a picture is first turned as its EXIF orientation says; `false`, as the reference
    /// pipelines of CLIP have it, when it is left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub orient: bool,
    /// Scaling; none when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// Side of the square that is cut from the middle, in pixels.
    pub center_crop: u32,
    /// Subtracted from red, green and blue, of values from 0 to 1. It goes with `std`, and both
    /// are left out with `standardize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<[f32; 3]>,
    /// What red, green and blue are then divided by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<[f32; 3]>,
    /// In place of `mean` and `std`: each picture is brought to mean 0 and deviation 1 by itself,
    /// over all pixels and channels of the crop. FaceNet's older pipelines call this
    /// "prewhitening": `(x − mean) / max(deviation, 1/√n)` of `n` values from 0 to 255.
    #[serde(default, skip_serializing_if = "is_default")]
    pub standardize: bool,
    /// The order in which the graph takes the channels. `mean` and `std` are always of red, green
    /// and blue.
    #[serde(default, skip_serializing_if = "is_default")]
    pub channels: Channels,
    /// Where the channels stand in the graph's input.
    #[serde(default, skip_serializing_if = "is_default")]
    pub layout: Layout,
}

/// How a picture is scaled: to exactly one of `shortest_edge` and `exact`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// The shorter edge gets this length, in pixels, and the proportions are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortest_edge: Option<u32>,
    /// Both edges get this length, in pixels: what is not square is squashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<u32>,
    /// The filter.
    pub filter: Filter,
}

/// A filter for scaling; each grows with the factor when a picture shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Filter {
    /// Cubic convolution with a = −0.5 (Catmull-Rom), what Pillow calls bicubic.
    Bicubic,
    /// Linear interpolation.
    Bilinear,
}

/// The order of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red, as OpenCV reads pictures.
    Bgr,
}

/// The order of the axes of an image graph's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[batch, channel, row, column]`, as PyTorch exports.
    #[default]
    Nchw,
    /// `[batch, row, column, channel]`, as TensorFlow exports.
    Nhwc,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Resize {
    /// Scaling that keeps the proportions.
    #[must_use]
    pub fn shortest_edge(edge: u32, filter: Filter) -> Self {
        Self { shortest_edge: Some(edge), exact: None, filter }
    }

    /// Scaling to a square.
    #[must_use]
    pub fn exact(edge: u32, filter: Filter) -> Self {
        Self { shortest_edge: None, exact: Some(edge), filter }
    }

    /// The length that the shorter edge gets.
    fn edge(&self) -> Result<u32, String> {
        match (self.shortest_edge, self.exact) {
            (Some(edge), None) | (None, Some(edge)) => Ok(edge),
            _ => Err("`resize` takes either `shortest_edge` or `exact`".into()),
        }
    }
}

impl Layout {
    /// The shape of a batch of square pictures.
    pub(super) fn shape(self, batch: i64, side: i64) -> Vec<i64> {
        match self {
            Layout::Nchw => vec![batch, 3, side, side],
            Layout::Nhwc => vec![batch, side, side, 3],
        }
    }
}

impl Preprocess {
    pub(super) fn check(&self) -> Result<(), String> {
        let crop = self.center_crop;
        let edge = self.resize.as_ref().map_or(Ok(MAX_EDGE), Resize::edge)?;
        if crop == 0 || crop > edge || edge > MAX_EDGE {
            return Err(format!(
                "a square of {crop} pixels can't be cut from a picture whose shortest edge has {edge}"
            ));
        }
        match (&self.mean, &self.std, self.standardize) {
            (None, None, true) => Ok(()),
            (Some(mean), Some(std), false) => {
                let usable = |s: &f32| s.is_finite() && *s > 0.0;
                if std.iter().all(usable) && mean.iter().all(|m| m.is_finite()) {
                    Ok(())
                } else {
                    Err("mean and std must be finite, and std greater than 0".into())
                }
            }
            _ => Err("preprocessing takes either `mean` and `std`, or `standardize`".into()),
        }
    }
}
