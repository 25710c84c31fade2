//! Whether rows take longer the more there are, and what a vector takes on the disk:
//! `cargo run --release -p adb-engine --example growth -- DIRECTORY SMALL LARGE...`. The directory
//! should be new. A database of SMALL rows (20000 unless told) and one that grows to each LARGE
//! (200000) take turns in adding rows, so that both meet the same machine; then searches in the
//! large one are timed, first alone and then while rows come in.
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
use rows::{DIMENSIONS, Noise, done, rows, schema, used};
use serde_json::json;

/// Rows of a request, and requests under way.
const BATCH: i64 = 100;
const CLIENTS: usize = 2;
/// Rows that are added in a turn, and turns.
const WINDOW: i64 = 1000;
const TURNS: usize = 25;
const SEARCHES: usize = 100;

/// A database that grows.
struct Growing {
    path: PathBuf,
    engine: Arc<Engine>,
    noise: Noise,
    rows: i64,
}

impl Growing {
    async fn new(path: PathBuf) -> Self {
        let engine = Arc::new(Engine::open(&path).unwrap());
        done(&engine, schema()).await;
        Self { path, engine, noise: Noise(1), rows: 0 }
    }

    /// Adds rows up to a number.
    async fn grow(&mut self, to: i64) {
        while self.rows < to {
            self.add(WINDOW.min(to - self.rows)).await;
        }
    }

    /// Adds rows; gives the microseconds and those of processors that a row took. Making the
    /// requests is not counted.
    async fn add(&mut self, count: i64) -> [f64; 2] {
        let requests: Vec<Request> = (0..count / BATCH)
            .map(|i| rows(self.rows + i * BATCH, BATCH, true, &mut self.noise))
            .collect();
        self.rows += count;
        let (start, before) = (Instant::now(), used());
        let mut sent = VecDeque::new();
        for request in requests {
            let engine = self.engine.clone();
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
        [start.elapsed().as_secs_f64() * 1e6, used()[0] - before[0]].map(|used| used / count as f64)
    }
}

/// The least time and the median.
fn least(turns: &[[f64; 2]]) -> [f64; 2] {
    let mut all: Vec<f64> = turns.iter().map(|turn| turn[0]).collect();
    all.sort_by(f64::total_cmp);
    [all[0], all[all.len() / 2]]
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
    let path = PathBuf::from(args.next().expect("a directory for the databases"));
    let mut sizes: Vec<i64> = args.map(|n| n.parse().unwrap()).collect();
    if sizes.len() < 2 {
        sizes = vec![20_000, 200_000];
    }
    std::fs::create_dir_all(&path).unwrap();
    let mut small = Growing::new(path.join("small")).await;
    let mut large = Growing::new(path.join("large")).await;
    small.grow(sizes[0]).await;
    for &size in &sizes[1..] {
        large.grow(size).await;
        let mut turns = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            turns[0].push(small.add(WINDOW).await);
            turns[1].push(large.add(WINDOW).await);
        }
        // The processors' time comes in steps of a hundredth of a second: one turn says little.
        let used = [0, 1].map(|i| turns[i].iter().map(|turn| turn[1]).sum::<f64>() / TURNS as f64);
        println!(
            "µs of processors a row: {:.1} beside {} rows, {:.1} beside {size}; ratio {:.2}",
            used[0],
            sizes[0],
            used[1],
            used[1] / used[0]
        );
        let [few, many] = [0, 1].map(|i| least(&turns[i]));
        println!(
            "µs a row: {:.1} beside {} rows, {:.1} beside {size}; medians {:.1}, {:.1}; ratios {:.2}, {:.2}",
            few[0],
            sizes[0],
            many[0],
            few[1],
            many[1],
            many[0] / few[0],
            many[1] / few[1]
        );
        println!(
            "on disk {} bytes a vector of {}",
            on_disk(&large.path) / large.rows as u64,
            DIMENSIONS * 4
        );
        let before = memory();
        println!("first search {:.1?}", search(&large.engine, &mut large.noise).await);
        println!(
            "in memory {} bytes a vector",
            memory().saturating_sub(before) / large.rows as u64
        );
        let mut alone = Vec::new();
        for _ in 0..SEARCHES {
            alone.push(search(&large.engine, &mut large.noise).await);
        }
        println!("searches alone: {}", spread(alone));
        let running = Arc::new(AtomicBool::new(true));
        let searcher = {
            let (engine, running) = (large.engine.clone(), running.clone());
            tokio::spawn(async move {
                let (mut noise, mut times) = (Noise(7), Vec::new());
                while running.load(Ordering::Relaxed) {
                    times.push(search(&engine, &mut noise).await);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                times
            })
        };
        let mut rates = Vec::new();
        for _ in 0..5 {
            rates.push(large.add(WINDOW).await);
        }
        running.store(false, Ordering::Relaxed);
        let rate = 1e6 / least(&rates)[1];
        println!("searches while {rate:.0} rows/s come in: {}", spread(searcher.await.unwrap()));
    }
}
