//! Nearest neighbours through whole requests, as a user's program asks them.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use adb_model::Request;
use anyhow::ensure;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    client::{Client, Index, rows},
    data::{Pictures, Vectors, bucket, queries},
    figure, memory,
    truth::{FILTERS, K, KNOWN, Truth},
};

const SET: &str = "vectors";
/// A set of next to nothing: what a search in it takes is what a request takes.
const FEW: &str = "few";
const BATCH: usize = 1000;
/// Searches in one request.
const TOGETHER: usize = 256;
/// Searches that come first and don't count.
const WARM: usize = 5;
/// A case stops after so long, even if not all known searches have had their turn.
const PATIENCE: Duration = Duration::from_secs(6);
const AT_LEAST: usize = 10;

/// Adds rows: a picture of 16 bytes, and a vector that is connected to it. Both have `row` and
/// `bucket`, and `bucket` has an index.
#[derive(Args)]
pub(crate) struct Build {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    db: PathBuf,
    #[arg(long)]
    rows: usize,
    #[arg(long)]
    dimensions: usize,
}

impl Build {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut vectors = Vectors::open(&self.data, self.dimensions)?;
        let client = Client::open(&self.db)?;
        client.add_set(SET, self.dimensions, Index::Hnsw)?;
        client.add_set(FEW, self.dimensions, Index::Flat)?;
        client.add_index("entity", "_Image", "bucket")?;
        client.add_index("entity", "_Descriptor", "bucket")?;
        let start = Instant::now();
        for first in (0..self.rows).step_by(BATCH) {
            let count = BATCH.min(self.rows - first);
            client.ask(add(first, vectors.bytes(first, count)?, count))?;
        }
        let stored = start.elapsed();
        client.settle()?;
        let rate = |time: Duration| self.rows as f64 / time.as_secs_f64();
        let more = json!({"rows": self.rows});
        figure::print("build", "rows/s", rate(stored), more.clone());
        figure::print("build, until indexed", "rows/s", rate(start.elapsed()), more.clone());
        let bytes = memory::on_disk(&self.db)? as f64 / self.rows as f64;
        figure::print("build", "B/row on disk", bytes, more);
        let few = vectors.bytes(0, 16)?;
        let one = |vector: &[u8]| {
            let command = json!([{"AddDescriptor": {"set": FEW, "properties": {"row": 0}}}]);
            client.ask(Request::json(&command).with_blob(vector.to_vec()))
        };
        few.chunks_exact(self.dimensions * 4).try_for_each(|vector| one(vector).map(drop))
    }
}

fn add(first: usize, vectors: Vec<u8>, count: usize) -> Request {
    let (mut commands, mut blobs) = (Vec::new(), Vec::new());
    let length = vectors.len() / count;
    let vectors = bytes::Bytes::from(vectors);
    for i in 0..count {
        let properties = json!({"row": first + i, "bucket": bucket(first + i)});
        commands.push(json!({"AddImage": {"_ref": i + 1, "properties": properties}}));
        commands.push(json!({"AddDescriptor": {"set": SET, "connect": {"ref": i + 1},
            "properties": properties}}));
        blobs.push(Pictures::tiny(first + i).into());
        blobs.push(vectors.slice(i * length..(i + 1) * length));
    }
    Request::new(json!(commands).to_string(), blobs)
}

/// Searches that database.
#[derive(Args)]
pub(crate) struct Knn {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    db: PathBuf,
    #[arg(long)]
    rows: usize,
    #[arg(long)]
    dimensions: usize,
    #[arg(long, value_enum, value_delimiter = ',')]
    cases: Vec<Case>,
    /// Compares vectors as they are, not in bfloat16 first.
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    /// All vectors are compared.
    Exact,
    /// How fast memory can be read.
    Bandwidth,
    /// 256 searches in one request.
    Batch,
    /// Through the graph.
    Hnsw,
    /// With a filter on the vector's own property, and on its picture's.
    Filtered,
    /// A search among next to nothing.
    Overhead,
}

impl Knn {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let client = if self.full { Client::open_full(&self.db)? } else { Client::open(&self.db)? };
        let session = Session {
            truth: Truth::open(&self.data, self.rows, self.dimensions)?,
            queries: queries(&self.data, self.dimensions)?,
            client,
        };
        let before = memory::resident();
        // Vectors are read into memory, and indexes loaded, by the first search.
        let start = Instant::now();
        session.client.ask(nearest(SET, Index::Flat, &session.queries[0]))?;
        figure::print("first search", "ms", figure::milliseconds(start.elapsed()), json!({}));
        session.client.settle()?;
        let bytes = memory::resident().saturating_sub(before) as f64 / self.rows as f64;
        figure::print("opened", "B/row in memory", bytes, json!({}));
        for case in &self.cases {
            match case {
                Case::Exact => session.one_by_one("exact", 0, |q| nearest(SET, Index::Flat, q))?,
                Case::Bandwidth => memory::print_bandwidth(),
                Case::Batch => session.together()?,
                Case::Hnsw => session.one_by_one("hnsw", 0, |q| nearest(SET, Index::Hnsw, q))?,
                Case::Filtered => {
                    for (filter, (below, share)) in FILTERS.into_iter().enumerate().skip(1) {
                        let own = format!("filtered {share}, own property");
                        session.one_by_one(&own, filter, |q| by_own(below, q))?;
                        let image = format!("filtered {share}, the picture's property");
                        session.one_by_one(&image, filter, |q| by_picture(below, q))?;
                    }
                }
                Case::Overhead => session.overhead()?,
            }
        }
        Ok(())
    }
}

struct Session {
    client: Client,
    queries: Vec<Vec<u8>>,
    truth: Truth,
}

impl Session {
    fn one_by_one(
        &self,
        case: &str,
        filter: usize,
        request: impl Fn(&[u8]) -> Request,
    ) -> anyhow::Result<()> {
        // A filter that is new to the engine has yet to be found what it lets through.
        let (first, ..) = self.client.time(request(&self.queries[0]))?;
        figure::print(case, "ms first", figure::milliseconds(first), json!({}));
        for query in &self.queries[1..WARM] {
            self.client.ask(request(query))?;
        }
        let (mut times, mut answers) = (Vec::new(), Vec::new());
        let start = Instant::now();
        for query in &self.queries[..KNOWN] {
            if start.elapsed() > PATIENCE && times.len() >= AT_LEAST {
                break;
            }
            let (time, found, _) = self.client.time(request(query))?;
            times.push(time);
            answers.push(rows(&found[found.len() - 1]["FindDescriptor"])?);
        }
        let recall = self.truth.recall(filter, &answers);
        figure::print_times(case, &mut times, &json!({"recall": recall}));
        figure::print(case, "recall@10", recall, json!({}));
        Ok(())
    }

    fn together(&self) -> anyhow::Result<()> {
        let command = json!([{"FindDescriptorBatch": {"set": SET, "k_neighbors": K,
            "engine": Index::Flat.name(), "n_descriptors": TOGETHER, "distances": true,
            "results": {"list": ["row"]}}}]);
        let request = || Request::json(&command).with_blob(self.queries[..TOGETHER].concat());
        self.client.ask(request())?;
        let (mut times, start) = (Vec::new(), Instant::now());
        let mut answers = Vec::new();
        while times.len() < 3 || (start.elapsed() < PATIENCE && times.len() < AT_LEAST) {
            let (time, found, _) = self.client.time(request())?;
            times.push(time / TOGETHER as u32);
            let each = found[0]["FindDescriptorBatch"]["entities"].as_array().cloned();
            answers = each
                .unwrap_or_default()
                .iter()
                .map(|found| rows(&json!({"entities": found})))
                .collect::<anyhow::Result<Vec<_>>>()?;
            ensure!(answers.len() == TOGETHER, "{} answers to {TOGETHER}", answers.len());
        }
        let recall = self.truth.recall(0, &answers);
        figure::print_times("exact, 256 together, each", &mut times, &json!({"recall": recall}));
        figure::print("exact, 256 together, each", "recall@10", recall, json!({}));
        Ok(())
    }

    fn overhead(&self) -> anyhow::Result<()> {
        let mut times = Vec::new();
        for query in self.queries.iter().chain(&self.queries) {
            let (time, ..) = self.client.time(nearest(FEW, Index::Flat, query))?;
            times.push(time);
        }
        times.drain(..self.queries.len());
        figure::print_times("a request with 16 vectors", &mut times, &json!({}));
        Ok(())
    }
}

fn nearest(set: &str, index: Index, vector: &[u8]) -> Request {
    let find = json!([{"FindDescriptor": {"set": set, "k_neighbors": K, "engine": index.name(),
        "distances": true, "results": {"list": ["row"]}}}]);
    Request::json(&find).with_blob(vector.to_vec())
}

fn by_own(below: u64, vector: &[u8]) -> Request {
    let find = json!([{"FindDescriptor": {"set": SET, "k_neighbors": K, "knn_first": false,
        "constraints": {"bucket": ["<", below]}, "distances": true,
        "results": {"list": ["row"]}}}]);
    Request::json(&find).with_blob(vector.to_vec())
}

fn by_picture(below: u64, vector: &[u8]) -> Request {
    let find = json!([
        {"FindImage": {"_ref": 1, "constraints": {"bucket": ["<", below]}}},
        {"FindDescriptor": {"set": SET, "k_neighbors": K, "knn_first": false,
            "is_connected_to": {"ref": 1}, "distances": true, "results": {"list": ["row"]}}},
    ]);
    Request::json(&find).with_blob(vector.to_vec())
}
