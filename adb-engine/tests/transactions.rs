//! One request is one transaction; guards; what is refused, and in which words.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use bytes::Bytes;
use common::{Db, png};
use serde_json::{Value as Json, json};

#[tokio::test]
async fn all_or_nothing() {
    let db = Db::new();
    let refusal = db
        .refused(
            json!([
                {"AddDescriptorSet": {"name": "s", "dimensions": 2}},
                {"AddEntity": {"class": "New", "properties": {"id": 1}, "_ref": 1}},
                {"AddImage": {"connect": {"ref": 1, "class": "of"}}},
                {"CreateIndex": {"index_type": "entity", "class": "New", "property_key": "id"}},
                {"AddEntity": {"class": "New", "properties": {"id": "one"}}},
            ]),
            vec![png(1)],
        )
        .await;
    assert_eq!((refusal.status, refusal.command), (-1, Some(4)));
    let db = db.reopen();
    let schema = db.ask(json!([{"GetSchema": {}}])).await;
    assert_eq!(
        schema,
        [json!({"GetSchema": {"status": 0, "entities": null, "connections": null}})]
    );
    // Not even the property's type has stayed.
    db.ask(json!([{"AddEntity": {"class": "New", "properties": {"id": "one"}}}])).await;
    let index =
        json!([{"CreateIndex": {"index_type": "entity", "class": "New", "property_key": "id"}}]);
    assert_eq!(db.ask(index).await, [json!({"CreateIndex": {"status": 0}})]);
}

#[tokio::test]
async fn guards_see_earlier_commands() {
    let db = Db::new();
    let rack = json!({"AddEntity": {"class": "Rack", "_ref": 1, "properties": {"code": "R-7"}, "if_not_found": {"code": ["==", "R-7"]}}});
    let again = json!({"AddEntity": {"class": "Rack", "_ref": 2, "properties": {"code": "R-7"}, "if_not_found": ["$code", "==", "R-7"]}});
    let image = |code: i64, reference: u32| json!({"AddImage": {"properties": {"shot": code}, "if_not_found": {"shot": ["==", code]}, "connect": {"ref": reference, "class": "shows"}}});
    let request = json!([rack, again, image(1, 2), image(1, 1), image(2, 2)]);
    let blobs = vec![png(1), Bytes::new(), png(2)];
    let (answers, _) = db.ask_with(request.clone(), blobs.clone()).await;
    assert_eq!(
        json!(answers),
        json!([
            {"AddEntity": {"status": 0}},
            {"AddEntity": {"status": 2, "info": "Object Exists!"}},
            {"AddImage": {"status": 0}},
            {"AddImage": {"status": 2, "info": "Image exists!"}},
            {"AddImage": {"status": 0}},
        ])
    );
    // The second image's blob went to the second image, though the one before was not stored.
    let (_, found) = db
        .ask_with(
            json!([{"FindImage": {"blobs": true, "constraints": {"shot": ["==", 2]}}}]),
            vec![],
        )
        .await;
    assert_eq!(found, [png(2)]);
    let (answers, _) = db.ask_with(request, blobs).await;
    let bodies = answers.iter().map(|a| a.as_object().unwrap().values().next().unwrap());
    assert!(bodies.into_iter().all(|b| b["status"] == 2));
    let edges = db
        .ask(json!([{"FindConnection": {"with_class": "shows", "results": {"count": true}}}]))
        .await;
    assert_eq!(edges[0]["FindConnection"]["count"], 2);
}

#[tokio::test]
async fn a_reference_guards_as_well() {
    let db = Db::new();
    let request = json!([
        {"FindEntity": {"with_class": "Rack", "_ref": 1, "constraints": {"code": ["==", 7]}}},
        {"AddEntity": {"class": "Rack", "_ref": 2, "properties": {"code": 7}, "if_not_found": 1}},
        {"AddEntity": {"class": "Slot", "connect": {"ref": 2, "class": "in"}}},
    ]);
    assert_eq!(db.ask(request.clone()).await[1]["AddEntity"]["status"], 0);
    assert_eq!(db.ask(request).await[1]["AddEntity"]["status"], 2);
    assert_eq!((db.count("Rack").await, db.count("Slot").await), (1, 2));
    let racks = db
        .ask(json!([
            {"FindEntity": {"with_class": "Rack", "_ref": 1}},
            {"FindEntity": {"with_class": "Slot", "is_connected_to": {"ref": 1, "direction": "in"}, "results": {"count": true}}},
        ]))
        .await;
    assert_eq!(racks[1]["FindEntity"]["count"], 2);
}

#[tokio::test]
async fn unique_means_at_most_one() {
    let db = Db::new();
    let find = |n: Json| json!([{"FindEntity": {"with_class": "C", "unique": true, "constraints": {"n": n}, "results": {"list": ["n"], "limit": 1}}}]);
    db.ask(json!([
        {"AddEntity": {"class": "C", "properties": {"n": 1}}},
        {"AddEntity": {"class": "C", "properties": {"n": 2}}},
    ]))
    .await;
    assert_eq!(db.ask(find(json!(["==", 1]))).await[0]["FindEntity"]["returned"], 1);
    assert_eq!(db.ask(find(json!(["==", 3]))).await[0]["FindEntity"]["returned"], 0);
    let refusal = db.refused(find(json!([">", 0])), vec![]).await;
    assert_eq!(
        (refusal.status, refusal.code.as_deref(), refusal.command),
        (3, Some("not_unique"), Some(0))
    );
}

#[tokio::test]
async fn refusals_name_command_and_cause() {
    let db = Db::new();
    let ok = json!({"AddEntity": {"class": "Kept"}});
    for (command, says) in [
        (
            json!({"AddEntty": {}}),
            "command 1 (AddEntty): there is no such command; did you mean `AddEntity`?",
        ),
        (json!({"Frobnicate": {}}), "command 1 (Frobnicate): there is no such command"),
        (
            json!({"Authenticate": {}}),
            "command 1 (Authenticate): sessions and users are a server's",
        ),
        (json!({"ExtractFrames": {}}), "command 1 (ExtractFrames): `video_ref` is missing"),
        (
            json!({"CreateIndex": {"target": "entity", "class": "C", "property": "p", "kind": "trigram"}}),
            "an index of kind `trigram` is not supported yet",
        ),
        (
            json!({"FindEntity": {"results": {"blob": true}}}),
            "`results.blob` is of an edition of the language that is long past",
        ),
        (
            json!({"AddEntity": {"class": "C", "propertis": {}}}),
            "there is no parameter `propertis`; did you mean `properties`?",
        ),
        (
            json!({"FindEntity": {"results": {"lst": []}}}),
            "there is no parameter `results.lst`; did you mean `results.list`?",
        ),
        (json!({"AddEntity": {}}), "`class` is missing"),
        (json!({"AddEntity": {"class": "_Mine"}}), "the class `_Mine` begins with `_`"),
        (
            json!({"AddEntity": {"class": "C", "properties": {"_x": 1}}}),
            "the property `_x` begins with `_`",
        ),
        (
            json!({"AddEntity": {"class": "C", "properties": {"x": {"_date": "soon"}}}}),
            "is not a date",
        ),
        (json!({"AddEntity": {"class": 5}}), "`class` must be a string, not 5"),
        (json!({"AddEntity": {"class": "C", "_ref": 0}}), "`_ref` must be a reference"),
        (
            json!({"AddConnection": {"class": "c", "src": 1, "dst": 2}}),
            "the reference 1 is not defined",
        ),
        (json!({"FindEntity": {"is_connected_to": {"ref": 3}}}), "the reference 3 is not defined"),
        (json!({"AddEntity": {"class": "C", "connect": {"ref": 1}}}), "`connect.class` is missing"),
        (json!({"FindEntity": {"limit": -1}}), "`limit` must be a non-negative integer, not -1"),
        (
            json!({"FindEntity": {"is_connected_to": {"ref": 1, "direction": "up"}}}),
            "\"in\" or \"out\"",
        ),
        (json!({"FindEntity": {"sort": {"key": "a", "order": "up"}}}), "`sort.order`"),
        (json!({"FindDescriptor": {"set": "none"}}), "there is no descriptor set `none`"),
        (
            json!({"AddDescriptorSet": {"name": "s", "dimensions": 0}}),
            "`dimensions` must be from 1",
        ),
        (
            json!({"FindEntity": {}, "FindImage": {}}),
            "command 1: a command is an object with one key",
        ),
        (json!([]), "command 1: a command is an object with one key"),
    ] {
        let refusal = db.refused(json!([ok, command]), vec![]).await;
        assert!(refusal.info.contains(says), "{command}: {}", refusal.info);
        assert_eq!((refusal.status, refusal.command), (-1, Some(1)), "{command}");
    }
    let twice = json!([{"AddEntity": {"class": "Kept", "_ref": 1}}, {"FindEntity": {"_ref": 1}}]);
    assert!(db.refused(twice, vec![]).await.info.contains("`_ref` 1 is defined twice"));
    assert_eq!(db.count("Kept").await, 0);
}

#[tokio::test]
async fn blobs_are_counted() {
    let db = Db::new();
    let add = json!([{"AddImage": {}}, {"AddEntity": {"class": "C"}}, {"AddBlob": {}}]);
    for (blobs, command, says) in [
        (vec![], Some(0), "takes a blob, and the request has none"),
        (vec![png(1)], Some(2), "takes a blob, and the request has only 1"),
        (vec![png(1); 3], None, "the request has 3 blobs, its commands take 2"),
    ] {
        let refusal = db.refused(add.clone(), blobs).await;
        assert_eq!(refusal.command, command);
        assert!(refusal.info.contains(says), "{}", refusal.info);
    }
    db.ask_with(add, vec![png(1); 2]).await;
}

#[tokio::test]
async fn requests_that_are_no_json() {
    use adb_model::{Database, Request, Response};
    let db = Db::new();
    let deep = format!("[{{\"FindEntity\": {}1{}}}]", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    for text in ["", "{}", "[1", "[{\"GetStatus\": {\"a\": NaN}}]", "null", &deep] {
        let answer = db.engine.execute(Request::new(text.to_owned(), vec![])).await.unwrap();
        let Response::Refused(refusal) = answer else { panic!("{text}") };
        assert!(refusal.info.contains("not a JSON array of commands"), "{}", refusal.info);
    }
    assert_eq!(db.ask(json!([])).await, Vec::<Json>::new());
    assert_eq!(db.ask(json!([{"GetStatus": {}}])).await[0]["GetStatus"]["info"], "OK");
}

#[tokio::test]
async fn many_commands_in_one_request() {
    let db = Db::new();
    let adds: Vec<Json> = (0..10_000)
        .map(|i| json!({"AddEntity": {"class": "C", "_ref": i + 1, "properties": {"n": i}}}))
        .collect();
    db.ask(json!(adds)).await;
    assert_eq!(db.count("C").await, 10_000);
}

#[tokio::test]
async fn answers_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let engine = adb_engine::Engine::options().response_limit(100).open(dir.path()).unwrap();
    let db = Db { engine, dir };
    let blob = Bytes::from(vec![7; 60]);
    db.ask_with(json!([{"AddBlob": {}}, {"AddBlob": {}}]), vec![blob.clone(), blob]).await;
    db.ask(json!([{"FindBlob": {"blobs": true, "limit": 1}}])).await;
    let refusal = db.refused(json!([{"FindBlob": {"blobs": true}}]), vec![]).await;
    assert_eq!((refusal.status, refusal.code.as_deref()), (4, Some("too_large")));
    let long = json!([{"AddEntity": {"class": "C", "properties": {"text": "x".repeat(200)}}},
        {"FindEntity": {"with_class": "C", "results": {"list": ["text"]}}}]);
    assert_eq!(db.refused(long, vec![]).await.command, Some(1));
    assert_eq!(db.count("C").await, 0);
}
