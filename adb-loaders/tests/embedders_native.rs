//! ONNX Runtime's own library, where there is one (`ORT_DYLIB_PATH`, or adb's cache). Without it
//! this says so and passes: `embedders.rs` and `embedders_tune.rs` test the same on tract.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "says why it was skipped")]

mod bundles;

use std::{fs, path::PathBuf, time::Duration};

use adb_loaders::embedders::{self, Bundle, Cache, Device, OnnxEmbedder, Runtime, TuneOptions};
use adb_model::Embedder as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The fixture, once the library is live.
fn bundle() -> Option<Bundle> {
    if let Err(e) = Cache::from_env().and_then(|cache| Runtime::start(&cache)) {
        println!("skipped: {e}");
        return None;
    }
    Some(bundle_of_the_fixture())
}

fn bundle_of_the_fixture() -> Bundle {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-clip"));
    Bundle::open(dir).unwrap()
}

#[test]
fn sessions_are_tuned_and_agree() {
    let Some(bundle) = bundle() else { return };
    let place = tempfile::tempdir().unwrap();
    let cache = Cache::at(place.path());
    let mut options = TuneOptions::default();
    options.each = Duration::ZERO;
    options.batches = vec![2, 4];
    let tuning = embedders::tune(&bundle, &cache, &options, |_| {}).unwrap();
    let one = OnnxEmbedder::new(bundle.clone(), cache.clone()).sessions(1);
    let tuned = OnnxEmbedder::new(bundle, cache);
    assert_eq!(tuned.image_setting(), tuning.image.unwrap().setting);
    let texts = ["dal", "naan with garlic", "pizza", "rice"];
    let (one, many) = (one.texts(&texts).unwrap(), tuned.texts(&texts).unwrap());
    for (x, y) in one.rows().zip(many.rows()) {
        let cosine: f32 = x.iter().zip(y).map(|(x, y)| x * y).sum();
        assert!(cosine > 0.9999, "{cosine}");
    }
}

/// Texts are cut to the longest of their batch where the graph lets it; the reference pads them all.
#[test]
fn text_vectors_are_the_reference_s_without_its_padding() {
    let Some(whole) = bundle() else { return };
    // The same graph, but for the length.
    let graph = whole.dir().with_file_name("graphs").join("text-of-any-length.onnx");
    let graph = fs::read(graph).unwrap();
    let any = bundles::changed(whole.dir(), |bundle| {
        let digest = Sha256::digest(&graph);
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        bundle["files"]["text.onnx"] = json!({"sha256": hash, "bytes": graph.len()});
    });
    fs::write(any.path().join("text.onnx"), &graph).unwrap();
    let any = OnnxEmbedder::new(Bundle::open(any.path()).unwrap(), Cache::at("no-such-cache"));
    let padded = OnnxEmbedder::new(whole, Cache::at("no-such-cache"));
    let texts = ["", "dal", "naan with garlic", "a plate of creamy curry, and so on and so forth"];
    let wanted = padded.embed_texts(&texts).unwrap();
    let together = any.embed_texts(&texts).unwrap();
    for ((text, wanted), together) in texts.iter().zip(&wanted).zip(&together) {
        let alone = any.embed_texts(&[text]).unwrap().remove(0);
        for vector in [together, &alone] {
            let cosine: f32 = vector.iter().zip(wanted).map(|(x, y)| x * y).sum();
            assert!(cosine > 0.9999, "{text:?}: {cosine}");
        }
    }
}

/// With a library that has CUDA and a card beside it this works, and gives the same vectors.
#[test]
fn a_library_without_cuda_is_named_when_a_card_is_asked_for() {
    let Some(bundle) = bundle() else { return };
    let embedder = OnnxEmbedder::new(bundle, Cache::at("no-such-cache")).device(Device::Cuda(0));
    match embedder.embed_texts(&["dal"]) {
        Ok(vectors) => {
            println!("there is a card");
            let bundle = bundle_of_the_fixture();
            let by_processor = OnnxEmbedder::new(bundle, Cache::at("no-such-cache"));
            let wanted = by_processor.embed_texts(&["dal"]).unwrap();
            let cosine: f32 = vectors[0].iter().zip(&wanted[0]).map(|(x, y)| x * y).sum();
            assert!(cosine > 0.99999, "{cosine}");
        }
        Err(e) => {
            let message = e.to_string();
            println!("{message}");
            for words in ["the device cuda:0 can't be used with", "use the device cpu", "cuda"] {
                assert!(message.contains(words), "wanted `{words}` in: {message}");
            }
            let why = if cfg!(feature = "cuda") { "CUDA" } else { "without the feature `cuda`" };
            assert!(message.contains(why), "wanted `{why}` in: {message}");
        }
    }
}
