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
