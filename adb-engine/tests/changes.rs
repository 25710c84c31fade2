//! Update and Delete: what they reach, what goes with it, and what nearness sees of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::BTreeMap;

use common::{Db, png, vector};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

async fn people() -> Db {
    let db = Db::new();
    let people = [("Ada", 36), ("Bo", 20), ("Cy", 70)];
    let adds: Vec<Json> = people
        .iter()
        .map(|(name, age)| json!({"AddEntity": {"class": "Person", "properties": {"name": name, "age": age, "nick": "x"}}}))
        .collect();
    db.ask(json!(adds)).await;
    db
}

#[tokio::test]
async fn an_update_sets_and_removes() {
    let db = people().await;
    let update = json!([{"UpdateEntity": {"with_class": "Person", "constraints": {"name": ["==", "Bo"]},
        "properties": {"age": 21, "city": "Oslo"}, "remove_props": ["nick", "never"]}}]);
    assert_eq!(db.ask(update).await, [json!({"UpdateEntity": {"status": 0, "count": 1}})]);
    let found = db
        .find(json!({"FindEntity": {"with_class": "Person", "constraints": {"city": ["!=", null]},
            "results": {"list": ["name", "age", "city", "nick"]}}}))
        .await;
    assert_eq!(found, [json!({"name": "Bo", "age": 21, "city": "Oslo", "nick": null})]);
    // Nobody: nothing happens, and no property is made.
    let nobody = json!([{"UpdateEntity": {"with_class": "Person", "constraints": ["$age", ">", 99], "properties": {"city": 5}}}]);
    assert_eq!(db.ask(nobody).await[0]["UpdateEntity"]["count"], 0);
    // By reference and in a class that has not been named: what the SDK does with images.
    let by_id = json!([
        {"FindEntity": {"_ref": 1, "constraints": {"name": ["in", ["Ada", "Cy"]]}}},
        {"UpdateEntity": {"ref": 1, "properties": {"old": true}}},
        {"FindEntity": {"constraints": {"old": ["==", true]}, "results": {"count": true}}},
    ]);
    let answers = db.ask(by_id).await;
    assert_eq!(answers[1]["UpdateEntity"]["count"], 2);
    assert_eq!(answers[2]["FindEntity"]["count"], 2);
    for (update, status, says) in [
        (json!({"with_class": "Person", "unique": true, "properties": {"a": 1}}), 3, "`unique`"),
        (json!({"with_class": "Person", "properties": {"age": "old"}}), -1, "is a Number"),
        (
            json!({"with_class": "Person", "properties": {"a": 1}, "remove_props": ["a"]}),
            -1,
            "stands in `properties` and in `remove_props`",
        ),
        (json!({"remove_props": ["_uniqueid"]}), -1, "the database's own"),
        (json!({"properties": {"_create_txn": 1}}), -1, "begins with `_`"),
        (json!({"ref": 9}), -1, "the reference 9 is not defined"),
    ] {
        let refusal = db.refused(json!([{ "UpdateEntity": update }]), vec![]).await;
        assert_eq!(refusal.status, status, "{update}");
        assert!(refusal.info.contains(says), "{update}: {}", refusal.info);
    }
}

#[tokio::test]
async fn what_is_deleted_takes_its_edges_and_its_bytes() {
    let db = Db::new();
    db.ask_with(
        json!([
            {"AddImage": {"_ref": 1, "properties": {"shot": 1}}},
            {"AddEntity": {"_ref": 2, "class": "Person", "properties": {"name": "Ada"}, "connect": {"ref": 1, "class": "took"}}},
            {"AddEntity": {"_ref": 3, "class": "Person", "properties": {"name": "Bo"}, "connect": {"ref": 2, "class": "knows"}}},
            {"AddDescriptorSet": {"name": "s", "dimensions": 1}},
            {"AddDescriptor": {"set": "s", "connect": {"ref": 1}}},
            {"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 0, "y": 0, "width": 1, "height": 1}, "_ref": 4}},
            {"AddConnection": {"class": "around", "src": 4, "dst": 3}},
        ]),
        vec![png(1), vector(&[1.0])],
    )
    .await;
    let answers = db
        .ask(json!([
            {"FindConnection": {"with_class": "knows", "_ref": 1, "results": {"count": true}}},
            {"FindEntity": {"with_class": "Person", "_ref": 2}},
            {"DeleteImage": {"constraints": {"shot": ["==", 1]}}},
            {"FindConnection": {"results": {"list": ["_src"]}}},
            {"FindBoundingBox": {"results": {"count": true}}},
            {"FindDescriptor": {"results": {"count": true}}},
            {"DeleteEntity": {"constraints": {"name": ["==", "Ada"]}}},
            // What the references still name.
            {"UpdateConnection": {"ref": 1, "properties": {"since": 1}}},
            {"UpdateEntity": {"ref": 2, "properties": {"left": true}}},
        ]))
        .await;
    assert_eq!(answers[2], json!({"DeleteImage": {"status": 0, "count": 1}}));
    let left = answers[3]["FindConnection"]["connections"].as_array().unwrap();
    assert_eq!(left.len(), 2, "knows, and the set to its descriptor: {left:?}");
    assert_eq!(answers[4]["FindBoundingBox"]["count"], 0);
    assert_eq!(answers[5]["FindDescriptor"]["count"], 1);
    assert_eq!(answers[7]["UpdateConnection"]["count"], 0);
    assert_eq!(answers[8]["UpdateEntity"]["count"], 1);
    let set = json!([{"DeleteDescriptorSet": {"with_name": "s"}}]);
    assert_eq!(db.ask(set).await, [json!({"DeleteDescriptorSet": {"status": 0, "count": 1}})]);
    db.ask(json!([{"DeleteEntity": {"with_class": "Person"}}])).await;
    let Db { engine, dir } = db;
    drop(engine);
    let conn = rusqlite::Connection::open(dir.path().join("adb.sqlite")).unwrap();
    for table in ["blob", "vector", "tombstone", "c1", "c3", "c4", "c5", "c10", "c100"] {
        let rows: i64 =
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[tokio::test]
async fn a_reference_is_used_up_and_must_fit() {
    let db = people().await;
    let all = |after: Json| json!([{"FindEntity": {"with_class": "Person", "_ref": 1}}, {"DeleteEntity": {"ref": 1}}, after]);
    for after in [json!({"UpdateEntity": {"ref": 1}}), json!({"DeleteEntity": {"ref": 1}})] {
        let refusal = db.refused(all(after), vec![]).await;
        assert!(refusal.info.contains("the reference 1 is gone"), "{}", refusal.info);
    }
    assert_eq!(db.count("Person").await, 3, "a refused request deletes nothing");
    for (delete, says) in [
        ("DeleteImage", "objects of the class `Person`"),
        ("DeleteConnection", "objects that are no connections"),
    ] {
        let request =
            json!([{"FindEntity": {"with_class": "Person", "_ref": 1}}, {delete: {"ref": 1}}]);
        let refusal = db.refused(request, vec![]).await;
        assert!(refusal.info.contains(says), "{}", refusal.info);
    }
    let answers = db.ask(all(json!({"FindEntity": {"results": {"count": true}}}))).await;
    assert_eq!(answers[1]["DeleteEntity"]["count"], 3);
    assert_eq!(answers[2]["FindEntity"]["count"], 0);
}

/// What the SDK sends to empty a database: nine kinds, then the schema.
#[tokio::test]
async fn the_sdk_empties_the_database() {
    let kinds = [
        "Image",
        "Video",
        "Blob",
        "Clip",
        "DescriptorSet",
        "BoundingBox",
        "Polygon",
        "Frame",
        "Entity",
    ];
    for expression in [true, false] {
        let db = people().await;
        let constraints = match expression {
            true => json!(["$_uniqueid", "!=", "0.0.0"]),
            false => json!({"_uniqueid": ["!=", "0.0.0"]}),
        };
        let mut request: Vec<Json> = kinds
            .iter()
            .map(|kind| json!({format!("Delete{kind}"): {"constraints": constraints}}))
            .collect();
        request.push(json!({"GetSchema": {"refresh": true}}));
        db.ask_with(
            json!([{"AddImage": {"_ref": 1}}, {"AddVideo": {"_ref": 2}},
                {"AddPolygon": {"image_ref": 1, "polygons": [[[0, 0], [1, 0], [1, 1]]]}},
                {"AddFrame": {"video_ref": 2, "frame_number": 3}},
                {"AddDescriptorSet": {"name": "s", "dimensions": 1}}, {"AddDescriptor": {"set": "s"}}]),
            vec![png(1), "video".into(), vector(&[1.0])],
        )
        .await;
        for _ in 0..2 {
            let answers = db.ask(json!(request)).await;
            for answer in &answers[..9] {
                let body = answer.as_object().unwrap().values().next().unwrap();
                assert_eq!(body["status"], 0, "{answer}");
            }
            assert_eq!(
                answers[9],
                json!({"GetSchema": {"status": 0, "entities": null, "connections": null}})
            );
        }
    }
}

#[tokio::test]
async fn edges_that_are_part_of_objects_stay_with_them() {
    let db = Db::new();
    db.ask_with(
        json!([{"AddDescriptorSet": {"name": "s", "dimensions": 1}}, {"AddDescriptor": {"set": "s"}}]),
        vec![vector(&[1.0])],
    )
    .await;
    let class = "_DescriptorSetToDescriptor";
    let answers = db
        .ask(json!([{"DeleteConnection": {"with_class": class}}, {"DeleteConnection": {}}]))
        .await;
    assert_eq!(answers[0]["DeleteConnection"], json!({"status": 0, "count": 0}));
    assert_eq!(answers[1]["DeleteConnection"], json!({"status": 0, "count": 0}));
    let update = json!([{"UpdateConnection": {"with_class": class, "properties": {"a": 1}}}]);
    let refusal = db.refused(update, vec![]).await;
    assert!(refusal.info.contains("are the system's"), "{}", refusal.info);
}

/// The ids of a set's vectors, the nearest to 0 first, through a search and through the rows.
async fn nearest(db: &Db, knn_first: bool) -> Vec<i64> {
    let find = json!([{"FindDescriptor": {"set": "s", "k_neighbors": 10_000, "knn_first": knn_first,
        "constraints": {"id": [">=", 0]}, "results": {"list": ["id"]}}}]);
    let (answers, _) = db.ask_with(find, vec![vector(&[0.0])]).await;
    let found = answers[0]["FindDescriptor"]["entities"].as_array().cloned().unwrap_or_default();
    found.iter().map(|d| d["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn enough_deletions_start_a_new_epoch() {
    let db = Db::new();
    db.ask(json!([{"AddDescriptorSet": {"name": "s", "dimensions": 1}}])).await;
    let n = 6000;
    let adds: Vec<Json> =
        (0..n).map(|id| json!({"AddDescriptor": {"set": "s", "properties": {"id": id}}})).collect();
    let blobs = (0..n).map(|id| vector(&[id as f32])).collect();
    db.ask_with(json!(adds), blobs).await;
    assert_eq!(nearest(&db, true).await.len(), 6000);
    db.ask(json!([{"DeleteDescriptor": {"set": "s", "constraints": {"id": [">=", 10]}}}])).await;
    assert_eq!(nearest(&db, true).await, (0..10).collect::<Vec<i64>>());
    let conn = rusqlite::Connection::open(db.path().join("adb.sqlite")).unwrap();
    let (epoch, tombstones): (i64, i64) = conn
        .query_row("SELECT epoch, (SELECT count(*) FROM tombstone) FROM c3", [], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
        .unwrap();
    assert_eq!((epoch, tombstones), (1, 0));
    db.ask(json!([{"DeleteDescriptor": {"set": "s", "constraints": {"id": ["==", 3]}}}])).await;
    assert_eq!(nearest(&db, true).await, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Additions, deletions and requests that fail after both; searches in the transaction and out
    /// of it see the vectors that a plain map has.
    #[test]
    fn searches_follow_deletions(
        steps in prop::collection::vec((0_u8..4, prop::collection::vec(0_i64..12, 1..6), any::<bool>()), 1..14),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut db = Db::new();
            db.ask(json!([{"AddDescriptorSet": {"name": "s", "dimensions": 1}}])).await;
            let mut model: BTreeMap<i64, f32> = BTreeMap::new();
            for (what, ids, search_between) in steps {
                let mut next = model.clone();
                let mut commands = Vec::new();
                let mut blobs = Vec::new();
                for id in ids {
                    if what % 2 == 0 {
                        if next.insert(id, id as f32).is_none() {
                            commands.push(json!({"AddDescriptor": {"set": "s", "properties": {"id": id}}}));
                            blobs.push(vector(&[id as f32]));
                        }
                    } else {
                        next.remove(&id);
                        commands.push(json!({"DeleteDescriptor": {"set": "s", "constraints": {"id": ["==", id]}}}));
                    }
                }
                // A search in the writing transaction sees what it has done.
                commands.push(json!({"FindDescriptor": {"set": "s", "k_neighbors": 99, "results": {"list": ["id"]}}}));
                blobs.push(vector(&[0.0]));
                if what == 3 {
                    commands.push(json!({"DeleteEntity": {"ref": 77}}));
                    db.refused(json!(commands), blobs).await;
                } else {
                    let (answers, _) = db.ask_with(json!(commands), blobs).await;
                    model = next;
                    let found = answers.last().unwrap()["FindDescriptor"]["entities"].as_array().cloned().unwrap_or_default();
                    let found: Vec<i64> = found.iter().map(|d| d["id"].as_i64().unwrap()).collect();
                    assert_eq!(found, model.keys().copied().collect::<Vec<_>>());
                }
                if search_between {
                    for knn_first in [true, false] {
                        assert_eq!(nearest(&db, knn_first).await, model.keys().copied().collect::<Vec<_>>());
                    }
                } else if what == 2 {
                    db = db.reopen();
                }
            }
            assert_eq!(nearest(&db, true).await, model.keys().copied().collect::<Vec<_>>());
        });
    }
}

/// What is there of a property of a class, in the schema's words.
async fn schema_of(db: &Db, kind: &str, class: &str, property: &str) -> Json {
    let answers = db.ask(json!([{"GetSchema": {}}])).await;
    let class = &answers[0]["GetSchema"][kind]["classes"][class];
    let class = class.as_array().map_or(class, |pairs| &pairs[0]);
    class["properties"][property].clone()
}

#[tokio::test]
async fn a_property_that_no_object_has_any_more_may_have_another_type() {
    let mut db = people().await;
    let add = |age: Json| json!([{"AddEntity": {"class": "Person", "properties": {"age": age}}}]);
    let delete = |age: Json| json!([{"DeleteEntity": {"with_class": "Person", "constraints": {"age": age}}}]);
    let find = json!({"FindEntity": {"with_class": "Person", "results": {"list": ["age"]}}});
    // One of three still has a number.
    db.ask(delete(json!(["<", 50]))).await;
    let refusal = db.refused(add(json!("old")), vec![]).await;
    assert!(refusal.info.contains("`age` of `Person` is a Number"), "{refusal}");
    db.ask(delete(json!([">", 50]))).await;
    // A text that looks like a number stays a text, in one of two ways that SQLite could take it.
    db.ask(add(json!("007"))).await;
    assert_eq!(db.find(find.clone()).await, [json!({"age": "007"})]);
    assert_eq!(schema_of(&db, "entities", "Person", "age").await, json!([1, false, "String"]));
    let refusal = db.refused(add(json!(7)), vec![]).await;
    assert!(refusal.info.contains("is a String"), "{refusal}");
    // Not by deleting alone, and for all types.
    for (value, kind) in [
        (json!(2.0), "Number"),
        (json!(true), "Boolean"),
        (json!({"_date": "2021-07-01T09:30:00+00:00"}), "Datetime"),
        (json!([1, "x"]), "JSON"),
        (json!("x"), "String"),
    ] {
        let taken = json!([{"UpdateEntity": {"with_class": "Person", "remove_props": ["age"]}}]);
        db.ask(taken).await;
        let set = json!([{"UpdateEntity": {"with_class": "Person", "properties": {"age": value}}}]);
        db.ask(set).await;
        db = db.reopen();
        assert_eq!(db.find(find.clone()).await, [json!({"age": value})]);
        assert_eq!(schema_of(&db, "entities", "Person", "age").await, json!([1, false, kind]));
    }
}

#[tokio::test]
async fn an_index_outlives_the_type_of_its_property() {
    let db = people().await;
    let like = |age: Json| {
        json!({"FindEntity": {"with_class": "Person", "constraints": {"age": age},
        "results": {"list": ["age"]}}})
    };
    db.ask(json!([{"CreateIndex": {"target": "entity", "class": "Person", "property": "age"}}]))
        .await;
    let add = json!([{"AddEntity": {"class": "Person", "properties": {"age": "20"}}}]);
    let refusal = db.refused(add.clone(), vec![]).await;
    assert!(refusal.info.contains("is a Number"), "{refusal}");
    db.ask(json!([{"UpdateEntity": {"with_class": "Person", "remove_props": ["age"]}}])).await;
    db.ask(add).await;
    assert_eq!(db.find(like(json!(["==", "20"]))).await, [json!({"age": "20"})]);
    assert_eq!(db.find(like(json!([">", "1"]))).await, [json!({"age": "20"})]);
    assert_eq!(db.find(like(json!(["==", 20]))).await, [] as [Json; 0]);
    assert_eq!(schema_of(&db, "entities", "Person", "age").await, json!([1, true, "String"]));
    let db = db.reopen();
    assert_eq!(db.find(like(json!(["==", "20"]))).await, [json!({"age": "20"})]);
    let report = adb_engine::Engine::verify(db.path()).unwrap();
    assert_eq!(report.problems, []);
}

#[tokio::test]
async fn a_request_that_fails_gives_no_type_away() {
    let db = people().await;
    let all = json!({"DeleteEntity": {"with_class": "Person"}});
    let text = json!({"AddEntity": {"class": "Person", "properties": {"age": "old"}}});
    let wrong = json!({"AddEntity": {"class": "Person", "properties": {"age": 1}}});
    let refusal = db.refused(json!([all, text, wrong]), vec![]).await;
    assert!(refusal.info.contains("`age` of `Person` is a String"), "{refusal}");
    assert_eq!(db.count("Person").await, 3);
    assert_eq!(schema_of(&db, "entities", "Person", "age").await, json!([3, false, "Number"]));
    db.ask(json!([{"AddEntity": {"class": "Person", "properties": {"age": 2.5}}}])).await;
    // In one request, as the SDK's loaders do it after `remove_all_objects`; connections as well.
    let edge = |since: Json| json!({"AddConnection": {"class": "Knows", "src": 1, "dst": 2, "properties": {"since": since}}});
    let two = |first: Json| {
        json!([all, {"AddEntity": {"class": "Person", "_ref": 1, "properties": {"age": first}}},
            {"AddEntity": {"class": "Person", "_ref": 2}}])
    };
    for since in [json!(1999), json!("long ago"), json!(2001)] {
        let mut request = two(since.clone());
        request.as_array_mut().unwrap().push(edge(since.clone()));
        db.ask(request).await;
        let found = db.ask(json!([{"FindConnection": {"with_class": "Knows", "results": {"list": ["since"]}}}])).await;
        assert_eq!(found[0]["FindConnection"]["connections"], json!([{"since": since}]));
    }
    assert_eq!(schema_of(&db, "connections", "Knows", "since").await, json!([1, false, "Number"]));
}
