//! Searches by graphs: what they find, what they never miss and never show, and what becomes of
//! their files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use adb_engine::{Engine, Options};
use bytes::Bytes;
use common::{send, vector};
use serde_json::{Value as Json, json};

/// Graphs for small sets, saved after every change.
fn options() -> Options {
    Engine::options().index_from(200).save_indexes_after(1)
}

/// Numbers that look random and are the same on every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn below(&mut self, n: usize) -> usize {
        ((self.next() + 1.0) / 2.0 * n as f32) as usize % n
    }

    /// Near one of the centers.
    fn clustered(&mut self, centers: &[Vec<f32>], spread: f32) -> Vec<f32> {
        let center = centers[self.below(centers.len())].clone();
        center.iter().map(|c| c + spread * self.next()).collect()
    }

    fn centers(&mut self, count: usize, dimensions: usize) -> Vec<Vec<f32>> {
        (0..count).map(|_| (0..dimensions).map(|_| self.next()).collect()).collect()
    }
}

async fn ask(engine: &Engine, commands: Json, blobs: Vec<Bytes>) -> Vec<Json> {
    send(engine, commands, blobs).await.done().unwrap_or_else(|r| panic!("refused: {r}")).0
}

async fn add_set(engine: &Engine, name: &str, dimensions: usize, metric: &str) {
    let set = json!({"name": name, "dimensions": dimensions, "engine": ["HNSW", "Flat"], "metric": metric});
    ask(engine, json!([{ "AddDescriptorSet": set }]), vec![]).await;
}

/// Adds vectors, numbered from `first` on.
async fn add(engine: &Engine, set: &str, first: usize, vectors: &[Vec<f32>]) {
    for (chunk, first) in vectors.chunks(500).zip((first..).step_by(500)) {
        let mut commands = Vec::new();
        for n in first..first + chunk.len() {
            let properties = json!({"n": n, "part": n * 7919 % 200});
            commands.push(json!({"AddImage": {"_ref": n + 1, "properties": properties}}));
            commands.push(json!({"AddDescriptor": {"set": set, "properties": properties, "connect": {"ref": n + 1}}}));
        }
        let blobs = chunk.iter().flat_map(|v| [common::png(1), vector(v)]).collect();
        ask(engine, json!(commands), blobs).await;
    }
}

/// (number, distance) of the nearest.
async fn nearest(
    engine: &Engine,
    set: &str,
    query: &[f32],
    k: usize,
    rest: &Json,
) -> Vec<(i64, f64)> {
    let mut find =
        json!({"set": set, "k_neighbors": k, "distances": true, "results": {"list": ["n"]}});
    let mut commands = Vec::new();
    for (key, value) in rest.as_object().unwrap() {
        if key == "before" {
            commands.push(value.clone());
        } else {
            find[key] = value.clone();
        }
    }
    commands.push(json!({ "FindDescriptor": find }));
    let answers = ask(engine, json!(commands), vec![vector(query)]).await;
    let found = answers.last().unwrap()["FindDescriptor"]["entities"].as_array().cloned();
    let pair = |d: Json| (d["n"].as_i64().unwrap(), d["_distance"].as_f64().unwrap());
    found.unwrap_or_default().into_iter().map(pair).collect()
}

fn recall(found: &[(i64, f64)], truth: &[(i64, f64)]) -> usize {
    let truth: HashSet<i64> = truth.iter().map(|(n, _)| *n).collect();
    found.iter().filter(|(n, _)| truth.contains(n)).count()
}

/// The files of a kind that were made from vectors.
fn files(directory: &Path, kind: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory.join("adb.vectors")) else { return Vec::new() };
    let paths = entries.map(|e| e.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|e| e == kind)).collect()
}

#[tokio::test]
async fn a_graph_finds_nearly_all_in_every_metric() {
    let dir = tempfile::tempdir().unwrap();
    let engine = options().open(dir.path()).unwrap();
    for metric in ["L2", "IP", "CS"] {
        let mut noise = Noise(5);
        let centers = noise.centers(60, 24);
        let vectors: Vec<_> = (0..3000).map(|_| noise.clustered(&centers, 0.5)).collect();
        add_set(&engine, metric, 24, metric).await;
        add(&engine, metric, 0, &vectors).await;
        engine.settle_indexes().await.unwrap();
        let (mut hits, mut wanted) = (0, 0);
        for _ in 0..40 {
            let query = noise.clustered(&centers, 0.5);
            let truth = nearest(&engine, metric, &query, 10, &json!({"engine": "Flat"})).await;
            let found = nearest(&engine, metric, &query, 10, &json!({})).await;
            for (n, distance) in &found {
                if let Some((_, exact)) = truth.iter().find(|(of, _)| of == n) {
                    assert_eq!(distance, exact, "measured in full");
                }
            }
            hits += recall(&found, &truth);
            wanted += truth.len();
        }
        assert_eq!(wanted, 400);
        assert!(hits * 100 >= wanted * 97, "{metric}: {hits} of {wanted}");
    }
    assert_eq!((files(dir.path(), "graph").len(), files(dir.path(), "rows").len()), (3, 3));
}

#[tokio::test]
async fn filters_find_nearly_all() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::options().index_from(1000).open(dir.path()).unwrap();
    let mut noise = Noise(6);
    let centers = noise.centers(100, 16);
    let vectors: Vec<_> = (0..10_000).map(|_| noise.clustered(&centers, 0.5)).collect();
    add_set(&engine, "s", 16, "L2").await;
    add(&engine, "s", 0, &vectors).await;
    engine.settle_indexes().await.unwrap();
    // Some that no graph has yet.
    let late: Vec<_> = (0..100).map(|_| noise.clustered(&centers, 0.5)).collect();
    add(&engine, "s", 10_000, &late).await;
    for limit in [199, 100, 10, 1] {
        let part = json!({"part": ["<", limit]});
        let own = json!({"knn_first": false, "constraints": part});
        let connected = json!({"knn_first": false, "is_connected_to": {"ref": 1},
            "before": {"FindImage": {"_ref": 1, "constraints": part}}});
        for rest in [own, connected] {
            let (mut hits, mut wanted) = (0, 0);
            // Every filter twice: what was chosen is kept the second time.
            for (turn, late) in late.iter().take(20).enumerate() {
                let query = match turn % 2 {
                    0 => noise.clustered(&centers, 0.5),
                    _ => late.clone(),
                };
                let mut flat = rest.clone();
                flat["engine"] = json!("Flat");
                let truth = nearest(&engine, "s", &query, 10, &flat).await;
                let found = nearest(&engine, "s", &query, 10, &rest).await;
                assert!(found.iter().all(|(n, _)| n * 7919 % 200 < limit));
                assert_eq!(found.len(), truth.len());
                hits += recall(&found, &truth);
                wanted += truth.len();
            }
            assert!(hits * 100 >= wanted * 97, "{limit}: {hits} of {wanted}");
        }
    }
}

/// Ten pictures of each of many people: behind those of one that pass come others' from far away.
#[tokio::test]
async fn filters_find_nearly_all_among_people() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::options().index_from(1000).open(dir.path()).unwrap();
    let mut noise = Noise(8);
    let people = noise.centers(1_000, 32);
    let vectors: Vec<_> = (0..10_000).map(|_| noise.clustered(&people, 0.2)).collect();
    add_set(&engine, "s", 32, "CS").await;
    add(&engine, "s", 0, &vectors).await;
    engine.settle_indexes().await.unwrap();
    let half = json!({"knn_first": false, "constraints": {"part": ["<", 100]}});
    let mut flat = half.clone();
    flat["engine"] = json!("Flat");
    let (mut hits, mut wanted) = (0, 0);
    for query in vectors.iter().step_by(250) {
        let truth = nearest(&engine, "s", query, 10, &flat).await;
        hits += recall(&nearest(&engine, "s", query, 10, &half).await, &truth);
        wanted += truth.len();
    }
    assert!(hits * 1000 >= wanted * 985, "{hits} of {wanted}");
}

/// Edges to sets, by named classes and in one direction; references that are used again.
#[tokio::test]
async fn what_a_search_is_connected_to() {
    let dir = tempfile::tempdir().unwrap();
    let engine = options().open(dir.path()).unwrap();
    add_set(&engine, "s", 2, "L2").await;
    add_set(&engine, "t", 2, "L2").await;
    let vectors: Vec<_> = (0..300).map(|n| vec![n as f32, 0.0]).collect();
    add(&engine, "s", 0, &vectors).await;
    engine.settle_indexes().await.unwrap();
    let query = || vec![vector(&[0.0, 0.0])];
    let first = |n: &Json| json!({"FindImage": {"_ref": 1, "constraints": {"n": n}}});
    let near = |connected: Json| json!({"FindDescriptor": {"_ref": 2, "set": "s", "k_neighbors": 2, "knn_first": false, "is_connected_to": connected, "results": {"list": ["n"]}}});
    let some = json!(["in", [7, 200, 90]]);
    let found = |answers: &[Json]| answers[1]["FindDescriptor"]["entities"].clone();
    let expected = json!([{"n": 7}, {"n": 90}]);
    for (connected, expected) in [
        (json!({"ref": 1}), expected.clone()),
        (json!({"ref": 1, "direction": "in"}), expected.clone()),
        (json!({"ref": 1, "direction": "out"}), json!(null)),
        (json!({"ref": 1, "connection_class": "_DescriptorConnection"}), expected.clone()),
        (json!({"ref": 1, "connection_class": "other"}), json!(null)),
    ] {
        // Twice: asked for a few, and from what is kept.
        for _ in 0..2 {
            let answers =
                ask(&engine, json!([first(&some), near(connected.clone())]), query()).await;
            assert_eq!(answers[0], json!({"FindImage": {"status": 0, "returned": 0}}));
            assert_eq!(found(&answers), expected, "{connected}");
        }
    }
    let sets = json!({"FindDescriptorSet": {"_ref": 1, "with_name": "s"}});
    let answers = ask(&engine, json!([sets, near(json!({"ref": 1}))]), query()).await;
    assert_eq!(found(&answers), json!([{"n": 0}, {"n": 1}]));
    let sets = json!({"FindDescriptorSet": {"_ref": 1, "with_name": "t"}});
    let answers = ask(&engine, json!([sets, near(json!({"ref": 1}))]), query()).await;
    assert_eq!(found(&answers), json!(null));
    // Both references may be used afterwards.
    let mut commands = vec![first(&some), near(json!({"ref": 1}))];
    for reference in [1, 2] {
        commands.push(
            json!({"FindDescriptor": {"is_connected_to": {"ref": 1}, "results": {"count": true}}}),
        );
        commands.push(json!({"FindImage": {"is_connected_to": {"ref": reference}, "results": {"list": ["n"]}}}));
    }
    let answers = ask(&engine, json!(commands), query()).await;
    assert_eq!(found(&answers), expected);
    assert_eq!(answers[2]["FindDescriptor"]["count"], 3);
    assert_eq!(answers[5]["FindImage"]["entities"], expected);
    // What is wrong with either is said of that one.
    for (bad, says) in [
        (
            json!([{"FindImage": {"_ref": 1, "constraints": {"_uniqueid": [">", "1.0.1"]}}}, near(json!({"ref": 1}))]),
            "command 0 (FindImage)",
        ),
        (
            json!([first(&some), {"FindDescriptor": {"set": "none", "k_neighbors": 2, "knn_first": false, "is_connected_to": {"ref": 1}}}]),
            "command 1 (FindDescriptor)",
        ),
    ] {
        match send(&engine, bad, query()).await {
            adb_model::Response::Refused(refusal) => {
                assert!(refusal.info.starts_with(says), "{}", refusal.info);
            }
            adb_model::Response::Done { answers, .. } => panic!("{answers:?}"),
        }
    }
}

/// A filter that was used before shows nothing of a state that is past.
#[tokio::test]
async fn filters_follow_changes() {
    let dir = tempfile::tempdir().unwrap();
    let engine = options().open(dir.path()).unwrap();
    add_set(&engine, "s", 2, "L2").await;
    let vectors: Vec<_> = (0..400).map(|n| vec![n as f32, 0.0]).collect();
    add(&engine, "s", 0, &vectors).await;
    engine.settle_indexes().await.unwrap();
    let chosen = json!({"knn_first": false, "constraints": {"part": ["==", 1000]}});
    let find = async || -> Vec<i64> {
        let found = nearest(&engine, "s", &[0.0, 0.0], 3, &chosen).await;
        found.into_iter().map(|(n, _)| n).collect()
    };
    let update = async |n: i64, part: i64| {
        ask(&engine, json!([{"UpdateDescriptor": {"set": "s", "constraints": {"n": ["==", n]}, "properties": {"part": part}}}]), vec![]).await;
    };
    assert_eq!(find().await, [0; 0]);
    for n in [350, 20, 90, 10] {
        update(n, 1000).await;
    }
    assert_eq!(find().await, [10, 20, 90]);
    update(20, 0).await;
    assert_eq!(find().await, [10, 90, 350]);
    ask(
        &engine,
        json!([{"DeleteDescriptor": {"set": "s", "constraints": {"n": ["==", 10]}}}]),
        vec![],
    )
    .await;
    assert_eq!(find().await, [90, 350]);
    add(&engine, "s", 400, &[vec![1.0, 0.0]]).await;
    update(400, 1000).await;
    assert_eq!(find().await, [400, 90, 350]);
}

/// Vectors come and go, are found at once and never after; the process ends now and then.
#[tokio::test]
async fn nothing_fresh_is_missed_and_nothing_deleted_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = options().open(dir.path()).unwrap();
    add_set(&engine, "s", 6, "L2").await;
    let mut noise = Noise(8);
    let centers = noise.centers(12, 6);
    let mut there: BTreeMap<i64, Vec<f32>> = BTreeMap::new();
    let mut next = 0;
    let (mut hits, mut wanted) = (0, 0);
    for round in 0..60 {
        let fresh: Vec<_> = (0..40).map(|_| noise.clustered(&centers, 0.3)).collect();
        add(&engine, "s", next, &fresh).await;
        there.extend((next as i64..).zip(fresh));
        next += 40;
        match round % 6 {
            // Of all ages, some of them a moment old.
            1 | 3 => {
                let gone: Vec<i64> =
                    there.keys().copied().filter(|_| noise.below(3) == 0).collect();
                ask(
                    &engine,
                    json!([{"DeleteDescriptor": {"set": "s", "constraints": {"n": ["in", gone]}}}]),
                    vec![],
                )
                .await;
                there.retain(|n, _| gone.binary_search(n).is_err());
                // Some come again, as others.
                let again: Vec<_> = (0..5).map(|_| noise.clustered(&centers, 0.3)).collect();
                add(&engine, "s", next, &again).await;
                there.extend((next as i64..).zip(again));
                next += 5;
            }
            4 => engine.settle_indexes().await.unwrap(),
            5 if round % 12 == 5 => {
                drop(engine);
                engine = options().open(dir.path()).unwrap();
            }
            _ => {}
        }
        for (n, own) in there.iter().rev().step_by(7).take(20) {
            let found = nearest(&engine, "s", own, 10, &json!({})).await;
            assert_eq!((found[0].0, found[0].1), (*n, 0.0), "round {round}");
            assert_eq!(found.len(), there.len().min(10));
            assert!(found.iter().all(|(n, _)| there.contains_key(n)), "round {round}: deleted");
            let truth = nearest(&engine, "s", own, 10, &json!({"engine": "Flat"})).await;
            hits += recall(&found, &truth);
            wanted += truth.len();
        }
    }
    assert!(hits * 100 >= wanted * 97, "{hits} of {wanted}");
}

/// Whoever has been told that a vector is there finds it, however far the graph has come.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn searches_while_graphs_are_fed() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Arc::new(options().open(dir.path()).unwrap());
    add_set(&engine, "s", 4, "L2").await;
    let (clients, each) = (4, 120);
    let acknowledged = Arc::new([const { AtomicI64::new(-1) }; 4]);
    // Not so far apart that the graph's bytes can't tell one client's vectors from each other.
    let at = |client: i64, i: i64| vec![client as f32 * 100.0, i as f32, (i % 7) as f32, 1.0];
    let writers: Vec<_> = (0..clients)
        .map(|client| {
            let (engine, acknowledged) = (engine.clone(), acknowledged.clone());
            tokio::spawn(async move {
                for i in 0..each {
                    add(&engine, "s", (client * each + i) as usize, &[at(client, i)]).await;
                    acknowledged[client as usize].store(i, Ordering::Release);
                }
            })
        })
        .collect();
    let mut noise = Noise(9);
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let client = noise.below(clients as usize) as i64;
        let last = acknowledged[client as usize].load(Ordering::Acquire);
        let i = last - noise.below(3) as i64;
        if i >= 0 {
            let found = nearest(&engine, "s", &at(client, i), 1, &json!({})).await;
            assert_eq!(found, [(client * each + i, 0.0)]);
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    engine.settle_indexes().await.unwrap();
    for client in 0..clients {
        for i in (0..each).step_by(11) {
            let found = nearest(&engine, "s", &at(client, i), 1, &json!({})).await;
            assert_eq!(found, [(client * each + i, 0.0)]);
        }
    }
}

/// The same answers whether vectors are mapped or not.
#[tokio::test]
async fn vectors_may_stay_out_of_memory() {
    let (dir, vectors) = saved(5).await;
    let mut answers = Vec::new();
    for map in [true, false] {
        let engine = options().map_vectors(map).read_only(true).open(dir.path()).unwrap();
        let mut all = Vec::new();
        for own in vectors.iter().step_by(31) {
            all.push(nearest(&engine, "s", own, 9, &json!({"engine": "Flat"})).await);
        }
        answers.push(all);
    }
    assert_eq!(answers[0], answers[1]);
    // Without the option no file is made.
    let dir = tempfile::tempdir().unwrap();
    let engine = options().map_vectors(false).open(dir.path()).unwrap();
    add_set(&engine, "s", 8, "L2").await;
    add(&engine, "s", 0, &vectors).await;
    engine.settle_indexes().await.unwrap();
    assert_eq!((files(dir.path(), "graph").len(), files(dir.path(), "rows").len()), (1, 0));
}

async fn saved(seed: u64) -> (tempfile::TempDir, Vec<Vec<f32>>) {
    let dir = tempfile::tempdir().unwrap();
    let engine = options().open(dir.path()).unwrap();
    add_set(&engine, "s", 8, "L2").await;
    let mut noise = Noise(seed);
    let centers = noise.centers(10, 8);
    let vectors: Vec<_> = (0..600).map(|_| noise.clustered(&centers, 0.5)).collect();
    add(&engine, "s", 0, &vectors).await;
    engine.settle_indexes().await.unwrap();
    drop(engine);
    (dir, vectors)
}

/// Every vector is the nearest to itself.
async fn finds_all(engine: &Engine, vectors: &[Vec<f32>], what: &str) {
    for engine_name in ["HNSW", "Flat"] {
        for (n, own) in vectors.iter().enumerate().step_by(17) {
            let found = nearest(engine, "s", own, 3, &json!({"engine": engine_name})).await;
            assert_eq!(found[0], (n as i64, 0.0), "{what}");
        }
    }
}

#[tokio::test]
async fn a_graph_that_is_not_what_it_was_is_made_anew() {
    damage("graph").await;
}

#[tokio::test]
async fn a_file_of_rows_that_is_not_what_it_was_is_made_anew() {
    damage("rows").await;
}

async fn damage(kind: &str) {
    let (dir, vectors) = saved(1).await;
    let [file] = &files(dir.path(), kind)[..] else { panic!("one file") };
    let good = fs::read(file).unwrap();
    let (other, _) = saved(2).await;
    let foreign = fs::read(&files(other.path(), kind)[0]).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        bytes
    };
    let damages: [(&str, Option<Vec<u8>>); 9] = [
        ("missing", None),
        ("empty", Some(vec![])),
        ("a stub", Some(good[..40].to_vec())),
        ("cut", Some(good[..good.len() / 2].to_vec())),
        ("another database's", Some(foreign)),
        ("a flipped bit", Some(flipped(good.len() * 2 / 5))),
        ("a flipped bit at the beginning", Some(flipped(100))),
        ("a flipped bit at the end", Some(flipped(good.len() - 20))),
        ("noise", Some(vec![7; good.len()])),
    ];
    for (what, bytes) in damages {
        let [file] = &files(dir.path(), kind)[..] else { panic!("{what}: one file") };
        match &bytes {
            None => fs::remove_file(file).unwrap(),
            Some(bytes) => fs::write(file, bytes).unwrap(),
        }
        // One that only reads leaves it as it is, and answers all the same.
        let reader = options().read_only(true).open(dir.path()).unwrap();
        finds_all(&reader, &vectors, what).await;
        reader.settle_indexes().await.unwrap();
        finds_all(&reader, &vectors, what).await;
        drop(reader);
        let left = files(dir.path(), kind);
        assert_eq!(left.len(), usize::from(bytes.is_some()), "{what}");
        // One that writes replaces it. An update takes the write lock.
        let engine = options().open(dir.path()).unwrap();
        finds_all(&engine, &vectors, what).await;
        ask(&engine, json!([{"AddEntity": {"class": "C"}}]), vec![]).await;
        engine.settle_indexes().await.unwrap();
        finds_all(&engine, &vectors, what).await;
        drop(engine);
        let [made] = &files(dir.path(), kind)[..] else { panic!("{what}: one file") };
        assert!(Some(fs::read(made).unwrap()) != bytes, "{what}: made anew");
    }
}

#[tokio::test]
async fn a_set_that_goes_takes_its_files_along() {
    let (dir, _) = saved(3).await;
    let engine = options().open(dir.path()).unwrap();
    ask(&engine, json!([{"DeleteDescriptorSet": {"with_name": "s"}}]), vec![]).await;
    engine.settle_indexes().await.unwrap();
    assert_eq!(fs::read_dir(dir.path().join("adb.vectors")).unwrap().count(), 0);
    add_set(&engine, "s", 8, "L2").await;
    add(&engine, "s", 0, &[vec![1.0; 8]]).await;
    assert_eq!(nearest(&engine, "s", &[0.0; 8], 3, &json!({})).await, [(0, 8.0)]);
}

#[tokio::test]
async fn many_queries_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let engine = options().open(dir.path()).unwrap();
    add_set(&engine, "s", 10, "CS").await;
    let mut noise = Noise(4);
    let centers = noise.centers(20, 10);
    let vectors: Vec<_> = (0..1200).map(|_| noise.clustered(&centers, 0.5)).collect();
    add(&engine, "s", 0, &vectors).await;
    engine.settle_indexes().await.unwrap();
    let queries: Vec<Vec<f32>> = (0..70).map(|_| noise.clustered(&centers, 0.5)).collect();
    let filter = json!({"knn_first": false, "constraints": {"part": ["<", 50]}});
    for rest in [json!({"engine": "Flat"}), json!({"engine": "HNSW"}), filter] {
        let mut batch = json!({"set": "s", "k_neighbors": 4, "n_descriptors": 70, "distances": true, "results": {"list": ["n"]}});
        for (key, value) in rest.as_object().unwrap() {
            batch[key] = value.clone();
        }
        let blob = vector(&queries.concat());
        let answers = ask(&engine, json!([{ "FindDescriptorBatch": batch }]), vec![blob]).await;
        let lists = answers[0]["FindDescriptorBatch"]["entities"].as_array().unwrap();
        assert_eq!(lists.len(), 70);
        for (query, list) in queries.iter().zip(lists) {
            let pair = |d: &Json| (d["n"].as_i64().unwrap(), d["_distance"].as_f64().unwrap());
            let list: Vec<_> = list.as_array().unwrap().iter().map(pair).collect();
            assert_eq!(list, nearest(&engine, "s", query, 4, &rest).await, "{rest}");
        }
    }
}
