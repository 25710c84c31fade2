//! The whole way with a real embedder: photos are decoded, embedded by a tiny bundle of random
//! weights, stored, and found by picture and by text.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use adb::{
    DescriptorSet as _,
    embedders::{Bundle, Cache, Chooser, Hub, OnnxEmbedder, Runtime, Why},
    loaders::{Ingest, JsonSource, Options, Report},
    prelude::*,
    query::Query,
};
use serde::Deserialize;
use serde_json::json;

/// The contract of the bundle that `tools/fixture` writes.
struct TinyClip;
impl adb::EmbedderSpec for TinyClip {
    const NAME: &'static str = "tiny-clip";
    const DIMENSIONS: usize = 24;
}
impl adb::Produces<Embedding<24>> for TinyClip {}
impl adb::Accepts<Image> for TinyClip {}
impl adb::Accepts<String> for TinyClip {}

#[derive(DescriptorSet)]
#[adb(name = "looks", embedder = TinyClip)]
struct Looks;

#[derive(Debug, DataModel, Deserialize)]
#[adb(image)]
struct Photo {
    #[adb(id)]
    file: String,
    photo: Image,
    #[adb(embed(from = photo, set = Looks))]
    look: Embedding<24>,
}

const PICTURES: [&str; 6] =
    ["wide.png", "alpha.png", "gray.png", "palette.png", "progressive.jpg", "tall.jpg"];

fn bundle_dir() -> PathBuf {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../adb-loaders/tests/fixtures/tiny-clip");
    Runtime::start_with("tract", ort_tract::api()).unwrap();
    PathBuf::from(dir)
}

fn tiny() -> Arc<OnnxEmbedder> {
    Arc::new(OnnxEmbedder::new(Bundle::open(bundle_dir()).unwrap(), Cache::at("no-cache")))
}

/// The fixture's own pictures as a source, and one file that is none.
fn source(dir: &Path) {
    fs::create_dir_all(dir.join("images")).unwrap();
    let mut rows = Vec::new();
    for name in PICTURES {
        fs::copy(bundle_dir().join(name), dir.join("images").join(name)).unwrap();
        rows.push(json!({"file": name, "photo": format!("images/{name}")}));
    }
    fs::write(dir.join("images/broken.jpg"), b"\xff\xd8\xff\xe0 and nothing more").unwrap();
    rows.push(json!({"file": "broken.jpg", "photo": "images/broken.jpg"}));
    fs::write(dir.join("photos.json"), json!(rows).to_string()).unwrap();
}

fn connect(dir: &Path) -> Arc<dyn Database> {
    adb::connect(dir.join("db").to_str().unwrap()).unwrap()
}

async fn ingest(dir: &Path) -> Report {
    let source = JsonSource::<Photo>::open(dir.join("photos.json")).unwrap();
    let report = Ingest::new(connect(dir)).embedder(tiny()).run(source).await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

#[tokio::test]
async fn photos_go_in_and_are_found_by_picture_and_text() {
    let dir = tempfile::tempdir().unwrap();
    source(dir.path());
    let report = ingest(dir.path()).await;
    assert_eq!((report.rows, report.added, report.failed), (7, 6, 1), "{report}");
    assert!(report.failures[0].reason.contains("not a readable image"), "{report}");
    assert_eq!(report.embedded, 6);

    let (db, embedder) = (connect(dir.path()), tiny());
    for name in PICTURES {
        let bytes = fs::read(bundle_dir().join(name)).unwrap();
        let near = Photo::find().nearest::<Looks>(Query::Image(bytes.into()), 3);
        let hits = near.fetch(&*db, &*embedder).await.unwrap();
        assert_eq!(hits.len(), 3);
        assert_eq!(hits[0].value.file, name);
        assert!(hits[0].distance > 0.99999, "{name}: {}", hits[0].distance);
        assert!(hits.is_sorted_by(|a, b| a.distance >= b.distance));
    }
    let hits = Photo::find().nearest::<Looks>("a dish", 10).fetch(&*db, &*embedder).await.unwrap();
    assert_eq!(hits.len(), 6);
}

#[tokio::test]
async fn a_second_run_reads_no_picture_and_adds_only_what_was_mended() {
    let dir = tempfile::tempdir().unwrap();
    source(dir.path());
    ingest(dir.path()).await;
    for name in PICTURES {
        fs::remove_file(dir.path().join("images").join(name)).unwrap();
    }
    fs::copy(bundle_dir().join("gray.jpg"), dir.path().join("images/broken.jpg")).unwrap();
    let report = ingest(dir.path()).await;
    assert_eq!((report.added, report.existed, report.failed), (1, 6, 0), "{report}");
    assert_eq!(report.embedded, 1, "only the mended one");
}

#[tokio::test]
async fn a_picture_that_takes_more_memory_than_is_allowed_costs_its_row_alone() {
    let dir = tempfile::tempdir().unwrap();
    source(dir.path());
    let ingest = |max_decoded_bytes| {
        let source = JsonSource::<Photo>::open(dir.path().join("photos.json")).unwrap();
        let mut options = Options::default();
        options.max_decoded_bytes = max_decoded_bytes;
        Ingest::new(connect(dir.path())).embedder(tiny()).options(options).run(source)
    };
    // That is what the largest takes, and one less.
    let largest = 50 * 131 * 3;
    let report = ingest(largest - 1).await.unwrap();
    let reasons: Vec<&str> = report.failures.iter().map(|f| f.reason.as_str()).collect();
    let refused = |file: &str| {
        let start = format!("images/{file}: the image has ");
        reasons.iter().any(|r| r.starts_with(&start) && r.contains("raise `max_decoded_bytes`"))
    };
    assert!(refused("tall.jpg") && !refused("gray.png"), "{reasons:?}");
    let failed = report.failed;
    let report = ingest(1 << 20).await.unwrap();
    assert_eq!(
        (report.existed, report.added, report.failed),
        (7 - failed, failed - 1, 1),
        "{report}"
    );
}

#[tokio::test]
async fn a_set_keeps_its_embedder() {
    let dir = tempfile::tempdir().unwrap();
    source(dir.path());
    let cache = dir.path().join("cache");
    let named = cache.join("embedders/tiny-clip");
    fs::create_dir_all(&named).unwrap();
    for entry in fs::read_dir(bundle_dir()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, named.join(path.file_name().unwrap())).unwrap();
    }
    let chooser = Chooser::new(Cache::at(&cache), Hub::from_env().offline());
    let db = connect(dir.path());
    let chosen = chooser.choose(&*db, &Looks::SPEC, None).await.unwrap();
    assert_eq!(chosen.why, Why::Declared);
    let source = JsonSource::<Photo>::open(dir.path().join("photos.json")).unwrap();
    Ingest::new(db.clone()).embedder(chosen.embedder).run(source).await.unwrap();

    let chosen = chooser.choose(&*db, &Looks::SPEC, None).await.unwrap();
    assert_eq!(chosen.why, Why::SetHasIt);
    let err = chooser.choose(&*db, &Looks::SPEC, Some("another")).await.unwrap_err();
    assert!(err.to_string().contains("tiny-clip"), "{err}");

    // The same name with other weights is another embedder.
    let manifest = named.join("bundle.json");
    let text = fs::read_to_string(&manifest).unwrap().replace("0.48", "0.5");
    fs::write(&manifest, text).unwrap();
    let other = Arc::new(OnnxEmbedder::new(Bundle::open(&named).unwrap(), Cache::at(&cache)));
    let err = Photo::find().nearest::<Looks>("a dish", 3).fetch(&*db, &*other).await.unwrap_err();
    assert!(err.to_string().contains("can't be compared"), "{err}");
    let source = JsonSource::<Photo>::open(dir.path().join("photos.json")).unwrap();
    let err = Ingest::new(db).embedder(other).run(source).await.unwrap_err();
    assert!(err.to_string().contains("can't be compared"), "{err}");
}
