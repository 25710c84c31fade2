//! Descriptor sets, descriptors, and searches by nearness.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::HashMap;

use common::{Db, png, vector};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Four vectors in a set of every metric, each joined to an image.
async fn faces() -> Db {
    let db = Db::new();
    db.ask(json!([{"AddDescriptorSet": {"name": "faces", "dimensions": 2, "engine": ["HNSW", "FaissFlat"],
        "metric": ["L2", "IP", "CS"], "properties": {"by": "hand"}}}]))
    .await;
    for (src, label, components) in [
        ("a", json!("ada"), [1.0, 0.0]),
        ("b", json!("bob"), [0.0, 1.0]),
        ("c", json!("ada"), [3.0, 0.0]),
        ("d", json!(null), [2.0, 2.0]),
    ] {
        db.ask_with(
            json!([
                {"AddImage": {"_ref": 1, "properties": {"file": src}}},
                {"AddDescriptor": {"set": "faces", "label": label, "properties": {"src": src}, "connect": {"ref": 1}}},
            ]),
            vec![png(7), vector(&components)],
        )
        .await;
    }
    db
}

async fn nearest(db: &Db, rest: Json, query: [f32; 2]) -> Vec<(String, f64)> {
    let mut body =
        json!({"set": "faces", "k_neighbors": 9, "distances": true, "results": {"list": ["src"]}});
    for (key, value) in rest.as_object().unwrap() {
        body[key] = value.clone();
    }
    let (answers, _) = db.ask_with(json!([{ "FindDescriptor": body }]), vec![vector(&query)]).await;
    let found = answers[0]["FindDescriptor"]["entities"].as_array().cloned().unwrap_or_default();
    found
        .iter()
        .map(|d| (d["src"].as_str().unwrap().to_owned(), d["_distance"].as_f64().unwrap()))
        .collect()
}

fn pairs(expected: &[(&str, f64)]) -> Vec<(String, f64)> {
    expected.iter().map(|(s, d)| ((*s).to_owned(), *d)).collect()
}

#[tokio::test]
async fn each_metric_has_its_order() {
    let db = faces().await;
    let l2 = nearest(&db, json!({}), [1.0, 0.0]).await;
    assert_eq!(l2, pairs(&[("a", 0.0), ("b", 2.0), ("c", 4.0), ("d", 5.0)]));
    let ip = nearest(&db, json!({"metric": "IP"}), [2.0, 0.0]).await;
    assert_eq!(ip, pairs(&[("c", 6.0), ("d", 4.0), ("a", 2.0), ("b", 0.0)]));
    let cs =
        nearest(&db, json!({"metric": "CS", "engine": "Flat", "k_neighbors": 3}), [2.0, 0.0]).await;
    assert_eq!(cs[..2], pairs(&[("a", 1.0), ("c", 1.0)]), "ties go by age");
    assert!((cs[2].1 - 0.5_f64.sqrt()).abs() < 1e-6);
}

#[tokio::test]
async fn neighbours_before_or_after_constraints() {
    let db = faces().await;
    let not_a = json!({"src": ["!=", "a"]});
    let find = |rest: Json| {
        let mut all = json!({"k_neighbors": 2, "constraints": not_a});
        for (key, value) in rest.as_object().unwrap() {
            all[key] = value.clone();
        }
        all
    };
    let first = nearest(&db, find(json!({})), [1.0, 0.0]).await;
    assert_eq!(first, pairs(&[("b", 2.0)]), "two neighbours, then the constraints");
    let after = nearest(&db, find(json!({"knn_first": false})), [1.0, 0.0]).await;
    assert_eq!(after, pairs(&[("b", 2.0), ("c", 4.0)]));
    let labelled = json!({"k_neighbors": 2, "with_label": "ada", "knn_first": false});
    assert_eq!(nearest(&db, labelled, [0.0, 1.0]).await, pairs(&[("a", 2.0), ("c", 10.0)]));
    let sorted = json!({"sort": {"key": "src", "order": "descending"}, "limit": 2});
    assert_eq!(nearest(&db, sorted, [1.0, 0.0]).await, pairs(&[("d", 5.0), ("c", 4.0)]));
    let paged = json!({"limit": 2, "offset": 1});
    assert_eq!(nearest(&db, paged, [1.0, 0.0]).await, pairs(&[("b", 2.0), ("c", 4.0)]));
}

#[tokio::test]
async fn what_hangs_on_neighbours_keeps_their_order() {
    let db = faces().await;
    let (answers, _) = db
        .ask_with(
            json!([
                {"FindDescriptor": {"_ref": 1, "set": "faces", "k_neighbors": 3, "metric": "IP", "uniqueids": true, "results": {"count": true}}},
                {"FindImage": {"_ref": 2, "is_connected_to": {"ref": 1}, "results": {"list": ["file"]}}},
                {"FindImage": {"is_connected_to": {"ref": 1}, "group_by_source": true, "results": {"list": ["file"]}}},
                {"FindDescriptor": {"is_connected_to": {"ref": 2}, "labels": true, "results": {"list": ["src"]}}},
            ]),
            vec![vector(&[2.0, 0.0])],
        )
        .await;
    assert_eq!(answers[0]["FindDescriptor"]["count"], 3);
    let files = json!([{"file": "c"}, {"file": "d"}, {"file": "a"}]);
    assert_eq!(answers[1]["FindImage"]["entities"], files);
    let groups = answers[2]["FindImage"]["entities"].as_object().unwrap();
    let found: Vec<&Json> =
        answers[0]["FindDescriptor"]["entities"].as_array().unwrap().iter().collect();
    let ids: Vec<&str> = found.iter().map(|d| d["_uniqueid"].as_str().unwrap()).collect();
    assert_eq!(groups.keys().collect::<Vec<_>>(), ids);
    assert_eq!(groups[ids[0]], json!([{"file": "c"}]));
    assert_eq!(
        answers[3]["FindDescriptor"]["entities"],
        json!([{"_label": "ada", "src": "c"}, {"_label": "None", "src": "d"}, {"_label": "ada", "src": "a"}])
    );
}

#[tokio::test]
async fn neighbours_among_what_is_connected() {
    let db = faces().await;
    let (answers, _) = db
        .ask_with(
            json!([
                {"FindImage": {"_ref": 1, "constraints": {"file": ["in", ["c", "d"]]}}},
                {"FindDescriptor": {"set": "faces", "k_neighbors": 1, "knn_first": false, "is_connected_to": {"ref": 1}, "results": {"list": ["src"]}}},
                {"FindDescriptor": {"set": "faces", "k_neighbors": 1, "is_connected_to": {"ref": 1}, "results": {"list": ["src"]}}},
            ]),
            vec![vector(&[1.0, 0.0]), vector(&[1.0, 0.0])],
        )
        .await;
    assert_eq!(answers[1]["FindDescriptor"]["entities"], json!([{"src": "c"}]));
    assert_eq!(answers[2]["FindDescriptor"], json!({"status": 0, "returned": 0}));
}

#[tokio::test]
async fn sets_say_what_they_are() {
    let db = faces().await;
    let answers = db
        .ask(json!([
            {"FindDescriptorSet": {"with_name": "faces", "engines": true, "metrics": true, "dimensions": true, "counts": true}},
            {"FindDescriptorSet": {"with_name": "none", "counts": true}},
            {"FindDescriptorSet": {"constraints": {"_dimensions": ["==", 2]}, "_ref": 1, "results": {"all_properties": true}}},
            {"FindDescriptor": {"is_connected_to": {"ref": 1, "direction": "out"}, "results": {"count": true}}},
            {"FindDescriptor": {"constraints": {"_set_name": ["==", "faces"], "_label": ["==", "bob"]}, "results": {"all_properties": true}}},
            {"AddDescriptorSet": {"name": "faces", "dimensions": 3}},
        ]))
        .await;
    assert_eq!(
        answers[0]["FindDescriptorSet"],
        json!({"status": 0, "returned": 1, "entities": [{"_engines": ["HNSW", "Flat"], "_metrics": ["L2", "IP", "CS"], "_dimensions": 2, "_count": 4}]})
    );
    assert_eq!(answers[1]["FindDescriptorSet"], json!({"status": 0, "returned": 0}));
    let all = &answers[2]["FindDescriptorSet"]["entities"][0];
    assert_eq!(
        (&all["_name"], &all["by"], &all["_count"]),
        (&json!("faces"), &json!("hand"), &json!(4))
    );
    assert_eq!(answers[3]["FindDescriptor"]["count"], 4);
    let bob = &answers[4]["FindDescriptor"]["entities"][0];
    assert_eq!((&bob["_set_name"], &bob["src"]), (&json!("faces"), &json!("b")));
    assert_eq!(answers[5]["AddDescriptorSet"]["status"], 2);
}

#[tokio::test]
async fn vectors_come_back_bit_by_bit() {
    let db = faces().await;
    let (_, blobs) = db
        .ask_with(
            json!([{"FindDescriptor": {"set": "faces", "blobs": true, "with_label": "bob"}}]),
            vec![],
        )
        .await;
    assert_eq!(blobs, [vector(&[0.0, 1.0])]);
}

#[tokio::test]
async fn a_transaction_finds_its_own_vectors_and_others_do_not() {
    let db = faces().await;
    let add_and_find = json!([
        {"AddDescriptor": {"set": "faces", "properties": {"src": "new"}}},
        {"FindDescriptor": {"set": "faces", "k_neighbors": 1, "results": {"list": ["src"]}}},
        {"AddDescriptor": {"set": "nowhere"}},
    ]);
    let blobs = vec![vector(&[9.0, 9.0]); 3];
    let refusal = db.refused(add_and_find.clone(), blobs.clone()).await;
    assert!(
        refusal.info.starts_with("command 2 (AddDescriptor): there is no descriptor set `nowhere`")
    );
    assert_eq!(nearest(&db, json!({"k_neighbors": 1}), [9.0, 9.0]).await[0].0, "d");
    let mut commands = add_and_find.as_array().unwrap().clone();
    commands.pop();
    let (answers, _) = db.ask_with(json!(commands), blobs[..2].to_vec()).await;
    assert_eq!(answers[1]["FindDescriptor"]["entities"], json!([{"src": "new"}]));
    assert_eq!(nearest(&db, json!({"k_neighbors": 1}), [9.0, 9.0]).await, pairs(&[("new", 0.0)]));
}

#[tokio::test]
async fn several_queries_in_one_blob() {
    let db = faces().await;
    let queries = vector(&[1.0, 0.0, 0.0, 1.0]);
    let batch = json!([
        {"FindDescriptorBatch": {"_ref": 1, "set": "faces", "n_descriptors": 2, "k_neighbors": 2, "distances": true, "results": {"list": ["src"]}}},
        {"FindDescriptorBatch": {"set": "faces", "n_descriptors": 2, "k_neighbors": 1, "blobs": true, "labels": true}},
        {"FindImage": {"is_connected_to": {"ref": 1}, "results": {"list": ["file"]}}},
    ]);
    let (answers, blobs) = db.ask_with(batch, vec![queries.clone(), queries.clone()]).await;
    assert_eq!(
        json!(answers),
        json!([
            {"FindDescriptorBatch": {"status": 0, "returned": 4, "entities": [
                [{"_distance": 0.0, "src": "a"}, {"_distance": 2.0, "src": "b"}],
                [{"_distance": 0.0, "src": "b"}, {"_distance": 2.0, "src": "a"}]]}},
            {"FindDescriptorBatch": {"status": 0, "blobs_start": 0, "returned": 2, "entities": [
                [{"_label": "ada", "_blob_index": 0}], [{"_label": "bob", "_blob_index": 1}]]}},
            {"FindImage": {"status": 0, "returned": 2, "entities": [{"file": "a"}, {"file": "b"}]}},
        ])
    );
    assert_eq!(blobs, [vector(&[1.0, 0.0]), vector(&[0.0, 1.0])]);
    for (n, says) in [(3, "16 bytes"), (0, "at least 1"), (u64::MAX, "16 bytes")] {
        let find = json!([{"FindDescriptorBatch": {"set": "faces", "n_descriptors": n, "k_neighbors": 1}}]);
        let refusal = db.refused(find, vec![queries.clone()]).await;
        assert!(refusal.info.contains(says), "{}", refusal.info);
    }
}

#[tokio::test]
async fn the_majority_names_a_vector() {
    let db = faces().await;
    let label = async |k: u32, query: [f32; 2]| {
        let ask = json!([{"ClassifyDescriptor": {"set": "faces", "k_neighbors": k}}]);
        db.ask_with(ask, vec![vector(&query)]).await.0[0].clone()
    };
    let is = |label: &str| json!({"ClassifyDescriptor": {"status": 0, "label": label}});
    assert_eq!(label(3, [1.0, 0.0]).await, is("ada"));
    assert_eq!(label(2, [0.0, 1.0]).await, is("bob"), "the nearest of two that are alike");
    assert_eq!(label(1, [2.0, 2.0]).await, is("None"), "no neighbour has a label");
    let refusal = db
        .refused(json!([{"ClassifyDescriptor": {"set": "faces"}}]), vec![vector(&[1.0, 1.0])])
        .await;
    assert!(refusal.info.contains("`k_neighbors` is missing"));
}

#[tokio::test]
async fn vectors_that_do_not_fit_are_refused() {
    let db = faces().await;
    let add = json!([{"AddDescriptor": {"set": "faces"}}]);
    let find = json!([{"FindDescriptor": {"set": "faces", "k_neighbors": 1}}]);
    for commands in [add, find] {
        for (components, says) in [
            (&[1.0_f32, 2.0, 3.0][..], "the vector has 12 bytes, its set takes 8 (2 components"),
            (&[f32::NAN, 0.0], "component 0 of the vector is not a finite number"),
            (&[0.0, f32::INFINITY], "component 1"),
        ] {
            let refusal = db.refused(commands.clone(), vec![vector(components)]).await;
            assert!(refusal.info.contains(says), "{}", refusal.info);
        }
    }
    let search = |rest: Json| {
        let mut body = json!({"set": "faces", "k_neighbors": 1});
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        json!([{ "FindDescriptor": body }])
    };
    for (rest, says) in [
        (json!({"metric": "L1"}), "there is no metric \"L1\""),
        (json!({"engine": "IVF"}), "has no engine \"IVF\"; it has HNSW, Flat"),
        (json!({"set": null}), "`set` is missing"),
        (json!({"k_neighbors": 0}), "at least 1"),
        (json!({"set": "none"}), "there is no descriptor set `none`"),
    ] {
        let refusal = db.refused(search(rest), vec![vector(&[1.0, 1.0])]).await;
        assert!(refusal.info.contains(says), "{}", refusal.info);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Batches of vectors in two sets, searches between them: as a sort of all of them has it.
    #[test]
    fn searches_agree_with_sorting(
        batches in prop::collection::vec(prop::collection::vec((any::<bool>(), -4_i8..4, -4_i8..4), 1..30), 1..5),
        k in 1_usize..12,
        query in (-4_i8..4, -4_i8..4),
        knn_first in any::<bool>(),
        reopen in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut db = Db::new();
            for set in ["faces", "others"] {
                db.ask(json!([{"AddDescriptorSet": {"name": set, "dimensions": 2}}])).await;
            }
            let query = [f32::from(query.0), f32::from(query.1)];
            let mut all: Vec<(String, f64)> = Vec::new();
            let mut odd: HashMap<String, bool> = HashMap::new();
            for (b, batch) in batches.iter().enumerate() {
                let mut commands = Vec::new();
                let mut blobs = Vec::new();
                for (i, (ours, x, y)) in batch.iter().enumerate() {
                    let src = format!("{b}/{i}");
                    let set = if *ours { "faces" } else { "others" };
                    commands.push(json!({"AddDescriptor": {"set": set, "properties": {"src": src, "odd": i % 2 == 1}}}));
                    let v = [f32::from(*x), f32::from(*y)];
                    blobs.push(vector(&v));
                    if *ours {
                        let d = (v[0] - query[0]).powi(2) + (v[1] - query[1]).powi(2);
                        odd.insert(src.clone(), i % 2 == 1);
                        all.push((src, f64::from(d)));
                    }
                }
                db.ask_with(json!(commands), blobs).await;
                if reopen {
                    db = db.reopen();
                }
                let mut expected = all.clone();
                expected.sort_by(|a, b| a.1.total_cmp(&b.1));
                let keep = |list: Vec<(String, f64)>| list.into_iter().filter(|(s, _)| odd[s]);
                let expected: Vec<_> = if knn_first {
                    keep(expected.into_iter().take(k).collect()).collect()
                } else {
                    keep(expected).take(k).collect()
                };
                let rest = json!({"k_neighbors": k, "constraints": {"odd": ["==", true]}, "knn_first": knn_first});
                assert_eq!(nearest(&db, rest, query).await, expected);
            }
        });
    }
}
