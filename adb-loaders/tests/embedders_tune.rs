//! Sessions, devices and tuning, on tract: which of them is fastest is not asked here.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, path::PathBuf, time::Duration};

use adb_loaders::embedders::{
    self, Bundle, Cache, Device, OnnxEmbedder, Runtime, Setting, TuneOptions, Tuning,
};
use adb_model::{Batches, Embedder as _};

fn bundle() -> Bundle {
    Runtime::start_with("tract", ort_tract::api()).unwrap();
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-clip"));
    Bundle::open(dir).unwrap()
}

fn quick() -> TuneOptions {
    let mut options = TuneOptions::default();
    options.each = Duration::ZERO;
    options.batches = vec![1, 3];
    options.sessions = vec![1, 2];
    options
}

#[test]
fn what_was_tuned_is_used_from_then_on_and_the_hand_goes_before_it() {
    let (bundle, place) = (bundle(), tempfile::tempdir().unwrap());
    let cache = Cache::at(place.path());
    let mut tried = Vec::new();
    let tuning = embedders::tune(&bundle, &cache, &quick(), |trial| {
        assert!(trial.per_second > 0.0 && trial.per_second.is_finite());
        tried.push((trial.images, trial.setting.sessions, trial.setting.batch));
    })
    .unwrap();
    let all = [(1, 1), (1, 3), (2, 1), (2, 3)];
    let each_side = |images| all.map(|(sessions, batch)| (images, sessions, batch));
    assert_eq!(tried, [each_side(true), each_side(false)].concat());

    let (image, text) = (tuning.image.unwrap().setting, tuning.text.unwrap().setting);
    let open = || OnnxEmbedder::new(bundle.clone(), cache.clone());
    assert_eq!((open().image_setting(), open().text_setting()), (image, text));
    assert_eq!(open().image_batches(), Batches { size: image.batch, at_once: image.sessions });
    assert_eq!(open().batch(7).image_setting(), Setting { batch: 7, ..image });
    assert_eq!(open().sessions(5).threads(6).text_setting().threads, 6);
    // Another device was not measured.
    assert_eq!(Tuning::remembered(&bundle, &cache, Device::Cuda(0)), None);
    assert_eq!(Tuning::remembered(&bundle, &cache, Device::Cpu), Some(tuning));

    // One side alone, later: the other stays.
    let mut images = quick();
    images.texts = false;
    images.batches = vec![2];
    images.sessions = vec![1];
    let again = embedders::tune(&bundle, &cache, &images, |_| {}).unwrap();
    assert_eq!((again.image.unwrap().setting.batch, again.text), (2, None));
    assert_eq!((open().image_setting().batch, open().text_setting()), (2, text));
}

#[test]
fn a_measure_of_another_machine_or_of_no_sense_is_not_used() {
    let (bundle, place) = (bundle(), tempfile::tempdir().unwrap());
    let cache = Cache::at(place.path());
    let mut options = quick();
    options.batches = vec![5];
    embedders::tune(&bundle, &cache, &options, |_| {}).unwrap();
    let file = Tuning::file(&bundle, &cache);
    let whole = fs::read_to_string(&file).unwrap();
    let open = || OnnxEmbedder::new(bundle.clone(), cache.clone()).image_setting().batch;
    assert_eq!(open(), 5);
    let hash = &bundle.identity().hash;
    for (from, to) in [
        (hash.as_str(), "another bundle"),
        (r#""library": "tract"#, r#""library": "other"#),
        (r#""device": "cpu""#, r#""device": "cuda:0""#),
        (r#""cores": "#, r#""cores": 99"#),
        (r#""format": 1"#, r#""format": 2"#),
        ("{", "["),
    ] {
        assert!(whole.contains(from), "{from} in {whole}");
        fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        assert_eq!(open(), 8, "{from} → {to}");
    }
}

#[test]
fn several_sessions_give_each_caller_its_own_vectors() {
    let bundle = bundle();
    let embedder = OnnxEmbedder::new(bundle, Cache::at("no-such-cache")).sessions(3);
    let texts = ["dal", "naan with garlic", "a", "pizza", "rice and beans", "soup"];
    let alone: Vec<_> = texts.map(|text| embedder.embed_texts(&[text]).unwrap().remove(0)).into();
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (embedder, alone) = (&embedder, &alone);
            scope.spawn(move || {
                for step in 0..20 {
                    let at = (thread + step) % texts.len();
                    let got = embedder.embed_texts(&[texts[at]]).unwrap().remove(0);
                    let cosine: f32 = got.iter().zip(&alone[at]).map(|(x, y)| x * y).sum();
                    assert!(cosine > 0.9999, "{}: {cosine}", texts[at]);
                }
            });
        }
    });
}

#[test]
fn a_device_that_can_t_be_had_is_an_error_and_not_the_processor() {
    let embedder = OnnxEmbedder::new(bundle(), Cache::at("no-such-cache")).device(Device::Cuda(1));
    let message = embedder.load(true, false).unwrap_err().to_string();
    assert!(message.contains("tract can't compute on the device cuda:1"), "{message}");
    let message = embedder.embed_texts(&["dal"]).unwrap_err().to_string();
    assert!(message.contains("use the device cpu"), "{message}");
}
