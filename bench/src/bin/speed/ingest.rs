//! Pictures with vectors, in batches, from one program.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use adb_model::Request;
use anyhow::ensure;
use clap::Args;
use serde_json::{Value as Json, json};

use crate::{
    client::{Client, Index, rows},
    data::{PICTURE, Pictures, Vectors, queries},
    disk,
    face::{self, DIMENSIONS, SET, Shape},
    figure,
};

/// Adds rows to a new database; the requests are made before the clock starts.
#[derive(Args)]
pub(crate) struct Ingest {
    #[arg(long)]
    data: PathBuf,
    /// A directory on the disk that is meant; the database is made in it, and removed.
    #[arg(long)]
    work: PathBuf,
    #[arg(long)]
    rows: usize,
    /// Rows in a request.
    #[arg(long)]
    batch: usize,
    /// Threads that send.
    #[arg(long, default_value_t = 1)]
    clients: usize,
    #[arg(long, value_enum, default_value_t = Shape::Plain)]
    shape: Shape,
    #[arg(long, value_enum, default_value_t = Index::Flat)]
    index: Index,
    /// Searches meanwhile, in a thread of its own, without a pause.
    #[arg(long)]
    searching: bool,
}

impl Ingest {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let pictures = Pictures::open(&self.data)?;
        let mut vectors = Vectors::open(&self.data, DIMENSIONS)?;
        let mut requests = Vec::new();
        for first in (0..self.rows).step_by(self.batch) {
            let vectors = vectors.bytes(first, self.batch.min(self.rows - first))?;
            requests.push(face::request(first, &vectors, &pictures, self.shape));
        }
        requests.reverse();
        let queue = Mutex::new(requests);
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();

        let directory = tempfile::tempdir_in(&self.work)?;
        let disk = disk::stream(directory.path())?;
        let path = directory.path().join("db");
        let client = Client::open(&path)?;
        face::prepare(&client, self.index, self.shape)?;

        let done = AtomicBool::new(false);
        let (times, searches) = thread::scope(|scope| -> anyhow::Result<_> {
            let searcher = self.searching.then(|| scope.spawn(|| self.search(&client, &done)));
            let start = Instant::now();
            let send = || -> anyhow::Result<Vec<Duration>> {
                let client = client.another()?;
                let mut times = Vec::new();
                while let Some(request) = next() {
                    let (time, answers, _) = client.time(request)?;
                    ensure!(!answers.is_empty(), "an answer without its commands");
                    times.push(time);
                }
                Ok(times)
            };
            let senders: Vec<_> = (0..self.clients).map(|_| scope.spawn(send)).collect();
            let mut latencies = Vec::new();
            let mut failed = Ok(());
            for sender in senders {
                match sender.join() {
                    Ok(Ok(times)) => latencies.extend(times),
                    Ok(Err(error)) => failed = Err(error),
                    Err(_) => failed = Err(anyhow::anyhow!("a thread that sends panicked")),
                }
            }
            let stored = start.elapsed();
            done.store(true, Ordering::Relaxed);
            failed?;
            client.settle()?;
            let times = Times { stored, indexed: start.elapsed(), latencies };
            let searches = match searcher.map(thread::ScopedJoinHandle::join) {
                None => Vec::new(),
                Some(searches) => {
                    searches.map_err(|_| anyhow::anyhow!("the thread that searches panicked"))??
                }
            };
            Ok((times, searches))
        })?;
        self.check(&client, &mut vectors)?;
        self.print(times, searches, disk);
        Ok(())
    }

    /// Searches until all is stored.
    fn search(&self, client: &Client, done: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
        let client = client.another()?;
        let mut times = Vec::new();
        for query in queries(&self.data, DIMENSIONS)?.iter().cycle() {
            if done.load(Ordering::Relaxed) {
                break;
            }
            let (time, answers, _) = client.time(nearest(query))?;
            // Before the first row there is nothing to find.
            if answers[0]["FindDescriptor"]["returned"] != 0 {
                times.push(time);
            }
        }
        Ok(times)
    }

    /// All rows are there, and the last one is its own nearest neighbour.
    fn check(&self, client: &Client, vectors: &mut Vectors) -> anyhow::Result<()> {
        let count = json!([
            {"FindImage": {"results": {"count": true}}},
            {"FindDescriptor": {"set": SET, "results": {"count": true}}},
        ]);
        let (answers, _) = client.ask(Request::json(&count))?;
        for (answer, kind) in answers.iter().zip(["FindImage", "FindDescriptor"]) {
            ensure!(answer[kind]["count"] == self.rows, "{} rows went in: {answer}", self.rows);
        }
        let last = self.rows - 1;
        let (answers, _) = client.ask(nearest(&vectors.bytes(last, 1)?))?;
        let found = rows(&answers[0]["FindDescriptor"])?;
        ensure!(
            found.first().is_some_and(|row| *row as usize == last),
            "{last} is not in {found:?}"
        );
        Ok(())
    }

    fn print(&self, mut times: Times, mut searches: Vec<Duration>, disk: f64) {
        let rate = |time: Duration| self.rows as f64 / time.as_secs_f64();
        let shape = if self.shape == Shape::Guarded { ", guarded" } else { "" };
        let index = if self.index == Index::Hnsw { ", HNSW" } else { "" };
        let searching = if self.searching { ", searching" } else { "" };
        let senders = if self.clients == 1 { "client" } else { "clients" };
        let variant = format!("batch {}, {} {senders}", self.batch, self.clients);
        let more = json!({"variant": variant, "rows": self.rows});
        let case = format!("add{shape}{index}{searching}");
        figure::print(&case, "rows/s", rate(times.stored), more.clone());
        // Picture and vector, each written once: what no way of storing them durably can beat.
        let payload = rate(times.stored) * (PICTURE + DIMENSIONS * 4) as f64;
        let megabytes = json!({"variant": more["variant"], "MB/s": disk / 1e6});
        figure::print(&case, "of appends of 16 MB", payload / disk, megabytes);
        if self.index == Index::Hnsw {
            let case = format!("add{shape}{searching}, until indexed");
            figure::print(&case, "rows/s", rate(times.indexed), more.clone());
        }
        if self.searching {
            figure::print_times(&format!("search during {case}"), &mut searches, &more);
        } else {
            times.latencies.sort_unstable();
            let p99 = figure::at(&times.latencies, 0.99);
            figure::print(
                &format!("{case}, one request"),
                "ms p99",
                figure::milliseconds(p99),
                more,
            );
        }
    }
}

struct Times {
    stored: Duration,
    indexed: Duration,
    latencies: Vec<Duration>,
}

fn nearest(vector: &[u8]) -> Request {
    let find: Json = json!([{"FindDescriptor": {"set": SET, "k_neighbors": 10, "distances": true,
        "results": {"list": ["row"]}}}]);
    Request::json(&find).with_blob(vector.to_vec())
}
