//! A tiny bundle from `tools/fixture`, run by tract: what it must give was computed elsewhere.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod bundles;

use std::{
    fs,
    path::{Path, PathBuf},
};

use adb_loaders::embedders::{Backend, Bundle, Cache, OnnxEmbedder, Runtime};
use adb_model::{EmbedError, Embedder};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    texts: Vec<Text>,
    #[serde(default)]
    images: Vec<Picture>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<i64>,
    vector: Vec<f32>,
}

#[derive(Deserialize)]
struct Picture {
    file: String,
    vector: Vec<f32>,
}

fn fixture() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-clip"))
}

fn expected() -> Expected {
    read_expected(&fixture())
}

fn read_expected(dir: &Path) -> Expected {
    serde_json::from_slice(&fs::read(dir.join("expected.json")).unwrap()).unwrap()
}

fn tiny(dir: PathBuf) -> OnnxEmbedder {
    Runtime::start_with("tract", ort_tract::api()).unwrap();
    OnnxEmbedder::new(Bundle::open(dir).unwrap(), Cache::at("no-such-cache"))
}

/// A copy of the fixture with another description.
fn changed(change: impl FnOnce(&mut serde_json::Value)) -> tempfile::TempDir {
    bundles::changed(&fixture(), change)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[test]
fn token_ids_are_the_reference_s() {
    let embedder = tiny(fixture());
    for Text { text, ids, .. } in expected().texts {
        assert_eq!(embedder.token_ids(&[&text]).unwrap(), [ids], "{text:?}");
    }
}

#[test]
fn text_vectors_are_the_reference_s_alone_and_in_batches() {
    let embedder = tiny(fixture());
    let expected = expected().texts;
    let all: Vec<&str> = expected.iter().map(|t| t.text.as_str()).collect();
    let together = embedder.embed_texts(&all).unwrap();
    assert_eq!(together.len(), all.len());
    for (wanted, got) in expected.iter().zip(&together) {
        let alone = embedder.embed_texts(&[&wanted.text]).unwrap().remove(0);
        for vector in [got, &alone] {
            let cosine = cosine(vector, &wanted.vector);
            assert!(cosine > 0.9999, "{:?}: {cosine}", wanted.text);
            let length = vector.iter().map(|x| x * x).sum::<f32>();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
    }
    assert!(embedder.embed_texts(&[]).unwrap().is_empty());
}

#[test]
fn wordpiece_and_mask_give_the_reference_s_ids_and_vectors() {
    let dir = fixture().with_file_name("tiny-words");
    let expected = read_expected(&dir).texts;
    let embedder = tiny(dir);
    let all: Vec<&str> = expected.iter().map(|t| t.text.as_str()).collect();
    // Together, short texts are padded: the mask must make up for it.
    let together = embedder.embed_texts(&all).unwrap();
    for (wanted, got) in expected.iter().zip(&together) {
        let ids = embedder.token_ids(&[&wanted.text]).unwrap().remove(0);
        assert_eq!(ids, wanted.ids, "{:?}", wanted.text);
        let cosine = cosine(got, &wanted.vector);
        assert!(cosine > 0.9999, "{:?}: {cosine}", wanted.text);
    }
}

#[test]
fn image_vectors_are_the_reference_s_from_the_file_on() {
    let embedder = tiny(fixture());
    let expected = expected().images;
    let prepare = |file: &str| {
        embedder.prepare_image(&fs::read(fixture().join(file)).unwrap(), None).unwrap()
    };
    let together = embedder
        .embed_images(&expected.iter().map(|p| prepare(&p.file)).collect::<Vec<_>>())
        .unwrap();
    for (wanted, got) in expected.iter().zip(&together) {
        let alone = embedder.embed_images(&[prepare(&wanted.file)]).unwrap().remove(0);
        assert!(cosine(got, &alone) > 0.999_99, "{}: alone or not", wanted.file);
        let cosine = cosine(got, &wanted.vector);
        println!("{}: cosine {cosine:.5}", wanted.file);
        // Decoders of JPEG may differ by a step or two, of PNG they may not.
        let png = fs::read(fixture().join(&wanted.file)).unwrap().starts_with(b"\x89PNG");
        assert!(cosine > if png { 0.9999 } else { 0.999 }, "{}: {cosine}", wanted.file);
    }
}

#[test]
fn identity_and_backend_can_be_told() {
    let embedder = tiny(fixture());
    let identity = embedder.identity();
    assert_eq!((identity.name.as_str(), identity.dimensions), ("tiny-clip", 24));
    assert!(identity.images && identity.texts);
    let live = Runtime::live().unwrap();
    assert_eq!(live.backend(), &Backend::Other { name: "tract".into() });
    let refused = Runtime::start_with("another", ort_tract::api()).unwrap_err().to_string();
    assert!(refused.contains("tract, in place of ONNX Runtime does already"), "{refused}");
}

#[test]
fn names_of_inputs_and_outputs_may_be_left_out() {
    let dir = changed(|m| {
        for tower in ["image", "text"] {
            for key in ["input", "inputs", "output"] {
                m[tower].as_object_mut().unwrap().remove(key);
            }
        }
    });
    let embedder = tiny(dir.path().to_owned());
    let wanted = &expected().texts[1];
    let got = embedder.embed_texts(&[&wanted.text]).unwrap().remove(0);
    assert!(cosine(&got, &wanted.vector) > 0.9999);
}

#[test]
fn a_bundle_that_does_not_fit_its_graph_says_how() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change); 4] = [
        ("has no output `y` but text_embeds", |m| m["text"]["output"] = "y".into()),
        ("has no input `mask` but input_ids", |m| m["text"]["inputs"]["mask"] = "mask".into()),
        ("has the shape [1, 24], and [1, 25] was expected", |m| m["dimensions"] = 25.into()),
        ("text.onnx is not the file that its bundle.json describes", |m| {
            m["files"]["text.onnx"]["sha256"] = "00".into();
        }),
    ];
    for (words, change) in cases {
        let dir = changed(change);
        let message = tiny(dir.path().to_owned()).embed_texts(&["x"]).unwrap_err().to_string();
        assert!(message.contains(words), "wanted `{words}` in: {message}");
    }
}

#[test]
fn a_side_that_is_not_there_is_named() {
    let dir = changed(|m| {
        m.as_object_mut().unwrap().remove("image");
    });
    let embedder = tiny(dir.path().to_owned());
    assert!(!embedder.identity().images);
    assert!(matches!(
        embedder.prepare_image(b"", None).unwrap_err(),
        EmbedError::Modality { what: "images", .. }
    ));
    embedder.load(true, true).unwrap();
}

#[test]
fn a_vector_that_nothing_is_near_to_is_an_error() {
    let embedder = tiny(fixture());
    let png = fs::read(fixture().join("wide.png")).unwrap();
    let mut image = embedder.prepare_image(&png, None).unwrap();
    image.0[100] = f32::NAN;
    let message = embedder.embed_images(&[image]).unwrap_err().to_string();
    assert!(message.contains("zero or not finite"), "{message}");
    let short = adb_model::PreparedImage(vec![0.0; 12].into_boxed_slice());
    let message = embedder.embed_images(&[short]).unwrap_err().to_string();
    assert!(message.contains("an image of 12 values"), "{message}");
}

#[test]
fn many_threads_share_one_embedder() {
    let embedder = tiny(fixture());
    let expected = expected().texts;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for wanted in &expected {
                    let got = embedder.embed_texts(&[&wanted.text]).unwrap().remove(0);
                    assert!(cosine(&got, &wanted.vector) > 0.9999);
                }
            });
        }
    });
}

#[test]
fn a_picture_that_was_cut_off_is_refused() {
    let embedder = tiny(fixture());
    for file in ["tall.jpg", "progressive.jpg", "cmyk.jpg", "wide.png"] {
        let whole = fs::read(fixture().join(file)).unwrap();
        let refused = embedder.prepare_image(&whole[..whole.len() / 2], None);
        assert!(matches!(refused, Err(EmbedError::Unreadable(_))), "{file}");
    }
}

#[test]
fn pictures_and_texts_become_rows_without_a_database() {
    let embedder = tiny(fixture());
    let expected = expected();
    // More than one batch; by path and by content.
    let paths: Vec<PathBuf> =
        expected.images.iter().cycle().take(40).map(|p| fixture().join(&p.file)).collect();
    let contents: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let vectors = embedder.images(&paths).unwrap();
    assert_eq!((vectors.len(), vectors.dimensions()), (40, 24));
    for (row, wanted) in vectors.rows().zip(expected.images.iter().cycle()) {
        let cosine = cosine(row, &wanted.vector);
        assert!(cosine > 0.999, "{}: {cosine}", wanted.file);
    }
    let again = embedder.images(&contents).unwrap();
    assert!(cosine(&again[33], &vectors[33]) > 0.999_99);

    let texts: Vec<&str> = expected.texts.iter().map(|t| t.text.as_str()).collect();
    let vectors = embedder.texts(&texts).unwrap();
    assert_eq!(vectors.as_slice().len(), texts.len() * 24);
    assert!(cosine(&vectors[1], &expected.texts[1].vector) > 0.9999);
    assert!(embedder.texts::<&str>(&[]).unwrap().is_empty());
}

#[test]
fn a_picture_that_gives_no_vector_is_named() {
    let embedder = tiny(fixture());
    let good = fixture().join("wide.png");
    let missing = embedder.images(&[good.as_path(), Path::new("no/such.jpg")]).unwrap_err();
    assert!(missing.to_string().starts_with("picture 1 (no/such.jpg): "), "{missing}");
    let broken = embedder.images(&[&b"<svg/>"[..]]).unwrap_err().to_string();
    assert!(broken.starts_with("picture 0: not a readable image: it is an SVG"), "{broken}");
    let words = tiny(fixture().with_file_name("tiny-words"));
    let unread = words.images(&[good]).unwrap_err().to_string();
    assert!(unread.contains("does not read images"), "{unread}");
}
