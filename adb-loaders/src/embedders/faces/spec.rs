//! What `bundle.json` says of faces.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// How faces are found in a picture, and what of it an embedder of faces is shown.
///
/// A bundle that has this takes each region for the box of a face. A whole picture is seen as
/// `preprocess` says, unless a model has it that the largest face is embedded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceFinder {
    /// What a face's box is widened by, as a part of its width and height; what then lies in the
    /// picture is stretched to the square that the embedder takes, with the filter that
    /// `preprocess` names.
    pub margin: f32,
    /// What finds them.
    pub detector: DetectorSpec,
}

/// Which face detector, and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum DetectorSpec {
    /// MTCNN: three ONNX graphs that take f32 `[batch, 3, height, width]`, (u8 − 127.5) / 128, and
    /// give `faces`: score, then four offsets, from the last one also five `x` and five `y`.
    Mtcnn {
        /// The first: pictures of any size, `[batch, 5, rows, columns]`.
        proposals: String,
        /// The second: 24 × 24 pixels, `[batch, 5]`.
        refinement: String,
        /// The third: 48 × 48 pixels, `[batch, 15]`.
        output: String,
        /// The smallest face that is looked for, in pixels; 12 or more.
        smallest: u32,
        /// By what each picture is smaller than the one before.
        factor: f32,
        /// How sure each of the three must be, from 0 to 1.
        thresholds: [f32; 3],
    },
}

impl FaceFinder {
    /// The files of the detector.
    pub(in crate::embedders) fn files(&self) -> [&str; 3] {
        let DetectorSpec::Mtcnn { proposals, refinement, output, .. } = &self.detector;
        [proposals, refinement, output]
    }

    /// All but the names of the files.
    pub(in crate::embedders) fn settings(&self) -> Json {
        let DetectorSpec::Mtcnn { smallest, factor, thresholds, .. } = &self.detector;
        json!({
            "margin": self.margin, "kind": "mtcnn", "smallest": smallest, "factor": factor,
            "thresholds": thresholds,
        })
    }

    pub(in crate::embedders) fn check(&self) -> Result<(), String> {
        let DetectorSpec::Mtcnn { smallest, factor, thresholds, .. } = self.detector;
        if !(0.0..=4.0).contains(&self.margin) {
            return Err(format!("a margin of {} is not from 0 to 4", self.margin));
        }
        // The net sees 12 pixels, and pictures are made smaller, never larger.
        if !(12..=16_384).contains(&smallest) {
            return Err(format!(
                "faces of {smallest} pixels can't be looked for; from 12 to 16384 can"
            ));
        }
        if !(0.1..=0.95).contains(&factor) {
            return Err(format!("a factor of {factor} between pictures is not from 0.1 to 0.95"));
        }
        if !thresholds.iter().all(|t| (0.0..1.0).contains(t)) {
            return Err("thresholds of a face detector lie from 0 to less than 1".into());
        }
        Ok(())
    }
}
