//! How long searches by nearness take, and what they find: `cargo run --release -p adb-engine
//! --example nearest -- DIRECTORY [VECTORS] [full]`. The directory is filled
//! when it is not there. Clustered vectors of 512 components; `full` scans binary32 alone.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    collections::HashSet,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use adb_engine::{Engine, ExactScan};
use adb_model::{Database, Request, graph::vector_bytes};
use bytes::Bytes;
use serde_json::{Value as Json, json};

const DIMENSIONS: usize = 512;
const CLUSTERS: usize = 2000;
const SPREAD: f32 = 0.6;
const K: usize = 10;
const BATCH: usize = 256;
/// Vectors of a set in which a search takes what any request takes.
const FEW: usize = 16;

/// Numbers that look random and are the same on every run.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    /// Nearly normal: mean 0, deviation 1.
    fn normal(&mut self) -> f32 {
        let sum: f32 = (0..6).map(|_| self.uniform()).sum();
        (sum - 3.0) * 2.0_f32.sqrt()
    }

    fn vector(&mut self, centers: &[Vec<f32>]) -> Vec<f32> {
        let center = &centers[(self.uniform() * centers.len() as f32) as usize % centers.len()];
        let mut vector: Vec<f32> = center.iter().map(|c| c + SPREAD * self.normal()).collect();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
        vector
    }
}

fn centers() -> Vec<Vec<f32>> {
    let mut noise = Noise(7);
    (0..CLUSTERS).map(|_| (0..DIMENSIONS).map(|_| noise.normal()).collect()).collect()
}

async fn done(engine: &Engine, request: Request) -> Vec<Json> {
    engine.execute(request).await.unwrap().done().unwrap().0
}

/// An image and its descriptor each; `part` 0 to 199 on both: < 100 is half, < 10 a twentieth, 0 one
/// in two hundred.
async fn fill(engine: &Engine, vectors: usize) {
    let index = |class: &str| json!({"CreateIndex": {"index_type": "entity", "class": class, "property_key": "part"}});
    let set = json!({"AddDescriptorSet": {"name": "s", "dimensions": DIMENSIONS, "engine": ["HNSW", "Flat"], "metric": "L2"}});
    done(engine, Request::json(&json!([set, index("_Descriptor"), index("_Image")]))).await;
    let (centers, mut noise) = (centers(), Noise(1));
    let start = Instant::now();
    for first in (0..vectors).step_by(500) {
        let (mut commands, mut blobs) = (Vec::new(), Vec::new());
        for i in first..vectors.min(first + 500) {
            let reference = i - first + 1;
            let part = (i * 7919) % 200;
            commands.push(json!({"AddImage": {"_ref": reference, "properties": {"part": part}}}));
            commands.push(json!({"AddDescriptor": {"set": "s", "properties": {"part": part}, "connect": {"ref": reference}}}));
            blobs.push(Bytes::from_static(b"\x89PNG\r\n\x1a\n"));
            blobs.push(vector_bytes(&noise.vector(&centers)));
        }
        done(engine, Request::new(json!(commands).to_string(), blobs)).await;
    }
    let few = json!({"AddDescriptorSet": {"name": "few", "dimensions": DIMENSIONS, "engine": "Flat", "metric": "L2"}});
    let mut commands = vec![few];
    let one = json!({"AddDescriptor": {"set": "few", "properties": {"part": 0}}});
    commands.resize(FEW + 1, one);
    let blobs = (0..FEW).map(|_| vector_bytes(&noise.vector(&centers))).collect();
    done(engine, Request::new(json!(commands).to_string(), blobs)).await;
    let added = start.elapsed();
    engine.settle_indexes().await.unwrap();
    println!(
        "filled: {vectors} in {:.1} s, the graph whole and saved after {:.1} s",
        added.as_secs_f64(),
        start.elapsed().as_secs_f64()
    );
}

/// A search, and the unique ids that it found.
async fn search(engine: &Engine, commands: &Json, query: &Bytes) -> (Duration, Vec<String>) {
    let request = Request::new(commands.to_string(), vec![query.clone()]);
    let start = Instant::now();
    let answers = done(engine, request).await;
    let took = start.elapsed();
    let found = answers.last().unwrap()["FindDescriptor"]["entities"].as_array();
    let id = |e: &Json| e["_uniqueid"].as_str().unwrap().to_owned();
    (took, found.map_or_else(Vec::new, |all| all.iter().map(id).collect()))
}

/// What all threads of this process have computed so far, to ten milliseconds. Where others keep
/// the machine busy, this says more than a clock.
fn computed() -> Duration {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return Duration::ZERO };
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(10 * ticks)
}

/// Times in order, and what each search found.
async fn searches(
    engine: &Engine,
    commands: &Json,
    queries: &[Bytes],
) -> (Vec<Duration>, Vec<Vec<String>>) {
    let (mut times, mut found) = (Vec::new(), Vec::new());
    let start = computed();
    for query in queries {
        let (took, ids) = search(engine, commands, query).await;
        times.push(took);
        found.push(ids);
    }
    let each = (computed() - start).as_secs_f64() * 1e3 / queries.len() as f64;
    println!("    ({each:.3} ms of computing each)");
    times.sort();
    (times, found)
}

fn recall(found: &[Vec<String>], truth: &[Vec<String>]) -> f64 {
    let hits = |(found, truth): (&Vec<String>, &Vec<String>)| {
        let truth: HashSet<&String> = truth.iter().collect();
        found.iter().filter(|id| truth.contains(id)).count()
    };
    let all: usize = truth.iter().map(Vec::len).sum();
    found.iter().zip(truth).map(hits).sum::<usize>() as f64 / all as f64
}

fn report(name: &str, times: &[Duration], more: &str) {
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!(
        "{name:<40} best {:8.3} ms, p50 {:8.3}, p99 {:8.3}  {more}",
        ms(times[0]),
        ms(times[times.len() / 2]),
        ms(times[times.len() * 99 / 100])
    );
}

/// How fast memory is read: bytes a second, by one thread and by all.
fn bandwidth(bytes: usize) -> [f64; 2] {
    let memory = vec![1_u64; bytes / 8];
    let cores = std::thread::available_parallelism().unwrap().get();
    let read = |threads: usize| {
        let best = (0..7).map(|_| {
            let start = Instant::now();
            std::thread::scope(|scope| {
                for part in memory.chunks(memory.len().div_ceil(threads)) {
                    scope.spawn(move || {
                        let mut sums = [0_u64; 32];
                        for chunk in part.chunks_exact(32) {
                            for (sum, x) in sums.iter_mut().zip(chunk) {
                                *sum ^= x;
                            }
                        }
                        black_box(sums);
                    });
                }
            });
            start.elapsed()
        });
        bytes as f64 / best.min().unwrap().as_secs_f64()
    };
    [read(1), read(cores)]
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let directory = args.next().expect("a directory for the database");
    let vectors: usize = args.next().map_or(200_000, |n| n.parse().unwrap());
    let scan = match args.next().as_deref() {
        Some("full") => ExactScan::Full,
        _ => ExactScan::Halved,
    };
    let is_new = !Path::new(&directory).exists();
    let start = Instant::now();
    let engine = Engine::options().exact_scan(scan).open(&directory).unwrap();
    if is_new {
        fill(&engine, vectors).await;
    }
    let (centers, mut noise) = (centers(), Noise(99));
    let queries: Vec<Bytes> = (0..1000).map(|_| vector_bytes(&noise.vector(&centers))).collect();
    let find = |rest: Json| {
        let mut body = json!({"set": "s", "k_neighbors": K, "uniqueids": true, "distances": true, "results": {"list": ["part"]}});
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        json!({ "FindDescriptor": body })
    };
    let flat = json!([find(json!({"engine": "Flat"}))]);
    let opened = Instant::now();
    let (first, _) = search(&engine, &flat, &queries[0]).await;
    println!(
        "open {:.3} s, first exact answer after {:.3} s more",
        (opened - start).as_secs_f64(),
        first.as_secs_f64()
    );

    // Files are written by whoever writes; the next run then opens with them.
    done(&engine, Request::json(&json!([{"AddEntity": {"class": "Run"}}]))).await;
    engine.settle_indexes().await.unwrap();
    let bytes = vectors * DIMENSIONS * 4;
    let [one, all] = bandwidth(bytes);
    println!(
        "memory: {:.1} GB/s by one thread, {:.1} by all: {:.2} ms for all vectors",
        one / 1e9,
        all / 1e9,
        bytes as f64 / all * 1e3
    );
    let (times, truth) = searches(&engine, &flat, &queries[..200]).await;
    let share = bytes as f64 / all / times[0].as_secs_f64();
    report(&format!("exact, {scan:?}"), &times, &format!("{share:.2} of what binary32 may take"));

    let blob: Bytes = queries[..BATCH].concat().into();
    let batch = json!([{"FindDescriptorBatch": {"set": "s", "n_descriptors": BATCH, "k_neighbors": K, "engine": "Flat", "uniqueids": true}}]);
    let mut times = Vec::new();
    let before = computed();
    for _ in 0..7 {
        let request = Request::new(batch.to_string(), vec![blob.clone()]);
        let start = Instant::now();
        let answers = done(&engine, request).await;
        times.push(start.elapsed() / BATCH as u32);
        assert_eq!(answers[0]["FindDescriptorBatch"]["entities"].as_array().unwrap().len(), BATCH);
    }
    times.sort();
    let each = (computed() - before).as_secs_f64() * 1e3 / (7 * BATCH) as f64;
    report("exact, 256 at once, each", &times, &format!("({each:.3} ms of computing each)"));

    engine.settle_indexes().await.unwrap();
    let few = json!([find(json!({"set": "few"}))]);
    searches(&engine, &few, &queries[..100]).await;
    let (times, _) = searches(&engine, &few, &queries).await;
    report(&format!("any request: among {FEW}"), &times, "");
    let near = json!([find(json!({}))]);
    searches(&engine, &near, &queries[..100]).await;
    let (times, found) = searches(&engine, &near, &queries).await;
    let unfiltered = times[times.len() / 2];
    report("graph", &times, &format!("recall {:.4}", recall(&found[..200], &truth)));
    for (name, limit) in [("50 %", 100), ("5 %", 10), ("0.5 %", 1)] {
        let part = json!({"part": ["<", limit]});
        let own = |engine: &str| {
            json!([find(json!({"engine": engine, "knn_first": false, "constraints": part}))])
        };
        let connected = json!([
            {"FindImage": {"_ref": 1, "constraints": part}},
            find(json!({"knn_first": false, "is_connected_to": {"ref": 1}})),
        ]);
        let (_, truth) = searches(&engine, &own("Flat"), &queries[..100]).await;
        let passing = vectors * limit / 200 * DIMENSIONS * 4;
        let bound = passing as f64 / all;
        for (what, commands) in [("own", own("HNSW")), ("connected", connected)] {
            let (times, found) = searches(&engine, &commands, &queries[..100]).await;
            let more = format!(
                "recall {:.4}, {:.2} of the scan's bound, {:.2} × unfiltered",
                recall(&found, &truth),
                bound / times[times.len() / 2].as_secs_f64(),
                times[times.len() / 2].as_secs_f64() / unfiltered.as_secs_f64()
            );
            report(&format!("filter on {what} properties, {name}"), &times, &more);
        }
    }
}
