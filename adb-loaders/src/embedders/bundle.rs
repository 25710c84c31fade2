//! Bundles: a directory that holds all that an embedder is made of, described by `bundle.json`.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use adb_model::EmbedderIdentity;
use sha2::{Digest, Sha256};

use super::{
    Error, ErrorKind, Manifest,
    checked::{self, Stamp},
    manifest::FileEntry,
};

pub(super) const MANIFEST: &str = "bundle.json";
/// Smaller files are hashed faster than it takes to look up that they were.
const WORTH_REMEMBERING: u64 = 4 << 20;

/// A bundle on disk, its description read and checked.
///
/// Sizes are compared when it is opened; contents when a file is used. Of a large file it is then
/// remembered that they were, because hashing hundreds of megabytes in each process would be felt.
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
        let bundle = Self::described(dir)?;
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

    /// The bundle in a directory, whose files were not looked at.
    pub(super) fn described(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = dir.into();
        let path = dir.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::bundle(
                    &dir,
                    "there is no bundle.json, so this is no embedder; name a bundle's directory, or let `adb embedders init` describe the ONNX files in it",
                ));
            }
            Err(e) => return Err(Error::io(&path, e)),
        };
        let manifest = Manifest::parse(&text).map_err(|m| Error::bundle(&path, m))?;
        manifest.check().map_err(|m| Error::bundle(&path, m))?;
        Ok(Self { identity: manifest.identity(), dir, manifest })
    }

    /// The files that are missing or not those that it was made with.
    ///
    /// A large file is hashed once, and again when it was written to.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn damaged(&self) -> Result<Vec<String>, Error> {
        let mut damaged = Vec::new();
        for (name, entry) in &self.manifest.files {
            let path = self.dir.join(name);
            match fs::metadata(&path) {
                Ok(meta) if meta.len() == entry.bytes => match self.verified(name) {
                    Ok(_) => {}
                    Err(e) if matches!(e.kind(), ErrorKind::Damaged { .. }) => {
                        damaged.push(name.clone());
                    }
                    Err(e) => return Err(e),
                },
                Ok(_) => damaged.push(name.clone()),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => damaged.push(name.clone()),
                Err(e) => return Err(Error::io(&path, e)),
            }
        }
        Ok(damaged)
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
        if checked::is_known(&self.dir, name, &entry.sha256) {
            return Ok(path);
        }
        let stamp = Stamp::of(&path).map_err(|e| Error::io(&path, e))?;
        let got = sha256(&path).map_err(|e| Error::io(&path, e))?;
        if got.eq_ignore_ascii_case(&entry.sha256) {
            if entry.bytes >= WORTH_REMEMBERING {
                checked::remember(&self.dir, name, &got, stamp);
            }
            return Ok(path);
        }
        Err(ErrorKind::Damaged { path, wanted: entry.sha256.clone(), got }.into())
    }

    /// As [`verified`](Self::verified), for a file that looks well and does not work: it is hashed
    /// again.
    pub(super) fn verified_anew(&self, name: &str) -> Result<PathBuf, Error> {
        checked::forget(&self.dir, name);
        self.verified(name)
    }
}

impl FileEntry {
    /// What there is to say of a file.
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let io = |e| Error::io(path, e);
        let bytes = fs::metadata(path).map_err(io)?.len();
        Ok(Self { sha256: sha256(path).map_err(io)?, bytes })
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

pub(super) fn hex(bytes: &[u8]) -> String {
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
    use crate::embedders::{Channels, Layout};

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
    fn a_large_file_is_hashed_once_and_again_when_it_was_written_to() {
        let large = vec![7; WORTH_REMEMBERING as usize];
        let mut manifest = sample();
        manifest["files"]["text.onnx"] =
            json!({"sha256": hex(&Sha256::digest(&large)), "bytes": WORTH_REMEMBERING});
        let dir = write(&manifest);
        let file = dir.path().join("text.onnx");
        fs::write(&file, &large).unwrap();
        let bundle = Bundle::open(dir.path()).unwrap();
        let known = || checked::is_known(dir.path(), "text.onnx", &hex(&Sha256::digest(&large)));
        assert!(!known());
        bundle.verified("text.onnx").unwrap();
        assert!(known());
        bundle.verified("text.onnx").unwrap();
        fs::write(&file, vec![8; large.len()]).unwrap();
        bundle.verified("text.onnx").unwrap_err();
        bundle.verified_anew("text.onnx").unwrap_err();
        fs::write(&file, &large).unwrap();
        bundle.verified_anew("text.onnx").unwrap();
    }

    /// Sets that were filled before keys were added keep their bundle.
    #[test]
    fn keys_that_are_left_out_do_not_change_an_identity() {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-clip");
        let bundle = Bundle::open(fixture).unwrap();
        assert_eq!(
            bundle.identity().hash,
            "a1a77d0a345f98a8f50744d692cced21cb697357a4cf21cfece9e8286b4e5162"
        );
    }

    #[test]
    fn preprocessing_is_either_or() {
        let sample = || {
            let mut manifest = sample();
            manifest["image"] = json!({"file": "text.onnx", "preprocess": {
                "resize": {"exact": 160, "filter": "bilinear"}, "center_crop": 160,
                "standardize": true, "channels": "bgr", "layout": "nhwc",
            }});
            manifest
        };
        let opened = |manifest: &Json| Bundle::open(write(manifest).path());
        let bundle = opened(&sample()).unwrap();
        let steps = &bundle.manifest().image.as_ref().unwrap().preprocess;
        assert_eq!((steps.channels, steps.layout), (Channels::Bgr, Layout::Nhwc));
        assert_eq!(json!(steps), sample()["image"]["preprocess"]);
        type Change = fn(&mut Json);
        let cases: [(&str, Change); 7] = [
            ("either `shortest_edge` or `exact`", |p| p["resize"]["shortest_edge"] = json!(160)),
            ("either `shortest_edge` or `exact`", |p| p["resize"] = json!({"filter": "bicubic"})),
            ("either `mean` and `std`, or `standardize`", |p| p["standardize"] = json!(false)),
            ("either `mean` and `std`, or `standardize`", |p| p["std"] = json!([1, 1, 1])),
            ("can't be cut", |p| p["center_crop"] = json!(161)),
            ("can't be cut", |p| {
                p.as_object_mut().unwrap().remove("resize");
                p["center_crop"] = json!(16_385);
            }),
            ("unknown variant `gbr`", |p| p["channels"] = json!("gbr")),
        ];
        for (words, change) in cases {
            let mut manifest = sample();
            change(&mut manifest["image"]["preprocess"]);
            let message = opened(&manifest).unwrap_err().to_string();
            assert!(message.contains(words), "wanted `{words}` in: {message}");
            assert_ne!(manifest, sample());
        }
    }

    #[test]
    fn a_changed_file_is_found_when_it_is_used() {
        let bundle = Bundle::open(write(&sample()).keep()).unwrap();
        let message = bundle.verified("text.onnx").unwrap_err().to_string();
        assert!(message.contains("text.onnx is not the file"), "{message}");
        fs::remove_dir_all(bundle.dir()).unwrap();
    }
}
