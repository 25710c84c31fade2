//! Whether rows take longer the more there are, and what a vector takes on the disk:
//! `cargo run --release -p adb-engine --example growth -- DIRECTORY ROWS...`. The directory should
//! be new. Before each of these numbers of rows (20000 and 200000 unless told) the last ten thousand
//! are timed; then searches are timed, first alone and then while rows come in.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for a terminal")]

#[path = "common/rows.rs"]
mod rows;

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use adb_engine::Engine;
use adb_model::{Request, graph::vector_bytes};
use rows::{DIMENSIONS, Noise, done, rows, schema};
use serde_json::json;

/// Rows of a request, and requests under way.
const BATCH: i64 = 100;
const CLIENTS: usize = 2;
/// Rows that are timed together.
const WINDOW: i64 = 10_000;
const SEARCHES: usize = 100;

/// Adds rows up to a number; gives the time that they took, the making of them not counted.
async fn grow(engine: &Arc<Engine>, from: i64, to: i64, noise: &mut Noise) -> Duration {
    let mut time = Duration::ZERO;
    let mut next = from;
    while next < to {
        // Some requests are made ahead, then sent.
        let end = to.min(next + 20 * BATCH);
        let mut waiting: VecDeque<Request> = VecDeque::new();
        while next < end {
            waiting.push_back(rows(next, BATCH, true, noise));
            next += BATCH;
        }
        let start = Instant::now();
        let mut sent = VecDeque::new();
        while let Some(request) = waiting.pop_front() {
            let engine = engine.clone();
            sent.push_back(tokio::spawn(async move { done(&engine, request).await }));
            if sent.len() >= CLIENTS
                && let Some(first) = sent.pop_front()
            {
                first.await.unwrap();
            }
        }
        for last in sent {
            last.await.unwrap();
        }
        time += start.elapsed();
    }
    time
}

async fn search(engine: &Engine, noise: &mut Noise) -> Duration {
    let find = json!([{"FindDescriptor": {"set": "faces", "k_neighbors": 10, "distances": true}}]);
    let request = Request::json(&find).with_blob(vector_bytes(&noise.vector()));
    let start = Instant::now();
    done(engine, request).await;
    start.elapsed()
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    format!("p50 {:.1?}, p99 {:.1?} of {}", at(50), at(99), times.len())
}

/// Bytes of memory that this process takes, where the system says so.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|kb| kb.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Bytes of the pages of the table of vectors.
fn on_disk(path: &std::path::Path) -> u64 {
    let conn = rusqlite::Connection::open(path.join("adb.sqlite")).unwrap();
    let bytes: i64 = conn
        .query_row("SELECT sum(pgsize) FROM dbstat WHERE name = 'vector'", [], |row| row.get(0))
        .unwrap();
    bytes.unsigned_abs()
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let path = PathBuf::from(args.next().expect("a directory for the database"));
    let mut sizes: Vec<i64> = args.map(|n| n.parse().unwrap()).collect();
    if sizes.is_empty() {
        sizes = vec![20_000, 200_000];
    }
    let engine = Arc::new(Engine::open(&path).unwrap());
    done(&engine, schema()).await;
    let mut noise = Noise(1);
    let mut there = 0;
    for size in sizes {
        grow(&engine, there, size - WINDOW, &mut noise).await;
        let time = grow(&engine, size - WINDOW, size, &mut noise).await;
        there = size;
        let per_row = time.as_secs_f64() * 1e6 / WINDOW as f64;
        println!("{size} rows: {per_row:.1} µs a row ({:.0} rows/s)", 1e6 / per_row);
        println!("  on disk {} bytes a vector of {}", on_disk(&path) / size as u64, DIMENSIONS * 4);
        let before = memory();
        println!("  first search {:.1?}", search(&engine, &mut noise).await);
        println!("  in memory {} bytes a vector", memory().saturating_sub(before) / size as u64);
        let mut alone = Vec::new();
        for _ in 0..SEARCHES {
            alone.push(search(&engine, &mut noise).await);
        }
        println!("  searches alone: {}", spread(alone));
        let running = Arc::new(AtomicBool::new(true));
        let searcher = {
            let (engine, running) = (engine.clone(), running.clone());
            tokio::spawn(async move {
                let (mut noise, mut times) = (Noise(7), Vec::new());
                while running.load(Ordering::Relaxed) {
                    times.push(search(&engine, &mut noise).await);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                times
            })
        };
        let time = grow(&engine, there, there + WINDOW, &mut noise).await;
        there += WINDOW;
        running.store(false, Ordering::Relaxed);
        println!(
            "  searches while {:.0} rows/s come in: {}",
            WINDOW as f64 / time.as_secs_f64(),
            spread(searcher.await.unwrap())
        );
    }
}
