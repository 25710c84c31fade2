//! Constraints: both forms, every operator, absent keys, other types, and the choice of index.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::Db;
use serde_json::{Value as Json, json};

async fn people() -> Db {
    let db = Db::new();
    let rows = [
        json!({"n": 1, "city": "Oslo", "age": 17, "guest": true, "born": {"_date": "2000-01-01"}}),
        json!({"n": 2, "city": "Rome", "age": 40, "limit": 41, "code": "$x"}),
        json!({"n": 3, "city": "Oslo", "age": 65.5, "limit": 12, "born": {"_date": "1950-06-01T12:00:00+02:00"}}),
        json!({"n": 4}),
    ];
    let adds: Vec<Json> =
        rows.iter().map(|p| json!({"AddEntity": {"class": "Person", "properties": p}})).collect();
    db.ask(json!(adds)).await;
    db
}

async fn check(db: &Db, constraints: Json, expected: &[i64]) {
    let find = json!({"FindEntity": {"with_class": "Person", "constraints": constraints, "results": {"list": ["n"]}}});
    let found: Vec<i64> = db.find(find).await.iter().map(|p| p["n"].as_i64().unwrap()).collect();
    assert_eq!(found, expected, "{constraints}");
}

#[tokio::test]
async fn the_object_form() {
    let db = people().await;
    for (constraints, expected) in [
        (json!({}), vec![1, 2, 3, 4]),
        (json!(null), vec![1, 2, 3, 4]),
        (json!({"city": ["==", "Oslo"]}), vec![1, 3]),
        (json!({"city": ["!=", "Oslo"]}), vec![2]),
        (json!({"age": [">=", 17, "<", 65.5]}), vec![1, 2]),
        (json!({"age": [">", 17, "<=", 65.5], "city": ["==", "Oslo"]}), vec![3]),
        (json!({"city": ["in", ["Rome", "Paris"]]}), vec![2]),
        (json!({"city": ["not in", ["Rome", "Paris"]]}), vec![1, 3]),
        (json!({"city": ["in", []]}), vec![]),
        (json!({"city": ["not in", []]}), vec![1, 2, 3]),
        (json!({"age": ["in", [17.0, 65.5]]}), vec![1, 3]),
        (json!({"city": ["==", null]}), vec![4]),
        (json!({"city": ["!=", null]}), vec![1, 2, 3]),
        (json!({"nobody": ["==", null]}), vec![1, 2, 3, 4]),
        (json!({"nobody": ["!=", 1]}), vec![]),
        (json!({"any": {"age": ["<", 18], "city": ["==", "Rome"]}}), vec![1, 2]),
        (json!({"any": {"age": [">", 17, "<", 41], "city": ["==", null]}}), vec![2, 4]),
        (
            json!({"any": {"city": ["==", "Rome"], "all": {"age": ["<", 18], "guest": ["==", true]}}}),
            vec![1, 2],
        ),
        (
            json!({"all": {"city": ["==", "Oslo"]}, "any": {"n": ["==", 3], "age": ["==", 1]}}),
            vec![3],
        ),
        (json!({"born": ["<", {"_date": "1999-12-31"}]}), vec![3]),
        (json!({"born": ["==", {"_date": "1950-06-01T10:00:00Z"}]}), vec![3]),
        (json!({"code": ["==", "$x"]}), vec![2]),
        (json!({"guest": ["==", true]}), vec![1]),
        // A constant of another type is not equal, not more, not less.
        (json!({"age": ["==", "17"]}), vec![]),
        (json!({"age": ["!=", "17"]}), vec![]),
        (json!({"guest": ["==", 1]}), vec![]),
        (json!({"_create_txn": [">", 0]}), vec![1, 2, 3, 4]),
    ] {
        check(&db, constraints, &expected).await;
    }
}

#[tokio::test]
async fn the_expression_form() {
    let db = people().await;
    for (constraints, expected) in [
        (json!(["$city", "==", "Oslo"]), vec![1, 3]),
        (
            json!(["all", ["$age", ">=", 17], ["any", ["$city", "in", {"array": ["Rome"]}], ["$guest", "==", true]]]),
            vec![1, 2],
        ),
        (json!(["$code", "==", "$$x"]), vec![2]),
        (json!(["$born", ">=", {"to_date": "2000-01-01T00:00:00"}]), vec![1]),
        (json!(["$age", "<", "$limit"]), vec![2]),
        (json!(["$age", "<", "$city"]), vec![]),
        (json!(["any", ["$n", "==", 1], ["$n", "==", 4]]), vec![1, 4]),
        (json!(["all", ["$n", "==", 1], ["$n", "==", 4]]), vec![]),
    ] {
        check(&db, constraints, &expected).await;
    }
}

/// The same answers whichever index is taken, and with none.
#[tokio::test]
async fn indexes_change_nothing_but_the_time() {
    let db = people().await;
    for property in ["city", "age", "n", "guest", "born"] {
        db.ask(json!([{"CreateIndex": {"index_type": "entity", "class": "Person", "property_key": property}}]))
            .await;
    }
    let more: Vec<Json> = (5..300)
        .map(|n| json!({"AddEntity": {"class": "Person", "properties": {"n": n, "city": "Lima", "age": 1}}}))
        .collect();
    db.ask(json!(more)).await;
    for (constraints, expected) in [
        (json!({"city": ["==", "Lima"], "n": ["==", 7]}), vec![7]),
        (json!({"city": ["==", "Lima"], "n": ["in", [7, 1, 9]]}), vec![7, 9]),
        (json!({"city": ["==", "Nowhere"], "n": ["==", 7]}), vec![]),
        (
            json!({"city": ["in", ["Oslo", "Rome"]], "age": ["in", [17, 40, 65.5]], "n": [">", 1]}),
            vec![2, 3],
        ),
        (json!({"any": {"n": ["==", 8], "city": ["==", "Rome"]}}), vec![2, 8]),
    ] {
        check(&db, constraints, &expected).await;
    }
    let both = json!({"city": ["==", "Lima"], "age": ["==", 1]});
    let find = json!([{"FindEntity": {"with_class": "Person", "constraints": both, "results": {"count": true}}}]);
    assert_eq!(db.ask(find).await[0]["FindEntity"]["count"], 295);
}

#[tokio::test]
async fn wide_and_deep_constraints() {
    let db = people().await;
    let terms: Vec<Json> = (0..5000).map(|n| json!(["$n", "==", n])).collect();
    let mut any = vec![json!("any")];
    any.extend(terms);
    check(&db, json!(any), &[1, 2, 3, 4]).await;
    let many: Vec<i64> = (3..100_000).collect();
    check(&db, json!({"n": ["in", many]}), &[3, 4]).await;
    let mut deep = json!({"n": ["==", 2]});
    for _ in 0..100 {
        deep = json!({ "all": deep });
    }
    check(&db, deep.clone(), &[2]).await;
    for _ in 0..100 {
        deep = json!({ "all": deep });
    }
    let refusal = db
        .refused(json!([{"FindEntity": {"with_class": "Person", "constraints": deep}}]), vec![])
        .await;
    assert!(refusal.info.contains("recursion limit"), "{}", refusal.info);
    // More values than a statement takes: a refusal, and the database goes on.
    let mut any = vec![json!("any")];
    any.extend((0..40_000).map(|n| json!(["$n", "==", n])));
    let refusal = db
        .refused(json!([{"FindEntity": {"with_class": "Person", "constraints": any}}]), vec![])
        .await;
    assert!(refusal.info.contains("more than the store can take"), "{}", refusal.info);
    check(&db, json!({"n": ["==", 2]}), &[2]).await;
}

#[tokio::test]
async fn what_can_not_be_constrained_is_refused() {
    let db = people().await;
    for (constraints, says) in [
        (json!({"_uniqueid": ["<", "1.0.1"]}), "`_uniqueid`"),
        (json!({"_src": ["==", "1.0.1"]}), "`_src`"),
    ] {
        let refusal = db
            .refused(
                json!([{"FindEntity": {"with_class": "Person", "constraints": constraints}}]),
                vec![],
            )
            .await;
        assert!(refusal.info.contains(says), "{}", refusal.info);
    }
}

/// What the CSV loaders send: dates as plain text, and `!` for `!=`.
#[tokio::test]
async fn what_csv_loaders_send() {
    let db = Db::new();
    let add = json!([{"AddEntity": {"class": "Day", "properties": {"on": {"_date": "2020-01-01T00:00:00"}, "n": 1},
        "if_not_found": ["$on", "==", "2020-01-01"]}}]);
    assert_eq!(db.ask(add.clone()).await[0]["AddEntity"]["status"], 0);
    assert_eq!(db.ask(add).await[0]["AddEntity"]["status"], 2);
    for (constraints, count) in [
        (json!({"on": ["in", ["2020-01-01T01:00:00+01:00", "soon"]]}), 1),
        (json!({"on": [">", "2019-12-31"]}), 1),
        (json!({"on": ["==", "soon"]}), 0),
        (json!({"n": ["!", 2]}), 1),
        (json!(["$n", "!", 1]), 0),
    ] {
        let find = json!([{"FindEntity": {"with_class": "Day", "constraints": constraints, "results": {"count": true}}}]);
        assert_eq!(db.ask(find).await[0]["FindEntity"]["count"], count, "{constraints}");
    }
}
