//! How many rows a second go in, beside what the disk can do:
//! `cargo run --release -p adb-engine --example throughput -- DIRECTORY [ROUNDS [BYTES]]`. The
//! directory should be new, and on the disk that is meant; BYTES of blobs and more in a commit go to
//! packs (0: always; a large number: never).
//!
//! A row is a picture of 20 kB with 40 properties, a vector of 512 numbers, an entity and the
//! connections between them. The ways of sending take turns; of each the best round counts, and the
//! median stands beside it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for a terminal")]

#[path = "common/rows.rs"]
mod rows;

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use adb_engine::Engine;
use adb_model::{Request, graph::vector_bytes};
use rows::{Noise, done, rows, schema, used};
use serde_json::json;

/// What one append of the measure of the disk is.
const APPEND: usize = 4096;

/// A way of sending rows.
#[derive(Clone, Copy)]
struct Way {
    per_request: i64,
    requests: i64,
    clients: usize,
    /// Whether every object is guarded, as a loader does that may have sent it before.
    guarded: bool,
    /// Whether all of it is there already.
    known: bool,
}

const fn way(per_request: i64, requests: i64, clients: usize) -> Way {
    Way { per_request, requests, clients, guarded: false, known: false }
}

const WAYS: [Way; 9] = [
    way(1, 1000, 1),
    way(1, 2000, 32),
    way(10, 200, 1),
    way(100, 40, 1),
    way(100, 40, 4),
    way(1000, 5, 1),
    way(1000, 8, 2),
    Way { guarded: true, ..way(100, 40, 4) },
    Way { guarded: true, known: true, ..way(100, 40, 4) },
];

/// Appends of 4 KB a second, each with a sync, as a log has it.
fn appends(directory: &Path) -> f64 {
    let path = directory.join("appends");
    let mut file = File::create(&path).unwrap();
    let start = Instant::now();
    let count = 500;
    for i in 0..count {
        file.write_all(&[i as u8; APPEND]).unwrap();
        file.sync_data().unwrap();
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    std::fs::remove_file(path).unwrap();
    rate
}

async fn send(engine: &Arc<Engine>, way: &Way, requests: Vec<Request>) -> f64 {
    let (send, receive) = async_channel::bounded(requests.len());
    for request in requests {
        send.send(request).await.unwrap();
    }
    send.close();
    let start = Instant::now();
    let tasks: Vec<_> = (0..way.clients)
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
    (way.per_request * way.requests) as f64 / start.elapsed().as_secs_f64()
}

/// The best, and the median.
fn summary(mut rates: Vec<f64>) -> (f64, f64) {
    rates.sort_by(f64::total_cmp);
    (rates.last().copied().unwrap_or_default(), rates[rates.len() / 2])
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let path = std::path::PathBuf::from(args.next().expect("a directory for the database"));
    let rounds: usize = args.next().map_or(3, |n| n.parse().unwrap());
    let pack_from: Option<usize> = args.next().map(|n| n.parse().unwrap());
    std::fs::create_dir_all(&path).unwrap();
    let mut options = Engine::options();
    if let Some(bytes) = pack_from {
        options = options.pack_sizes(bytes, 256 << 20);
    }
    let engine = Arc::new(options.open(path.join("db")).unwrap());
    done(&engine, schema()).await;
    let mut noise = Noise(1);
    let mut next = 0;
    let (mut disk, mut rates) = (Vec::new(), vec![Vec::new(); WAYS.len()]);
    let mut uses = vec![[0.0; 2]; WAYS.len()];
    for _ in 0..rounds {
        disk.push(appends(&path));
        for (i, way) in WAYS.iter().enumerate() {
            let first = if way.known { next - way.per_request * way.requests } else { next };
            let requests: Vec<Request> = (0..way.requests)
                .map(|r| {
                    rows(first + r * way.per_request, way.per_request, way.guarded, &mut noise)
                })
                .collect();
            next = first + way.per_request * way.requests;
            let before = used();
            rates[i].push(send(&engine, way, requests).await);
            let after = used();
            let rows = (way.per_request * way.requests) as f64;
            uses[i] = [0, 1].map(|u| uses[i][u] + (after[u] - before[u]) / rows / rounds as f64);
        }
    }
    let (best, median) = summary(disk);
    println!("append of {APPEND} bytes and sync: {best:>7.0}/s, median {median:.0}");
    for ((way, rates), used) in WAYS.iter().zip(rates).zip(uses) {
        let (best_rate, median_rate) = summary(rates);
        println!(
            "{:>4} rows a request, {:>2} clients{}{}: {best_rate:>7.0} rows/s, median {median_rate:.0}; {:.2} of the appends; {:.0} µs of processors and {:.0} kB written a row",
            way.per_request,
            way.clients,
            if way.guarded { ", guarded" } else { "" },
            if way.known { ", all known" } else { "" },
            best_rate / best,
            used[0],
            used[1] / 1000.0
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
