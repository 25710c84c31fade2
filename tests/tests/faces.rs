//! Faces in photos: the largest of a photo embedded, faces as regions of it, and what comes of a
//! photo without one; by the tiny detector of the loaders' tests, through the pipeline into the
//! embedded engine.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, path::PathBuf, sync::Arc};

use adb::{
    document::Document,
    embedders::{
        Bundle, Cache, Face, FaceDetector, FaceMaker, FromFace, OnnxEmbedder, Runtime,
        audit::{Audit, Way},
    },
    loaders::{Ingest, JsonSource, Reembed, Report},
    prelude::*,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

fn fixture() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../adb-loaders/tests/fixtures/tiny-faces"))
}

fn embedder() -> Arc<OnnxEmbedder> {
    Runtime::start_with("tract", ort_tract::api()).unwrap();
    let bundle = Bundle::open(fixture()).unwrap();
    Arc::new(OnnxEmbedder::new(bundle, Cache::at("no-such-cache")))
}

fn detector() -> Arc<FaceDetector> {
    embedder().detector().unwrap()
}

/// The tiny embedder, as the compiler sees it.
struct TinyFaces;
impl adb::EmbedderSpec for TinyFaces {
    const NAME: &'static str = "tiny-faces";
    const DIMENSIONS: usize = 8;
}
impl adb::Produces<Embedding<8>> for TinyFaces {}
impl adb::Accepts<Image> for TinyFaces {}

#[derive(DescriptorSet)]
#[adb(name = "people", embedder = TinyFaces, engine = Flat)]
struct People;

/// Portraits that differ in what comes of one without a face.
macro_rules! portrait {
    ($name:ident, $face:ident) => {
        #[derive(Debug, DataModel, Serialize, Deserialize)]
        #[adb(image)]
        struct $name {
            #[adb(id)]
            id: u64,
            photo: Image,
            #[adb(embed(from = photo, set = People, face = $face))]
            look: Embedding<8>,
        }
    };
}
portrait!(Strict, LargestOrFail);
portrait!(Skipping, LargestOrSkip);
portrait!(Taking, LargestOrWhole);

#[derive(DescriptorSet)]
#[adb(name = "again", embedder = TinyFaces, engine = Flat)]
struct Again;

/// A photo as a program stores it that knows nothing of adb.
macro_rules! stored {
    ($name:ident, $set:ident) => {
        #[derive(Debug, DataModel, Serialize, Deserialize)]
        #[adb(image, untyped, class = "Photo")]
        struct $name {
            #[adb(id)]
            id: u64,
            photo: Image,
            #[adb(embed(from = photo, set = $set, face = LargestOrSkip))]
            look: Embedding<8>,
        }
    };
}
stored!(Stored, People);
stored!(StoredAgain, Again);

/// A photo with its faces as boxes.
#[derive(Debug, DataModel, Serialize, Deserialize)]
#[adb(image)]
struct Group {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(regions, from = photo, by = FaceMaker<FaceBox>)]
    #[serde(default)]
    faces: Vec<FaceBox>,
}

#[derive(Debug, DataModel, Serialize, Deserialize)]
#[adb(bounding_box, row_id)]
struct FaceBox {
    area: Rect,
    score: f64,
    #[adb(embed(from = area, set = People))]
    look: Embedding<8>,
}

impl FromFace for FaceBox {
    fn from_face(area: Rect, face: Option<&Face>) -> Self {
        let score = face.map_or(0.0, |face| f64::from(face.score));
        Self { area, score, look: Embedding::default() }
    }
}

struct Place(tempfile::TempDir);

impl Place {
    /// Three rows: two photos with faces, one without.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for file in ["wide.png", "tall.png", "gray.png"] {
            fs::copy(fixture().join(file), dir.path().join(file)).unwrap();
        }
        let rows = json!([
            {"id": 1, "photo": "wide.png"}, {"id": 2, "photo": "gray.png"},
            {"id": 3, "photo": "tall.png"},
        ]);
        let place = Self(dir);
        place.write(&rows);
        place
    }
    fn write(&self, rows: &Json) {
        fs::write(self.0.path().join("rows.json"), rows.to_string()).unwrap();
    }
    fn db(&self) -> Arc<dyn Database> {
        adb::connect(self.0.path().join("db").to_str().unwrap()).unwrap()
    }
    async fn ingest<M>(&self, with: impl FnOnce(Ingest) -> Ingest) -> Report
    where
        M: DataModel + DeserializeOwned + Send + 'static,
    {
        let source = JsonSource::<M>::open(self.0.path().join("rows.json")).unwrap();
        let report = with(Ingest::new(self.db()).embedder(embedder())).run(source).await.unwrap();
        assert!(report.adds_up(), "{report}");
        report
    }
    async fn descriptors(&self) -> u64 {
        let find = json!([{"FindDescriptor": {"set": "people", "results": {"count": true}}}]);
        let (answers, _) = adb::ask(&*self.db(), adb::Request::json(&find)).await.unwrap();
        answers[0]["FindDescriptor"]["count"].as_u64().unwrap()
    }
}

/// What the tiny embedder makes of the whole picture.
fn whole(file: &str) -> Vec<f32> {
    let embedder = embedder();
    let image = embedder.prepare_image(&fs::read(fixture().join(file)).unwrap(), None).unwrap();
    embedder.embed_images(&[image]).unwrap().remove(0)
}

#[tokio::test]
async fn without_a_face_a_row_fails_if_the_model_says_so() {
    let place = Place::new();
    let report = place.ingest::<Strict>(|i| i).await;
    assert_eq!((report.added, report.failed, report.without_face), (2, 1, 0), "{report}");
    assert_eq!(report.failures[0].at.row, 2, "{report}");
    assert!(report.failures[0].reason.contains("no face was found"), "{report}");
    assert_eq!(place.descriptors().await, 2);
}

#[tokio::test]
async fn without_a_face_the_descriptor_is_left_out_and_counted() {
    let place = Place::new();
    let report = place.ingest::<Skipping>(|i| i).await;
    assert_eq!((report.added, report.embedded, report.without_face), (3, 2, 1), "{report}");
    assert!(report.to_string().contains("no face was found in 1 photo"), "{report}");
    assert_eq!(place.descriptors().await, 2);
    let mut found: Vec<Skipping> =
        Skipping::find().with_vectors().fetch(&*place.db()).await.unwrap();
    found.sort_by_key(|p| p.id);
    let has: Vec<bool> = found.iter().map(|p| p.look.as_slice().is_some()).collect();
    assert_eq!(has, [true, false, true]);

    // A photo that is searched by is looked at in the same way.
    let photo = |file: &str| bytes::Bytes::from(fs::read(fixture().join(file)).unwrap());
    let near = |file: &str| Skipping::find().nearest::<People>(photo(file), 1);
    let hits = near("tall.png").fetch(&*place.db(), &*embedder()).await.unwrap();
    assert_eq!(hits[0].value.id, 3);
    assert!(hits[0].distance > 0.9999, "{}", hits[0].distance);
    let refused = near("gray.png").fetch(&*place.db(), &*embedder()).await.unwrap_err();
    assert!(refused.to_string().contains("no face was found"), "{refused}");

    // Who made the vectors is seen, though the detector looked at the pictures first.
    let audit = Audit::new("people").bundle(Bundle::open(fixture()).unwrap());
    let findings = audit.run(&*place.db(), &Cache::at("no-such-cache")).await.unwrap();
    assert_eq!(findings.made_by().map(|made| made.way), Some(Way::FACE), "{findings}");
    assert!(findings.to_string().contains("of the largest face. So it says itself"), "{findings}");

    // Again, and as an upsert: nothing is added, nothing embedded, nothing differs.
    let again = place.ingest::<Skipping>(|i| i).await;
    assert_eq!((again.existed, again.embedded, again.objects_added), (3, 0, 0), "{again}");
    let upserted = place.ingest::<Skipping>(|i| i.upsert(true)).await;
    assert_eq!((upserted.existed, upserted.updated, upserted.failed), (3, 0, 0), "{upserted}");
    assert_eq!((upserted.embedded, upserted.objects_added), (0, 0), "{upserted}");
}

/// What is skipped is no gap that a second run would fill, and costs no vector.
#[tokio::test]
async fn of_stored_photos_those_without_a_face_stay_without_a_descriptor() {
    let place = Place::new();
    let db = place.db();
    for (id, file) in [(1, "wide.png"), (2, "gray.png"), (3, "tall.png")] {
        let add = json!([{"AddImage": {"properties": {"id": id}}}]);
        let photo = fs::read(fixture().join(file)).unwrap().into();
        adb::ask(&*db, adb::Request::new(add.to_string(), vec![photo])).await.unwrap();
    }
    for (updated, embedded) in [(2, 2), (0, 0)] {
        let enriched = Ingest::new(db.clone()).embedder(embedder()).enrich::<Stored>();
        let report = enriched.await.unwrap();
        assert!(report.adds_up(), "{report}");
        assert_eq!((report.updated, report.existed), (updated, 3 - updated), "{report}");
        assert_eq!((report.embedded, report.without_face), (embedded, 1), "{report}");
        assert_eq!((report.failed, place.descriptors().await), (0, 2), "{report}");
    }

    // Another set gets the same faces, whether the model says so or the notes on the vectors do.
    let first: Vec<Stored> = Stored::find().with_vectors().fetch(&*db).await.unwrap();
    for by_model in [true, false] {
        let task = Reembed::new("people", "again");
        let task = if by_model { task.model(Stored::SCHEMA) } else { task };
        let report = Ingest::new(db.clone()).embedder(embedder()).reembed(task).await.unwrap();
        assert_eq!((report.added, report.failed), (2, 0), "{report}");
        let second: Vec<StoredAgain> =
            StoredAgain::find().with_vectors().fetch(&*db).await.unwrap();
        for (first, second) in first.iter().zip(&second) {
            assert_eq!((first.id, first.look.as_slice()), (second.id, second.look.as_slice()));
        }
        let remove = json!([{"DeleteDescriptorSet": {"with_name": "again"}}]);
        adb::ask(&*db, adb::Request::json(&remove)).await.unwrap();
    }
}

#[tokio::test]
async fn a_face_that_is_gone_takes_its_descriptor_with_it() {
    let place = Place::new();
    place.ingest::<Skipping>(|i| i).await;
    // The first loses its face, the second gets one.
    place.write(&json!([{"id": 1, "photo": "gray.png"}, {"id": 2, "photo": "wide.png"}]));
    let changed = place.ingest::<Skipping>(|i| i.upsert(true)).await;
    assert_eq!((changed.updated, changed.embedded, changed.failed), (2, 1, 0), "{changed}");
    let mut found: Vec<Skipping> =
        Skipping::find().with_vectors().fetch(&*place.db()).await.unwrap();
    found.sort_by_key(|p| p.id);
    let has: Vec<bool> = found.iter().map(|p| p.look.as_slice().is_some()).collect();
    assert_eq!(has, [false, true, true]);
    assert_eq!(place.descriptors().await, 2);

    // One value, without a pipeline: the same.
    let gray = fs::read(fixture().join("gray.png")).unwrap();
    let one = Skipping { id: 2, photo: Image::bytes(gray), look: Embedding::default() };
    let done = one.upsert().embedder(&*embedder()).write(&*place.db()).await.unwrap();
    assert_eq!((done.outcome, done.embedded), (adb::upsert::Outcome::Updated, 0));
    assert_eq!(place.descriptors().await, 1);
    let again = one.upsert().embedder(&*embedder()).write(&*place.db()).await.unwrap();
    assert_eq!(again.outcome, adb::upsert::Outcome::Unchanged);
}

#[tokio::test]
async fn without_a_face_the_whole_picture_stands_for_it_if_the_model_says_so() {
    let place = Place::new();
    let report = place.ingest::<Taking>(|i| i).await;
    assert_eq!((report.added, report.embedded, report.without_face), (3, 3, 1), "{report}");
    let found: Vec<Taking> = Taking::find().with_vectors().fetch(&*place.db()).await.unwrap();
    for portrait in found {
        let vector = portrait.look.as_slice().unwrap().to_vec();
        // Of the others it is the face, and that is another part.
        let (file, is_whole) = [("wide.png", false), ("gray.png", true), ("tall.png", false)]
            [portrait.id as usize - 1];
        let near: f32 = vector.iter().zip(whole(file)).map(|(a, b)| a * b).sum();
        assert_eq!(near > 0.9999, is_whole, "{file}: {near}");
    }
}

#[tokio::test]
async fn faces_become_boxes_with_vectors_of_their_own_and_only_once() {
    let place = Place::new();
    let maker = Arc::new(FaceMaker::<FaceBox>::new(detector()).otherwise(NoFace::Skip));
    let shared = maker.clone();
    let report = place.ingest::<Group>(|i| i.maker(shared)).await;
    let expected: Json =
        serde_json::from_slice(&fs::read(fixture().join("expected.json")).unwrap()).unwrap();
    let faces = |file: &str| -> Vec<Json> {
        let pictures = expected["pictures"].as_array().unwrap();
        let picture = pictures.iter().find(|p| p["file"] == file).unwrap();
        picture["faces"].as_array().unwrap().clone()
    };
    let all = (faces("wide.png").len() + faces("tall.png").len()) as u64;
    assert_eq!((report.added, report.made, report.embedded), (3, all, all), "{report}");
    assert_eq!(maker.without_face(), 1);

    let mut groups: Vec<Group> =
        Group::find().with_vectors().depth(2).fetch(&*place.db()).await.unwrap();
    groups.sort_by_key(|g| g.id);
    assert_eq!(groups[1].faces.len(), 0);
    for wanted in faces("wide.png") {
        let edge = |i: usize| wanted["box"][i].as_f64().unwrap().round() as i64;
        let face = groups[0].faces.iter().find(|f| (f.area.x, f.area.y) == (edge(0), edge(1)));
        let face = face.unwrap();
        assert_eq!(face.area.width, edge(2) - edge(0));
        assert!((face.score - wanted["score"].as_f64().unwrap()).abs() < 1e-4);
        assert!(face.look.as_slice().is_some());
    }

    let again = place.ingest::<Group>(|i| i.maker(maker.clone())).await;
    assert_eq!((again.existed, again.made, again.embedded), (3, 0, 0), "{again}");
}

#[tokio::test]
async fn a_photo_without_faces_fails_or_is_one_face_if_its_maker_says_so() {
    let place = Place::new();
    let report = place.ingest::<Group>(|i| i.maker(FaceMaker::<FaceBox>::new(detector()))).await;
    assert_eq!((report.added, report.failed), (2, 1), "{report}");
    assert!(report.failures[0].reason.contains("no face was found"), "{report}");

    let place = Place::new();
    let maker = FaceMaker::<FaceBox>::new(detector()).otherwise(NoFace::Whole);
    let report = place.ingest::<Group>(|i| i.maker(maker)).await;
    assert_eq!((report.added, report.failed), (3, 0), "{report}");
    let gray: Vec<Group> = Group::find()
        .filter(|g| g.id.eq(2))
        .with_vectors()
        .depth(2)
        .fetch(&*place.db())
        .await
        .unwrap();
    let face = &gray[0].faces[0];
    assert_eq!(face.area, Rect { x: 0, y: 0, width: 90, height: 70 });
    let near: f32 =
        face.look.as_slice().unwrap().iter().zip(whole("gray.png")).map(|(a, b)| a * b).sum();
    assert!(near > 0.9999, "{near}");
}

#[tokio::test]
async fn a_document_of_the_model_says_the_same() {
    let place = Place::new();
    let text = serde_json::to_string(&Document::of(Skipping::SCHEMA)).unwrap();
    assert!(text.contains(r#""face":"skip""#), "{text}");
    let model = Document::parse(&text).unwrap().load().unwrap();
    let source = JsonSource::by_model(place.0.path().join("rows.json"), model).unwrap();
    let report = Ingest::new(place.db()).embedder(embedder()).run(source).await.unwrap();
    assert_eq!((report.added, report.embedded, report.without_face), (3, 2, 1), "{report}");
}

#[tokio::test]
async fn an_embedder_without_a_detector_costs_the_rows_and_says_why() {
    Runtime::start_with("tract", ort_tract::api()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = dir.path().join("bundle.json");
    let mut manifest: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["image"].as_object_mut().unwrap().remove("faces");
    fs::write(&path, manifest.to_string()).unwrap();
    let plain = OnnxEmbedder::new(Bundle::open(dir.path()).unwrap(), Cache::at("no-such-cache"));
    let place = Place::new();
    let source = JsonSource::<Skipping>::open(place.0.path().join("rows.json")).unwrap();
    let report = Ingest::new(place.db()).embedder(Arc::new(plain)).run(source).await.unwrap();
    assert_eq!(report.failed, 3, "{report}");
    assert!(report.failures[0].reason.contains("does not read faces"), "{report}");
}
