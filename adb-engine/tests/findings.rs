//! What random requests and generated models found: each with a test of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Db, vector};
use serde_json::json;

#[tokio::test]
async fn what_can_not_be_asked_is_refused_whatever_is_there() {
    let db = Db::new();
    let find = |class: &str, constraints| json!([{"FindEntity": {"with_class": class, "constraints": constraints}}]);
    for (constraints, says) in [
        (json!({"_src": ["==", "100.0.1"]}), "`_src` can't be constrained"),
        (json!(["$_dst", "in", {"array": []}]), "`_dst` can't be constrained"),
        (json!({"_uniqueid": ["<", "100.0.1"]}), "not with <"),
        (json!(["$_uniqueid", "==", "$name"]), "the property `name`"),
    ] {
        // Nobody ever heard of the class.
        let refusal = db.refused(find("Nobody", constraints), vec![]).await;
        assert!(refusal.info.contains(says), "{refusal}");
    }
}

#[tokio::test]
async fn members_of_another_type_are_passed_over_even_if_no_other_is_left() {
    let db = Db::new();
    db.ask(json!([
        {"AddEntity": {"class": "A", "properties": {"n": 1}}},
        {"AddEntity": {"class": "A", "properties": {"n": 2}}},
        {"AddEntity": {"class": "A"}},
    ]))
    .await;
    let count = async |constraints| {
        let find = json!([{"FindEntity": {"with_class": "A", "constraints": constraints, "results": {"count": true}}}]);
        db.ask(find).await[0]["FindEntity"]["count"].as_u64().unwrap()
    };
    assert_eq!(count(json!({"n": ["not in", ["x", 1]]})).await, 1);
    assert_eq!(count(json!({"n": ["not in", ["x"]]})).await, 2, "as in an empty list");
    assert_eq!(count(json!({"n": ["in", ["x"]]})).await, 0);
    // A single value of another type makes any comparison false; ids are no exception.
    assert_eq!(count(json!({"n": ["!=", "x"]})).await, 0);
    assert_eq!(count(json!({"_uniqueid": ["!=", 5]})).await, 0);
    assert_eq!(count(json!({"_uniqueid": ["!=", "0.0.0"]})).await, 3);
}

#[tokio::test]
async fn a_source_has_one_group_with_all_that_any_step_led_to() {
    let db = Db::new();
    let answers = db
        .ask(json!([
            {"AddEntity": {"class": "Source", "_ref": 1}},
            {"AddEntity": {"class": "Source", "_ref": 2}},
            {"AddEntity": {"class": "T", "_ref": 3, "properties": {"n": 3}}},
            {"AddEntity": {"class": "T", "_ref": 4, "properties": {"n": 4}}},
            {"AddConnection": {"class": "X", "src": 1, "dst": 3}},
            {"AddConnection": {"class": "X", "src": 2, "dst": 3}},
            {"AddConnection": {"class": "Y", "src": 1, "dst": 4}},
            {"FindEntity": {"with_class": "Source", "_ref": 5, "uniqueids": true}},
            {"FindEntity": {"with_class": "T", "group_by_source": true, "results": {"list": ["n"]},
                "is_connected_to": {"any": [
                    {"ref": 5, "connection_class": "X"}, {"ref": 5, "connection_class": "Y"}]}}},
        ]))
        .await;
    let id = |i: usize| answers[7]["FindEntity"]["entities"][i]["_uniqueid"].as_str().unwrap();
    let groups = &answers[8]["FindEntity"]["entities"];
    assert_eq!(groups[id(0)], json!([{"n": 3}, {"n": 4}]));
    assert_eq!(groups[id(1)], json!([{"n": 3}]));
}

#[tokio::test]
async fn connect_must_make_sense_even_where_a_guard_leaves_it_unused() {
    let db = Db::new();
    let add = |reference: u32| {
        json!([
            {"FindEntity": {"with_class": "Nobody", "_ref": 1}},
            {"AddEntity": {"class": "A", "properties": {"n": 1}, "if_not_found": {"n": ["==", 1]},
                "connect": {"ref": reference, "class": "X"}}},
        ])
    };
    db.ask(json!([{"AddEntity": {"class": "A", "properties": {"n": 1}}}])).await;
    assert_eq!(db.ask(add(1)).await[1]["AddEntity"]["status"], 2, "an empty one is not used");
    let refusal = db.refused(add(9), vec![]).await;
    assert_eq!(refusal.command, Some(1), "{refusal}");
}

#[tokio::test]
async fn the_day_of_the_week_of_a_date_says_nothing() {
    let db = Db::new();
    let date = |text: &str| json!({ "_date": text });
    db.ask(json!([{"AddEntity": {"class": "A", "properties": {
        // The documentation's own example; it was a Tuesday.
        "printed": date("Sat Jun 04 18:59:32 UTC 2019"),
        "last": date("9999-12-30T22:00:00.999999Z"),
    }}}]))
    .await;
    let find = json!({"FindEntity": {"with_class": "A", "results": {"list": ["printed", "last"]}}});
    assert_eq!(
        db.find(find).await,
        [json!({
            "printed": date("2019-06-04T18:59:32+00:00"),
            "last": date("9999-12-30T22:00:00.999999+00:00"),
        })]
    );
}

#[tokio::test]
async fn a_class_without_matches_keeps_the_types_of_its_properties() {
    let db = Db::new();
    let sum = json!({"FindDescriptor": {"set": "s", "k_neighbors": 1, "knn_first": false, "results": {"sum": ["d"]}}});
    let request = json!([{"AddDescriptorSet": {"name": "s", "dimensions": 1}}, {"AddBlob": {}}]);
    db.ask_with(request, vec![vector(&[1.0])]).await;
    let add = json!([{"AddDescriptorSet": {"name": "other", "dimensions": 1}},
        {"AddDescriptor": {"set": "other", "properties": {"d": "text"}}}]);
    db.ask_with(add, vec![vector(&[1.0])]).await;
    // Nothing is in the set, which an index shows; `d` is a text all the same.
    let refusal = db.refused(json!([sum]), vec![vector(&[1.0])]).await;
    assert!(refusal.info.contains("`d` is no number"), "{refusal}");
}

#[tokio::test]
async fn floats_come_back_to_the_last_bit() {
    let db = Db::new();
    let floats = [4.474_637_693_087_327_7e18, 0.875_777_994_081_200_7, 5e-324, -0.0];
    for x in floats {
        db.ask(json!([{"AddEntity": {"class": "A", "properties": {"x": x}}}])).await;
    }
    let found =
        db.find(json!({"FindEntity": {"with_class": "A", "results": {"list": ["x"]}}})).await;
    let bits = |x: f64| x.to_bits();
    let found: Vec<u64> = found.iter().map(|e| bits(e["x"].as_f64().unwrap())).collect();
    assert_eq!(found, floats.map(bits));
}
