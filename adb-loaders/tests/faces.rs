//! Faces, by a tiny detector from `tools/fixture` that tract runs: what it must find was computed
//! elsewhere.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod bundles;

use std::{fs, path::PathBuf, sync::Arc};

use adb_loaders::embedders::{
    Bundle, Cache, Face, FaceDetector, MAX_DECODED_BYTES, OnnxEmbedder, Runtime, decode,
};
use adb_model::{EmbedError, Embedder, NoFace, Pixels, PreparedFace, PreparedImage, Rect};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    pictures: Vec<Picture>,
}

#[derive(Deserialize)]
struct Picture {
    file: String,
    faces: Vec<ExpectedFace>,
    vector: Option<Vec<f32>>,
}

#[derive(Deserialize)]
struct ExpectedFace {
    #[serde(rename = "box")]
    edges: [f32; 4],
    score: f32,
    points: [[f32; 2]; 5],
}

fn fixture() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-faces"))
}

fn expected() -> Vec<Picture> {
    let text = fs::read(fixture().join("expected.json")).unwrap();
    serde_json::from_slice::<Expected>(&text).unwrap().pictures
}

fn open(dir: PathBuf) -> OnnxEmbedder {
    Runtime::start_with("tract", ort_tract::api()).unwrap();
    OnnxEmbedder::new(Bundle::open(dir).unwrap(), Cache::at("no-such-cache"))
}

fn read(file: &str) -> Vec<u8> {
    fs::read(fixture().join(file)).unwrap()
}

/// A copy of the fixture with another description.
fn changed(change: impl FnOnce(&mut serde_json::Value)) -> tempfile::TempDir {
    bundles::changed(&fixture(), change)
}

fn overlap(a: [f32; 4], b: [f32; 4]) -> f32 {
    let size = |r: [f32; 4]| (r[2] - r[0]).max(0.0) * (r[3] - r[1]).max(0.0);
    let both = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    let both = if both[2] > both[0] && both[3] > both[1] { size(both) } else { 0.0 };
    both / (size(a) + size(b) - both)
}

fn edges(face: &Face) -> [f32; 4] {
    [face.left, face.top, face.right, face.bottom]
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[test]
fn boxes_scores_and_points_are_the_reference_s_largest_first() {
    let detector = open(fixture()).detector().unwrap();
    for picture in expected() {
        let faces =
            detector.detect(&decode(&read(&picture.file), MAX_DECODED_BYTES).unwrap()).unwrap();
        assert_eq!(faces.len(), picture.faces.len(), "{}", picture.file);
        for (got, wanted) in faces.iter().zip(&picture.faces) {
            let share = overlap(edges(got), wanted.edges);
            assert!(share > 0.999, "{}: {:?}, wanted {:?}", picture.file, got, wanted.edges);
            assert!((got.score - wanted.score).abs() < 1e-4, "{}", picture.file);
            let points = &got.landmarks;
            let points = [
                points.left_eye,
                points.right_eye,
                points.nose,
                points.mouth_left,
                points.mouth_right,
            ];
            for (got, wanted) in points.iter().flatten().zip(wanted.points.iter().flatten()) {
                assert!((got - wanted).abs() < 0.01, "{}: {points:?}", picture.file);
            }
        }
        assert!(faces.is_sorted_by(|a, b| a.area() >= b.area()));
    }
}

#[test]
fn threads_find_the_same_at_the_same_time() {
    let detector = open(fixture()).detector().unwrap();
    let picture = decode(&read("wide.png"), MAX_DECODED_BYTES).unwrap();
    let alone = detector.detect(&picture).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(detector.detect(&picture).unwrap(), alone));
        }
    });
}

fn found(prepared: PreparedFace) -> PreparedImage {
    match prepared {
        PreparedFace::Found(image) => image,
        other => panic!("{other:?} where a face was to be found"),
    }
}

#[test]
fn the_largest_face_is_embedded_as_its_region_is() {
    let embedder = open(fixture());
    let detector = embedder.detector().unwrap();
    for picture in expected() {
        let Some(wanted) = picture.vector else { continue };
        let bytes = read(&picture.file);
        let square = found(embedder.prepare_face(&bytes, NoFace::Fail, None).unwrap());
        let vector = embedder.embed_images(std::slice::from_ref(&square)).unwrap().remove(0);
        let nearness = cosine(&vector, &wanted);
        assert!(nearness > 0.9999, "{}: {nearness}", picture.file);
        let area = detector.detect(&decode(&bytes, MAX_DECODED_BYTES).unwrap()).unwrap()[0].rect();
        assert_eq!(embedder.prepare_image(&bytes, Some(area)).unwrap().0, square.0);
        // Another part of the picture is another face.
        let corner = Rect { x: 0, y: 0, width: 20, height: 20 };
        assert_ne!(embedder.prepare_image(&bytes, Some(corner)).unwrap().0, square.0);
    }
}

#[test]
fn a_region_of_everything_is_the_picture_and_one_outside_is_refused() {
    let embedder = open(fixture());
    let bytes = read("wide.png");
    let whole = embedder.prepare_image(&bytes, None).unwrap();
    let all = Rect { x: 0, y: 0, width: 121, height: 83 };
    assert_eq!(embedder.prepare_image(&bytes, Some(all)).unwrap().0, whole.0);
    for (x, y, width, height) in [
        (500, 0, 10, 10),
        (0, -50, 10, 20),
        (i64::MAX, 0, 10, 10),
        (i64::MIN, 0, i64::MAX, 9),
        (3, 3, 0, 5),
    ] {
        let refused = embedder.prepare_image(&bytes, Some(Rect { x, y, width, height }));
        assert!(refused.unwrap_err().to_string().contains("outside of its 121×83 pixels"));
    }
}

#[test]
fn boxes_that_reach_beyond_the_picture_end_with_it() {
    let embedder = open(fixture());
    let bytes = read("wide.png");
    // Of 121 × 83 pixels; rounding must not carry the end of a box beyond them.
    for n in 1..40 {
        let (x, y) = (121 - 3 * n, 83 - 2 * n);
        for area in [
            Rect { x, y, width: 3 * n, height: 2 * n },
            Rect { x, y, width: 500, height: 500 },
            Rect { x: -n, y: -2 * n, width: 2 * n + 1, height: 3 * n },
            Rect { x, y: -7, width: 2 * n, height: 333 },
        ] {
            let square = embedder.prepare_image(&bytes, Some(area));
            assert!(square.is_ok(), "{area:?}: {square:?}");
        }
    }
}

#[test]
fn a_picture_without_a_face_comes_to_what_was_asked_for() {
    let embedder = open(fixture());
    let bytes = read("gray.png");
    assert!(matches!(embedder.prepare_face(&bytes, NoFace::Fail, None), Err(EmbedError::NoFace)));
    let skipped = embedder.prepare_face(&bytes, NoFace::Skip, None).unwrap();
    assert!(matches!(skipped, PreparedFace::Skipped));
    let PreparedFace::Whole(whole) = embedder.prepare_face(&bytes, NoFace::Whole, None).unwrap()
    else {
        panic!("it is to be taken whole");
    };
    assert_eq!(whole.0, embedder.prepare_image(&bytes, None).unwrap().0);
}

#[test]
fn small_pictures_have_no_faces_and_broken_ones_are_refused() {
    let embedder = open(fixture());
    let detector = embedder.detector().unwrap();
    let picture = |width, height, len| Pixels { width, height, rgb: vec![9; len] };
    for (width, height) in [(1, 1), (11, 500), (15, 15), (16, 16), (500, 12)] {
        let gray = picture(width, height, (width * height * 3) as usize);
        assert_eq!(detector.detect(&gray).unwrap(), [], "{width} × {height}");
    }
    for broken in [picture(10, 10, 299), picture(0, 0, 0), picture(5, 0, 0), picture(2, 2, 13)] {
        assert!(matches!(detector.detect(&broken), Err(EmbedError::Unreadable(_))));
    }
    assert!(matches!(
        embedder.prepare_face(b"no picture", NoFace::Whole, None),
        Err(EmbedError::Unreadable(_))
    ));
}

#[test]
fn every_place_may_look_like_a_face() {
    // Noise, and a detector that is sure of nothing: more candidates than are looked at.
    let dir = changed(|m| {
        m["image"]["faces"]["detector"]["thresholds"] = serde_json::json!([0.0, 0.0, 0.0]);
    });
    let detector = open(dir.path().to_owned()).detector().unwrap();
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let picture = Pixels { width: 120, height: 90, rgb: noise.take(32_400).collect() };
    for face in detector.detect(&picture).unwrap() {
        let [left, top, right, bottom] = edges(&face);
        assert!(0.0 <= left && left < right && right <= 119.0, "{face:?}");
        assert!(0.0 <= top && top < bottom && bottom <= 89.0, "{face:?}");
    }
}

#[test]
fn what_is_wrong_with_a_detector_is_said() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change); 8] = [
        ("it has no face detector", |m| {
            m["image"].as_object_mut().unwrap().remove("faces");
        }),
        ("output.onnx is not the file that its bundle.json describes", |m| {
            m["files"]["output.onnx"]["sha256"] = "00".into();
        }),
        ("`p.onnx` is used, but not listed", |m| {
            m["image"]["faces"]["detector"]["proposals"] = "p.onnx".into();
        }),
        ("unknown variant `retina`", |m| m["image"]["faces"]["detector"]["kind"] = "retina".into()),
        ("faces of 5 pixels can't be looked for", |m| {
            m["image"]["faces"]["detector"]["smallest"] = 5.into();
        }),
        ("a factor of 1.5", |m| m["image"]["faces"]["detector"]["factor"] = 1.5.into()),
        ("it can't be turned", |m| m["image"]["preprocess"]["orient"] = true.into()),
        ("a margin of -1", |m| m["image"]["faces"]["margin"] = (-1.0).into()),
    ];
    for (words, change) in cases {
        let dir = changed(change);
        Runtime::start_with("tract", ort_tract::api()).unwrap();
        let opened: Result<Arc<FaceDetector>, _> = Bundle::open(dir.path())
            .and_then(|bundle| FaceDetector::open(&bundle, &Cache::at("no-such-cache")));
        let message = opened.unwrap_err().to_string();
        assert!(message.contains(words), "wanted `{words}` in: {message}");
    }
    // One net in another's place.
    let dir = changed(|m| m["image"]["faces"]["detector"]["refinement"] = "output.onnx".into());
    let embedder = open(dir.path().to_owned());
    let message =
        embedder.prepare_face(&read("wide.png"), NoFace::Skip, None).unwrap_err().to_string();
    assert!(message.contains("tiny-faces"), "{message}");
}

#[test]
fn how_faces_are_found_is_a_part_of_who_the_embedder_is() {
    let hash = |change: fn(&mut serde_json::Value)| {
        let dir = changed(change);
        Bundle::open(dir.path()).unwrap().identity().hash.clone()
    };
    let plain = hash(|_| ());
    assert_ne!(plain, hash(|m| m["image"]["faces"]["margin"] = 0.2.into()));
    assert_ne!(plain, hash(|m| m["image"]["faces"]["detector"]["smallest"] = 24.into()));
    assert_ne!(plain, hash(|m| m["files"]["output.onnx"]["sha256"] = "00".into()));
    assert_ne!(
        plain,
        hash(|m| {
            m["image"].as_object_mut().unwrap().remove("faces");
        })
    );
}

#[test]
fn an_embedder_without_a_detector_looks_for_no_faces() {
    let dir = fixture().with_file_name("tiny-clip");
    let embedder = open(dir);
    let refused = embedder.prepare_face(&read("wide.png"), NoFace::Skip, None).unwrap_err();
    assert!(refused.to_string().contains("`tiny-clip` does not read faces"), "{refused}");
}
