//! The first light, without an embedder: rows with vectors of their own go through the pipeline
//! into the embedded engine, and are found again.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, path::Path, sync::Arc};

use adb::{
    Metric,
    loaders::{Ingest, JsonSource, Report},
    prelude::*,
};
use adb_tests::Looks;
use serde::Deserialize;
use serde_json::{Value as Json, json};

#[derive(Debug, DataModel, Deserialize)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    dish_id: u64,
    name: String,
    #[adb(index)]
    cuisine: Option<String>,
    #[serde(rename = "url")]
    photo: Image,
    #[adb(embed(from = photo, set = Looks))]
    look: Embedding<4>,
    #[adb(connect = "HasIngredient")]
    #[serde(default)]
    ingredients: Vec<Ingredient>,
}

#[derive(Debug, DataModel, Deserialize)]
struct Ingredient {
    #[adb(id)]
    name: String,
}

/// The smallest PNG: one grey pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\nIDAT\x08\xd7c`\0\0\0\x02\0\x01\xe2\x21\xbc\x33\0\0\0\0IEND\xaeB`\x82";

fn row(id: u64) -> Json {
    let x = id as f32;
    json!({
        "dish_id": id, "name": format!("dish {id}"), "url": format!("images/{id}.png"),
        "cuisine": if id.is_multiple_of(2) { json!("even") } else { Json::Null },
        "look": [x, 0.0, 0.0, 1.0],
        "ingredients": [{"name": "salt"}, {"name": format!("thing {}", id % 5)}],
    })
}

fn write(dir: &Path, rows: &[Json]) {
    fs::create_dir_all(dir.join("images")).unwrap();
    for id in 0..rows.len() {
        fs::write(dir.join(format!("images/{id}.png")), PIXEL).unwrap();
    }
    fs::write(dir.join("dishes.json"), Json::from(rows).to_string()).unwrap();
}

async fn ingest(dir: &Path) -> Report {
    let db = adb::connect(dir.join("db").to_str().unwrap()).unwrap();
    let source = JsonSource::<Dish>::open(dir.join("dishes.json")).unwrap();
    let report = Ingest::new(db).run(source).await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

async fn count(db: &dyn Database, command: &str, body: Json) -> u64 {
    let (answers, _) = adb::ask(db, adb::Request::json(&json!([{ command: body }]))).await.unwrap();
    answers[0][command]["count"].as_u64().unwrap()
}

#[tokio::test]
async fn rows_go_in_once_and_are_found_by_nearness() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<Json> = (0..250).map(row).collect();
    write(dir.path(), &rows);
    let first = ingest(dir.path()).await;
    assert_eq!((first.added, first.existed, first.failed), (250, 0, 0), "{first}");

    let db = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    let counted = json!({"results": {"count": true}});
    assert_eq!(count(&*db, "FindImage", counted.clone()).await, 250);
    assert_eq!(count(&*db, "FindDescriptor", counted).await, 250);
    let ingredients = json!({"with_class": "Ingredient", "results": {"count": true}});
    assert_eq!(count(&*db, "FindEntity", ingredients).await, 6, "shared ones are one node");
    let edges = json!({"with_class": "HasIngredient", "results": {"count": true}});
    assert_eq!(count(&*db, "FindConnection", edges).await, 500);

    let near = vec![41.4, 0.0, 0.0, 1.0];
    let hits = Dish::find().nearest::<Looks>(near.clone(), 3).fetch_by(&*db, &near).await.unwrap();
    let names: Vec<&str> = hits.iter().map(|h| h.value.name.as_str()).collect();
    assert_eq!(names, ["dish 41", "dish 42", "dish 40"]);
    assert!(hits.iter().all(|h| h.metric == Metric::L2));
    assert!((hits[0].distance - 0.16).abs() < 1e-3, "{}", hits[0].distance);
    drop(db);

    let second = ingest(dir.path()).await;
    assert_eq!((second.added, second.existed), (0, 250), "{second}");
    assert_eq!((second.objects_added, second.connections_added), (0, 0), "{second}");
}

#[tokio::test]
async fn bad_rows_cost_themselves_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut rows: Vec<Json> = (0..60).map(row).collect();
    rows[7]["look"] = json!([1.0, 2.0]);
    rows[8]["url"] = json!("images/none.png");
    rows[9]["cuisine"] = json!(9);
    rows[10]["dish_id"] = json!(-1);
    write(dir.path(), &rows);
    fs::write(dir.path().join("images/11.png"), "this is no picture").unwrap();
    let report = ingest(dir.path()).await;
    assert_eq!((report.rows, report.added, report.failed), (60, 55, 5), "{report}");
    assert_eq!(report.exit_code(), 3);
    for (failure, (row, words)) in report.failures.iter().zip([
        (8, "has 2 components, its set takes 4"),
        (9, "images/none.png does not exist"),
        (10, "invalid type"),
        (11, "invalid value"),
        (12, "the database refused it"),
    ]) {
        assert_eq!(failure.at.row, row, "{report}");
        assert!(failure.reason.contains(words), "{report}");
    }
}

#[tokio::test]
async fn searching_goes_on_while_another_process_could_write() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &(0..10).map(row).collect::<Vec<_>>());
    let writer = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    let reader: Arc<dyn Database> = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    let source = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    Ingest::new(writer.clone()).run(source).await.unwrap();
    assert_eq!(count(&*reader, "FindImage", json!({"results": {"count": true}})).await, 10);
}

#[tokio::test]
async fn a_search_in_an_empty_database_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let db = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    let near = vec![0.0; 4];
    let err = Dish::find().nearest::<Looks>(near.clone(), 3).fetch_by(&*db, &near).await;
    assert!(err.unwrap_err().to_string().contains("ingest something first"));
}
