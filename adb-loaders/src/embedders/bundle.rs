//! Bundles: a directory that holds all that an embedder is made of, described by `bundle.json`.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Component, Path, PathBuf},
};

use adb_model::EmbedderIdentity;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Error, ErrorKind, FaceFinder};

/// The version of `bundle.json` that this release reads and writes.
pub const FORMAT: u32 = 1;

const MANIFEST: &str = "bundle.json";

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

/// The side of an embedder that reads images: input f32 `[batch, 3, crop, crop]`.
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

/// What happens to a decoded RGB picture, in this order. EXIF orientation is not applied, because
/// the reference pipelines don't.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Scaling, with the proportions kept.
    pub resize: Resize,
    /// Side of the square that is cut from the middle, in pixels.
    pub center_crop: u32,
    /// Subtracted from each channel (red, green, blue), of values from 0 to 1.
    pub mean: [f32; 3],
    /// What each channel is then divided by.
    pub std: [f32; 3],
}

/// How a picture is scaled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Length of the shorter edge afterwards, in pixels.
    pub shortest_edge: u32,
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

/// A bundle on disk, its description read and checked.
///
/// Sizes are compared when it is opened; contents when a file is first used, because hashing
/// hundreds of megabytes for a search that needs half of them would be felt.
#[derive(Debug, Clone)]
pub struct Bundle {
    dir: PathBuf,
    manifest: Manifest,
    identity: EmbedderIdentity,
}

impl Bundle {
    /// Opens the bundle in a directory.
    ///
    /// # Errors
    /// When `bundle.json` is missing, of another format or broken, names files outside the
    /// directory, or a file is missing or has another size.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = dir.into();
        let path = dir.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::bundle(
                    &dir,
                    "there is no bundle.json, so this is no embedder; name a bundle's directory, or build one with `python3 tools/models/starter.py`",
                ));
            }
            Err(e) => return Err(Error::io(&path, e)),
        };
        let manifest = Manifest::parse(&text).map_err(|m| Error::bundle(&path, m))?;
        manifest.check().map_err(|m| Error::bundle(&path, m))?;
        let bundle = Self { identity: manifest.identity(), dir, manifest };
        for (name, entry) in &bundle.manifest.files {
            let file = bundle.dir.join(name);
            let meta = fs::metadata(&file).map_err(|e| Error::io(&file, e))?;
            if meta.len() != entry.bytes {
                return Err(Error::bundle(
                    &file,
                    format!(
                        "it has {} bytes, its bundle.json says {}; remove the bundle's directory and fetch or build it again",
                        meta.len(),
                        entry.bytes
                    ),
                ));
            }
        }
        Ok(bundle)
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its description.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Who it is: name, and a hash over all that decides its vectors.
    #[must_use]
    pub fn identity(&self) -> &EmbedderIdentity {
        &self.identity
    }

    /// The path of a file of it, after its contents were compared with its hash.
    ///
    /// # Errors
    /// When it can't be read, or is another file.
    pub(super) fn verified(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.dir.join(name);
        let Some(entry) = self.manifest.files.get(name) else {
            // `check` has seen to it that every file in use is listed.
            return Err(Error::bundle(&path, "it is not among the bundle's files"));
        };
        let got = sha256(&path).map_err(|e| Error::io(&path, e))?;
        if got.eq_ignore_ascii_case(&entry.sha256) {
            return Ok(path);
        }
        Err(ErrorKind::Damaged { path, wanted: entry.sha256.clone(), got }.into())
    }
}

impl Manifest {
    /// Reads a description; the error is for a message that names its file.
    fn parse(text: &[u8]) -> Result<Self, String> {
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

    fn check(&self) -> Result<(), String> {
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
            tower.faces.as_ref().map_or(Ok(()), FaceFinder::check)?;
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
    fn used(&self) -> Vec<&str> {
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
    fn identity(&self) -> EmbedderIdentity {
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

impl Preprocess {
    fn check(&self) -> Result<(), String> {
        let (edge, crop) = (self.resize.shortest_edge, self.center_crop);
        if crop == 0 || crop > edge || edge > 16_384 {
            return Err(format!(
                "a square of {crop} pixels can't be cut from a picture whose shortest edge has {edge}"
            ));
        }
        let usable = |s: &f32| s.is_finite() && *s > 0.0;
        if !self.std.iter().all(usable) || !self.mean.iter().all(|m| m.is_finite()) {
            return Err("mean and std must be finite, and std greater than 0".into());
        }
        Ok(())
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut digest = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex(&digest.finalize())),
            n => digest.update(&block[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, b| {
        // Writing to a string does not fail.
        let _ = write!(text, "{b:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn sample() -> Json {
        json!({
            "format": 1, "name": "sample", "dimensions": 8, "normalize": true,
            "text": {
                "file": "text.onnx",
                "tokenizer": {"kind": "clip-bpe", "file": "merges.txt", "context": 16},
            },
            "files": {
                "text.onnx": {"sha256": "aa", "bytes": 4},
                "merges.txt": {"sha256": "bb", "bytes": 0},
            },
        })
    }

    fn write(manifest: &Json) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(MANIFEST), manifest.to_string()).unwrap();
        fs::write(dir.path().join("text.onnx"), b"onnx").unwrap();
        fs::write(dir.path().join("merges.txt"), b"").unwrap();
        dir
    }

    fn fault(change: impl FnOnce(&mut Json)) -> String {
        let mut manifest = sample();
        change(&mut manifest);
        Bundle::open(write(&manifest).path()).unwrap_err().to_string()
    }

    #[test]
    fn faults_name_what_is_wrong() {
        Bundle::open(write(&sample()).path()).unwrap();
        type Change = fn(&mut Json);
        let cases: [(&str, Change); 9] = [
            ("format 2", |m| m["format"] = json!(2)),
            ("unknown field `sampling`", |m| m["text"]["sampling"] = json!(1)),
            ("unknown variant `sentencepiece`", |m| {
                m["text"]["tokenizer"]["kind"] = json!("sentencepiece");
            }),
            ("unknown field `pad`", |m| m["text"]["tokenizer"]["pad"] = json!(1)),
            ("outside of the bundle's directory", |m| {
                m["files"]["../x"] = json!({"sha256": "", "bytes": 1});
            }),
            ("`other.onnx` is used, but not listed", |m| m["text"]["file"] = json!("other.onnx")),
            ("neither `image` nor `text`", |m| {
                m.as_object_mut().unwrap().remove("text");
            }),
            ("it has 4 bytes, its bundle.json says 5", |m| {
                m["files"]["text.onnx"]["bytes"] = json!(5);
            }),
            ("no room", |m| m["text"]["tokenizer"]["context"] = json!(2)),
        ];
        for (words, change) in cases {
            let message = fault(change);
            assert!(message.contains(words), "wanted `{words}` in: {message}");
        }
        let empty = tempfile::tempdir().unwrap();
        let message = Bundle::open(empty.path()).unwrap_err().to_string();
        assert!(message.contains("no bundle.json"), "{message}");
    }

    #[test]
    fn identity_is_what_decides_the_vectors() {
        let hash = |change: fn(&mut Json)| {
            let mut manifest = sample();
            change(&mut manifest);
            Bundle::open(write(&manifest).path()).unwrap().identity().hash.clone()
        };
        let plain = hash(|_| ());
        assert_eq!(plain.len(), 64);
        assert_eq!(plain, hash(|m| m["name"] = json!("another")));
        assert_eq!(plain, hash(|m| m["description"] = json!("words")));
        assert_ne!(plain, hash(|m| m["normalize"] = json!(false)));
        assert_ne!(plain, hash(|m| m["files"]["merges.txt"]["sha256"] = json!("cc")));
        assert_ne!(plain, hash(|m| m["text"]["tokenizer"]["context"] = json!(17)));
        assert_ne!(plain, hash(|m| m["text"]["output"] = json!("y")));
    }

    #[test]
    fn a_changed_file_is_found_when_it_is_used() {
        let bundle = Bundle::open(write(&sample()).keep()).unwrap();
        let message = bundle.verified("text.onnx").unwrap_err().to_string();
        assert!(message.contains("text.onnx is not the file"), "{message}");
        fs::remove_dir_all(bundle.dir()).unwrap();
    }
}
