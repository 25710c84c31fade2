//! Images, blobs, connections, and finding what is joined to what.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use bytes::Bytes;
use common::{Db, png};
use serde_json::{Value as Json, json};

#[tokio::test]
async fn two_finds_with_blobs_share_one_list() {
    let db = Db::new();
    let (a, b, c) = (png(1), png(2), Bytes::from_static(b"mask"));
    db.ask_with(
        json!([
            {"AddImage": {"properties": {"shot": 12}}},
            {"AddImage": {"properties": {"shot": 13}}},
            {"AddBlob": {"properties": {"name": "mask-1"}}},
        ]),
        vec![a.clone(), b.clone(), c.clone()],
    )
    .await;
    let (answers, blobs) = db
        .ask_with(
            json!([
                {"FindImage": {"constraints": {"shot": [">=", 12]}, "blobs": true}},
                {"FindBlob": {"blobs": true, "results": {"list": ["name"], "limit": 1}}},
                {"FindImage": {"blobs": false, "results": {"list": ["shot"]}}},
                {"FindImage": {"blobs": true, "constraints": {"shot": ["==", 99]}}},
                {"FindImage": {"blobs": true, "limit": 1, "offset": 1, "results": {"list": ["shot"]}}},
            ]),
            vec![],
        )
        .await;
    assert_eq!(
        json!(answers),
        json!([
            {"FindImage": {"status": 0, "returned": 2, "blobs_start": 0}},
            {"FindBlob": {"status": 0, "returned": 1, "blobs_start": 2,
                "entities": [{"name": "mask-1", "_blob_index": 2}]}},
            {"FindImage": {"status": 0, "returned": 2, "entities": [{"shot": 12}, {"shot": 13}]}},
            {"FindImage": {"status": 0, "returned": 0}},
            {"FindImage": {"status": 0, "returned": 1, "blobs_start": 3,
                "entities": [{"shot": 13, "_blob_index": 3}]}},
        ])
    );
    assert_eq!(blobs, [a, b.clone(), c, b]);
}

#[tokio::test]
async fn only_images_are_images() {
    let db = Db::new();
    let add = json!([{"AddImage": {"properties": {"shot": 1}}}]);
    for blob in [&b""[..], b"picture 1", b"RIFF....WAVE"] {
        let refusal = db.refused(add.clone(), vec![Bytes::copy_from_slice(blob)]).await;
        assert!(
            refusal.info.starts_with("command 0 (AddImage): the blob is not an image"),
            "{}",
            refusal.info
        );
    }
    for blob in [&b"\xff\xd8\xff\xe0"[..], b"GIF89a", b"RIFF....WEBP", b"II*\0", b"MM\0*", b"BM"] {
        db.ask_with(add.clone(), vec![Bytes::copy_from_slice(blob)]).await;
    }
    assert_eq!(db.count("_Image").await, 6);
}

/// Ada took shots 1 and 2 (the second is good), Bo shot 2 and 9; Ada knows Bo.
async fn album() -> Db {
    let db = Db::new();
    db.ask_with(
        json!([
            {"AddEntity": {"class": "Person", "properties": {"name": "Ada"}, "_ref": 1}},
            {"AddEntity": {"class": "Person", "properties": {"name": "Bo"}, "_ref": 2,
                "connect": {"ref": 1, "class": "knows", "direction": "in", "properties": {"since": 3}}}},
            {"AddImage": {"properties": {"shot": 1}, "_ref": 3, "connect": {"ref": 1, "class": "took", "direction": "in"}}},
            {"AddImage": {"properties": {"shot": 2}, "_ref": 4}},
            {"AddConnection": {"class": "took", "src": 1, "dst": 4, "properties": {"good": true}}},
            {"AddConnection": {"class": "took", "src": 2, "dst": 4}},
            {"AddImage": {"properties": {"shot": 9}, "_ref": 5, "connect": {"ref": 2, "class": "shows"}}},
            {"AddConnection": {"class": "took", "src": 2, "dst": 5}},
        ]),
        vec![png(1), png(2), png(9)],
    )
    .await;
    db
}

async fn shots(db: &Db, name: Json, connected: Json) -> Vec<i64> {
    let answers = db
        .ask(json!([
            {"FindEntity": {"with_class": "Person", "_ref": 1, "constraints": name}},
            {"FindImage": {"is_connected_to": connected, "results": {"list": ["shot"]}}},
        ]))
        .await;
    let found = answers[1]["FindImage"]["entities"].as_array().cloned().unwrap_or_default();
    found.iter().map(|i| i["shot"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn connected_objects_by_class_direction_and_edge() {
    let db = album().await;
    let (ada, bo, both) =
        (json!({"name": ["==", "Ada"]}), json!({"name": ["==", "Bo"]}), json!({}));
    let nobody = json!({"name": ["==", "Cy"]});
    for (who, connected, expected) in [
        (&ada, json!({"ref": 1}), vec![1, 2]),
        (&ada, json!({"ref": 1, "connection_class": "took", "direction": "out"}), vec![1, 2]),
        (&ada, json!({"ref": 1, "connection_class": "took", "direction": "in"}), vec![]),
        (&ada, json!({"ref": 1, "connection_class": "never"}), vec![]),
        (&ada, json!({"ref": 1, "class": "took"}), vec![1, 2]),
        (&ada, json!({"ref": 1, "class": "never"}), vec![]),
        (&bo, json!({"all": [{"ref": 1, "class": "took"}]}), vec![2, 9]),
        (&bo, json!({"ref": 1, "direction": "in"}), vec![9]),
        (&bo, json!({"ref": 1}), vec![2, 9]),
        (&both, json!({"ref": 1}), vec![1, 2, 9]),
        (&both, json!({"ref": 1, "constraints": {"good": ["==", true]}}), vec![2]),
        (&both, json!({"ref": 1, "constraints": ["$good", "==", null]}), vec![1, 2, 9]),
        (
            &bo,
            json!({"all": [{"ref": 1, "direction": "in"}, {"ref": 1, "connection_class": "took"}]}),
            vec![9],
        ),
        (
            &bo,
            json!({"any": [{"ref": 1, "direction": "in"}, {"ref": 1, "connection_class": "took"}]}),
            vec![2, 9],
        ),
        (&nobody, json!({"ref": 1}), vec![]),
    ] {
        assert_eq!(shots(&db, who.clone(), connected.clone()).await, expected, "{who} {connected}");
    }
}

#[tokio::test]
async fn grouped_by_who_led_there() {
    let db = album().await;
    let (answers, blobs) = db
        .ask_with(
            json!([
                {"FindEntity": {"with_class": "Person", "_ref": 1, "uniqueids": true}},
                {"FindImage": {"is_connected_to": {"ref": 1, "connection_class": "took"},
                    "group_by_source": true, "blobs": true, "results": {"list": ["shot"]}}},
            ]),
            vec![],
        )
        .await;
    let id = |i: usize| answers[0]["FindEntity"]["entities"][i]["_uniqueid"].as_str().unwrap();
    assert_eq!(
        answers[1],
        json!({"FindImage": {"status": 0, "returned": 3, "group_by_source": true, "blobs_start": 0, "entities": {
            id(0): [{"shot": 1, "_blob_index": 0}, {"shot": 2, "_blob_index": 1}],
            id(1): [{"shot": 2, "_blob_index": 1}, {"shot": 9, "_blob_index": 2}],
        }}})
    );
    assert_eq!(blobs.len(), 3);
}

#[tokio::test]
async fn connections_are_found_by_their_ends() {
    let db = album().await;
    let answers = db
        .ask(json!([
            {"FindEntity": {"with_class": "Person", "_ref": 1, "uniqueids": true, "constraints": {"name": ["==", "Ada"]}}},
            {"FindEntity": {"with_class": "Person", "_ref": 2, "uniqueids": true, "constraints": {"name": ["==", "Bo"]}}},
            {"FindConnection": {"with_class": "knows", "results": {"list": ["_src", "_dst", "since"]}}},
            {"FindConnection": {"with_class": "took", "src": 2, "results": {"count": true}}},
            {"FindConnection": {"src": 1, "dst": 2, "results": {"all_properties": true}}},
            {"FindConnection": {"with_class": "knows", "dst": 1, "results": {"list": ["since"]}}},
        ]))
        .await;
    let id = |i: usize| answers[i]["FindEntity"]["entities"][0]["_uniqueid"].clone();
    assert_eq!(
        answers[2]["FindConnection"],
        json!({"status": 0, "returned": 1, "connections": [{"_src": id(0), "_dst": id(1), "since": 3}]})
    );
    assert_eq!(answers[3]["FindConnection"]["count"], 2);
    assert_eq!(answers[4]["FindConnection"]["connections"][0]["since"], 3);
    assert_eq!(answers[5]["FindConnection"], json!({"status": 0, "returned": 0}));
}

#[tokio::test]
async fn sets_are_joined_pair_by_pair() {
    let db = album().await;
    let link = json!([
        {"FindEntity": {"with_class": "Person", "_ref": 1}},
        {"FindImage": {"_ref": 2}},
        {"AddConnection": {"class": "likes", "src": 1, "dst": 2, "_ref": 3, "properties": {"k": 1}, "if_not_found": {"k": ["==", 1]}}},
    ]);
    assert_eq!(db.ask(link.clone()).await[2], json!({"AddConnection": {"status": 0}}));
    assert_eq!(
        db.ask(link).await[2],
        json!({"AddConnection": {"status": 2, "info": "Object Exists!"}}),
        "the guard looks between the two objects"
    );
    let count = db
        .ask(json!([{"FindConnection": {"with_class": "likes", "results": {"count": true}}}]))
        .await;
    assert_eq!(count[0]["FindConnection"]["count"], 6);
}

#[tokio::test]
async fn nothing_is_connected_to_nothing() {
    let db = album().await;
    let refusal = db
        .refused(
            json!([
                {"FindImage": {"_ref": 1, "constraints": {"shot": ["==", 77]}}},
                {"AddEntity": {"class": "Note", "connect": {"ref": 1, "class": "about"}}},
            ]),
            vec![],
        )
        .await;
    assert_eq!(refusal.command, Some(1));
    assert!(refusal.info.contains("names no object"), "{}", refusal.info);
    assert_eq!(db.count("Note").await, 0);
}
