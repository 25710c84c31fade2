//! What a preset's bundle is put together from.

use crate::embedders::{
    Channels, FORMAT, Filter, ImageTower, Layout, Manifest, Preprocess, Preset, Resize, TextTower,
    TokenizerSpec,
};

/// A file of a repository → its name in the bundle.
pub(super) const FILES: [(&str, &str); 3] = [
    ("onnx/vision_model.onnx", IMAGE),
    ("onnx/text_model.onnx", TEXT),
    ("tokenizer.json", TOKENIZER),
];
const IMAGE: &str = "image.onnx";
const TEXT: &str = "text.onnx";
const TOKENIZER: &str = "tokenizer.json";

/// The origin of a bundle, in words from which [`revision`] reads the revision.
pub(super) fn source(repository: &str, revision: &str) -> String {
    format!("{repository} at {revision}, from a model hub")
}

/// The revision of the repository that a bundle was made of, if its description says that.
pub(super) fn revision<'s>(source: &'s str, repository: &str) -> Option<&'s str> {
    let revision = source.strip_prefix(repository)?.strip_prefix(" at ")?.split(',').next()?;
    revision.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(revision)
}

/// The description of a preset's bundle; files are still to be listed.
pub(super) fn manifest(preset: &Preset, source: String) -> Manifest {
    Manifest {
        format: FORMAT,
        name: preset.name.into(),
        description: preset.description.into(),
        dimensions: preset.dimensions,
        normalize: true,
        image: Some(ImageTower {
            file: IMAGE.into(),
            weights: Vec::new(),
            input: None,
            output: None,
            faces: None,
            preprocess: Preprocess {
                orient: false,
                resize: Some(Resize::shortest_edge(224, Filter::Bicubic)),
                center_crop: 224,
                mean: Some([0.481_454_66, 0.457_827_5, 0.408_210_73]),
                std: Some([0.268_629_54, 0.261_302_6, 0.275_777_1]),
                standardize: false,
                channels: Channels::Rgb,
                layout: Layout::Nchw,
            },
        }),
        text: Some(TextTower {
            file: TEXT.into(),
            weights: Vec::new(),
            inputs: None,
            output: None,
            tokenizer: TokenizerSpec::ClipBpe { file: TOKENIZER.into(), context: 77 },
        }),
        source,
        licence: "MIT (OpenAI CLIP)".into(),
        files: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_can_be_read_from_the_source() {
        let written = source("owner/name", "0123abcd");
        assert_eq!(revision(&written, "owner/name"), Some("0123abcd"));
        assert_eq!(revision(&written, "owner/other"), None);
        assert_eq!(revision("owner/name at ../../x, y", "owner/name"), None);
        assert_eq!(revision("my own files", "owner/name"), None);
    }
}
