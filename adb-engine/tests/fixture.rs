//! Databases that each format wrote, opened by today's engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use adb_engine::{Engine, ErrorKind};
use common::{Db, vector};
use serde_json::json;

/// The tables as SQL, since that can be read and reviewed; the header's numbers stand in it.
const FORMAT_1: &str = include_str!("fixtures/format-1.sql");
const FORMAT_2: &str = include_str!("fixtures/format-2.sql");

const FORMAT_3: &str = include_str!("fixtures/format-3.sql");
const PACK_3: &[u8] = include_bytes!("fixtures/format-3.pack");

fn directory(sql: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    rusqlite::Connection::open(dir.path().join("adb.sqlite")).unwrap().execute_batch(sql).unwrap();
    dir
}

fn open(sql: &str) -> Db {
    let dir = directory(sql);
    Db { engine: Engine::open(dir.path()).unwrap(), dir }
}

/// Not a test: writes a database of today's format, which becomes the next fixture.
#[tokio::test]
#[ignore = "writes what a new format's fixture is made of"]
async fn write_fixture() {
    let dir = directory(FORMAT_2);
    let engine = Engine::options().pack_sizes(8, 1 << 20).open(dir.path()).unwrap();
    let db = Db { engine, dir };
    let add = json!([
        {"AddBlob": {"properties": {"n": 1}}}, {"AddBlob": {"properties": {"n": 2}}},
        {"AddDescriptor": {"set": "looks", "label": "new"}},
    ]);
    db.ask_with(add, vec!["in a pack".into(), "in it, too".into(), vector(&[4.0, 0.0])]).await;
    db.ask(json!([{"DeleteBlob": {"constraints": {"n": ["==", 1]}}}])).await;
    let Db { engine, dir } = db;
    drop(engine);
    std::fs::rename(dir.keep(), std::env::var("ADB_FIXTURE").unwrap()).unwrap();
}

/// Tables, views and indexes of a database, without the layout of their SQL.
fn schema(dir: &tempfile::TempDir) -> Vec<(String, Option<String>)> {
    let conn = rusqlite::Connection::open(dir.path().join("adb.sqlite")).unwrap();
    let mut select = conn
        .prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'c1__%' ORDER BY name")
        .unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?)));
    rows.unwrap()
        .map(Result::unwrap)
        .map(|(name, sql)| (name, sql.map(|sql| sql.split_whitespace().collect())))
        .collect()
}

#[tokio::test]
async fn format_1_is_upgraded_whole_and_only_for_writing() {
    let dir = directory(FORMAT_1);
    let refused = Engine::options().read_only(true).open(dir.path()).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Older { found: 1, known: 3 }), "{refused}");
    let db = Db { engine: Engine::open(dir.path()).unwrap(), dir };
    let request = json!([
        {"FindImage": {"_ref": 1, "constraints": {"dish_id": ["==", 2]}}},
        {"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 0, "y": 0, "width": 2, "height": 2}}},
        {"FindBoundingBox": {"image_ref": 1, "areas": true}},
        {"DeleteDescriptor": {"set": "looks", "with_label": "good"}},
        {"FindDescriptor": {"set": "looks", "k_neighbors": 9, "results": {"list": ["adb_id"]}}},
    ]);
    let (answers, _) = db.ask_with(request, vec![vector(&[0.5, 1.0])]).await;
    assert_eq!(answers[2]["FindBoundingBox"]["entities"], json!([{"_area": 4}]));
    assert_eq!(answers[4]["FindDescriptor"]["entities"], json!([{"adb_id": "1"}]));
    drop(Engine::options().read_only(true).open(db.path()).unwrap());
    // What was upgraded has the tables of what is made anew.
    let system = |dir: &tempfile::TempDir| {
        schema(dir)
            .into_iter()
            .filter(|(name, _)| !["c1", "c2", "c3", "c4", "i5"].contains(&&**name))
            .collect::<Vec<_>>()
    };
    assert_eq!(system(&db.dir), system(&Db::new().dir));
}

#[tokio::test]
async fn format_1_is_read_and_written() {
    let db = open(FORMAT_1);
    let search = json!([
        {"FindDescriptor": {"_ref": 1, "set": "looks", "k_neighbors": 1, "distances": true, "labels": true}},
        {"FindImage": {"_ref": 2, "is_connected_to": {"ref": 1}, "blobs": true, "uniqueids": true, "results": {"list": ["dish_id", "name", "cooked"]}}},
        {"FindEntity": {"with_class": "Ingredient", "is_connected_to": {"ref": 2, "connection_class": "HasIngredient", "direction": "out"}, "results": {"list": ["name", "grams"]}}},
    ]);
    for _ in 0..2 {
        let (answers, blobs) = db.ask_with(search.clone(), vec![vector(&[0.5, 1.0])]).await;
        assert_eq!(
            json!(answers),
            json!([
                {"FindDescriptor": {"status": 0, "returned": 1, "entities": [{"_label": "good", "_distance": 0.25}]}},
                {"FindImage": {"status": 0, "returned": 1, "blobs_start": 0, "entities": [{"_uniqueid": "1.0.3",
                    "dish_id": 2, "name": "curry", "cooked": {"_date": "2024-05-01T12:00:00+00:00"}, "_blob_index": 0}]}},
                {"FindEntity": {"status": 0, "returned": 1, "entities": [{"name": "rice", "grams": 80.5}]}},
            ])
        );
        assert_eq!(blobs, [&b"GIF89a"[..]]);
        // A write between the two searches: the format takes it, and the old is still found.
        let status = db
            .ask(json!([{"AddEntity": {"class": "Ingredient", "properties": {"name": "salt", "grams": 1}, "if_not_found": {"name": ["==", "rice"]}}}]))
            .await[0]["AddEntity"]["status"]
            .clone();
        assert_eq!(status, 2);
        db.ask(json!([{"AddEntity": {"class": "Ingredient", "properties": {"name": "salt"}}}]))
            .await;
    }
    assert_eq!(db.count("Ingredient").await, 3);
}

#[tokio::test]
async fn format_2_is_read_and_written() {
    let db = open(FORMAT_2);
    let search = json!([
        {"FindDescriptor": {"_ref": 1, "set": "looks", "k_neighbors": 9, "distances": true, "labels": true, "results": {"list": ["adb_id"]}}},
        {"FindImage": {"_ref": 2, "is_connected_to": {"ref": 1}, "uniqueids": true, "blobs": true}},
        {"FindBoundingBox": {"image_ref": 2, "labels": true, "coordinates": true, "areas": true}},
        {"FindPolygon": {"image_ref": 2, "labels": true, "vertices": true, "areas": true}},
        {"FindVideo": {"_ref": 3, "results": {"list": ["title"]}}},
        {"FindClip": {"video_ref": 3, "results": {"list": ["_label", "_time_offset_range"]}}},
        {"FindFrame": {"video_ref": 3, "_ref": 4, "results": {"list": ["_frame_number"]}}},
        {"FindBoundingBox": {"image_ref": 4, "labels": true}},
        {"FindEntity": {"with_class": "Ingredient", "is_connected_to": {"ref": 2}, "results": {"list": ["name", "grams"]}}},
    ]);
    for _ in 0..2 {
        let (answers, blobs) = db.ask_with(search.clone(), vec![vector(&[0.0, 0.0])]).await;
        let entities: Vec<_> = answers
            .iter()
            .map(|a| a.as_object().unwrap().values().next().unwrap()["entities"].clone())
            .collect();
        assert_eq!(
            json!(entities),
            json!([
                [{"_label": "None", "_distance": 1.0, "adb_id": "2"}, {"_label": "good", "_distance": 9.0, "adb_id": "1"}],
                [{"_uniqueid": "1.0.2", "_blob_index": 0}],
                [{"_label": "bowl", "_coordinates": {"x": 0, "y": 0, "width": 1, "height": 0.5}, "_area": 0.5}],
                [{"_label": "spoon", "_vertices": [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]], "_area": 0.5}],
                [{"title": "cooking"}],
                [{"_label": "stir", "_time_offset_range": {"start": "00:00:01.000000", "stop": "00:00:02.000000"}}],
                [{"_frame_number": 25}],
                [{"_label": "pan"}],
                [{"name": "rice", "grams": 80.5}],
            ])
        );
        assert_eq!(blobs, [&b"GIF89a"[..]]);
        // Between the two searches: a vector comes and goes.
        let change = json!([{"AddDescriptor": {"set": "looks", "label": "new"}}, {"DeleteDescriptor": {"with_label": "new"}}]);
        db.ask_with(change, vec![vector(&[0.0, 0.0])]).await;
    }
}

#[tokio::test]
async fn format_3_is_read_and_written() {
    let dir = directory(FORMAT_3);
    std::fs::write(dir.path().join("adb-000001.pack"), PACK_3).unwrap();
    let report = Engine::verify(dir.path()).unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.blobs, report.vectors, report.packs), (3, 3, 1));
    let engine = Engine::options().pack_sizes(8, 1 << 20).open(dir.path()).unwrap();
    let db = Db { engine, dir };
    for _ in 0..2 {
        let find = json!([
            {"FindBlob": {"blobs": true, "results": {"list": ["n"]}}},
            {"FindImage": {"blobs": true}},
            {"FindDescriptor": {"set": "looks", "k_neighbors": 9, "labels": true, "distances": true}},
        ]);
        let (answers, blobs) = db.ask_with(find, vec![vector(&[0.0, 0.0])]).await;
        assert_eq!(answers[0]["FindBlob"]["entities"][0]["n"], 2);
        assert_eq!(blobs, [&b"in it, too"[..], b"GIF89a"]);
        let labels: Vec<_> = answers[2]["FindDescriptor"]["entities"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["_label"].clone())
            .collect();
        assert_eq!(json!(labels), json!(["None", "good", "new"]));
        // Between the two searches: a blob comes into the pack, and goes.
        let change = json!([{"AddBlob": {"_ref": 1}}, {"DeleteBlob": {"ref": 1}}]);
        db.ask_with(change, vec!["some bytes".into()]).await;
    }
}
