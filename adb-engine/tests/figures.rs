//! Aggregates, batches, sequences, indexes: what Find and the schema commands answer beside objects.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Db, png};
use serde_json::{Value as Json, json};

async fn cafes() -> Db {
    let db = Db::new();
    let cafes = [
        (json!("Oslo"), json!(4)),
        (json!("Rome"), json!(5)),
        (json!("Oslo"), json!(3.5)),
        (json!(null), json!(1)),
        (json!("Rome"), json!(null)),
    ];
    let adds: Vec<Json> = cafes
        .iter()
        .enumerate()
        .map(|(i, (town, rating))| json!({"AddEntity": {"class": "Cafe", "properties": {"id": i, "town": town, "rating": rating, "open": i % 2 == 0}}}))
        .collect();
    db.ask(json!(adds)).await;
    db
}

async fn answer(db: &Db, rest: Json) -> Json {
    let mut body = json!({"with_class": "Cafe"});
    for (key, value) in rest.as_object().unwrap() {
        body[key] = value.clone();
    }
    db.ask(json!([{ "FindEntity": body }])).await[0]["FindEntity"].clone()
}

#[tokio::test]
async fn figures_over_all_and_over_groups() {
    let db = cafes().await;
    assert_eq!(
        answer(&db, json!({"results": {"count": true, "average": "rating", "sum": ["rating", "id"], "min": ["town"], "max": "rating"}})).await,
        json!({"status": 0, "returned": 0, "count": 5, "_sum": {"rating": 13.5, "id": 10}, "_avg": {"rating": 3.375},
            "_min": {"town": "Oslo"}, "_max": {"rating": 5}})
    );
    assert_eq!(
        answer(&db, json!({"constraints": {"id": ["<", 4]}, "results": {"average": "rating", "count": true, "group": ["town"]}})).await,
        json!({"status": 0, "returned": 0, "groups": [
            {"town": null, "_group_count": 1, "_group_avg": {"rating": 1.0}},
            {"town": "Oslo", "_group_count": 2, "_group_avg": {"rating": 3.75}},
            {"town": "Rome", "_group_count": 1, "_group_avg": {"rating": 5.0}}]})
    );
    let nobody = answer(
        &db,
        json!({"constraints": {"id": ["==", 99]}, "results": {"sum": "rating", "max": "never"}}),
    )
    .await;
    assert_eq!(
        nobody,
        json!({"status": 0, "returned": 0, "_sum": {"rating": null}, "_max": {"never": null}})
    );
    let no_class =
        json!([{"FindEntity": {"with_class": "Nothing", "results": {"sum": "a", "group": ["b"]}}}]);
    assert_eq!(
        db.ask(no_class).await[0]["FindEntity"],
        json!({"status": 0, "returned": 0, "groups": []})
    );
    let grouped = answer(&db, json!({"results": {"group": ["open"], "max": "open"}})).await;
    assert_eq!(grouped["groups"][1], json!({"open": true, "_group_max": {"open": true}}));
    let add = |n: i64| json!({"AddEntity": {"class": "Big", "properties": {"n": n}}});
    db.ask(json!([add(i64::MAX), add(i64::MAX)])).await;
    for (class, results, says) in [
        ("Cafe", json!({"sum": "town"}), "`town` is no number"),
        ("Big", json!({"sum": "n"}), "more than the store can take"),
    ] {
        let refusal = db
            .refused(json!([{"FindEntity": {"with_class": class, "results": results}}]), vec![])
            .await;
        assert!(refusal.info.contains(says), "{}", refusal.info);
    }
}

#[tokio::test]
async fn batches_as_training_sets_ask_for_them() {
    let db = Db::new();
    let adds: Vec<Json> =
        (0..103).map(|n| json!({"AddImage": {"properties": {"shot": n}}})).collect();
    db.ask_with(json!(adds), vec![png(1); 103]).await;
    let batch = async |rest: Json| {
        let mut body = json!({"results": {"list": ["shot"]}});
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        let (answers, blobs) = db.ask_with(json!([{ "FindImage": body }]), vec![]).await;
        (answers[0]["FindImage"].clone(), blobs.len())
    };
    assert_eq!(
        batch(json!({"batch": {}})).await,
        (json!({"status": 0, "returned": 0, "batch": {"total_elements": 103}}), 0)
    );
    assert_eq!(
        batch(json!({"batch": {"batch_size": 50, "batch_id": 2}, "blobs": true})).await,
        (
            json!({"status": 0, "returned": 3, "blobs_start": 0, "batch": {"total_elements": 103, "batch_id": 2, "start": 100, "end": 103},
            "entities": [{"shot": 100, "_blob_index": 0}, {"shot": 101, "_blob_index": 1}, {"shot": 102, "_blob_index": 2}]}),
            3
        )
    );
    for (rest, total, start, end) in [
        (json!({"batch": {"batch_size": 50, "batch_id": 9}}), 103, 103, 103),
        (json!({"batch": {"batches": 4, "batch_id": 3}}), 103, 78, 103),
        (json!({"batch": {"batch_size": 10}, "limit": 15, "offset": 100}), 3, 0, 3),
        (json!({"batch": {"range": [10, 12]}}), 103, 10, 12),
        (json!({"batch": {"batch_size": u64::MAX, "batch_id": u64::MAX}}), 103, 103, 103),
    ] {
        let (answer, _) = batch(rest.clone()).await;
        let shown = &answer["batch"];
        assert_eq!(
            (&shown["total_elements"], &shown["start"], &shown["end"]),
            (&json!(total), &json!(start), &json!(end)),
            "{rest}"
        );
        assert_eq!(answer["returned"], end - start, "{rest}");
    }
    for wrong in [
        json!({"batch_size": 0}),
        json!({"batch_id": 1}),
        json!({"batch_size": 1, "batches": 2}),
        json!(5),
    ] {
        let refusal = db.refused(json!([{"FindImage": {"batch": wrong}}]), vec![]).await;
        assert!(refusal.info.contains("`batch`"), "{}", refusal.info);
    }
}

#[tokio::test]
async fn a_sequence_orders() {
    let db = cafes().await;
    let sorted = answer(
        &db,
        json!({"sort": {"key": "id", "sequence": [3, 1, "x"]}, "results": {"list": ["id"]}}),
    )
    .await;
    let ids: Vec<i64> =
        sorted["entities"].as_array().unwrap().iter().map(|c| c["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [3, 1, 0, 2, 4]);
}

#[tokio::test]
async fn indexes_are_listed_and_filtered() {
    let db = cafes().await;
    let ordered = json!([{"kind": "ordered", "params": {}}]);
    db.ask(json!([
        {"CreateIndex": {"target": "entity", "class": "Person", "property": "id", "kind": "ordered"}},
        {"CreateIndex": {"index_type": "connection", "class": "knows", "property_key": "since"}},
    ]))
    .await;
    let indexes = async |filter: Json| {
        db.ask(json!([{ "GetIndexes": filter }])).await[0]["GetIndexes"]["indexes"].clone()
    };
    assert_eq!(
        indexes(json!({})).await,
        json!({
            "entity": {
                "Person": {"id": ordered},
                "_Descriptor": {"_create_txn": ordered, "_set_name": ordered},
                "_DescriptorSet": {"_name": ordered},
            },
            "connection": {"knows": {"since": ordered}},
        })
    );
    assert_eq!(
        indexes(json!({"target": "entity", "class": "Person", "kind": "ordered"})).await,
        json!({"entity": {"Person": {"id": ordered}}})
    );
    assert_eq!(
        indexes(json!({"property": "since"})).await,
        json!({"connection": {"knows": {"since": ordered}}})
    );
    assert_eq!(indexes(json!({"kind": "trigram"})).await, json!({}));
    db.ask(json!([
        {"RemoveIndex": {"target": "entity", "class": "Person", "property": "id", "kind": "ordered"}},
        {"RemoveIndex": {"index_type": "connection", "class": "knows", "property_key": "since"}},
    ]))
    .await;
    assert_eq!(indexes(json!({"class": "Person"})).await, json!({}));
    let built_in = json!([{"RemoveIndex": {"target": "entity", "class": "_Descriptor", "property": "_set_name"}}]);
    assert!(db.refused(built_in, vec![]).await.info.contains("is built in"));
}
