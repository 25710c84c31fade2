//! What `bundle.json` says.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use adb_model::EmbedderIdentity;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{FaceFinder, Preprocess, bundle::hex};

/// The version of `bundle.json` that this release reads and writes.
pub const FORMAT: u32 = 1;

/// What `bundle.json` says.
///
/// A key that this release does not know is refused: it could decide the vectors, and vectors that
/// were made without it would look like the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this description: [`FORMAT`].
    pub format: u32,
    /// The bundle's name, such as `clip-vit-b-16`.
    pub name: String,
    /// What it is and how well it does, in a sentence or two for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Components of its vectors.
    pub dimensions: usize,
    /// Whether vectors are brought to unit length after inference.
    pub normalize: bool,
    /// The side that reads images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageTower>,
    /// The side that reads text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextTower>,
    /// Where the weights come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The licence of the weights.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// Every file of the bundle but this description: path in the directory → size and hash.
    pub files: BTreeMap<String, FileEntry>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// The side of an embedder that reads images: input f32 `[batch, 3, crop, crop]`, or
/// `[batch, crop, crop, 3]` if its layout says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTower {
    /// The ONNX file.
    pub file: String,
    /// Files in which that one keeps its weights, if it does not hold them itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<String>,
    /// Name of the input; the graph's only one when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Name of the output `[batch, dimensions]`; `image_embeds`, or the graph's only one, when it
    /// is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// From a decoded picture to the input.
    pub preprocess: Preprocess,
    /// How faces are found, for embedders of faces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faces: Option<FaceFinder>,
}

/// The side of an embedder that reads text: input `[batch, tokens]` of 64-bit or 32-bit integers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextTower {
    /// The ONNX file.
    pub file: String,
    /// Files in which that one keeps its weights, if it does not hold them itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<String>,
    /// Names of the inputs; found in the graph when they are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<TextInputs>,
    /// Name of the output `[batch, dimensions]`; `text_embeds`, or the graph's only one, when it
    /// is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// From text to token ids.
    pub tokenizer: TokenizerSpec,
}

/// Names of a text graph's inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextInputs {
    /// Token ids.
    pub ids: String,
    /// 1 for each token, 0 for padding; for graphs that take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// 0 for each token; for graphs that tell sentences of a pair apart, as BERT's do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
}

/// Which tokenizer, and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum TokenizerSpec {
    /// CLIP's: byte-level BPE, always padded with zeros to `context` ids.
    ClipBpe {
        /// The merges (`bpe_simple_vocab_16e6`, as text or gzip), or a `tokenizer.json`.
        file: String,
        /// Ids for each text, start and end included; longer text is cut before the end.
        context: usize,
    },
    /// A `tokenizer.json` of the BERT kind (WordPiece), padded to the longest text of the batch.
    HfJson {
        /// The `tokenizer.json`.
        file: String,
        /// At most so many ids for each text, the special ones included.
        max_tokens: usize,
    },
}

impl TokenizerSpec {
    /// Its file.
    #[must_use]
    pub fn file(&self) -> &str {
        match self {
            TokenizerSpec::ClipBpe { file, .. } | TokenizerSpec::HfJson { file, .. } => file,
        }
    }
}

impl Manifest {
    /// Reads a description; the error is for a message that names its file.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        // First the version alone: a later format may well have keys that this one lacks.
        let version: Version = serde_json::from_slice(text)
            .map_err(|e| format!("this is no description of a bundle: {e}"))?;
        if version.format != FORMAT {
            return Err(format!(
                "it has format {}, and this release of adb reads format {FORMAT}; use the release that made it, or make it again",
                version.format
            ));
        }
        serde_json::from_slice(text)
            .map_err(|e| format!("{e}; see the documentation of `Manifest`"))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.name.is_empty() || self.name.contains(['/', '\\']) {
            return Err(format!("the name `{}` can't be used; it must be a plain word", self.name));
        }
        if self.dimensions == 0 {
            return Err("dimensions is 0".into());
        }
        if self.image.is_none() && self.text.is_none() {
            return Err("it has neither `image` nor `text`, so it can't make vectors".into());
        }
        for name in self.files.keys() {
            let inside = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
            if name.is_empty() || name.contains('\\') || !inside {
                return Err(format!("the file `{name}` lies outside of the bundle's directory"));
            }
        }
        for name in self.used() {
            if !self.files.contains_key(name) {
                return Err(format!("the file `{name}` is used, but not listed under `files`"));
            }
        }
        if let Some(tower) = &self.image {
            tower.preprocess.check()?;
            if let Some(faces) = &tower.faces {
                faces.check()?;
                if tower.preprocess.orient {
                    return Err("`orient` beside `faces`: boxes of faces are of the picture as it is stored, so it can't be turned".into());
                }
            }
        }
        match self.text.as_ref().map(|t| &t.tokenizer) {
            Some(
                TokenizerSpec::ClipBpe { context: n, .. }
                | TokenizerSpec::HfJson { max_tokens: n, .. },
            ) if *n < 3 => {
                Err(format!("a text of at most {n} tokens has no room between start and end"))
            }
            _ => Ok(()),
        }
    }

    /// The files that decide the vectors.
    pub(super) fn used(&self) -> Vec<&str> {
        let mut used = Vec::new();
        if let Some(tower) = &self.image {
            used.push(tower.file.as_str());
            used.extend(tower.weights.iter().map(String::as_str));
            used.extend(tower.faces.iter().flat_map(FaceFinder::files));
        }
        if let Some(tower) = &self.text {
            used.push(tower.file.as_str());
            used.extend(tower.weights.iter().map(String::as_str));
            used.push(tower.tokenizer.file());
        }
        used
    }

    /// The hash covers what decides the vectors and nothing else: wording a description better, or
    /// adding a licence, must not cut a bundle off from the sets that it has filled.
    pub(super) fn identity(&self) -> EmbedderIdentity {
        let hashes: Vec<String> =
            self.used().iter().map(|f| self.files[*f].sha256.to_ascii_lowercase()).collect();
        let mut decides = serde_json::json!({
            "format": self.format,
            "dimensions": self.dimensions,
            "normalize": self.normalize,
            "preprocess": self.image.as_ref().map(|t| &t.preprocess),
            "image_ports": self.image.as_ref().map(|t| (&t.input, &t.output)),
            "text_ports": self.text.as_ref().map(|t| (&t.inputs, &t.output)),
            "tokenizer": self.text.as_ref().map(|t| t.tokenizer.settings()),
            "files": hashes,
        });
        // Only where it is there: what has none is what it was before there could be one.
        if let Some(faces) = self.image.as_ref().and_then(|tower| tower.faces.as_ref()) {
            decides["faces"] = faces.settings();
        }
        EmbedderIdentity {
            name: self.name.clone(),
            hash: hex(&Sha256::digest(decides.to_string())),
            dimensions: self.dimensions,
            images: self.image.is_some(),
            texts: self.text.is_some(),
        }
    }
}

impl TokenizerSpec {
    /// Kind and limit; what the file is called does not matter.
    fn settings(&self) -> (&'static str, usize) {
        match self {
            TokenizerSpec::ClipBpe { context, .. } => ("clip-bpe", *context),
            TokenizerSpec::HfJson { max_tokens, .. } => ("hf-json", *max_tokens),
        }
    }
}
