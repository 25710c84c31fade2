//! Time and bytes for each row while a database grows.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use adb_model::Request;
use anyhow::ensure;
use clap::Args;
use serde_json::json;

use crate::{
    client::{Client, Index},
    data::{Vectors, bucket, queries},
    figure,
    memory::{on_disk, resident},
};

pub(crate) const SET: &str = "vectors";
const BATCH: usize = 1000;

/// Adds vectors to a new database, and looks at it whenever it has so many.
#[derive(Args)]
pub(crate) struct Growth {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    db: PathBuf,
    /// In ascending order.
    #[arg(long, value_delimiter = ',')]
    marks: Vec<usize>,
    #[arg(long)]
    dimensions: usize,
    #[arg(long, value_enum, default_value_t = Index::Flat)]
    index: Index,
}

impl Growth {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut vectors = Vectors::open(&self.data, self.dimensions)?;
        let query = queries(&self.data, self.dimensions)?.swap_remove(0);
        let client = Client::open(&self.db)?;
        client.add_set(SET, self.dimensions, self.index)?;
        let before = resident();
        let mut first = 0;
        for &mark in &self.marks {
            // What a row takes at that size: the last tenth of the rows.
            let window = mark - mark / 10;
            let (mut all, mut last) = (Spent::default(), Spent::default());
            while first < mark {
                let count = BATCH.min(mark - first);
                let request = add(first, vectors.bytes(first, count)?, count);
                let (time, answers, _) = client.time(request)?;
                ensure!(answers.len() == count, "{} answers to {count}", answers.len());
                first += count;
                all.add(time, count);
                if first > window {
                    last.add(time, count);
                }
            }
            let waited = Instant::now();
            client.settle()?;
            let waited = waited.elapsed();
            self.search(&client, &query)?;
            let case = format!("{mark} vectors, {}", self.index.name());
            let more = json!({"rows": mark});
            figure::print(&case, "µs/row", last.each(), more.clone());
            figure::print(&case, "µs/row since the last size", all.each(), more.clone());
            if self.index == Index::Hnsw {
                figure::print(&case, "s until indexed", waited.as_secs_f64(), more.clone());
            }
            let bytes = resident().saturating_sub(before) as f64 / mark as f64;
            figure::print(&case, "B/row in memory", bytes, more.clone());
            let bytes = on_disk(&self.db)? as f64 / mark as f64;
            figure::print(&case, "B/row on disk", bytes, more);
        }
        // Closing moves the log into the database.
        drop(client);
        let bytes = on_disk(&self.db)? as f64 / first as f64;
        let case = format!("{first} vectors, {}, closed", self.index.name());
        figure::print(&case, "B/row on disk", bytes, json!({"rows": first}));
        Ok(())
    }

    /// Brings the vectors into memory, as a program that searches has them.
    fn search(&self, client: &Client, query: &[u8]) -> anyhow::Result<()> {
        let find = json!([{"FindDescriptor": {"set": SET, "k_neighbors": 10,
            "engine": self.index.name(), "distances": true}}]);
        client.ask(Request::json(&find).with_blob(query.to_vec()))?;
        Ok(())
    }
}

/// Time, and the rows that it went into.
#[derive(Default)]
struct Spent {
    time: Duration,
    rows: usize,
}

impl Spent {
    fn add(&mut self, time: Duration, rows: usize) {
        self.time += time;
        self.rows += rows;
    }

    /// Microseconds for each row.
    fn each(&self) -> f64 {
        self.time.as_secs_f64() * 1e6 / self.rows.max(1) as f64
    }
}

fn add(first: usize, vectors: Vec<u8>, count: usize) -> Request {
    let length = vectors.len() / count;
    let vectors = bytes::Bytes::from(vectors);
    let command = |row: usize| json!({"AddDescriptor": {"set": SET, "properties": {"row": row, "bucket": bucket(row)}}});
    let commands: Vec<_> = (first..first + count).map(command).collect();
    let blobs = (0..count).map(|i| vectors.slice(i * length..(i + 1) * length)).collect();
    Request::new(json!(commands).to_string(), blobs)
}
