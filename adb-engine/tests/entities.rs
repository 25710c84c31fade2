//! Entities: properties, listing, order, limits, counts, the schema.

mod common;

use common::Db;
use serde_json::{Value as Json, json};

async fn people() -> Db {
    let db = Db::new();
    let rows = json!([
        {"name": "Ada", "age": 36, "dob": {"_date": "1815-12-10T00:00:00"}, "tags": ["a", "b"]},
        {"name": "Bo", "age": 40.5, "guest": true},
        {"name": "Cy", "age": 40},
        {"name": "Di"},
    ]);
    let adds: Vec<Json> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|p| json!({"AddEntity": {"class": "Person", "properties": p}}))
        .collect();
    db.ask(json!(adds)).await;
    db
}

fn names(found: &[Json]) -> Vec<&str> {
    found.iter().map(|p| p["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn values_come_back_as_they_were() {
    let db = people().await;
    let found = db
        .find(json!({"FindEntity": {"with_class": "Person", "results": {"all_properties": true}}}))
        .await;
    let mut first = found[0].clone();
    first.as_object_mut().unwrap().remove("_uniqueid");
    let dob = json!({"_date": "1815-12-10T00:00:00+00:00"});
    assert_eq!(first, json!({"name": "Ada", "age": 36, "dob": dob, "tags": ["a", "b"]}));
    assert_eq!(found[1]["age"].to_string(), "40.5");
    assert_eq!(found[1]["guest"], json!(true));
    assert!(found[3].get("age").is_none(), "absent properties are not among all");
}

#[tokio::test]
async fn listed_keys_that_are_absent_are_null() {
    let db = people().await;
    let find = json!({"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", "Di"]},
        "results": {"list": ["name", "age", "never_heard"]}}});
    assert_eq!(db.find(find).await, [json!({"name": "Di", "age": null, "never_heard": null})]);
}

#[tokio::test]
async fn sorted_limited_and_skipped() {
    let db = people().await;
    let find = |rest: Json| {
        let mut body = json!({"with_class": "Person", "results": {"list": ["name"]}});
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        json!({ "FindEntity": body })
    };
    let cases = [
        (json!({}), vec!["Ada", "Bo", "Cy", "Di"]),
        (json!({"limit": 2, "offset": 1}), vec!["Bo", "Cy"]),
        (json!({"sort": "age"}), vec!["Ada", "Cy", "Bo", "Di"]),
        (json!({"sort": {"key": "age", "order": "descending"}}), vec!["Bo", "Cy", "Ada", "Di"]),
        (json!({"sort": {"key": "name", "sequence": ["Di", "Bo"]}}), vec!["Di", "Bo", "Ada", "Cy"]),
        (
            json!({"sort": [{"key": "guest"}, {"key": "name", "order": "descending"}], "limit": 3}),
            vec!["Bo", "Di", "Cy"],
        ),
        (json!({"sort": "nobody_has_this"}), vec!["Ada", "Bo", "Cy", "Di"]),
        // Where the older place and the newer one differ, the newer one wins.
        (json!({"limit": 1, "results": {"list": ["name"], "limit": 3}}), vec!["Ada"]),
        (
            json!({"results": {"list": ["name"], "limit": 3, "sort": "age"}}),
            vec!["Ada", "Cy", "Bo"],
        ),
        (json!({"limit": 0}), vec![]),
        (json!({"offset": u64::MAX}), vec![]),
    ];
    for (rest, expected) in cases {
        let found = db.find(find(rest.clone())).await;
        assert_eq!(names(&found), expected, "{rest}");
    }
}

#[tokio::test]
async fn counts_are_of_all_matches() {
    let db = people().await;
    let answers = db
        .ask(json!([
            {"FindEntity": {"with_class": "Person", "results": {"count": true}}},
            {"FindEntity": {"with_class": "Person", "results": {"count": true, "list": ["name"], "limit": 1}}},
            {"FindEntity": {"with_class": "Person", "results": {}}},
            {"FindEntity": {"with_class": "Nobody", "results": {"count": true, "list": ["name"]}}},
            {"FindEntity": {"results": {"count": true}}},
        ]))
        .await;
    assert_eq!(
        json!(answers),
        json!([
            {"FindEntity": {"status": 0, "returned": 0, "count": 4}},
            {"FindEntity": {"status": 0, "returned": 1, "count": 4, "entities": [{"name": "Ada"}]}},
            {"FindEntity": {"status": 0, "returned": 0}},
            {"FindEntity": {"status": 0, "returned": 0, "count": 0}},
            {"FindEntity": {"status": 0, "returned": 0, "count": 4}},
        ])
    );
}

#[tokio::test]
async fn classes_are_searched_together() {
    let db = people().await;
    db.ask(json!([{"AddEntity": {"class": "Pet", "properties": {"name": "Bat", "age": "old"}}}]))
        .await;
    let found = db
        .find(json!({"FindEntity": {"sort": "name", "limit": 3, "results": {"list": ["name", "age"]}}}))
        .await;
    assert_eq!(names(&found), ["Ada", "Bat", "Bo"]);
    assert_eq!(found[1]["age"], "old");
}

#[tokio::test]
async fn a_property_has_one_type_in_its_class() {
    let db = people().await;
    let add = |age: Json| json!([{"AddEntity": {"class": "Person", "properties": {"age": age}}}]);
    let refusal = db.refused(add(json!("old")), vec![]).await;
    for part in ["`age`", "`Person`", "Number", "String"] {
        assert!(refusal.info.contains(part), "{}", refusal.info);
    }
    db.ask(add(json!(-0.25))).await;
    let many: serde_json::Map<String, Json> =
        (0..1991).map(|i| (format!("k{i}"), json!(i))).collect();
    let refusal =
        db.refused(json!([{"AddEntity": {"class": "Wide", "properties": many}}]), vec![]).await;
    assert!(refusal.info.contains("1990 properties"), "{}", refusal.info);
    assert_eq!(db.count("Person").await, 5);
}

#[tokio::test]
async fn names_of_properties_tell_case_apart() {
    let db = Db::new();
    db.ask(json!([{"AddEntity": {"class": "C", "properties": {"id": 1, "ID": "one", "select": true, "a b\"c": 2}}}]))
        .await;
    let found = db
        .find(json!({"FindEntity": {"with_class": "C", "constraints": {"ID": ["==", "one"], "a b\"c": ["==", 2]},
            "results": {"list": ["id", "ID", "select"]}}}))
        .await;
    assert_eq!(found, [json!({"id": 1, "ID": "one", "select": true})]);
}

#[tokio::test]
async fn unique_ids_survive_a_restart() {
    let db = people().await;
    let find = json!({"FindEntity": {"with_class": "Person", "uniqueids": true, "results": {"list": ["name", "_create_txn"]}}});
    let before = db.find(find.clone()).await;
    let db = db.reopen();
    db.ask(json!([{"AddEntity": {"class": "Person", "properties": {"name": "Ed"}}}])).await;
    let after = db.find(find).await;
    assert_eq!(after[..4], before[..]);
    assert!(before.iter().all(|p| p["_uniqueid"] != after[4]["_uniqueid"]));
    assert!(after[4]["_create_txn"].as_i64() > before[0]["_create_txn"].as_i64());
    let bo = &before[1]["_uniqueid"];
    let by_id = |constraint: Json| json!({"FindEntity": {"constraints": {"_uniqueid": constraint}, "results": {"list": ["name"]}}});
    assert_eq!(names(&db.find(by_id(json!(["==", bo]))).await), ["Bo"]);
    assert_eq!(names(&db.find(by_id(json!(["in", [bo, "7.7.7"]]))).await), ["Bo"]);
    assert_eq!(names(&db.find(by_id(json!(["!=", bo]))).await), ["Ada", "Cy", "Di", "Ed"]);
    assert_eq!(db.find(by_id(json!(["!=", "0.0.0"]))).await.len(), 5);
}

#[tokio::test]
async fn the_schema_counts() {
    let db = Db::new();
    let schema = json!([{"GetSchema": {"refresh": true}}]);
    assert_eq!(
        db.ask(schema.clone()).await,
        [json!({"GetSchema": {"status": 0, "entities": null, "connections": null}})]
    );
    db.ask(json!([
        {"CreateIndex": {"index_type": "entity", "class": "Person", "property_key": "id"}},
        {"AddEntity": {"class": "Person", "properties": {"id": 1}, "_ref": 1}},
        {"AddEntity": {"class": "Person", "properties": {"id": 2, "nick": "x"}, "_ref": 2}},
        {"AddConnection": {"class": "knows", "src": 1, "dst": 2, "properties": {"since": {"_date": "2020-01-01"}}}},
    ]))
    .await;
    assert_eq!(
        db.ask(schema).await,
        [json!({"GetSchema": {"status": 0,
            "entities": {"returned": 1, "classes": {"Person": {"matched": 2,
                "properties": {"id": [2, true, "Number"], "nick": [1, false, "String"]}}}},
            "connections": {"returned": 1, "classes": {"knows": [{"matched": 1, "src": "Person", "dst": "Person",
                "properties": {"since": [1, false, "Datetime"]}}]}}}})]
    );
}

#[tokio::test]
async fn indexes_are_made_before_and_after_the_data() {
    let db = people().await;
    let older = json!({"index_type": "entity", "class": "Person", "property_key": "age"});
    let newer =
        json!({"target": "entity", "class": "Person", "property": "age", "kind": "ordered"});
    let status = |answers: &[Json]| {
        answers[0].as_object().unwrap().values().next().unwrap()["status"].clone()
    };
    assert_eq!(status(&db.ask(json!([{"CreateIndex": older}])).await), 0);
    assert_eq!(status(&db.ask(json!([{"CreateIndex": older}])).await), 2);
    // Newer clients take any other status for a failure.
    assert_eq!(status(&db.ask(json!([{"CreateIndex": newer}])).await), 0);
    let find = json!({"FindEntity": {"with_class": "Person", "constraints": {"age": [">=", 40]}, "results": {"list": ["name"]}}});
    assert_eq!(names(&db.find(find.clone()).await), ["Bo", "Cy"]);
    assert_eq!(status(&db.ask(json!([{"RemoveIndex": newer}])).await), 0);
    assert_eq!(names(&db.find(find).await), ["Bo", "Cy"]);
    let refusal = db.refused(json!([{"RemoveIndex": older}]), vec![]).await;
    assert!(refusal.info.contains("no index"), "{}", refusal.info);
    let built_in = json!({"target": "entity", "class": "_DescriptorSet", "property": "_name"});
    assert_eq!(status(&db.ask(json!([{"CreateIndex": built_in}])).await), 0);
    assert!(db.refused(json!([{"RemoveIndex": built_in}]), vec![]).await.info.contains("built in"));
    db.ask(json!([
        {"CreateIndex": {"index_type": "entity", "class": "_Descriptor", "property_key": "_label"}},
        {"CreateIndex": {"index_type": "entity", "class": "Later", "property_key": "_create_txn"}},
        {"AddEntity": {"class": "Later"}},
    ]))
    .await;
}
