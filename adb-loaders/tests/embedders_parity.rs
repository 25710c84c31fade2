//! CLIP's own tokenizer and image pipeline gave the references in `../shared/data/clip`. Without
//! them this says so and passes; `embedders.rs` tests the same with a fixture that is always there.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "figures are for the one who reads the test's output")]

use std::{
    collections::HashMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use adb_loaders::embedders::{Bundle, Cache, OnnxEmbedder, Runtime};
use adb_model::Embedder;
use serde_json::json;
use sha2::{Digest, Sha256};

fn shared(what: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|dir| dir.join("shared").join(what))
        .find(|path| path.exists());
    if found.is_none() {
        println!("skipped: there is no shared/{what} above the workspace");
    }
    found
}

struct Npz(HashMap<String, Vec<u8>>);

impl Npz {
    fn open(path: &Path) -> Self {
        let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
        let mut arrays = HashMap::new();
        for i in 0..archive.len() {
            let mut file = archive.by_index(i).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            arrays.insert(file.name().trim_end_matches(".npy").to_owned(), bytes);
        }
        Self(arrays)
    }

    /// Rows of a two-dimensional array.
    fn rows<T: npyz::Deserialize + Clone>(&self, name: &str) -> Vec<Vec<T>> {
        let npy = npyz::NpyFile::new(&self.0[name][..]).unwrap();
        let width = npy.shape()[1..].iter().product::<u64>() as usize;
        npy.into_vec::<T>().unwrap().chunks(width).map(<[T]>::to_vec).collect()
    }

    /// NumPy's fixed-width strings: four bytes for each character, zeros at the end.
    fn strings(&self, name: &str) -> Vec<String> {
        let npy = npyz::NpyFile::new(&self.0[name][..]).unwrap();
        let rows = npy.shape()[0] as usize;
        let bytes = &self.0[name];
        let characters = match npy.dtype() {
            npyz::DType::Plain(plain) => plain.size_field() as usize,
            other => unreachable!("{other:?} holds no strings"),
        };
        let data = &bytes[bytes.len() - rows * characters * 4..];
        data.chunks(characters * 4)
            .map(|row| {
                row.chunks(4)
                    .map(|c| u32::from_le_bytes(c.try_into().unwrap()))
                    .take_while(|c| *c != 0)
                    .map(|c| char::from_u32(c).unwrap())
                    .collect()
            })
            .collect()
    }
}

/// A bundle around the random-weight CLIP: same operations, same sizes, 64 components.
fn tiny(clip: &Path) -> (tempfile::TempDir, OnnxEmbedder) {
    let dir = tempfile::tempdir().unwrap();
    let mut files = serde_json::Map::new();
    for (from, to) in [
        ("random-tiny-visual.onnx", "image.onnx"),
        ("random-tiny-text.onnx", "text.onnx"),
        ("bpe_simple_vocab_16e6.txt.gz", "merges.txt.gz"),
    ] {
        let bytes = fs::read(clip.join(from)).unwrap();
        let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        files.insert(to.into(), json!({"sha256": hash, "bytes": bytes.len()}));
        fs::write(dir.path().join(to), bytes).unwrap();
    }
    let manifest = json!({
        "format": 1, "name": "random-tiny", "dimensions": 64, "normalize": true,
        "image": {
            "file": "image.onnx",
            "preprocess": {
                "resize": {"shortest_edge": 224, "filter": "bicubic"},
                "center_crop": 224, "mean": MEAN, "std": STD,
            },
        },
        "text": {
            "file": "text.onnx",
            "tokenizer": {"kind": "clip-bpe", "file": "merges.txt.gz", "context": 77},
        },
        "files": files,
    });
    fs::write(dir.path().join("bundle.json"), manifest.to_string()).unwrap();
    Runtime::start_with("tract", ort_tract::api()).unwrap();
    let bundle = Bundle::open(dir.path()).unwrap();
    (dir, OnnxEmbedder::new(bundle, Cache::at("no-such-cache")))
}

const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

fn lowest_cosine(got: &[Vec<f32>], wanted: &[Vec<f32>]) -> f64 {
    assert_eq!(got.len(), wanted.len());
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    got.iter()
        .zip(wanted)
        .map(|(a, b)| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt())
        .fold(f64::MAX, f64::min)
}

/// How far bytes are apart.
#[derive(Default)]
struct Difference {
    sum: u64,
    most: u8,
    values: u64,
}

impl Difference {
    /// One crop: as an embedder's input, one plane for each channel, and as interleaved bytes.
    fn add(&mut self, prepared: &[f32], crop: &[u8]) {
        assert_eq!(prepared.len(), crop.len());
        for (place, value) in prepared.iter().enumerate() {
            let (channel, at) = (place / (224 * 224), place % (224 * 224));
            let byte = ((value * STD[channel] + MEAN[channel]) * 255.0).round() as u8;
            let difference = byte.abs_diff(crop[at * 3 + channel]);
            self.sum += u64::from(difference);
            self.most = self.most.max(difference);
            self.values += 1;
        }
    }

    fn mean(&self) -> f64 {
        self.sum as f64 / self.values as f64
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pixels differ by {:.4} in the mean, {} at most", self.mean(), self.most)
    }
}

#[test]
fn token_ids_are_those_of_clip_s_tokenizer() {
    let Some(clip) = shared("data/clip") else { return };
    let (_dir, embedder) = tiny(&clip);
    let tokens = Npz::open(&clip.join("tokens.npz"));
    for (texts, ids) in
        [("captions", "caption_ids"), ("dishes", "dish_ids"), ("extra", "extra_ids")]
    {
        let texts = tokens.strings(texts);
        let wanted = tokens.rows::<i64>(ids);
        assert_eq!(texts.len(), wanted.len());
        for (text, wanted) in texts.iter().zip(wanted) {
            assert_eq!(embedder.token_ids(&[text]).unwrap(), [wanted], "{text:?}");
        }
        println!("{ids}: {} texts, all ids identical", texts.len());
    }
}

#[test]
fn text_vectors_are_those_of_the_reference() {
    let Some(clip) = shared("data/clip") else { return };
    let (_dir, embedder) = tiny(&clip);
    let tokens = Npz::open(&clip.join("tokens.npz"));
    let vectors = Npz::open(&clip.join("tiny_embeddings.npz"));
    for (texts, wanted) in [("captions", "caption"), ("dishes", "dish"), ("extra", "extra")] {
        let texts = tokens.strings(texts);
        let all: Vec<&str> = texts.iter().map(String::as_str).collect();
        let got = embedder.embed_texts(&all).unwrap();
        let lowest = lowest_cosine(&got, &vectors.rows(wanted));
        println!("{wanted}: lowest cosine of {}: {lowest:.6}", texts.len());
        assert!(lowest > 0.9999, "{wanted}: {lowest}");
    }
}

#[test]
fn pixels_and_image_vectors_are_those_of_the_reference() {
    let Some(clip) = shared("data/clip") else { return };
    let Some(photos) = shared("data/cookbook/images") else { return };
    let (_dir, embedder) = tiny(&clip);
    let crops = Npz::open(&clip.join("crops_224.npz"));
    let reference = Npz::open(&clip.join("tiny_embeddings.npz"));
    let (pixels, wanted) = (crops.rows::<u8>("crops_u8"), reference.rows::<f32>("image"));
    let names = reference.strings("names");
    assert_eq!(names, crops.strings("names"));

    let mut difference = Difference::default();
    let mut vectors = Vec::new();
    for (name, crop) in names.iter().zip(&pixels) {
        let prepared = embedder.prepare_image(&fs::read(photos.join(name)).unwrap(), None).unwrap();
        difference.add(&prepared.0, crop);
        vectors.extend(embedder.embed_images(&[prepared]).unwrap());
    }
    let lowest = lowest_cosine(&vectors, &wanted);
    println!("{} photos as JPEG: {difference}", names.len());
    println!("{} photos as JPEG: lowest cosine {lowest:.6}", names.len());
    assert!(difference.mean() <= 0.25, "{difference}");
    assert!(lowest >= 0.999, "{lowest}");
}

/// The photos as the reference's decoder saw them: what is left is the resampling. They are written
/// by `tools/fixture/photos.py`, which needs Pillow.
#[test]
fn crops_of_what_is_decoded_alike_are_those_of_the_reference_s_resampler() {
    let Some(clip) = shared("data/clip") else { return };
    let Some(photos) = std::env::var_os("ADB_PHOTOS_AS_PNG").map(PathBuf::from) else {
        println!(
            "skipped: ADB_PHOTOS_AS_PNG names no directory; tools/fixture/photos.py fills one"
        );
        return;
    };
    let (_dir, embedder) = tiny(&clip);
    let crops = Npz::open(&clip.join("crops_224.npz"));
    let reference = Npz::open(&clip.join("tiny_embeddings.npz"));
    let mut difference = Difference::default();
    let mut vectors = Vec::new();
    for (name, crop) in crops.strings("names").iter().zip(crops.rows::<u8>("crops_u8")) {
        let photo = photos.join(name).with_extension("png");
        let prepared = embedder.prepare_image(&fs::read(photo).unwrap(), None).unwrap();
        difference.add(&prepared.0, &crop);
        vectors.extend(embedder.embed_images(&[prepared]).unwrap());
    }
    let lowest = lowest_cosine(&vectors, &reference.rows("image"));
    println!("{} photos as PNG: {difference}", vectors.len());
    println!("{} photos as PNG: lowest cosine {lowest:.6}", vectors.len());
    assert!(difference.most <= 1, "{difference}");
    assert!(lowest >= 0.9999, "{lowest}");
}
