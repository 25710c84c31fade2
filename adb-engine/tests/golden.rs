//! Whole requests and whole answers, in the shapes that the language's reference shows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Db, png, vector};
use serde_json::{Value as Json, json};

#[tokio::test]
async fn a_rack_and_its_image() {
    let db = Db::new();
    let (answers, blobs) = db
        .ask_with(
            json!([
                {"AddEntity": {"class": "Rack", "_ref": 1, "properties": {"code": "R-7"}}},
                {"AddImage": {"properties": {"shot": 12}, "connect": {"ref": 1, "class": "shows"}}},
            ]),
            vec![png(1)],
        )
        .await;
    assert_eq!(json!(answers), json!([{"AddEntity": {"status": 0}}, {"AddImage": {"status": 0}}]));
    assert!(blobs.is_empty());
}

#[tokio::test]
async fn indexes_in_the_older_form() {
    let db = Db::new();
    let create = json!([
        {"CreateIndex": {"index_type": "entity", "class": "Person", "property_key": "id"}},
        {"CreateIndex": {"index_type": "connection", "class": "shows", "property_key": "cid"}},
        {"CreateIndex": {"index_type": "connection", "class": "shows", "property_key": "cid"}},
        {"RemoveIndex": {"index_type": "entity", "class": "Person", "property_key": "id"}},
    ]);
    assert_eq!(
        json!(db.ask(create).await),
        json!([
            {"CreateIndex": {"status": 0}},
            {"CreateIndex": {"status": 0}},
            {"CreateIndex": {"status": 2, "info": "Index exists!"}},
            {"RemoveIndex": {"status": 0}},
        ])
    );
}

#[tokio::test]
async fn blobs_by_name() {
    let db = Db::new();
    let add = |name: &str| json!({"AddBlob": {"properties": {"name": name}, "if_not_found": {"name": ["==", name]}}});
    let blobs = vec!["one".into(), "two".into(), "other".into()];
    db.ask_with(json!([add("mask-1"), add("mask-2"), add("mask-3")]), blobs).await;
    let find = json!([{"FindBlob": {"constraints": {"name": ["in", ["mask-1", "mask-2"]]}, "blobs": true, "results": {"list": ["name"]}}}]);
    let (answers, blobs) = db.ask_with(find, vec![]).await;
    assert_eq!(
        json!(answers),
        json!([{"FindBlob": {"status": 0, "returned": 2, "blobs_start": 0, "entities": [
            {"name": "mask-1", "_blob_index": 0}, {"name": "mask-2", "_blob_index": 1}]}}])
    );
    assert_eq!(blobs, ["one", "two"]);
}

#[tokio::test]
async fn a_face_and_whom_it_is_like() {
    let db = Db::new();
    db.ask(json!([{"AddDescriptorSet": {"name": "faces", "dimensions": 4, "engine": ["HNSW", "Flat"], "metric": ["CS", "L2"]}}]))
        .await;
    for (shot, src, label, look) in
        [(11, "a.jpg", "ada", [1.0, 0.0, 0.0, 0.0]), (12, "b.jpg", "bob", [3.0, 4.0, 0.0, 0.0])]
    {
        let find = json!({"FindImage": {"_ref": 1, "unique": true, "constraints": {"shot": ["==", shot]}}});
        let add = json!({"AddDescriptor": {"set": "faces", "label": label, "properties": {"src": src}, "connect": {"ref": 1, "class": "embeds"}}});
        db.ask_with(json!([{"AddImage": {"properties": {"shot": shot}}}]), vec![png(1)]).await;
        let (answers, _) = db.ask_with(json!([find, add]), vec![vector(&look)]).await;
        assert_eq!(
            json!(answers),
            json!([{"FindImage": {"status": 0, "returned": 0}}, {"AddDescriptor": {"status": 0}}])
        );
    }
    let query = vector(&[1.0, 0.0, 0.0, 0.0]);
    let (answers, _) = db
        .ask_with(
            json!([
                {"FindDescriptor": {"set": "faces", "k_neighbors": 2, "distances": true, "labels": true, "results": {"list": ["src"]}}},
                {"FindDescriptor": {"_ref": 1, "set": "faces", "k_neighbors": 5, "knn_first": false,
                    "constraints": {"src": ["!=", "a.jpg"]}, "distances": true, "uniqueids": true}},
                {"FindImage": {"is_connected_to": {"ref": 1}, "group_by_source": true, "results": {"list": ["shot"]}}},
            ]),
            vec![query.clone(), query],
        )
        .await;
    let near = f64::from(0.6_f32);
    assert_eq!(
        answers[0],
        json!({"FindDescriptor": {"status": 0, "returned": 2, "entities": [
            {"_distance": 1.0, "_label": "ada", "src": "a.jpg"}, {"_distance": near, "_label": "bob", "src": "b.jpg"}]}})
    );
    let bob = answers[1]["FindDescriptor"]["entities"][0]["_uniqueid"].as_str().unwrap();
    assert_eq!(
        answers[1..],
        [
            json!({"FindDescriptor": {"status": 0, "returned": 1, "entities": [{"_distance": near, "_uniqueid": bob}]}}),
            json!({"FindImage": {"status": 0, "returned": 1, "group_by_source": true, "entities": {bob: [{"shot": 12}]}}}),
        ]
    );
}

#[tokio::test]
async fn the_third_page_by_age_and_name() {
    let db = Db::new();
    let ages =
        [("Gil", 20), ("Cy", 40), ("Ann", 60), ("Bo", 40), ("Eve", 50), ("Dan", 55), ("Flo", 52)];
    let adds: Vec<Json> = ages
        .iter()
        .map(|(name, age)| json!({"AddEntity": {"class": "Person", "properties": {"name": name, "age": age}}}))
        .collect();
    db.ask(json!(adds)).await;
    let find = json!([{"FindEntity": {"with_class": "Person", "sort": [{"key": "age", "order": "descending"}, "name"],
        "limit": 2, "offset": 4, "results": {"list": ["name", "age"]}}}]);
    assert_eq!(
        json!(db.ask(find).await),
        json!([{"FindEntity": {"status": 0, "returned": 2, "entities": [{"name": "Bo", "age": 40}, {"name": "Cy", "age": 40}]}}])
    );
}
