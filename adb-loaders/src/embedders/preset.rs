//! Embedders that a model hub has, by name.

use super::{
    Filter, ImageTower, Manifest, Preprocess, Resize, TextTower, TokenizerSpec, bundle::FORMAT,
};

/// A bundle that can be put together from a model hub's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preset {
    /// Its name, the bundle's as well.
    pub name: &'static str,
    /// Components of its vectors.
    pub dimensions: usize,
    /// The hub's repository.
    pub repository: &'static str,
    /// About how many bytes come down; the hub says exactly.
    pub about_bytes: u64,
    /// What it is.
    pub description: &'static str,
}

/// A file of a repository → its name in the bundle.
pub(super) const FILES: [(&str, &str); 3] = [
    ("onnx/vision_model.onnx", IMAGE),
    ("onnx/text_model.onnx", TEXT),
    ("tokenizer.json", TOKENIZER),
];
const IMAGE: &str = "image.onnx";
const TEXT: &str = "text.onnx";
const TOKENIZER: &str = "tokenizer.json";

/// OpenAI's CLIP models, as ONNX exports with one graph for each side.
///
/// None of the three was ever run against its real files: they could not be reached where this was
/// written. The names of inputs and outputs are therefore read from the graphs, and a bundle is
/// loaded once before a set is made for it, so that a misfit shows at once.
const PRESETS: [Preset; 3] = [
    Preset {
        name: "clip-vit-b-32",
        dimensions: 512,
        repository: "Xenova/clip-vit-base-patch32",
        about_bytes: 607_000_000,
        description: "CLIP ViT-B/32 with OpenAI's weights.",
    },
    Preset {
        name: "clip-vit-b-16",
        dimensions: 512,
        repository: "Xenova/clip-vit-base-patch16",
        about_bytes: 600_000_000,
        description: "CLIP ViT-B/16 with OpenAI's weights.",
    },
    Preset {
        name: "clip-vit-l-14",
        dimensions: 768,
        repository: "Xenova/clip-vit-large-patch14",
        about_bytes: 1_710_000_000,
        description: "CLIP ViT-L/14 with OpenAI's weights.",
    },
];

impl Preset {
    /// All presets.
    #[must_use]
    pub fn all() -> &'static [Preset] {
        &PRESETS
    }

    /// The preset of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The description of its bundle; files are still to be listed.
    pub(super) fn manifest(&self, source: String) -> Manifest {
        Manifest {
            format: FORMAT,
            name: self.name.into(),
            description: self.description.into(),
            dimensions: self.dimensions,
            normalize: true,
            image: Some(ImageTower {
                file: IMAGE.into(),
                weights: Vec::new(),
                input: None,
                output: None,
                preprocess: Preprocess {
                    resize: Resize { shortest_edge: 224, filter: Filter::Bicubic },
                    center_crop: 224,
                    mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
                    std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
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
}
