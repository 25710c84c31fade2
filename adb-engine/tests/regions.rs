//! Videos, clips, frames, boxes and polygons: parts of images and videos.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use bytes::Bytes;
use common::{Db, png};
use serde_json::{Value as Json, json};

/// Two images; the first has a dog and a cat, the second a dog.
async fn pets() -> Db {
    let db = Db::new();
    let rectangle = |x: i64, width: i64| json!({"x": x, "y": 2, "width": width, "height": 4});
    db.ask_with(
        json!([
            {"AddImage": {"_ref": 1, "properties": {"shot": 12}}},
            {"AddImage": {"_ref": 2, "properties": {"shot": 13}}},
            {"AddBoundingBox": {"image_ref": 1, "label": "dog", "rectangle": rectangle(0, 4), "properties": {"conf": 0.5}}},
            {"AddBoundingBox": {"image_ref": 1, "label": "cat", "rectangle": rectangle(2, 4)}},
            {"AddBoundingBox": {"image_ref": 2, "rectangle": {"x": 1.5, "y": 0, "width": 2, "height": 0.5}}},
            {"AddPolygon": {"image_ref": 1, "label": "cat", "polygons": [[[0, 0], [10, 0], [10, 10]]]}},
        ]),
        vec![png(1), png(2)],
    )
    .await;
    db
}

#[tokio::test]
async fn boxes_of_an_image() {
    let db = pets().await;
    let image = json!({"FindImage": {"_ref": 1, "constraints": {"shot": ["==", 12]}}});
    let answers = db
        .ask(json!([
            image,
            {"FindBoundingBox": {"image_ref": 1, "with_label": "dog", "coordinates": true, "labels": true}},
            {"FindBoundingBox": {"is_connected_to": {"ref": 1}, "areas": true, "sort": {"key": "_area", "order": "descending"}}},
            {"FindBoundingBox": {"image_ref": 1, "in_rectangle": {"x": 1, "y": 0, "width": 9, "height": 6}, "labels": true}},
            {"FindBoundingBox": {"constraints": {"_area": ["<", 2]}, "results": {"all_properties": true}, "coordinates": true}},
            {"FindBoundingBox": {"with_label": "cat", "_ref": 2}},
            {"FindImage": {"is_connected_to": {"ref": 2, "connection_class": "_BoundingBoxToImage", "direction": "out"}, "results": {"list": ["shot"]}}},
            {"FindConnection": {"with_class": "_BoundingBoxToImage", "results": {"count": true}}},
        ]))
        .await;
    let of = |i: usize, command: &str| answers[i][command]["entities"].clone();
    assert_eq!(
        of(1, "FindBoundingBox"),
        json!([{"_label": "dog", "_coordinates": {"x": 0, "y": 2, "width": 4, "height": 4}}])
    );
    assert_eq!(of(2, "FindBoundingBox"), json!([{"_area": 16}, {"_area": 16}]));
    assert_eq!(of(3, "FindBoundingBox"), json!([{"_label": "cat"}]));
    let small = &of(4, "FindBoundingBox")[0];
    assert_eq!((&small["_label"], &small["_area"]), (&json!("None"), &json!(1)));
    assert_eq!(small["_coordinates"], json!({"x": 1.5, "y": 0, "width": 2, "height": 0.5}));
    assert_eq!(of(6, "FindImage"), json!([{"shot": 12}]));
    assert_eq!(answers[7]["FindConnection"]["count"], 3);
}

#[tokio::test]
async fn polygons_as_the_reference_shows_them() {
    let db = pets().await;
    let request = json!([
        {"FindImage": {"_ref": 1, "constraints": {"shot": ["==", 12]}}},
        {"FindPolygon": {"image_ref": 1, "with_label": "cat", "vertices": true, "bounds": true, "areas": true}},
    ]);
    assert_eq!(
        json!(db.ask(request).await),
        json!([{"FindImage": {"status": 0, "returned": 0}},
            {"FindPolygon": {"status": 0, "returned": 1, "entities": [{"_vertices": [[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]]],
                "_bounds": {"x": 0, "y": 0, "width": 10, "height": 10}, "_area": 50.0}]}}])
    );
}

#[tokio::test]
async fn overlaps_of_boxes() {
    let db = pets().await;
    let iou = |rest: Json| {
        json!([{"FindBoundingBox": {"_ref": 1, "with_label": "dog"}}, {"FindBoundingBox": {"_ref": 2, "constraints": {"_label": ["!=", null]}}},
            {"FindPolygon": {"_ref": 3}}, {"RegionIoU": rest}])
    };
    let answers = db.ask(iou(json!({"roi_1": 1, "roi_2": 2}))).await;
    assert_eq!(answers[3]["RegionIoU"], json!({"status": 0, "IoU": [[1.0, 8.0 / 24.0]]}));
    let answers = db
        .ask(iou(json!({"roi_1": 2, "rectangle": {"x": 50, "y": 50, "width": 1, "height": 1}})))
        .await;
    assert_eq!(answers[3]["RegionIoU"]["IoU"], json!([[0.0], [0.0]]));
    // The cat's polygon has 50, of which its own box (16) covers x from 2 to 6, y from 2 to x.
    let answers = db.ask(iou(json!({"roi_1": 2, "roi_2": 3}))).await;
    let found: Vec<f64> = numbers(&answers[3]["RegionIoU"]["IoU"]);
    let (dog, cat) = (2.0, 8.0);
    for (found, expected) in
        found.iter().zip([dog / (16.0 + 50.0 - dog), cat / (16.0 + 50.0 - cat)])
    {
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
    }
    let answers = db.ask(iou(json!({"roi_1": 3, "polygons": [[[0, 0], [10, 0], [10, 10]]]}))).await;
    assert!((numbers(&answers[3]["RegionIoU"]["IoU"])[0] - 1.0).abs() < 1e-6);
    let mut older = iou(json!({"roi_1": 1, "roi_2": 2}));
    older[3] = json!({"BoundingBoxIoU": {"roi_1": 1, "roi_2": 2}});
    assert_eq!(db.ask(older).await[3]["BoundingBoxIoU"]["IoU"], json!([[1.0, 8.0 / 24.0]]));
    for (wrong, says) in [
        (json!({"roi_1": 1}), "one of `roi_2`"),
        (json!({"roi_1": 1, "roi_2": 2, "polygons": [[[0, 0], [1, 0], [1, 1]]]}), "one of `roi_2`"),
        (json!({"roi_1": 1, "polygons": []}), "array of rings"),
        (
            json!({"roi_1": 1, "polygons": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 1]]]}),
            "crosses itself",
        ),
        (json!({"roi_1": 1, "polygons": [[[0, 0], [4, 4], [8, 8]]]}), "has no area"),
        (json!({"roi_1": 4, "roi_2": 2}), "boxes and polygons only"),
    ] {
        let mut request = iou(wrong.clone());
        request.as_array_mut().unwrap().insert(0, json!({"FindImage": {"_ref": 4}}));
        let refusal = db.refused(request, vec![]).await;
        assert!(refusal.info.contains(says), "{wrong}: {}", refusal.info);
    }
}

fn numbers(rows: &Json) -> Vec<f64> {
    rows.as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|n| n.as_f64().unwrap())
        .collect()
}

#[tokio::test]
async fn hulls_and_decompositions() {
    let db = Db::new();
    // An L, and a square beside it.
    let polygons =
        json!(
            [[[0, 0], [4, 0], [4, 1], [1, 1], [1, 4], [0, 4]], [[8, 8], [9, 8], [9, 9], [8, 9]],]
        );
    db.ask_with(
        json!([{"AddImage": {"_ref": 1}}, {"AddPolygon": {"image_ref": 1, "polygons": polygons}}]),
        vec![png(1)],
    )
    .await;
    let found = db.find(json!({"FindPolygon": {"hulls": true, "decompositions": true}})).await;
    assert_eq!(
        found[0]["_hulls"],
        json!([
            [[0.0, 0.0], [4.0, 0.0], [4.0, 1.0], [1.0, 4.0], [0.0, 4.0]],
            [[8.0, 8.0], [9.0, 8.0], [9.0, 9.0], [8.0, 9.0]],
        ])
    );
    let pieces = found[0]["_decompositions"].as_array().unwrap();
    assert_eq!(pieces.len(), 3, "the L is two, the square is one: {pieces:?}");
    let listed = db.find(json!({"FindPolygon": {"results": {"list": ["_hulls"]}}})).await;
    assert_eq!(listed[0]["_hulls"], found[0]["_hulls"]);
    let all = db.find(json!({"FindPolygon": {"results": {"all_properties": true}}})).await;
    assert!(all[0].get("_hulls").is_none());
}

#[tokio::test]
async fn parts_are_moved_and_labelled_anew() {
    let db = pets().await;
    let answers = db
        .ask(json!([
            {"UpdateBoundingBox": {"with_label": "cat", "label": "lynx", "rectangle": {"x": 5, "y": 5, "width": 2, "height": 3}, "properties": {"conf": 1}}},
            {"FindBoundingBox": {"with_label": "lynx", "areas": true, "coordinates": true, "results": {"list": ["conf"]}}},
            {"UpdatePolygon": {"polygons": [[[0, 0], [2, 0], [0, 2]]]}},
            {"FindPolygon": {"areas": true, "bounds": true}},
            {"DeleteBoundingBox": {"with_label": "lynx"}},
            {"FindBoundingBox": {"results": {"count": true}}},
        ]))
        .await;
    assert_eq!(answers[0]["UpdateBoundingBox"]["count"], 1);
    assert_eq!(
        answers[1]["FindBoundingBox"]["entities"],
        json!([{"_coordinates": {"x": 5, "y": 5, "width": 2, "height": 3}, "_area": 6, "conf": 1}])
    );
    assert_eq!(
        answers[3]["FindPolygon"]["entities"],
        json!([{"_bounds": {"x": 0, "y": 0, "width": 2, "height": 2}, "_area": 2.0}])
    );
    assert_eq!(answers[5]["FindBoundingBox"]["count"], 2);
}

#[tokio::test]
async fn a_video_its_frames_and_its_clips() {
    let db = Db::new();
    let video = Bytes::from_static(b"not really a video");
    let answers = db
        .ask_with(
            json!([
                {"AddVideo": {"properties": {"id": 3}, "_ref": 1}},
                {"AddFrame": {"video_ref": 1, "frame_number": 25, "label": "start", "properties": {"quality": 2}, "_ref": 2}},
                {"AddFrame": {"video_ref": 1, "time_offset": "00:00:01.5"}},
                {"AddClip": {"video_ref": 1, "label": "goal", "frame_number_range": {"start": 100, "stop": 160}}},
                {"AddClip": {"video_ref": 1, "time_offset_range": {"start": "00:00:01", "stop": "00:01:05"}}},
                {"AddBoundingBox": {"image_ref": 2, "label": "ball", "rectangle": {"x": 1, "y": 1, "width": 1, "height": 1}}},
            ]),
            vec![video.clone()],
        )
        .await
        .0;
    assert!(answers.iter().all(|a| a.as_object().unwrap().values().all(|b| b["status"] == 0)));
    let (answers, blobs) = db
        .ask_with(
            json!([
                {"FindVideo": {"_ref": 1, "unique": true, "constraints": {"id": ["==", 3]}, "blobs": true, "results": {"all_properties": true}}},
                {"FindFrame": {"video_ref": 1, "in_frame_number_range": {"start": 0, "stop": 99}, "_ref": 2, "results": {"all_properties": true}}},
                {"FindClip": {"video_ref": 1, "with_label": "goal", "results": {"all_properties": true}}},
                {"FindClip": {"in_time_offset_range": {"start": "00:00:00", "stop": "00:02:00"}, "results": {"list": ["_time_offset_range", "_range_type", "_range_stop"]}}},
                {"FindFrame": {"constraints": {"_time_offset": [">=", "00:00:01"]}, "results": {"list": ["_time_offset", "_frame_number"]}, "labels": true}},
                {"FindBoundingBox": {"image_ref": 2, "labels": true}},
                {"FindVideo": {"is_connected_to": {"ref": 2}, "results": {"list": ["id"]}}},
            ]),
            vec![],
        )
        .await;
    assert_eq!(blobs, [video]);
    let of = |i: usize, command: &str| answers[i][command]["entities"].clone();
    let mut found = of(0, "FindVideo");
    let id = |list: &mut Json| list[0].as_object_mut().unwrap().shift_remove("_uniqueid").unwrap();
    assert_eq!(id(&mut found), "7.0.1");
    assert_eq!(found, json!([{"id": 3, "_blob_index": 0}]), "nobody looked into it");
    let mut frames = of(1, "FindFrame");
    id(&mut frames);
    assert_eq!(frames, json!([{"_label": "start", "_frame_number": 25, "quality": 2}]));
    let mut clips = of(2, "FindClip");
    id(&mut clips);
    assert_eq!(
        clips,
        json!([{"_label": "goal", "_range_type": 1, "_range_start": 100, "_range_stop": 160,
            "_frame_number_range": {"start": 100, "stop": 160}}])
    );
    assert_eq!(
        of(3, "FindClip"),
        json!([{"_time_offset_range": {"start": "00:00:01.000000", "stop": "00:01:05.000000"}, "_range_type": 3, "_range_stop": 65_000_000}])
    );
    assert_eq!(
        of(4, "FindFrame"),
        json!([{"_label": "None", "_time_offset": "00:00:01.500000", "_frame_number": null}])
    );
    assert_eq!(of(5, "FindBoundingBox"), json!([{"_label": "ball"}]));
    assert_eq!(of(6, "FindVideo"), json!([{"id": 3}]));
    let update = json!([{"UpdateFrame": {"with_label": "start", "time_fraction": 0.5}},
        {"FindFrame": {"with_label": "start", "results": {"list": ["_frame_number", "_time_fraction"]}}}]);
    let answers = db.ask(update).await;
    assert_eq!(
        answers[1]["FindFrame"]["entities"],
        json!([{"_frame_number": null, "_time_fraction": 0.5}])
    );
    db.ask(json!([{"DeleteVideo": {}}])).await;
    let schema = db.ask(json!([{"GetSchema": {}}])).await;
    assert_eq!(schema[0]["GetSchema"]["entities"], Json::Null, "its parts, and theirs, are gone");
}

#[tokio::test]
async fn parts_that_make_no_sense_are_refused() {
    let db = pets().await;
    let rectangle = json!({"x": 0, "y": 0, "width": 1, "height": 1});
    for (command, says) in [
        (json!({"AddBoundingBox": {"rectangle": rectangle}}), "`image_ref` is missing"),
        (json!({"AddBoundingBox": {"image_ref": 1}}), "`rectangle` is missing"),
        (
            json!({"AddBoundingBox": {"image_ref": 2, "rectangle": rectangle}}),
            "and 2 names 2 objects",
        ),
        (
            json!({"AddBoundingBox": {"image_ref": 3, "rectangle": rectangle}}),
            "and 3 names 0 objects",
        ),
        (
            json!({"AddBoundingBox": {"image_ref": 4, "rectangle": rectangle}}),
            "and 4 names something else",
        ),
        (json!({"AddFrame": {"video_ref": 1, "frame_number": 1}}), "exactly one video"),
        (
            json!({"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 0, "y": 0, "width": 0, "height": 1}}}),
            "above 0",
        ),
        (
            json!({"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": "0", "y": 0, "width": 1, "height": 1}}}),
            "`rectangle.x` must be a number",
        ),
        (json!({"AddPolygon": {"image_ref": 1, "polygons": [[[0, 0], [1, 1]]]}}), "at least three"),
        (
            json!({"AddPolygon": {"image_ref": 1, "polygons": [[[0, 0], [9, 9], [9, 0], [0, 9], [0, 5]]]}}),
            "crosses itself",
        ),
        (
            json!({"AddPolygon": {"image_ref": 1, "polygons": [[[0, 0], [1e300, 1], [1, 1]]]}}),
            "[x, y]",
        ),
        (json!({"AddClip": {"video_ref": 1}}), "is missing"),
        (
            json!({"AddClip": {"video_ref": 1, "frame_number_range": {"start": 5, "stop": 4}}}),
            "stops before it starts",
        ),
        (
            json!({"AddFrame": {"video_ref": 1, "frame_number": 1, "time_fraction": 0.5}}),
            "exclude each other",
        ),
        (json!({"AddFrame": {"video_ref": 1, "time_offset": "5 seconds"}}), "must be a time"),
        (
            json!({"FindBoundingBox": {"image_ref": 1, "is_connected_to": {"ref": 1}}}),
            "exclude each other",
        ),
    ] {
        let request = json!([
            {"FindImage": {"_ref": 1, "limit": 1}}, {"FindImage": {"_ref": 2}},
            {"FindImage": {"_ref": 3, "limit": 0}}, {"FindPolygon": {"_ref": 4}}, command,
        ]);
        let refusal = db.refused(request, vec![]).await;
        assert!(refusal.info.contains(says), "{command}: {}", refusal.info);
        assert_eq!(refusal.command, Some(4));
    }
}
