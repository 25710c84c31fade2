//! `enrich`: what a model declares is made for objects that are stored.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use adb::{
    Dialect, Request, ask,
    document::Document,
    enrich::Walk,
    loaders::{ErrorKind, Ingest, JsonSource, Stop},
    prelude::*,
    query::Query,
};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::common::{
    DIALECTS, Flaky, Hash, Hashes, Looks, Photo, Recorded, WIDTH, add_photos, answers,
    assert_one_each, database, enrich, options, photo, picture, run, vectors, vectors_of_images,
};

#[tokio::test]
async fn plain_pictures_get_the_vectors_that_an_ingestion_would_have_made() {
    for dialect in DIALECTS {
        let (dir, db) = database();
        let ids: Vec<u64> = (1..=60).collect();
        add_photos(&*db, &ids[..25], 25).await;
        add_photos(&*db, &ids[25..], 2).await;
        let recorded = Arc::new(Recorded { inner: db.clone(), sent: Mutex::default() });
        let through: Arc<dyn Database> = recorded.clone();
        let report = run(&through, Hashes::new()).dialect(dialect).enrich::<Photo>().await.unwrap();
        assert_eq!((report.rows, report.updated, report.existed), (60, 60, 0), "{report}");
        assert_eq!((report.embedded, report.exit_code()), (60, 0), "{report}");
        let other = match dialect {
            Dialect::Classic => "[\"$",
            Dialect::Expression => "constraints\":{",
        };
        for sent in recorded.sent.lock().unwrap().iter().filter(|s| !s.contains("DescriptorSet")) {
            assert!(!sent.contains(other), "{dialect:?}: {sent}");
        }
        assert_one_each(&*db, "looks", 60).await;
        for id in [1, 26, 60] {
            let near = Photo::find().nearest::<Looks>(Query::Image(photo(id)), 1);
            let hits = near.fetch(&*db, &Hashes::new()).await.unwrap();
            assert_eq!(hits[0].value.id, id);
            assert!(hits[0].distance > 0.999, "{}", hits[0].distance);
        }
        let again = enrich::<Photo>(&db, Hashes::new()).await;
        assert_eq!((again.rows, again.existed, again.embedded), (60, 60, 0), "{again}");

        // An ingestion of the same pictures finds all that it would have made.
        std::fs::write(dir.path().join("1.png"), photo(1)).unwrap();
        std::fs::write(dir.path().join("p.json"), r#"[{"id": 1, "photo": "1.png"}]"#).unwrap();
        let source = JsonSource::<Photo>::open(dir.path().join("p.json")).unwrap();
        let report = run(&db, Hashes::new()).run(source).await.unwrap();
        assert_eq!((report.existed, report.embedded, report.objects_added), (1, 0, 0), "{report}");
    }
}

#[tokio::test]
async fn a_document_does_what_the_struct_does() {
    let (_dir, db) = database();
    add_photos(&*db, &[1, 2, 3], 3).await;
    let model = Document::of(Photo::SCHEMA).load().unwrap();
    let report = run(&db, Hashes::new()).enrich_by(model.schema()).await.unwrap();
    assert_eq!(report.updated, 3, "{report}");
    let again = enrich::<Photo>(&db, Hashes::new()).await;
    assert_eq!(again.existed, 3, "{again}");
}

#[tokio::test]
async fn a_picture_that_can_not_be_read_costs_itself_alone_and_is_tried_again() {
    let (_dir, db) = database();
    add_photos(&*db, &(1..=30).collect::<Vec<_>>(), 10).await;
    for _ in 0..2 {
        let report = enrich::<Photo>(&db, Hashes::new().unreadable("photo 17.")).await;
        assert_eq!((report.failed, report.exit_code()), (1, 3), "{report}");
        let told = report.failures[0].to_string();
        assert!(told.starts_with("Photo 17 (") && told.contains("not a readable image"), "{told}");
    }
    assert_eq!(vectors(&*db, "looks").await, 29);
    let mended = enrich::<Photo>(&db, Hashes::new()).await;
    assert_eq!((mended.updated, mended.existed), (1, 29), "{mended}");
    assert_one_each(&*db, "looks", 30).await;
}

#[tokio::test]
async fn stopping_ends_it_and_another_run_goes_on() {
    let (_dir, db) = database();
    add_photos(&*db, &(1..=200).collect::<Vec<_>>(), 50).await;
    let stop = Stop::default();
    let stopping = {
        let stop = stop.clone();
        Hashes::new().before(move |batch| {
            if batch == 2 {
                stop.stop();
            }
        })
    };
    let report = run(&db, stopping).stop_on(stop).enrich::<Photo>().await.unwrap();
    assert!(report.adds_up() && report.stopped, "{report}");
    assert!(report.updated > 0 && report.updated < 200, "{report}");
    assert_eq!((report.failed, report.exit_code()), (0, 130), "{report}");
    assert_eq!(vectors(&*db, "looks").await, report.updated);
    let rest = enrich::<Photo>(&db, Hashes::new()).await;
    assert_eq!(rest.updated + report.updated, 200, "{rest}");
    assert_one_each(&*db, "looks", 200).await;
}

#[tokio::test]
async fn passing_failures_are_waited_out() {
    let (_dir, db) = database();
    add_photos(&*db, &(1..=50).collect::<Vec<_>>(), 10).await;
    let report = enrich::<Photo>(&Flaky::over(&db, u64::MAX), Hashes::new()).await;
    // What was applied without an answer is found by the second attempt.
    assert_eq!((report.rows, report.updated + report.existed), (50, 50), "{report}");
    assert_one_each(&*db, "looks", 50).await;
}

#[tokio::test]
async fn a_database_that_stays_away_leaves_every_object_with_an_outcome() {
    let (_dir, db) = database();
    add_photos(&*db, &(1..=100).collect::<Vec<_>>(), 10).await;
    let report = enrich::<Photo>(&Flaky::over(&db, 24), Hashes::new()).await;
    assert!(report.rows < 100 && report.exit_code() == 1, "{report}");
    assert!(report.to_string().contains("run it again"), "{report}");
    let rest = enrich::<Photo>(&db, Hashes::new()).await;
    assert_eq!((rest.rows, rest.failed), (100, 0), "{rest}");
    assert_one_each(&*db, "looks", 100).await;
}

#[tokio::test]
async fn what_is_added_and_deleted_meanwhile_moves_nothing() {
    let (_dir, db) = database();
    add_photos(&*db, &(1..=90).collect::<Vec<_>>(), 4).await;
    let (changed, handle) = (db.clone(), tokio::runtime::Handle::current());
    let changing = Hashes::new().before(move |batch| {
        if batch < 10 {
            handle.block_on(async {
                add_photos(&*changed, &[1000 + batch], 1).await;
                let gone = json!([{"DeleteImage": {"constraints": {"id": ["==", 90 - batch]}}}]);
                answers(&*changed, gone).await;
            });
        }
    });
    let report = enrich::<Photo>(&db, changing).await;
    // Some were deleted when their picture had been read: the database refuses their vectors.
    assert_eq!(report.rows, 100 - (10 - report.failed), "{report}");
    let each = vectors_of_images(&*db, "looks").await;
    assert!(each.len() == 90 && each.values().all(|n| *n == 1), "{each:?}");
    let again = enrich::<Photo>(&db, Hashes::new()).await;
    assert_eq!((again.existed, again.rows), (90, 90), "{again}");
}

#[tokio::test]
async fn a_walk_gives_each_object_once_whatever_transactions_made_them() {
    for dialect in DIALECTS {
        let (_dir, db) = database();
        let mut expected = Vec::new();
        for (batch, size) in [1_u64, 3, 9, 1, 2, 4, 1, 1, 5].into_iter().enumerate() {
            let ids: Vec<u64> = (0..size).map(|i| batch as u64 * 100 + i).collect();
            add_photos(&*db, &ids, 100).await;
            expected.extend(ids);
        }
        for at_once in [1, 2, 3, 4, 9, 27, 100] {
            let mut walk = Walk::of_model(dialect, Photo::SCHEMA).at_once(at_once);
            assert_eq!(walk.count(&*db).await.unwrap(), 27);
            let mut all = Vec::new();
            loop {
                let page = walk.next(&*db).await.unwrap();
                if page.is_empty() {
                    break;
                }
                all.extend(page);
            }
            let mut once = all.clone();
            once.sort();
            once.dedup();
            assert_eq!((all.len(), once.len()), (27, 27), "{at_once} at once");
        }
    }
}

#[tokio::test]
async fn two_runs_at_once_make_one_each() {
    let (_dir, db) = database();
    add_photos(&*db, &(1..=120).collect::<Vec<_>>(), 10).await;
    let (a, b) =
        tokio::join!(enrich::<Photo>(&db, Hashes::new()), enrich::<Photo>(&db, Hashes::new()));
    assert_eq!((a.rows, b.rows, a.failed + b.failed), (120, 120, 0), "{a}\n{b}");
    assert_eq!(a.updated + b.updated, 120, "{a}\n{b}");
    assert_one_each(&*db, "looks", 120).await;
}

#[tokio::test]
async fn two_objects_with_one_id_are_told() {
    let (_dir, db) = database();
    add_photos(&*db, &[1], 1).await;
    let twin =
        json!([{"AddImage": {"properties": {"id": 1}}}, {"AddImage": {"properties": {"x": 1}}}]);
    let request = Request::json(&twin).with_blob(picture("twin")).with_blob(picture("nobody"));
    ask(&*db, request).await.unwrap();
    let report = enrich::<Photo>(&db, Hashes::new()).await;
    assert_eq!((report.updated, report.failed), (1, 2), "{report}");
    let told: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(|t| t.contains("another object of its class has the same id")),
        "{told:?}"
    );
    assert!(told.iter().any(|t| t.contains("it has no `id`")), "{told:?}");
    assert_eq!(vectors(&*db, "looks").await, 1);
}

#[tokio::test]
async fn without_anything_to_make_it_does_not_begin() {
    let (_dir, db) = database();
    let refused = Ingest::new(db).enrich::<Photo>().await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::NothingToMake { .. }), "{refused}");
}

#[derive(DescriptorSet)]
#[adb(name = "spots", embedder = Hash, engine = Flat)]
struct SpotLooks;

#[derive(DescriptorSet)]
#[adb(name = "words", embedder = Hash, engine = Flat)]
struct Words;

/// A photo with all that can be made of it.
#[derive(Debug, DataModel, Deserialize)]
#[adb(image, untyped)]
struct Scene {
    #[adb(id)]
    id: u64,
    title: Option<String>,
    photo: Image,
    #[adb(embed(from = photo, set = Looks, label = title))]
    look: Embedding<WIDTH>,
    #[adb(embed(from = title, set = Looks))]
    meaning: Embedding<WIDTH>,
    #[adb(regions, from = photo, by = Corners)]
    #[serde(default)]
    spots: Vec<Spot>,
}

#[derive(Debug, DataModel, Deserialize)]
#[adb(bounding_box, row_id)]
struct Spot {
    area: Rect,
    #[adb(embed(from = area, set = SpotLooks))]
    look: Embedding<WIDTH>,
}

/// Two corners of each picture, and a count of pictures.
#[derive(Debug, Clone, Default)]
struct Corners(Arc<AtomicUsize>);

impl ChildMaker for Corners {
    const NAME: &'static str = "corners";
    type From = Image;
    type Child = Spot;
    fn make(&self, picture: Picture<'_>) -> Result<Vec<Spot>, MakeError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let bytes = picture.bytes()?;
        if String::from_utf8_lossy(&bytes).contains("photo 3.") {
            return Ok(Vec::new());
        }
        let spot =
            |x| Spot { area: Rect { x, y: 0, width: 4, height: 4 }, look: Embedding::default() };
        Ok(vec![spot(0), spot(8)])
    }
}

async fn boxes(db: &dyn Database) -> (u64, u64) {
    let found = answers(
        db,
        json!([
            {"FindBoundingBox": {"_ref": 1, "results": {"count": true}}},
            {"FindDescriptor": {"set": "spots", "is_connected_to": {"ref": 1}, "results": {"count": true}}},
        ]),
    )
    .await;
    let count = |i: usize, name: &str| found[i][name]["count"].as_u64().unwrap();
    (count(0, "FindBoundingBox"), count(1, "FindDescriptor"))
}

#[tokio::test]
async fn labels_texts_and_children_are_made_once() {
    for dialect in DIALECTS {
        let (_dir, db) = database();
        add_photos(&*db, &[1, 2, 3, 4, 5], 2).await;
        let untitled =
            json!([{"UpdateImage": {"constraints": {"id": ["==", 5]}, "remove_props": ["title"]}}]);
        answers(&*db, untitled).await;
        let maker = Corners::default();
        let run = |maker: &Corners| run(&db, Hashes::new()).maker(maker.clone()).dialect(dialect);
        let report = run(&maker).enrich::<Scene>().await.unwrap();
        assert_eq!((report.rows, report.updated, report.made), (5, 5, 8), "{report}");
        assert_eq!(report.embedded, 5 + 4 + 8, "{report}");
        assert_eq!(boxes(&*db).await, (8, 8));
        let labels = answers(
            &*db,
            json!([{"FindDescriptor": {"set": "looks", "labels": true,
                    "constraints": {"user_type": ["==", "Scene.look"]}, "results": {"list": ["adb_id"]}}}]),
        )
        .await;
        let labels: Vec<&Json> =
            labels[0]["FindDescriptor"]["entities"].as_array().unwrap().iter().collect();
        assert_eq!(labels.len(), 5);
        for label in labels {
            let expected = match label["adb_id"].as_str().unwrap() {
                "Scene/5/look" => "None".to_owned(),
                id => format!("title {}", id.split('/').nth(1).unwrap()),
            };
            assert_eq!(label["_label"], expected);
        }
        // Nothing again, with the boxes looked at as well: not even for the picture that has no corners.
        let again = run(&maker).enrich::<Scene>().await.unwrap();
        assert_eq!((again.rows, again.existed, again.made), (13, 13, 0), "{again}");
        assert_eq!((again.embedded, maker.0.load(Ordering::Relaxed)), (0, 5), "{again}");
    }
}

#[tokio::test]
async fn boxes_of_others_get_vectors_and_stand_as_children() {
    let (_dir, db) = database();
    add_photos(&*db, &[1, 2], 2).await;
    let add = json!([
        {"FindImage": {"_ref": 1, "constraints": {"id": ["==", 1]}}},
        {"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 1, "y": 2, "width": 3, "height": 4},
                            "properties": {"user_type": "Spot"}}},
    ]);
    answers(&*db, add).await;
    let maker = Corners::default();
    let report = run(&db, Hashes::new()).maker(maker.clone()).enrich::<Scene>().await.unwrap();
    assert_eq!((report.failed, maker.0.load(Ordering::Relaxed)), (0, 1), "{report}");
    assert_eq!(boxes(&*db).await, (3, 3));
    let vector = Hashes::new().of(&photo(1), Some(Rect { x: 1, y: 2, width: 3, height: 4 }));
    let near = Spot::find().nearest::<SpotLooks>(Query::Vector(vector.clone()), 1);
    let hits = near.fetch_by(&*db, &vector).await.unwrap();
    assert_eq!((hits[0].value.area.x, hits[0].distance > 0.999), (1, true));
}

/// An entity, its picture, and its text.
#[derive(Debug, DataModel, Deserialize)]
struct Place {
    #[adb(id)]
    name: String,
    picture: Option<Image>,
    about: String,
    #[adb(embed(from = picture, set = Looks))]
    look: Option<Embedding<WIDTH>>,
    #[adb(embed(from = about, set = Words))]
    meaning: Embedding<WIDTH>,
}

/// The same before somebody thought of vectors.
#[derive(Debug, DataModel, Deserialize)]
#[adb(class = "Place")]
struct OldPlace {
    #[adb(id)]
    name: String,
    picture: Option<Image>,
    about: Option<String>,
}

#[tokio::test]
async fn a_field_that_a_model_got_later_is_made_up_for() {
    let (dir, db) = database();
    std::fs::write(dir.path().join("a.png"), picture("a")).unwrap();
    let rows = json!([
        {"name": "a", "picture": "a.png", "about": "hills"},
        {"name": "b", "about": "sea"},
        {"name": "c", "picture": "a.png"},
    ]);
    std::fs::write(dir.path().join("places.json"), rows.to_string()).unwrap();
    // Pictures of entities are of the class of model and field.
    let source = JsonSource::<OldPlace>::open(dir.path().join("places.json")).unwrap();
    Ingest::new(db.clone()).options(options()).run(source).await.unwrap();
    let report = enrich::<Place>(&db, Hashes::new()).await;
    assert_eq!((report.rows, report.updated, report.failed), (3, 2, 1), "{report}");
    let told = report.failures[0].to_string();
    assert!(told.contains("Place c") && told.contains("no `about`"), "{told}");
    assert_eq!((vectors(&*db, "looks").await, vectors(&*db, "words").await), (1, 2));
    let sea = Hashes::new().embed_texts(&["sea"]).unwrap().remove(0);
    let near = Place::find().nearest::<Words>(Query::Vector(sea.clone()), 1);
    assert_eq!(near.fetch_by(&*db, &sea).await.unwrap()[0].value.name, "b");
}

/// As the SDK's models have it.
#[derive(Debug, DataModel, Deserialize)]
#[adb(image, convention = PythonSdk)]
struct Dish {
    #[adb(id)]
    id: String,
    url: Image,
    name: String,
    #[adb(embed(from = url, set = Looks, class = "DishLook"))]
    look: Embedding<WIDTH>,
}

#[tokio::test]
async fn objects_of_the_sdks_models_are_made_up_for_as_it_would() {
    for dialect in DIALECTS {
        let (_dir, db) = database();
        let set = json!([{"AddDescriptorSet": {"name": "looks", "dimensions": 8, "metric": "CS"}}]);
        answers(&*db, set).await;
        let image = |reference: u32, id: &str| {
            json!({"AddImage": {"_ref": reference, "properties": {"id": id, "user_type": "Dish", "name": id},
                                "if_not_found": ["$id", "==", id]}})
        };
        let vector = Hashes::new().of(&picture("d1"), None);
        let theirs = json!([
            image(1, "d1"),
            {"AddDescriptor": {"_ref": 2, "set": "looks", "properties": {"id": "0b5e", "user_type": "DishLook"}}},
            {"AddConnection": {"src": 1, "dst": 2, "class": "DishLook", "properties": {"source_field": "look"}}},
            image(3, "d2"),
            image(4, "d3"),
        ]);
        let blobs =
            vec![picture("d1"), adb::graph::vector_bytes(&vector), picture("d2"), picture("d3")];
        ask(&*db, Request::new(theirs.to_string(), blobs)).await.unwrap();
        let report = run(&db, Hashes::new()).dialect(dialect).enrich::<Dish>().await.unwrap();
        assert_eq!((report.updated, report.existed, report.failed), (2, 1, 0), "{report}");
        assert_eq!(report.connections_added, 2, "{report}");
        assert_eq!(vectors(&*db, "looks").await, 3);
        let again = run(&db, Hashes::new()).dialect(dialect).enrich::<Dish>().await.unwrap();
        assert_eq!((again.existed, again.embedded), (3, 0), "{again}");
        let dishes = Dish::find().with_vectors().fetch(&*db).await.unwrap();
        assert!(dishes.iter().all(|d| d.look.as_slice().is_some()), "{dishes:?}");
    }
}
