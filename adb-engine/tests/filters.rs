//! Searches with one filter again and again, between writes of all kinds: what an engine remembers
//! of a filter is never what it was before a commit, whoever committed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, and tell their parent by printing"
)]

mod common;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use adb_engine::{Engine, Options};
use adb_model::{Database, Request, Response};
use adb_oracle::Reference;
use bytes::Bytes;
use common::{png, vector};
use serde_json::{Value as Json, json};

const DIRECTORY: &str = "ADB_ENGINE_TEST_FILTERS";
const STEPS: usize = 80;
const SEEDS: u64 = 2;

/// Numbers that look random and are the same on every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Whole numbers: both databases measure them without an error.
    fn vector(&mut self) -> Bytes {
        vector(&[self.below(9) as f32, self.below(9) as f32])
    }
}

fn set() -> Json {
    json!({"AddDescriptorSet": {"name": "faces", "dimensions": 2, "metric": "L2", "engine": ["HNSW", "Flat"]}})
}

/// The next write; `count` is how many objects there have been.
fn write(noise: &mut Noise, count: &mut u64) -> Request {
    let some = noise.below(*count + 1);
    let one = json!({"n": ["==", some]});
    let part = noise.below(4);
    let commands = match noise.below(12) {
        0 => json!([{"UpdateImage": {"constraints": one, "properties": {"part": part}}}]),
        1 => json!([{"UpdateDescriptor": {"constraints": one, "properties": {"part": part}}}]),
        2 => json!([{"UpdateDescriptor": {"constraints": one, "remove_props": ["part"]}}]),
        3 => {
            json!([{"UpdateDescriptor": {"constraints": {"part": ["==", part]}, "properties": {"part": 0}}}])
        }
        4 => json!([{"DeleteDescriptor": {"constraints": one}}]),
        5 => json!([{"DeleteImage": {"constraints": one}}]),
        6 => {
            let end = ["src", "dst"][noise.below(2) as usize];
            json!([{"FindImage": {"_ref": 1, "constraints": one}},
                {"DeleteConnection": {"with_class": "_DescriptorConnection", end: 1}}])
        }
        7 if noise.below(4) == 0 => json!([{"DeleteDescriptorSet": {"with_name": "faces"}}]),
        _ => {
            let (mut commands, mut blobs) = (vec![set()], Vec::new());
            for _ in 0..=noise.below(6) {
                *count += 1;
                let properties = json!({"n": *count, "part": noise.below(4)});
                commands.push(json!({"AddImage": {"_ref": *count, "properties": {"n": *count, "part": noise.below(4)}}}));
                commands.push(json!({"AddDescriptor": {"set": "faces", "label": format!("l{}", noise.below(3)),
                    "properties": properties, "connect": {"ref": *count}}}));
                blobs.extend([png(noise.below(200) as u8), noise.vector()]);
            }
            return Request::new(json!(commands).to_string(), blobs);
        }
    };
    Request::json(&commands)
}

/// Searches, each of which comes again with another vector.
fn searches() -> Vec<Json> {
    let near = |rest: Json| {
        let mut body = json!({"set": "faces", "k_neighbors": 4, "knn_first": false, "distances": true,
            "results": {"list": ["n"]}});
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        json!({ "FindDescriptor": body })
    };
    let by_picture = |constraints: Json, rest: Json| {
        let mut rest = rest;
        rest["is_connected_to"] = json!({"ref": 1});
        json!([{"FindImage": {"_ref": 1, "constraints": constraints}}, near(rest)])
    };
    vec![
        json!([near(json!({}))]),
        json!([near(json!({"constraints": {"part": ["==", 1]}}))]),
        json!([near(json!({"constraints": {"part": ["<", 2]}, "engine": "Flat"}))]),
        json!([near(json!({"constraints": {"part": ["==", null]}}))]),
        json!([near(json!({"constraints": {"part": ["==", 1]}, "knn_first": true}))]),
        json!([near(json!({"with_label": "l1", "limit": 2, "offset": 1}))]),
        json!([near(
            json!({"constraints": {"n": ["in", [1, 2, 3, 5, 8, 13, 21, 34]]}, "results": {"count": true}})
        )]),
        json!([near(json!({"constraints": {"part": ["==", 1]}, "sort": "n"}))]),
        by_picture(json!({"part": ["==", 2]}), json!({})),
        by_picture(json!({"part": ["<", 2]}), json!({"constraints": {"part": ["!=", 0]}})),
        json!([
            {"FindImage": {"_ref": 1, "constraints": {"part": ["==", 2]}, "results": {"count": true}}},
            near(json!({"_ref": 2, "is_connected_to": {"ref": 1}})),
            {"FindImage": {"is_connected_to": {"ref": 2}, "results": {"list": ["n", "part"]}}},
        ]),
        json!([near(json!({"_ref": 1, "constraints": {"part": ["==", 3]}})),
            {"FindImage": {"is_connected_to": {"ref": 1}, "blobs": true, "results": {"list": ["n"]}}}]),
    ]
}

/// Asks the engine and the reference; both must say the same.
async fn agree(engine: &Engine, reference: &Reference, noise: &mut Noise, step: usize) {
    for _ in 0..2 {
        for commands in searches() {
            let request = Request::json(&commands).with_blob(noise.vector());
            let own = engine.execute(request.clone()).await.unwrap();
            match (own, reference.answer(&request)) {
                (Response::Done { answers, blobs }, Response::Done { answers: a, blobs: b }) => {
                    assert_eq!(answers, a, "step {step}: {commands}");
                    assert_eq!(blobs, b, "step {step}: {commands}");
                }
                (Response::Refused(_), Response::Refused(_)) => {}
                (own, other) => panic!("step {step}: {commands}\n{own:?}\n{other:?}"),
            }
        }
    }
}

fn options() -> Options {
    Engine::options().index_from(20).save_indexes_after(10)
}

#[tokio::test]
async fn writes_of_the_same_engine() {
    for seed in 0..SEEDS {
        let dir = tempfile::tempdir().unwrap();
        let engine = options().open(dir.path()).unwrap();
        let reference = Reference::new();
        let (mut noise, mut count) = (Noise(seed), 0);
        for step in 0..STEPS {
            let request = write(&mut noise, &mut count);
            let own = engine.execute(request.clone()).await.unwrap();
            let same = own.done().is_ok() == reference.answer(&request).done().is_ok();
            assert!(same, "step {step}: {request:?}");
            agree(&engine, &reference, &mut noise, step).await;
            if step % 40 == 39 {
                engine.settle_indexes().await.unwrap();
                agree(&engine, &reference, &mut noise, step).await;
            }
        }
    }
}

/// Not a test by itself: a process that writes what it reads.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn child() {
    let engine = options().open(std::env::var(DIRECTORY).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for line in std::io::stdin().lines() {
        let (commands, blobs): (Json, Vec<Vec<u8>>) = serde_json::from_str(&line.unwrap()).unwrap();
        let blobs = blobs.into_iter().map(Bytes::from).collect();
        let request = Request::new(commands.to_string(), blobs);
        let answer = runtime.block_on(engine.execute(request)).unwrap();
        println!("> {}", answer.done().is_ok());
    }
}

fn spawn(directory: &Path) -> (Child, ChildStdin, impl Iterator<Item = String> + use<>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = lines.map_while(Result::ok).filter_map(|l| l.strip_prefix("> ").map(str::to_owned));
    let input = child.stdin.take().unwrap();
    (child, input, lines)
}

#[tokio::test]
async fn writes_of_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, mut input, mut lines) = spawn(dir.path());
    let reference = Reference::new();
    let (mut noise, mut count) = (Noise(77), 0);
    let mut engine = None;
    for step in 0..STEPS {
        let request = write(&mut noise, &mut count);
        let commands: Json = serde_json::from_slice(&request.commands).unwrap();
        let blobs: Vec<&[u8]> = request.blobs.iter().map(|b| &b[..]).collect();
        writeln!(input, "{}", json!([commands, blobs])).unwrap();
        let done = lines.next().unwrap();
        assert_eq!(done, reference.answer(&request).done().is_ok().to_string(), "step {step}");
        let engine =
            engine.get_or_insert_with(|| options().read_only(true).open(dir.path()).unwrap());
        agree(engine, &reference, &mut noise, step).await;
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}
