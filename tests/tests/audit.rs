//! Sets that were filled in several ways by somebody else: the audit says by what, and how.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    sync::Arc,
};

use adb::{
    Database, Embedder as _, Rect, Request, ask,
    embedders::{
        Bundle, Cache, OnnxEmbedder, Runtime,
        audit::{Audit, Findings, Numbers, Scale, Scaling, Verdict, Way},
    },
};
use serde_json::{Value as Json, json};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../adb-loaders/tests/fixtures/tiny-clip")
}

/// A copy of the tiny bundle with another description.
fn variant(dir: &Path, change: impl FnOnce(&mut Json)) -> Bundle {
    fs::create_dir_all(dir).unwrap();
    for entry in fs::read_dir(fixture()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.join(path.file_name().unwrap())).unwrap();
    }
    let path = dir.join("bundle.json");
    let mut manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, manifest.to_string()).unwrap();
    Bundle::open(dir).unwrap()
}

fn embedder(bundle: Bundle) -> OnnxEmbedder {
    Runtime::start_with("tract", ort_tract::api()).unwrap();
    OnnxEmbedder::new(bundle, Cache::at("no-such-cache"))
}

/// A picture with its own sizes, waves and colours, as PNG.
fn picture(n: u32) -> Vec<u8> {
    let (width, height) = (90 + 17 * (n % 5), 60 + 23 * (n % 7));
    let image = image::RgbImage::from_fn(width, height, |x, y| {
        let wave = |scale: u32, shift: u32| {
            let phase = (x * (1 + (n + shift) % 4) + y * (1 + (n * shift) % 3)) as f32;
            (127.0 + 100.0 * (phase / (8 * scale) as f32).sin()) as u8
        };
        let block = if (x / 16 + y / 12 + n).is_multiple_of(3) { 60 } else { 0 };
        image::Rgb([wave(1, n), wave(2, 1) / 2 + block, 255 - wave(3, 2) / (1 + (n % 3) as u8)])
    });
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

const PICTURES: u32 = 12;

fn connect(dir: &Path) -> Arc<dyn Database> {
    adb::connect(dir.join("db").to_str().unwrap()).unwrap()
}

async fn run(db: &dyn Database, commands: &Json, blobs: Vec<Vec<u8>>) {
    let request = blobs.into_iter().fold(Request::json(commands), Request::with_blob);
    ask(db, request).await.unwrap();
}

/// A set as a foreign program makes it: nothing says by what it was filled.
async fn fill(db: &dyn Database, set: &str, embedder: &OnnxEmbedder) {
    let metric = json!({"AddDescriptorSet": {"name": set, "dimensions": 24, "metric": "L2"}});
    run(db, &json!([metric]), Vec::new()).await;
    for n in 0..PICTURES {
        let picture = picture(n);
        let prepared = embedder.prepare_image(&picture, None).unwrap();
        let vector = embedder.embed_images(&[prepared]).unwrap().remove(0);
        let vector = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        let commands = json!([
            {"AddImage": {"_ref": 1, "properties": {"set": set, "n": n}}},
            {"AddDescriptor": {"set": set, "connect": {"ref": 1}}},
        ]);
        run(db, &commands, vec![picture, vector]).await;
    }
}

/// The one bundle that the audit may know: the tiny one, as it is.
fn cache(dir: &Path) -> Cache {
    let cache = Cache::at(dir.join("cache"));
    variant(&cache.bundle_dir("tiny-clip"), |_| {});
    cache
}

async fn audit(db: &dyn Database, set: &str, cache: &Cache) -> Findings {
    Audit::new(set).run(db, cache).await.unwrap()
}

#[tokio::test]
async fn each_way_of_filling_a_set_is_named() {
    type Change = fn(&mut Json);
    let ways: [(&str, Change, Way, Scale, &str); 6] = [
        ("own", |_| {}, Way::OWN, Scale::Own, "prepared as its bundle says"),
        (
            "squashed",
            |m| m["image"]["preprocess"]["resize"] = json!({"exact": 48, "filter": "bicubic"}),
            Way { scaling: Scaling::Squashed, ..Way::OWN },
            Scale::Own,
            "squashed to a square",
        ),
        (
            "bgr",
            |m| m["image"]["preprocess"]["channels"] = "bgr".into(),
            Way { other_channels: true, ..Way::OWN },
            Scale::Own,
            "with red and blue swapped",
        ),
        (
            "mean",
            |m| {
                m["image"]["preprocess"]["mean"] = json!([0.485, 0.456, 0.406]);
                m["image"]["preprocess"]["std"] = json!([0.229, 0.224, 0.225]);
            },
            Way { numbers: Numbers::ImageNet, ..Way::OWN },
            Scale::Own,
            "with the mean and deviation of ImageNet",
        ),
        (
            "lengths",
            |m| m["normalize"] = false.into(),
            Way::OWN,
            Scale::NotNormalized,
            "vectors not normalised",
        ),
        (
            "opencv",
            |m| {
                m["image"]["preprocess"]["resize"] = json!({"exact": 48, "filter": "bicubic"});
                m["image"]["preprocess"]["channels"] = "bgr".into();
            },
            Way { scaling: Scaling::Squashed, other_channels: true, ..Way::OWN },
            Scale::Own,
            "with red and blue swapped",
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    let db = connect(dir.path());
    for (set, change, way, scale, words) in ways {
        fill(&*db, set, &embedder(variant(&dir.path().join(set), change))).await;
        let findings = audit(&*db, set, &cache).await;
        let made = findings.made_by().unwrap_or_else(|| unreachable!("{findings}"));
        assert_eq!(
            (made.embedder.as_str(), made.way, made.scale),
            ("tiny-clip", way, scale),
            "{set}"
        );
        assert_eq!(findings.verdict, Verdict::Found { as_near: 0 }, "{set}");
        assert_eq!((made.pictures, findings.left_out), (PICTURES as usize, 0));
        assert!(made.min_cosine > 0.999, "{set}: {}", made.min_cosine);
        assert!(made.mean_distance < 0.02, "{set}: {}", made.mean_distance);
        let text = findings.to_string();
        assert!(text.starts_with(&format!("The set `{set}` was made by `tiny-clip`")), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn a_way_that_is_not_known_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    let db = connect(dir.path());
    // The middle of a picture twice as large.
    let zoomed = variant(&dir.path().join("zoomed"), |m| {
        m["image"]["preprocess"]["resize"]["shortest_edge"] = 96.into();
    });
    fill(&*db, "zoomed", &embedder(zoomed)).await;
    let findings = audit(&*db, "zoomed", &cache).await;
    assert_eq!(findings.verdict, Verdict::None);
    assert!(findings.made_by().is_none());
    let text = findings.to_string();
    assert!(text.contains("was made by none of the bundles"), "{text}");
    assert!(text.contains("The nearest is `tiny-clip`"), "{text}");
}

#[tokio::test]
async fn ways_that_can_t_be_told_apart_are_all_named_and_vectors_without_a_picture_counted() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::at(dir.path().join("cache"));
    // To a gray picture it is the same which channel is which.
    let bundle = variant(&cache.bundle_dir("even"), |m| {
        m["name"] = "even".into();
        m["image"]["preprocess"]["mean"] = json!([0.4, 0.4, 0.4]);
        m["image"]["preprocess"]["std"] = json!([0.3, 0.3, 0.3]);
    });
    let embedder = embedder(bundle);
    let db = connect(dir.path());
    let set = json!({"name": "gray", "dimensions": 24, "metric": "CS"});
    run(&*db, &json!([{ "AddDescriptorSet": set }]), Vec::new()).await;
    let gray = fs::read(fixture().join("gray.png")).unwrap();
    let prepared = embedder.prepare_image(&gray, None).unwrap();
    let vector = embedder.embed_images(&[prepared]).unwrap().remove(0);
    let vector: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    for descriptor in [json!({"set": "gray", "connect": {"ref": 1}}), json!({"set": "gray"})] {
        let image = json!({"AddImage": {"_ref": 1, "properties": {"n": 1}}});
        let commands = json!([image, {"AddDescriptor": descriptor}]);
        run(&*db, &commands, vec![gray.clone(), vector.clone()]).await;
    }
    let findings = audit(&*db, "gray", &cache).await;
    assert_eq!(findings.made_by().unwrap().way, Way::OWN);
    assert_eq!(findings.verdict, Verdict::Found { as_near: 1 });
    assert_eq!(findings.nearest[1].way, Way { other_channels: true, ..Way::OWN });
    let text = findings.to_string();
    assert!(text.contains("it can't be told from: `even`"), "{text}");
    assert_eq!((findings.looked_at, findings.left_out), (2, 1));
}

#[tokio::test]
async fn regions_are_cut_from_their_image() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    let db = connect(dir.path());
    let embedder = embedder(variant(&dir.path().join("own"), |_| {}));
    let set = json!({"name": "parts", "dimensions": 24, "metric": "L2"});
    run(&*db, &json!([{ "AddDescriptorSet": set }]), Vec::new()).await;
    let picture = picture(3);
    let rect = Rect { x: 10, y: 5, width: 60, height: 50 };
    let prepared = embedder.prepare_image(&picture, Some(rect)).unwrap();
    let vector = embedder.embed_images(&[prepared]).unwrap().remove(0);
    let vector = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let commands = json!([
        {"AddImage": {"_ref": 1, "properties": {"n": 1}}},
        {"AddBoundingBox": {"_ref": 2, "image_ref": 1, "rectangle": rect}},
        {"AddDescriptor": {"set": "parts", "connect": {"ref": 2}}},
    ]);
    run(&*db, &commands, vec![picture, vector]).await;
    let findings = audit(&*db, "parts", &cache).await;
    assert_eq!(findings.made_by().unwrap().way, Way::OWN);
    assert!(findings.nearest[0].min_cosine > 0.9999);
}

#[tokio::test]
async fn what_can_t_be_audited_is_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    let db = connect(dir.path());
    let refused = |set: &'static str| {
        let (db, cache) = (&*db, &cache);
        async move { Audit::new(set).run(db, cache).await.unwrap_err().to_string() }
    };
    let message = refused("none").await;
    assert!(message.contains("no descriptor set `none`"), "{message}");
    for (set, dimensions) in [("long", 25), ("empty", 24)] {
        let set = json!({"name": set, "dimensions": dimensions, "metric": "L2"});
        run(&*db, &json!([{ "AddDescriptorSet": set }]), Vec::new()).await;
    }
    let message = refused("long").await;
    assert!(
        message.contains("vectors of 25 components") && message.contains("tiny-clip"),
        "{message}"
    );
    let message = refused("empty").await;
    assert!(message.contains("0 vectors were looked at"), "{message}");
}
