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

#[tokio::test]
async fn a_video_and_a_frame() {
    let db = Db::new();
    let add = json!([{"AddVideo": {"properties": {"id": 3}, "_ref": 1}},
        {"AddFrame": {"video_ref": 1, "frame_number": 25, "label": "start", "properties": {"quality": 2}}}]);
    let (answers, _) = db.ask_with(add, vec!["video".into()]).await;
    assert_eq!(json!(answers), json!([{"AddVideo": {"status": 0}}, {"AddFrame": {"status": 0}}]));
    let find = json!([{"FindVideo": {"_ref": 1, "constraints": {"id": ["==", 3]}, "results": {"list": ["_fps", "_frame_count"]}}},
        {"FindFrame": {"video_ref": 1, "in_frame_number_range": {"start": 0, "stop": 99}, "results": {"all_properties": true}}}]);
    // As the reference has it, but for what only a look into the video could tell.
    assert_eq!(
        json!(db.ask(find).await),
        json!([{"FindVideo": {"status": 0, "returned": 1, "entities": [{"_fps": null, "_frame_count": null}]}},
            {"FindFrame": {"status": 0, "returned": 1, "entities": [{"_uniqueid": "9.0.2", "_label": "start", "_frame_number": 25, "quality": 2}]}}])
    );
}

#[tokio::test]
async fn a_dog_and_a_cat_that_overlap() {
    let db = Db::new();
    let boxed = |label: &str, x: i64| json!({"AddBoundingBox": {"image_ref": 1, "label": label, "rectangle": {"x": x, "y": 0, "width": 5, "height": 4}}});
    let add = json!([{"AddImage": {"_ref": 1, "properties": {"shot": 12}}}, boxed("dog", 0), boxed("cat", 3)]);
    db.ask_with(add, vec![png(1)]).await;
    let iou = json!([{"FindBoundingBox": {"_ref": 1, "with_label": "dog"}}, {"FindBoundingBox": {"_ref": 2, "with_label": "cat"}}, {"RegionIoU": {"roi_1": 1, "roi_2": 2}}]);
    assert_eq!(
        json!(db.ask(iou).await),
        json!([{"FindBoundingBox": {"status": 0, "returned": 0}}, {"FindBoundingBox": {"status": 0, "returned": 0}}, {"RegionIoU": {"status": 0, "IoU": [[0.25]]}}])
    );
    let find = json!([{"FindImage": {"_ref": 1, "constraints": {"shot": ["==", 12]}}},
        {"FindBoundingBox": {"image_ref": 1, "with_label": "dog", "coordinates": true, "labels": true}}]);
    assert_eq!(
        json!(db.ask(find).await),
        json!([{"FindImage": {"status": 0, "returned": 0}},
            {"FindBoundingBox": {"status": 0, "returned": 1, "entities": [{"_label": "dog", "_coordinates": {"x": 0, "y": 0, "width": 5, "height": 4}}]}}])
    );
}

#[tokio::test]
async fn changes_of_descriptors_and_connections() {
    let db = Db::new();
    let add = json!([
        {"AddDescriptorSet": {"name": "faces", "dimensions": 1}},
        {"AddDescriptor": {"set": "faces", "label": "ada", "properties": {"src": "a.jpg"}}},
        {"AddEntity": {"_ref": 1, "class": "Person", "properties": {"id": 7}}},
        {"AddImage": {"_ref": 2, "properties": {"shot": 12}}},
        {"AddConnection": {"class": "shows", "src": 2, "dst": 1, "properties": {"conf": 0.5}}},
    ]);
    db.ask_with(add, vec![vector(&[1.0]), png(1)]).await;
    assert_eq!(
        json!(db.ask(json!([
            {"UpdateDescriptor": {"set": "faces", "constraints": {"src": ["==", "a.jpg"]}, "label": "ada l."}},
            {"FindDescriptor": {"set": "faces", "labels": true}},
            {"DeleteDescriptorSet": {"with_name": "faces"}},
            {"UpdateConnection": {"with_class": "shows", "constraints": {"conf": ["<", 0.6]}, "properties": {"weak": true}}},
            {"FindEntity": {"_ref": 1, "with_class": "Person", "constraints": {"id": ["==", 7]}}},
            {"FindConnection": {"_ref": 2, "with_class": "shows", "dst": 1}},
            {"DeleteConnection": {"ref": 2}},
            {"FindDescriptor": {"results": {"count": true}}},
        ])).await),
        json!([
            {"UpdateDescriptor": {"status": 0, "count": 1}},
            {"FindDescriptor": {"status": 0, "returned": 1, "entities": [{"_label": "ada l."}]}},
            {"DeleteDescriptorSet": {"status": 0, "count": 1}},
            {"UpdateConnection": {"status": 0, "count": 1}},
            {"FindEntity": {"status": 0, "returned": 0}},
            {"FindConnection": {"status": 0, "returned": 0}},
            {"DeleteConnection": {"status": 0, "count": 1}},
            {"FindDescriptor": {"status": 0, "returned": 0, "count": 0}},
        ])
    );
}
