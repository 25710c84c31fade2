//! Embedders that a model hub has, by name.

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
}
