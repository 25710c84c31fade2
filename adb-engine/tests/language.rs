//! Corners of the language: what only some clients send.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Db, png};
use serde_json::{Value as Json, json};

/// Ada took two images, one of which has a box; Bo and a note stand apart.
async fn album() -> Db {
    let db = Db::new();
    db.ask_with(
        json!([
            {"AddEntity": {"class": "Person", "_ref": 1, "properties": {"name": "Ada", "age": 36}}},
            {"AddEntity": {"class": "Person", "_ref": 2, "properties": {"name": "Bo"}}},
            {"AddEntity": {"class": "Note", "properties": {"text": "apart"}}},
            {"AddImage": {"_ref": 3, "connect": {"ref": 1, "class": "took", "direction": "in", "properties": {"on": 1}}}},
            {"AddImage": {"_ref": 4, "connect": {"ref": 1, "class": "took", "direction": "in"}}},
            {"AddImage": {"_ref": 5, "connect": {"ref": 2, "class": "took", "direction": "in"}}},
            {"AddBoundingBox": {"image_ref": 3, "rectangle": {"x": 0, "y": 0, "width": 1, "height": 1}}},
            {"AddConnection": {"class": "knows", "src": 2, "dst": 1}},
        ]),
        vec![png(1), png(2), png(3)],
    )
    .await;
    db
}

#[tokio::test]
async fn the_schema_around_a_reference() {
    let db = album().await;
    let around = async |find: Json, rest: Json| {
        let mut schema = json!({"ref": 1});
        for (key, value) in rest.as_object().unwrap() {
            schema[key] = value.clone();
        }
        let answers = db.ask(json!([find, {"GetSchema": schema}])).await;
        answers[1]["GetSchema"].clone()
    };
    let ada = json!({"FindEntity": {"_ref": 1, "constraints": {"name": ["==", "Ada"]}}});
    assert_eq!(
        around(ada.clone(), json!({})).await,
        json!({"status": 0,
        "entities": {"returned": 2, "classes": {
            "_Image": {"matched": 2, "properties": {}},
            "Person": {"matched": 2, "properties": {"name": [2, false, "String"], "age": [1, false, "Number"]}},
        }},
        "connections": {"returned": 2, "classes": {
            "took": [{"matched": 2, "src": "Person", "dst": "_Image", "properties": {"on": [1, false, "Number"]}}],
            "knows": [{"matched": 1, "src": "Person", "dst": "Person", "properties": null}],
        }}})
    );
    let parts = around(ada, json!({"type": "connections"})).await;
    assert!(parts.get("entities").is_none() && parts["connections"]["returned"] == 2, "{parts}");
    // The system's connections are followed as well.
    let boxed = around(json!({"FindBoundingBox": {"_ref": 1}}), json!({})).await;
    assert_eq!(boxed["entities"]["classes"]["_Image"]["matched"], 1);
    assert_eq!(boxed["connections"]["classes"]["_BoundingBoxToImage"][0]["matched"], 1);
    let edges =
        around(json!({"FindConnection": {"_ref": 1, "with_class": "knows"}}), json!({})).await;
    assert_eq!(edges["entities"]["classes"]["Person"]["matched"], 2);
    assert_eq!(edges["connections"]["returned"], 1);
    let nothing = around(json!({"FindBlob": {"_ref": 1}}), json!({})).await;
    assert_eq!(nothing, json!({"status": 0, "entities": null, "connections": null}));
    let refusal = db.refused(json!([{"GetSchema": {"ref": 7}}]), vec![]).await;
    assert!(refusal.info.contains("7 is not defined"), "{}", refusal.info);
}

#[tokio::test]
async fn commands_and_blobs_in_place_of_commands() {
    let db = album().await;
    let find = json!([{"FindEntity": {"with_class": "Person", "results": {"count": true}}}]);
    assert_eq!(db.ask(json!([find, []])).await, db.ask(find.clone()).await);
    for wrong in [json!([find]), json!([find, [1]]), json!([find, [], []]), json!([[find, []], []])]
    {
        let refusal = db.refused(wrong, vec![]).await;
        assert!(refusal.info.contains("a command is an object"), "{}", refusal.info);
    }
    assert_eq!(db.ask(json!([])).await, Vec::<Json>::new());
}

#[tokio::test]
async fn messages_for_the_log() {
    let db = Db::new();
    for level in ["INFO", "WARNING", "ERROR"] {
        let answers = db.ask(json!([{"UserLogMessage": {"text": "begun", "type": level}}])).await;
        assert_eq!(answers[0], json!({"UserLogMessage": {"status": 0}}));
    }
    for (wrong, says) in [
        (json!({"type": "INFO"}), "`text` is missing"),
        (json!({"text": "x", "type": "LOUD"}), "not \"LOUD\""),
    ] {
        let refusal = db.refused(json!([{"UserLogMessage": wrong}]), vec![]).await;
        assert!(refusal.info.contains(says), "{}", refusal.info);
    }
}

#[tokio::test]
async fn what_belongs_to_servers_or_to_the_past_is_said_so() {
    let db = Db::new();
    for command in ["Authenticate", "RefreshToken", "CreateUser", "GetUserDetails", "GenerateToken"]
    {
        let refusal = db.refused(json!([{command: {}}]), vec![]).await;
        assert_eq!(refusal.code.as_deref(), Some("not_supported"));
        assert!(refusal.info.contains("a server's"), "{}", refusal.info);
    }
    for (older, newer) in [("blob", "`blobs`"), ("format", "`as_format`")] {
        let refusal = db.refused(json!([{"FindImage": {"results": {older: true}}}]), vec![]).await;
        assert!(refusal.info.contains(newer), "{}", refusal.info);
    }
}
