//! `bundle.json` written by looking at ONNX files; what it describes must work.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use adb_loaders::embedders::{
    Bundle, Cache, Draft, Filter, Known, Layout, OnnxEmbedder, Resize, Runtime, TokenizerSpec,
};
use serde_json::{Value as Json, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A directory with these files of the fixtures, under these names.
fn with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("My model").tempdir().unwrap();
    for (from, to) in files {
        fs::create_dir_all(dir.path().join(to).parent().unwrap()).unwrap();
        fs::copy(fixture(from), dir.path().join(to)).unwrap();
    }
    dir
}

fn draft(dir: &Path, known: &Known) -> Result<Draft, String> {
    Runtime::start_with("tract", ort_tract::api()).unwrap();
    Draft::of(dir, known, &Cache::at("no-such-cache")).map_err(|e| e.to_string())
}

fn known(name: &str) -> Known {
    let mut known = Known::default();
    known.name = Some(name.into());
    known
}

fn expected(name: &str) -> Json {
    serde_json::from_slice(&fs::read(fixture(name).join("expected.json")).unwrap()).unwrap()
}

/// Compares with what `tools/fixture` computed; `keys`: what goes in.
fn gives(dir: &Path, fixture_name: &str, of: &str, key: &str) {
    let embedder = OnnxEmbedder::new(Bundle::open(dir).unwrap(), Cache::at("no-such-cache"));
    for wanted in expected(fixture_name)[of].as_array().unwrap() {
        let input = wanted[key].as_str().unwrap();
        let vectors = match of {
            "texts" => embedder.texts(&[input]).unwrap(),
            _ => embedder.images(&[fixture(fixture_name).join(input)]).unwrap(),
        };
        let vector = wanted["vector"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap());
        let cosine: f64 = vectors[0].iter().zip(vector).map(|(x, y)| f64::from(*x) * y).sum();
        assert!(cosine > 0.999, "{input}: {cosine}");
    }
}

#[test]
fn clip_s_sides_are_recognised_and_work() {
    let dir = with(&[
        ("tiny-clip/image.onnx", "onnx/vision_model.onnx"),
        ("tiny-clip/text.onnx", "onnx/text_model.onnx"),
        ("tiny-clip/merges.txt.gz", "merges.txt.gz"),
    ]);
    // What the hub's own library would have written for the fixture.
    let config = json!({
        "do_center_crop": true, "do_resize": true, "do_normalize": true,
        "crop_size": {"height": 48, "width": 48}, "size": {"shortest_edge": 53}, "resample": 3,
        "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28],
    });
    fs::write(dir.path().join("preprocessor_config.json"), config.to_string()).unwrap();
    fs::write(dir.path().join("tokenizer_config.json"), r#"{"model_max_length": 16}"#).unwrap();
    let draft = draft(dir.path(), &Known::default()).unwrap();
    assert!(draft.manifest.name.starts_with("My-model"), "{}", draft.manifest.name);
    assert_eq!(draft.manifest.dimensions, 24);
    let text = draft.manifest.text.as_ref().unwrap();
    assert!(matches!(&text.tokenizer, TokenizerSpec::ClipBpe { context: 16, .. }), "{text:?}");
    draft.write(false).unwrap();
    gives(dir.path(), "tiny-clip", "texts", "text");
    gives(dir.path(), "tiny-clip", "images", "file");

    let refused = draft.write(false).unwrap_err().to_string();
    assert!(refused.contains("there already"), "{refused}");
    draft.write(true).unwrap();
}

#[test]
fn without_a_configuration_the_family_is_guessed_and_told() {
    let dir = with(&[
        ("tiny-clip/image.onnx", "image.onnx"),
        ("tiny-clip/text.onnx", "text.onnx"),
        ("tiny-clip/merges.txt.gz", "merges.txt.gz"),
    ]);
    let draft = draft(dir.path(), &known("mine")).unwrap();
    let steps = &draft.manifest.image.as_ref().unwrap().preprocess;
    assert_eq!(steps.resize, Some(Resize::shortest_edge(48, Filter::Bicubic)));
    assert_eq!(steps.mean.unwrap()[0], 0.481_454_66);
    let check = draft.to_check.join("\n");
    assert!(check.contains("taken from CLIP"), "{check}");
    assert_eq!(draft.manifest.name, "mine");
}

#[test]
fn channels_last_and_160_pixels_are_facenet_s() {
    let dir = with(&[("graphs/faces.onnx", "faces.onnx")]);
    let draft = draft(dir.path(), &known("facenet-512")).unwrap();
    let image = draft.manifest.image.as_ref().unwrap();
    assert_eq!((image.preprocess.layout, image.preprocess.center_crop), (Layout::Nhwc, 160));
    assert_eq!(image.preprocess.resize, Some(Resize::exact(160, Filter::Bilinear)));
    assert_eq!(draft.manifest.dimensions, 128);
    assert!(draft.to_check.join("\n").contains("FaceNet"), "{:?}", draft.to_check);
    assert!(draft.manifest.description.contains("VGGFace2"), "the preset describes it");
    draft.write(false).unwrap();
    let embedder = OnnxEmbedder::new(Bundle::open(dir.path()).unwrap(), Cache::at("no-such-cache"));
    let vectors = embedder.images(&[fixture("tiny-clip/wide.png")]).unwrap();
    assert_eq!(vectors.dimensions(), 128);
}

#[test]
fn token_types_are_fed_with_zeros() {
    let dir = with(&[
        ("graphs/types.onnx", "model.onnx"),
        ("tiny-words/tokenizer.json", "tokenizer.json"),
    ]);
    fs::write(dir.path().join("sentence_bert_config.json"), r#"{"max_seq_length": 12}"#).unwrap();
    let draft = draft(dir.path(), &Known::default()).unwrap();
    let inputs = draft.manifest.text.as_ref().unwrap().inputs.as_ref().unwrap();
    assert_eq!(inputs.types.as_deref(), Some("token_type_ids"));
    draft.write(false).unwrap();
    gives(dir.path(), "tiny-words", "texts", "text");
    // And if the description leaves the names out.
    let path = dir.path().join("bundle.json");
    let mut manifest: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["text"].as_object_mut().unwrap().remove("inputs");
    fs::write(&path, manifest.to_string()).unwrap();
    gives(dir.path(), "tiny-words", "texts", "text");
}

#[test]
fn what_can_t_be_described_says_why() {
    let clip = ("tiny-clip/image.onnx", "a.onnx");
    let words = ("tiny-words/text.onnx", "words.onnx");
    let tokenizer = ("tiny-words/tokenizer.json", "tokenizer.json");
    let mut second = Known::default();
    second.image = Some("b.onnx".into());
    let plain = Known::default();
    for (files, known, message) in [
        (&[][..], &plain, "no ONNX file that takes an image or token ids"),
        (&[words], &plain, "there is no tokenizer: put one of tokenizer.json"),
        (
            &[clip, ("graphs/faces.onnx", "b.onnx")],
            &plain,
            "several graphs read images: a.onnx, b.onnx",
        ),
        (&[clip], &second, "`b.onnx` is no graph that reads images"),
        (
            &[clip, words, tokenizer],
            &plain,
            "text becomes vectors of 8 components and images of 24",
        ),
        (&[("tiny-clip/wide.png", "a.onnx")], &plain, "can't be loaded"),
        (
            &[words, ("tiny-clip/expected.json", "tokenizer.json")],
            &plain,
            "of no kind that adb can do",
        ),
    ] {
        let dir = with(files);
        let got = draft(dir.path(), known).unwrap_err();
        assert!(got.contains(message), "wanted `{message}` in: {got}");
    }
    let dir = with(&[clip, ("graphs/faces.onnx", "b.onnx")]);
    assert_eq!(draft(dir.path(), &second).unwrap().manifest.dimensions, 128);
}
