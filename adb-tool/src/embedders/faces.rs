//! `adb embedders faces`

use std::path::PathBuf;

use adb::embedders::{Face, MAX_DECODED_BYTES, decode};
use anyhow::Context as _;
use serde_json::json;

use crate::exit::usage;

/// Print the faces in pictures, the largest first, a JSON object for each picture.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb embedders faces people.jpg --embedder facenet-128")]
pub(crate) struct Faces {
    /// Pictures.
    files: Vec<PathBuf>,
    /// The bundle that has the detector: a name, or its directory.
    #[arg(long, value_name = "NAME", default_value = "facenet-128")]
    embedder: String,
}

impl Faces {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.files.is_empty() {
            usage!("there is nothing to look at: name files");
        }
        let detector = super::chooser()?.open(&self.embedder)?.detector()?;
        for file in &self.files {
            let place = || file.display().to_string();
            let bytes = std::fs::read(file).with_context(place)?;
            let faces = detector.detect(&decode(&bytes, MAX_DECODED_BYTES).with_context(place)?)?;
            let faces: Vec<_> = faces.iter().map(written).collect();
            println!("{}", json!({ "file": file, "faces": faces }));
        }
        Ok(())
    }
}

fn written(face: &Face) -> serde_json::Value {
    let (area, points) = (face.rect(), face.landmarks);
    json!({
        "x": area.x, "y": area.y, "width": area.width, "height": area.height,
        "score": face.score,
        "left_eye": points.left_eye, "right_eye": points.right_eye, "nose": points.nose,
        "mouth_left": points.mouth_left, "mouth_right": points.mouth_right,
    })
}
