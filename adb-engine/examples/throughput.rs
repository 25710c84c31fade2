//! How many rows a second go in, and how long a search takes: `cargo run --release -p adb-engine
//! --example throughput -- DIRECTORY`. The directory should be on the disk that is meant, and new.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use adb_engine::Engine;
use adb_model::{Database, Request, graph::vector_bytes};
use bytes::Bytes;
use serde_json::{Value as Json, json};

const DIMENSIONS: usize = 512;
const PROPERTIES: usize = 40;
const IMAGE_BYTES: usize = 20_000;

/// Numbers that look random and are the same on every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 33
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| (self.next() % 2000) as f32 / 1000.0 - 1.0).collect()
    }

    fn image(&mut self) -> Bytes {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.extend((0..IMAGE_BYTES).map(|_| self.next() as u8));
        bytes.into()
    }
}

/// Image, descriptor, entity, connection: all guarded, as a loader sends them.
fn rows(first: i64, n: i64, noise: &mut Noise) -> Request {
    let mut commands: Vec<Json> = Vec::new();
    let mut blobs = Vec::new();
    for i in first..first + n {
        let reference = 3 * (i - first) + 1;
        let mut properties = json!({"id": i, "user_type": "Face"});
        for p in 2..PROPERTIES {
            properties[format!("attribute_{p}")] = json!(noise.next().is_multiple_of(2));
        }
        let guard =
            |key: &str, value: Json| json!({key: ["==", value], "user_type": ["==", "Face"]});
        commands.push(json!({"AddImage": {"_ref": reference, "properties": properties, "if_not_found": guard("id", json!(i))}}));
        blobs.push(noise.image());
        let look = format!("Face/{i}/look");
        commands.push(json!({"AddDescriptor": {"set": "faces", "connect": {"ref": reference},
            "properties": {"adb_id": look, "user_type": "Face"}, "if_not_found": guard("adb_id", json!(look))}}));
        blobs.push(vector_bytes(&noise.vector()));
        let person = i % 1000;
        commands.push(json!({"AddEntity": {"_ref": reference + 1, "class": "Person",
            "properties": {"id": person}, "if_not_found": {"id": ["==", person]}}}));
        commands.push(json!({"AddConnection": {"class": "shows", "src": reference, "dst": reference + 1,
            "properties": {"edge_id": i.to_string()}, "if_not_found": {"edge_id": ["==", i.to_string()]}}}));
    }
    Request::new(json!(commands).to_string(), blobs)
}

async fn done(engine: &Engine, request: Request) -> Vec<Json> {
    engine.execute(request).await.unwrap().done().unwrap().0
}

#[tokio::main]
async fn main() {
    let path = std::env::args().nth(1).expect("a directory for the database");
    let engine = Arc::new(Engine::open(path).unwrap());
    done(&engine, Request::json(&json!([
        {"AddDescriptorSet": {"name": "faces", "dimensions": DIMENSIONS, "metric": "CS"}},
        {"CreateIndex": {"index_type": "entity", "class": "_Image", "property_key": "id"}},
        {"CreateIndex": {"index_type": "entity", "class": "_Image", "property_key": "user_type"}},
        {"CreateIndex": {"index_type": "entity", "class": "_Descriptor", "property_key": "adb_id"}},
        {"CreateIndex": {"index_type": "entity", "class": "_Descriptor", "property_key": "user_type"}},
        {"CreateIndex": {"index_type": "entity", "class": "Person", "property_key": "id"}},
        {"CreateIndex": {"index_type": "connection", "class": "shows", "property_key": "edge_id"}},
    ])))
    .await;
    let mut noise = Noise(1);
    let mut next = 0;
    for (per_request, requests, clients, known) in [
        (1, 2000, 1, false),
        (1, 4000, 32, false),
        (100, 50, 1, false),
        (100, 100, 4, false),
        // All of it is there already: what a second run costs that asks nothing before.
        (100, 100, 1, true),
    ] {
        let first = if known { 0 } else { next };
        let prepared: Vec<Request> =
            (0..requests).map(|r| rows(first + r * per_request, per_request, &mut noise)).collect();
        if !known {
            next += requests * per_request;
        }
        let (send, receive) = async_channel::bounded(requests as usize);
        for request in prepared {
            send.send(request).await.unwrap();
        }
        send.close();
        let start = Instant::now();
        let tasks: Vec<_> = (0..clients)
            .map(|_| {
                let (engine, receive) = (engine.clone(), receive.clone());
                tokio::spawn(async move {
                    while let Ok(request) = receive.recv().await {
                        done(&engine, request).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{per_request:>4} {} rows a request, {clients:>2} clients: {:>7.0} requests/s, {:>7.0} rows/s",
            if known { "known" } else { "new" },
            requests as f64 / seconds,
            (requests * per_request) as f64 / seconds
        );
    }
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..21 {
        let find =
            json!([{"FindDescriptor": {"set": "faces", "k_neighbors": 10, "distances": true}}]);
        let request = Request::json(&find).with_blob(vector_bytes(&noise.vector()));
        let start = Instant::now();
        done(&engine, request).await;
        times.push(start.elapsed());
    }
    let first = times.remove(0);
    times.sort();
    println!("nearest 10 of {next}: first {first:.1?}, then {:.2?} (median of 20)", times[10]);
}
