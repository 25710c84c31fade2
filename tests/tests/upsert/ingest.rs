//! Rows of a source.

use std::path::Path;

use adb::loaders::{Ingest, JsonSource, Options, Report};

use super::*;

/// A portrait whose faces have no ids of their own.
#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(image)]
struct Portrait {
    #[adb(id)]
    id: u64,
    name: String,
    #[serde(rename = "url")]
    photo: Image,
    #[adb(embed(from = name, set = Meanings))]
    meaning: Embedding<4>,
    #[adb(embed(from = photo, set = Looks))]
    look: Embedding<4>,
    #[adb(regions)]
    faces: Vec<Face>,
    #[adb(connect = "Shows")]
    shows: Vec<Ingredient>,
    #[adb(connect = "TakenIn")]
    place: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(bounding_box, row_id)]
struct Face {
    area: Rect,
    #[adb(embed(from = area, set = Looks))]
    look: Embedding<4>,
}

/// Its picture is shared by all portraits that were taken there.
#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(image)]
struct Place {
    #[adb(id)]
    town: String,
    picture: Image,
}

fn portraits(n: u64) -> Vec<Json> {
    let portrait = |i| {
        json!({"id": i, "name": format!("portrait {i}"), "url": format!("{i}.png"),
            "faces": [{"area": {"x": i, "y": 0, "width": 9, "height": 9}}],
            "shows": [{"name": format!("thing {}", i % 3)}, {"name": "wall"}],
            "place": {"town": "Oslo", "picture": "oslo.png"}})
    };
    (0..n).map(portrait).collect()
}

fn write_picture(dir: &Path, name: &str, last: u8) {
    let bytes = [&b"\x89PNG\r\n\x1a\n"[..], &[last]].concat();
    std::fs::write(dir.join(name), bytes).unwrap();
}

/// A directory for the source, with its pictures.
fn source(n: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..n {
        write_picture(dir.path(), &format!("{i}.png"), i as u8);
    }
    write_picture(dir.path(), "oslo.png", 200);
    dir
}

async fn ingest(
    db: &Arc<Watched>,
    tiny: &Arc<Counting>,
    dir: &tempfile::TempDir,
    rows: &[Json],
    upsert: bool,
) -> Report {
    let lines: Vec<String> = rows.iter().map(Json::to_string).collect();
    let path = dir.path().join("rows.json");
    std::fs::write(&path, format!("[{}]", lines.join(",\n"))).unwrap();
    let mut options = Options::default();
    options.rows_per_request = 7;
    let report = Ingest::new(db.clone())
        .embedder(tiny.clone())
        .options(options)
        .upsert(upsert)
        .run(JsonSource::<Portrait>::open(path).unwrap())
        .await
        .unwrap();
    assert!(report.adds_up() && report.broken_off.is_none(), "{report}");
    report
}

fn counts(report: &Report) -> (u64, u64, u64, u64) {
    (report.added, report.existed, report.updated, report.failed)
}

async fn watched() -> (tempfile::TempDir, Arc<Watched>, Arc<Counting>) {
    let dir = tempfile::tempdir().unwrap();
    let inner = adb::connect(dir.path().to_str().unwrap()).unwrap();
    (
        dir,
        Arc::new(Watched { inner, writes: Mutex::default(), twice: AtomicBool::new(false) }),
        Arc::new(Counting::new()),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_added_existed_updated_or_failed() {
    let (_dir, db, tiny) = watched().await;
    let dir = source(30);
    let mut rows = portraits(30);
    let report = ingest(&db, &tiny, &dir, &rows, true).await;
    assert_eq!(counts(&report), (30, 0, 0, 0), "{report}");
    assert_eq!((tiny.count(), report.embedded), ((60, 30), 90));

    // Nothing has changed: nothing is embedded, nothing written but what `ensure` asks for.
    db.writes();
    let report = ingest(&db, &tiny, &dir, &rows, true).await;
    assert_eq!(counts(&report), (0, 30, 0, 0), "{report}");
    assert_eq!((tiny.count(), report.embedded), ((0, 0), 0));
    let writes = db.writes();
    assert!(writes.iter().flatten().all(|c| c == "CreateIndex"), "{writes:?}");
    assert!(report.to_string().contains("nothing to do"), "{report}");

    // A text, a picture, a child, a poisoned row and a new one, each on its own.
    rows[3]["name"] = "renamed".into();
    write_picture(dir.path(), "7.png", 77);
    rows[12]["shows"] = json!([{"name": "wall"}]);
    rows[20]["url"] = "none.png".into();
    rows.push(json!({"id": 99, "name": "new", "url": "1.png", "faces": [], "shows": []}));
    let report = ingest(&db, &tiny, &dir, &rows, true).await;
    assert_eq!(counts(&report), (1, 26, 3, 1), "{report}");
    // The text of two rows; the pictures of two and one face.
    assert_eq!(tiny.count(), (3, 2), "{report}");
    assert!(report.to_string().contains("= 1 added + 26 existed + 3 updated + 1 failed"));
    let changed = Portrait::find()
        .filter(|p| p.id.one_of([3, 7, 12]))
        .sort(|p| p.id.ascending())
        .with_blobs()
        .with_vectors()
        .fetch(&*db)
        .await
        .unwrap();
    assert_eq!(changed[0].name, "renamed");
    assert_eq!(changed[1].photo, picture(77));
    assert_eq!(changed[1].look.as_slice(), Some([77.0, -1.0, -1.0, 1.0].as_slice()));
    assert_eq!(changed[1].faces[0].look.as_slice(), Some([77.0, 7.0, 0.0, 1.0].as_slice()));
    assert_eq!((changed[1].shows.len(), changed[1].place.is_some()), (2, true));
    assert_eq!(changed[2].shows.len(), 1);
    assert_eq!(vectors(&*db, "looks").await, 61);
    assert_eq!(count(&*db, "FindBoundingBox", json!({})).await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_many_rows_share_is_replaced_once_and_loses_no_connection() {
    let (_dir, db, tiny) = watched().await;
    let dir = source(40);
    let mut rows = portraits(40);
    for row in &mut rows[30..] {
        row["place"] = Json::Null;
    }
    ingest(&db, &tiny, &dir, &rows, true).await;
    // The shared picture changes, and ten more rows have it, in the same run.
    write_picture(dir.path(), "oslo.png", 201);
    for row in &mut rows[30..] {
        row["place"] = json!({"town": "Oslo", "picture": "oslo.png"});
    }
    tiny.count();
    let report = ingest(&db, &tiny, &dir, &rows, true).await;
    assert_eq!((report.failed, report.added), (0, 0), "{report}");
    assert_eq!(tiny.count(), (0, 0), "it is in no set");
    let all = Portrait::find().with_blobs().fetch(&*db).await.unwrap();
    let in_oslo =
        all.iter().filter(|p| p.place.as_ref().is_some_and(|place| place.picture == picture(201)));
    assert_eq!(in_oslo.count(), 40);
    assert_eq!(count(&*db, "FindConnection", json!({"with_class": "TakenIn"})).await, 40);
    let report = ingest(&db, &tiny, &dir, &rows, true).await;
    assert_eq!(counts(&report), (0, 40, 0, 0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rows_with_one_id_the_last_holds() {
    let (_dir, db, tiny) = watched().await;
    let dir = source(5);
    let mut rows = portraits(5);
    for i in 0..20 {
        let mut row = rows[i % 5].clone();
        row["name"] = format!("version {i}").into();
        rows.push(row);
    }
    let report = ingest(&db, &tiny, &dir, &rows, true).await;
    assert_eq!(counts(&report), (5, 0, 20, 0), "{report}");
    let all = Portrait::find().sort(|p| p.id.ascending()).with_vectors().fetch(&*db).await.unwrap();
    let names: Vec<&str> = all.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["version 15", "version 16", "version 17", "version 18", "version 19"]);
    assert!(all.iter().all(|p| p.faces.len() == 1 && p.meaning.as_slice().is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_upsert_rows_stay_and_what_they_were_made_from_is_noted_all_the_same() {
    let (_dir, db, tiny) = watched().await;
    let dir = source(5);
    let mut rows = portraits(5);
    ingest(&db, &tiny, &dir, &rows, false).await;
    rows[2]["name"] = "renamed".into();
    let report = ingest(&db, &tiny, &dir, &rows, false).await;
    assert_eq!((counts(&report), report.differing), ((0, 5, 0, 0), 1), "{report}");
    tiny.count();
    let report = ingest(&db, &tiny, &dir, &rows, true).await;
    assert_eq!(counts(&report), (0, 4, 1, 0), "{report}");
    assert_eq!(tiny.count(), (0, 1));
}
