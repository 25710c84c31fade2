//! Requests that mean harm, or none: there is always an answer or a refusal, and a refused request
//! leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use adb_model::{Database, Request, Response};
use bytes::Bytes;
use common::{Db, png, vector};
use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value as Json, json};

/// Every command, with most of its parameters; each array is a request that works.
fn samples() -> Vec<Json> {
    vec![
        json!([
            {"AddEntity": {"class": "Person", "_ref": 1, "properties": {"name": "Ada", "age": 36, "born": {"_date": "1990-05-01"}, "tags": ["a"]}, "if_not_found": {"name": ["==", "Ada"], "age": [">=", 1, "<", 99]}}},
            {"AddImage": {"_ref": 2, "properties": {"shot": 1}, "connect": {"ref": 1, "class": "took", "direction": "in", "properties": {"k": 1}}, "format": "png", "operations": [{"type": "resize", "width": 2, "height": 2}, {"type": "rotate", "angle": 30, "resize": true}]}},
            {"AddConnection": {"class": "shows", "src": 2, "dst": 1, "_ref": 3, "properties": {"conf": 0.5}, "if_not_found": ["$conf", "==", 0.5]}},
            {"AddBlob": {"properties": {"name": "mask"}, "if_not_found": 2}},
        ]),
        json!([
            {"FindImage": {"_ref": 1, "limit": 1}},
            {"AddBoundingBox": {"image_ref": 1, "label": "dog", "rectangle": {"x": 0, "y": 0, "width": 1, "height": 1}}},
            {"AddPolygon": {"image_ref": 1, "label": "cat", "polygons": [[[0, 0], [1, 0], [1, 1]]]}},
            {"FindPolygon": {"_ref": 3, "hulls": true, "decompositions": true}},
            {"RegionIoU": {"roi_1": 3, "polygons": [[[0, 0], [1, 0], [1, 1]]]}},
            {"GetSchema": {"ref": 3}},
            {"FindBoundingBox": {"_ref": 2, "image_ref": 1, "with_label": "dog", "in_rectangle": {"x": 0, "y": 0, "width": 9, "height": 9}, "areas": true, "coordinates": true, "blobs": true, "as_format": "jpg"}},
            {"FindPolygon": {"vertices": true, "bounds": true, "results": {"all_properties": true}}},
            {"RegionIoU": {"roi_1": 2, "roi_2": 2}},
            {"UpdateBoundingBox": {"ref": 2, "rectangle": {"x": 1, "y": 1, "width": 2, "height": 2}, "label": "fox"}},
            {"DeletePolygon": {"with_label": "cat"}},
        ]),
        json!([
            {"AddVideo": {"_ref": 1, "properties": {"id": 3}}},
            {"AddClip": {"video_ref": 1, "label": "goal", "time_offset_range": {"start": "00:00:01", "stop": "00:00:02.5"}}},
            {"AddFrame": {"video_ref": 1, "frame_number": 25}},
            {"FindClip": {"video_ref": 1, "in_time_offset_range": {"start": "00:00:00", "stop": "00:01:00"}, "labels": true}},
            {"FindFrame": {"in_frame_number_range": {"start": 0, "stop": 99}, "results": {"all_properties": true}}},
            {"UpdateFrame": {"time_fraction": 0.25}},
            {"DeleteVideo": {"constraints": {"id": ["==", 3]}}},
        ]),
        json!([
            {"AddDescriptorSet": {"name": "faces", "dimensions": 2, "engine": ["HNSW", "Flat"], "metric": ["L2", "CS"], "properties": {"by": "hand"}}},
            {"AddDescriptor": {"set": "faces", "label": "ada", "properties": {"src": "a"}}},
            {"FindDescriptor": {"_ref": 1, "set": "faces", "k_neighbors": 2, "engine": "Flat", "metric": "CS", "knn_first": false, "constraints": {"src": ["in", ["a", "b"]]}, "distances": true, "labels": true, "blobs": true, "uniqueids": true, "results": {"list": ["src"], "count": true}}},
            {"FindDescriptorBatch": {"set": "faces", "n_descriptors": 2, "k_neighbors": 3, "distances": true}},
            {"ClassifyDescriptor": {"set": "faces", "k_neighbors": 5}},
            {"FindDescriptorSet": {"with_name": "faces", "engines": true, "metrics": true, "dimensions": true, "counts": true}},
            {"UpdateDescriptor": {"set": "faces", "with_label": "ada", "label": "eve", "properties": {"n": 1}, "remove_props": ["src"]}},
            {"DeleteDescriptor": {"set": "faces", "constraints": ["$_label", "==", "eve"]}},
        ]),
        json!([
            {"FindEntity": {"_ref": 1, "with_class": "Person", "constraints": ["all", ["$age", ">", 20], ["any", ["$name", "in", {"array": ["Ada"]}], ["$born", "<", {"to_date": "2000-01-01"}]]], "sort": [{"key": "age", "order": "descending"}, {"key": "name", "sequence": ["Ada", "Bo"]}], "limit": 5, "offset": 0, "uniqueids": true, "results": {"list": ["name", "_uniqueid"], "count": true}}},
            {"FindImage": {"is_connected_to": {"all": [{"ref": 1, "connection_class": "took", "direction": "out", "constraints": {"k": ["==", 1]}}, {"ref": 1}]}, "group_by_source": true, "blobs": true, "operations": [{"type": "crop", "x": 0, "y": 0, "width": 1, "height": 1}, {"type": "flip", "code": -1}, {"type": "threshold", "value": 9}], "as_format": "jpg", "results": {"all_properties": true}}},
            {"FindEntity": {"results": {"count": true, "sum": "age", "average": ["age"], "min": "name", "max": "age", "group": ["name"]}}},
            {"FindEntity": {"batch": {"batch_size": 2, "batch_id": 0}, "results": {"list": ["name"]}}},
            {"FindConnection": {"with_class": "took", "src": 1, "unique": false, "results": {"list": ["_src", "_dst"]}}},
            {"UpdateEntity": {"ref": 1, "properties": {"age": 37}}},
            {"UpdateConnection": {"with_class": "took", "constraints": {"k": ["<", 5]}, "properties": {"weak": true}}},
            {"DeleteEntity": {"ref": 1}},
        ]),
        json!([
            {"CreateIndex": {"target": "entity", "class": "Person", "property": "name", "kind": "ordered"}},
            {"CreateIndex": {"index_type": "connection", "class": "took", "property_key": "k", "property_type": "integer"}},
            {"GetIndexes": {"target": "entity", "class": "Person"}},
            {"GetSchema": {"type": "both", "refresh": true}},
            {"GetStatus": {}},
            {"RemoveIndex": {"target": "entity", "class": "Person", "property": "name"}},
        ]),
    ]
}

/// As many blobs as a request's commands take, of the kind that they take.
fn blobs_of(request: &Json) -> Vec<Bytes> {
    let commands =
        request.as_array().into_iter().flatten().filter_map(|c| c.as_object()?.iter().next());
    let mut blobs = Vec::new();
    for (name, body) in commands {
        match name.as_str() {
            "AddImage" => blobs.push(png(7)),
            "AddBlob" | "AddVideo" => blobs.push(Bytes::from_static(b"bytes")),
            "AddDescriptor" | "ClassifyDescriptor" => blobs.push(vector(&[1.0, 2.0])),
            "FindDescriptorBatch" => blobs.push(vector(&[1.0, 2.0, 3.0, 4.0])),
            "FindDescriptor" if body.get("k_neighbors").is_some() => {
                blobs.push(vector(&[1.0, 2.0]));
            }
            _ => {}
        }
    }
    blobs
}

/// Values that nobody expects.
fn junk() -> impl Strategy<Value = Json> {
    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(0)),
        Just(json!(-1)),
        Just(json!(1)),
        Just(json!(3)),
        Just(json!(0.5)),
        Just(json!(1e308)),
        Just(json!(u64::MAX)),
        Just(json!(i64::MIN)),
        Just(json!("")),
        Just(json!("$")),
        Just(json!("_uniqueid")),
        Just(json!("_Image")),
        Just(json!("'; DROP TABLE class; --")),
        Just(json!("\u{0}\u{fffd}é")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[0, 0], [0, 0], [0, 0]])),
        Just(json!(["==", null])),
        Just(json!(["any"])),
        Just(json!({"ref": 1})),
        Just(json!({"_date": "9999999-99-99"})),
        Just(json!({"all": {"any": {}}})),
        Just(deep(60)),
        Just(json!("x".repeat(3000))),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|x| json!(x)),
        ".{0,12}".prop_map(|text| json!(text)),
    ]
}

#[derive(Debug, Clone)]
enum Mutation {
    Replace(Index, Json),
    Remove(Index),
    /// A value of one place at another.
    Copy(Index, Index),
    Insert(Index, String, Json),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let keys = prop_oneof![
        Just("constraints"),
        Just("unique"),
        Just("ref"),
        Just("_ref"),
        Just("limit"),
        Just("offset"),
        Just("batch"),
        Just("blobs"),
        Just("operations"),
        Just("with_class"),
        Just("is_connected_to"),
        Just("results"),
        Just("label"),
        Just("properties"),
        Just("remove_props"),
        Just("k_neighbors"),
        Just("group_by_source"),
        Just("sort"),
        Just("url"),
    ];
    prop_oneof![
        4 => (any::<Index>(), junk()).prop_map(|(at, value)| Mutation::Replace(at, value)),
        1 => any::<Index>().prop_map(Mutation::Remove),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Mutation::Copy(from, to)),
        2 => (any::<Index>(), keys, junk()).prop_map(|(at, key, value)| Mutation::Insert(at, key.to_owned(), value)),
    ]
}

/// The paths of all values inside of a value.
fn paths(json: &Json, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match json {
        Json::Array(all) => {
            all.iter().enumerate().for_each(|(i, v)| paths(v, &format!("{at}/{i}"), found));
        }
        Json::Object(all) => all.iter().for_each(|(k, v)| {
            paths(v, &format!("{at}/{}", k.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => {}
    }
}

fn mutate(request: &mut Json, mutation: &Mutation) {
    let mut all = Vec::new();
    paths(request, "", &mut all);
    match mutation {
        Mutation::Replace(at, value) => {
            *request.pointer_mut(&all[at.index(all.len())]).unwrap() = value.clone();
        }
        Mutation::Copy(from, to) => {
            let value = request.pointer(&all[from.index(all.len())]).unwrap().clone();
            *request.pointer_mut(&all[to.index(all.len())]).unwrap() = value;
        }
        Mutation::Remove(at) => {
            if let Some((parent, last)) = at.get(&all).rsplit_once('/') {
                match request.pointer_mut(parent).unwrap() {
                    Json::Array(values) => drop(values.remove(last.parse().unwrap())),
                    Json::Object(values) => {
                        drop(values.shift_remove(&last.replace("~1", "/").replace("~0", "~")));
                    }
                    _ => {}
                }
            }
        }
        Mutation::Insert(at, key, value) => {
            if let Json::Object(values) = request.pointer_mut(&all[at.index(all.len())]).unwrap() {
                values.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Everything that the tables hold.
fn contents(db: &Db) -> Vec<String> {
    let conn = rusqlite::Connection::open(db.path().join("adb.sqlite")).unwrap();
    let mut select =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> =
        select.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    let mut found = Vec::new();
    for table in tables.iter().filter(|t| *t != "counter") {
        let mut select = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> =
                (0..columns).map(|i| format!("{:?}", row.get_ref(i).unwrap())).collect();
            found.push(format!("{table}: {}", values.join(", ")));
        }
    }
    found
}

/// Sends a request that may be anything. An error would be the engine's fault.
async fn survive(db: &Db, request: &Json, blobs: Vec<Bytes>) {
    let before = contents(db);
    let sent = Request::new(request.to_string(), blobs);
    match db.engine.execute(sent).await.unwrap_or_else(|e| panic!("{request}: {e}")) {
        Response::Done { answers, .. } => {
            assert_eq!(answers.len(), request.as_array().unwrap().len());
        }
        Response::Refused(refusal) => {
            assert!(
                [-1, 3, 4].contains(&refusal.status) && !refusal.info.is_empty(),
                "{refusal:?}"
            );
            assert_eq!(contents(db), before, "{request} left something");
        }
    }
}

#[tokio::test]
async fn the_samples_work() {
    let db = Db::new();
    for request in samples() {
        let blobs = blobs_of(&request);
        db.ask_with(request, blobs).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn mutated_requests_are_answered_or_refused(
        requests in prop::collection::vec((any::<Index>(), prop::collection::vec(mutation(), 0..4), 0_usize..12), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let db = Db::new();
            for (which, mutations, blobs) in requests {
                let mut request = which.get(&samples()).clone();
                for mutation in &mutations {
                    mutate(&mut request, mutation);
                }
                let mut sent = blobs_of(&request);
                // Now and then one too few, or one too many.
                match blobs {
                    0 => drop(sent.pop()),
                    1 => sent.push(Bytes::from_static(b"more")),
                    2 => sent.reverse(),
                    _ => {}
                }
                survive(&db, &request, sent).await;
            }
            // It is still a database.
            db.ask(json!([{"AddEntity": {"class": "After"}}])).await;
            assert_eq!(db.count("After").await, 1);
        });
    }

    /// Bytes that are no request at all.
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let db = Db::new();
            let answer = db.engine.execute(Request::new(bytes, vec![])).await.unwrap();
            assert!(matches!(answer, Response::Refused(_)));
        });
    }
}

#[tokio::test]
async fn ten_thousand_commands() {
    let db = Db::new();
    let adds: Vec<Json> = (1..=10_000)
        .map(|i| json!({"AddEntity": {"class": "N", "_ref": i, "properties": {"n": i}}}))
        .collect();
    assert_eq!(db.ask(json!(adds)).await.len(), 10_000);
    let finds =
        vec![json!({"FindEntity": {"with_class": "N", "limit": 1, "uniqueids": true}}); 10_000];
    assert_eq!(db.ask(json!(finds)).await.len(), 10_000);
    let mut adds = adds;
    adds.push(json!({"AddEntity": {"class": "N", "_ref": 10_001, "connect": {"ref": 10_002, "class": "c"}}}));
    let refusal = db.refused(json!(adds), vec![]).await;
    assert_eq!(refusal.command, Some(10_000));
    assert_eq!(db.count("N").await, 10_000);
}

#[tokio::test]
async fn deep_nesting_and_wide_lists() {
    let db = Db::new();
    for text in [
        "[".repeat(200_000),
        format!(
            "[{{\"FindEntity\": {{\"constraints\": {}1{}}}}}]",
            "[\"all\",".repeat(5000),
            "]".repeat(5000)
        ),
        format!(
            "[{{\"AddEntity\": {{\"class\": \"C\", \"properties\": {{\"a\": {}{}}}}}}}]",
            "[".repeat(500),
            "]".repeat(500)
        ),
        "[{\"FindEntity\": {\"limit\": NaN}}]".to_owned(),
        "[{\"FindEntity\": {\"limit\": 1e999}}]".to_owned(),
        "{}".to_owned(),
        String::new(),
    ] {
        let answer = db.engine.execute(Request::new(text, vec![])).await.unwrap();
        assert!(matches!(answer, Response::Refused(_)));
    }
    let properties: Map<String, Json> = (0..3000).map(|i| (format!("p{i}"), json!(i))).collect();
    let wide = json!([{"AddEntity": {"class": "Wide", "properties": properties}}]);
    survive(&db, &wide, vec![]).await;
    let list: Vec<String> = (0..5000).map(|i| format!("p{i}")).collect();
    db.ask(json!([{"AddEntity": {"class": "C", "properties": {"p1": 1}}}])).await;
    survive(
        &db,
        &json!([{"FindEntity": {"with_class": "C", "results": {"list": list, "count": true}}}]),
        vec![],
    )
    .await;
    survive(&db, &json!([{"FindEntity": {"with_class": "C", "results": {"sum": list}}}]), vec![])
        .await;
    survive(&db, &json!([{"FindEntity": {"with_class": "C", "sort": list}}]), vec![]).await;
    survive(&db, &json!([{"FindEntity": {"with_class": "C", "sort": {"key": "p1", "sequence": (0..50_000).collect::<Vec<_>>()}}}]), vec![]).await;
    let ring: Vec<Json> = (0..20_000).map(|i| json!([i, i * i % 7])).collect();
    let polygon =
        json!([{"AddImage": {"_ref": 1}}, {"AddPolygon": {"image_ref": 1, "polygons": [ring]}}]);
    let refusal = db.refused(polygon, vec![png(1)]).await;
    assert!(refusal.info.contains("more than 10000 corners"), "{}", refusal.info);
}

#[tokio::test]
async fn numbers_beyond_all_measure() {
    let db = Db::new();
    for request in samples() {
        let blobs = blobs_of(&request);
        db.ask_with(request, blobs).await;
    }
    let most = u64::MAX;
    let query = || vec![vector(&[1.0, 2.0])];
    for (find, blobs) in [
        (json!({"FindEntity": {"limit": most, "offset": most, "uniqueids": true}}), vec![]),
        (json!({"FindEntity": {"limit": most, "uniqueids": true}}), vec![]),
        (
            json!({"FindEntity": {"batch": {"batch_size": most, "batch_id": most}, "uniqueids": true}}),
            vec![],
        ),
        (
            json!({"FindEntity": {"batch": {"batches": most, "batch_id": 3}, "uniqueids": true}}),
            vec![],
        ),
        (json!({"FindEntity": {"batch": {"range": [0, most]}, "uniqueids": true}}), vec![]),
        (
            json!({"FindDescriptor": {"set": "faces", "k_neighbors": most, "distances": true}}),
            query(),
        ),
        (json!({"ClassifyDescriptor": {"set": "faces", "k_neighbors": most}}), query()),
        (
            json!({"FindBoundingBox": {"in_rectangle": {"x": -1e308, "y": -1e308, "width": 1e308, "height": 1e308}}}),
            vec![],
        ),
    ] {
        db.ask_with(json!([find]), blobs).await;
    }
    for (command, blobs) in [
        (
            json!({"FindDescriptorBatch": {"set": "faces", "n_descriptors": most, "k_neighbors": 1}}),
            query(),
        ),
        (json!({"AddDescriptorSet": {"name": "x", "dimensions": most}}), vec![]),
        (json!({"AddEntity": {"class": "C", "properties": {"n": most}}}), vec![]),
        (json!({"AddEntity": {"class": "C", "_ref": most}}), vec![]),
        (json!({"FindEntity": {"limit": 1e300}}), vec![]),
        (json!({"FindEntity": {"limit": -1}}), vec![]),
        (json!({"AddFrame": {"video_ref": 1, "time_offset": "999999999:00:00"}}), vec![]),
    ] {
        let before = contents(&db);
        db.refused(json!([command]), blobs).await;
        assert_eq!(contents(&db), before, "{command} left something");
    }
}

#[tokio::test]
async fn blobs_that_are_missing_or_too_many() {
    let db = Db::new();
    db.ask(json!([{"AddDescriptorSet": {"name": "faces", "dimensions": 2}}])).await;
    let one = vector(&[1.0, 2.0]);
    for command in [
        json!({"AddImage": {}}),
        json!({"AddBlob": {}}),
        json!({"AddVideo": {}}),
        json!({"AddDescriptor": {"set": "faces"}}),
        json!({"FindDescriptor": {"set": "faces", "k_neighbors": 1}}),
        json!({"FindDescriptorBatch": {"set": "faces", "k_neighbors": 1}}),
        json!({"ClassifyDescriptor": {"set": "faces", "k_neighbors": 1}}),
    ] {
        let note = json!({"AddEntity": {"class": "Note"}});
        let before = contents(&db);
        let missing = db.refused(json!([note, command]), vec![]).await;
        assert_eq!((missing.code.as_deref(), missing.command), (Some("blobs"), Some(1)));
        let more = db.refused(json!([note, command]), vec![one.clone(); 2]).await;
        assert_eq!(more.code.as_deref(), Some("blobs"), "{}", more.info);
        let second = db.refused(json!([command, note, command]), vec![one.clone()]).await;
        assert_eq!((second.code.as_deref(), second.command), (Some("blobs"), Some(2)));
        assert_eq!(contents(&db), before, "{command} left something");
    }
    let none =
        db.refused(json!([{"FindImage": {}}, {"AddEntity": {"class": "Note"}}]), vec![one]).await;
    assert_eq!(none.code.as_deref(), Some("blobs"));
}

#[tokio::test]
async fn vectors_that_are_none() {
    let db = Db::new();
    let add = json!({"AddDescriptor": {"set": "faces"}});
    db.ask_with(
        json!([{"AddDescriptorSet": {"name": "faces", "dimensions": 2, "metric": ["L2", "CS", "IP"]}}, add]),
        vec![vector(&[1.0, 2.0])],
    )
    .await;
    let before = contents(&db);
    let wrong = [
        vector(&[f32::NAN, 1.0]),
        vector(&[1.0, f32::NAN]),
        vector(&[f32::INFINITY, 1.0]),
        vector(&[1.0, f32::NEG_INFINITY]),
        vector(&[1.0]),
        vector(&[1.0, 2.0, 3.0]),
        Bytes::new(),
        Bytes::from_static(b"1234567"),
        Bytes::from_static(b"123456789"),
    ];
    for blob in wrong {
        for command in [
            add.clone(),
            json!({"FindDescriptor": {"set": "faces", "k_neighbors": 1}}),
            json!({"FindDescriptor": {"set": "faces", "k_neighbors": 1, "metric": "CS", "knn_first": false}}),
            json!({"FindDescriptorBatch": {"set": "faces", "n_descriptors": 1, "k_neighbors": 1}}),
            json!({"ClassifyDescriptor": {"set": "faces", "k_neighbors": 1}}),
        ] {
            let note = json!({"AddEntity": {"class": "Note"}});
            let refusal = db.refused(json!([note, command]), vec![blob.clone()]).await;
            assert_eq!(refusal.code.as_deref(), Some("bad_vector"), "{command}: {}", refusal.info);
            assert_eq!(refusal.command, Some(1));
        }
    }
    assert_eq!(contents(&db), before, "nothing is left");
    // The largest and the smallest that there are; distances that no number holds are no numbers.
    for extreme in [f32::MAX, f32::MIN_POSITIVE, -0.0] {
        let both = vector(&[extreme, -extreme]);
        let find = json!({"FindDescriptor": {"set": "faces", "k_neighbors": 9, "distances": true}});
        db.ask_with(json!([add, find]), vec![both.clone(), both]).await;
    }
}

#[tokio::test]
async fn wrong_types_in_every_place() {
    let dir = tempfile::tempdir().unwrap();
    // Some thousand requests, none of which has to outlive anything.
    let engine = adb_engine::Engine::options().without_sync().open(dir.path()).unwrap();
    for request in samples() {
        let mut all = Vec::new();
        paths(&request, "", &mut all);
        // Every value of every sample, one after the other, is something else.
        for path in all.iter().filter(|path| path.matches('/').count() > 1) {
            for wrong in [json!([[]]), json!({"x": {}}), json!("x"), json!(-1.5)] {
                let mut changed = request.clone();
                *changed.pointer_mut(path).unwrap() = wrong;
                let blobs = blobs_of(&changed);
                let sent = Request::new(changed.to_string(), blobs);
                let answer = engine.execute(sent).await;
                assert!(answer.is_ok(), "{changed}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn more_work_than_one_command_may_ask_for() {
    let db = Db::new();
    let ring: Vec<Json> = (0..9000)
        .map(|i| {
            let (sin, cos) = (f64::from(i) / 9000.0 * std::f64::consts::TAU).sin_cos();
            json!([100.0 + 90.0 * cos, 100.0 + 90.0 * sin])
        })
        .collect();
    let add = json!({"AddPolygon": {"image_ref": 1, "polygons": [ring]}});
    let mut request = vec![json!({"AddImage": {"_ref": 1}})];
    request.extend(std::iter::repeat_n(add, 40));
    db.ask_with(json!(request), vec![png(1)]).await;
    let iou = json!([{"FindPolygon": {"_ref": 1}}, {"RegionIoU": {"roi_1": 1, "roi_2": 1}}]);
    let refusal = db.refused(iou, vec![]).await;
    assert!(refusal.info.contains("more than are compared"), "{}", refusal.info);
    let frames: Vec<u64> = (0..20_000).collect();
    let refusal = db
        .refused(json!([{"ExtractFrames": {"video_ref": 1, "frame_spec": frames}}]), vec![])
        .await;
    assert!(refusal.info.contains("more than 10000 frames"), "{}", refusal.info);
}

/// A PNG whose header promises far more pixels than it holds.
fn bomb(width: u32, height: u32) -> Bytes {
    let mut bytes = png(1).to_vec();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = 0xffff_ffff_u32;
    for byte in &bytes[12..29] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
    bytes.into()
}

#[tokio::test]
async fn bombs_are_not_unpacked() {
    let db = Db::new();
    for (width, height) in
        [(60_000, 60_000), (i32::MAX as u32, 1), (i32::MAX as u32, i32::MAX as u32)]
    {
        let refusal =
            db.refused(json!([{"AddImage": {"format": "jpg"}}]), vec![bomb(width, height)]).await;
        assert_eq!(refusal.code.as_deref(), Some("bad_image"), "{}", refusal.info);
        // Stored as it is, it harms nobody, until it is to be worked on.
        db.ask_with(json!([{"AddImage": {}}]), vec![bomb(width, height)]).await;
        let refusal =
            db.refused(json!([{"FindImage": {"blobs": true, "as_format": "png"}}]), vec![]).await;
        assert_eq!(refusal.code.as_deref(), Some("bad_image"), "{}", refusal.info);
        db.ask(json!([{"DeleteImage": {}}])).await;
    }
    // A JPEG promises as much in its own way.
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::GrayImage::new(8, 8).write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let mut jpeg = jpeg.into_inner();
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    let refusal = db.refused(json!([{"AddImage": {"format": "png"}}]), vec![jpeg.into()]).await;
    assert!(refusal.info.contains("65535 × 65535 pixels is not worked on"), "{}", refusal.info);
    // Wide and flat, then tall: what lies between would be huge though both ends are small.
    let flat = image::GrayImage::new(60_000, 1);
    let mut bytes = std::io::Cursor::new(Vec::new());
    flat.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    db.ask_with(json!([{"AddImage": {}}]), vec![bytes.into_inner().into()]).await;
    let tall = json!([{"FindImage": {"blobs": true, "operations": [{"type": "resize", "width": 1, "height": 60_000}]}}]);
    let refusal = db.refused(tall, vec![]).await;
    assert!(refusal.info.contains("is not worked on"), "{}", refusal.info);
}
