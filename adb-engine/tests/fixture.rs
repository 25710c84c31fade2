//! A database that format 1 wrote, opened by today's engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Db, vector};
use serde_json::json;

/// The tables as SQL, since that can be read and reviewed; the header's numbers stand in it.
const FORMAT_1: &str = include_str!("fixtures/format-1.sql");

fn format_1() -> Db {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("adb.sqlite")).unwrap();
    conn.execute_batch(FORMAT_1).unwrap();
    drop(conn);
    Db { engine: adb_engine::Engine::open(dir.path()).unwrap(), dir }
}

#[tokio::test]
async fn format_1_is_read_and_written() {
    let db = format_1();
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
