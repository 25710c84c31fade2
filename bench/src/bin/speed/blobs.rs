//! Pictures of the nearest neighbours.

use std::path::PathBuf;

use adb_model::Request;
use anyhow::ensure;
use clap::Args;
use serde_json::json;

use crate::{
    client::{Client, Index},
    data::{PICTURE, Pictures, Vectors, queries},
    face::{self, DIMENSIONS, SET, Shape},
    figure,
    truth::{K, KNOWN, Truth},
};

const BATCH: usize = 500;
const WARM: usize = 20;

/// Adds faces.
#[derive(Args)]
pub(crate) struct Build {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    db: PathBuf,
    #[arg(long)]
    rows: usize,
}

impl Build {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let pictures = Pictures::open(&self.data)?;
        let mut vectors = Vectors::open(&self.data, DIMENSIONS)?;
        let client = Client::open(&self.db)?;
        face::prepare(&client, Index::Hnsw, Shape::Plain)?;
        for first in (0..self.rows).step_by(BATCH) {
            let vectors = vectors.bytes(first, BATCH.min(self.rows - first))?;
            client.ask(face::request(first, &vectors, &pictures, Shape::Plain))?;
        }
        client.settle()?;
        Ok(())
    }
}

/// Searches, and takes the pictures in the same request.
#[derive(Args)]
pub(crate) struct Blobs {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    db: PathBuf,
    #[arg(long)]
    rows: usize,
}

impl Blobs {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let client = Client::open(&self.db)?;
        let queries = queries(&self.data, DIMENSIONS)?;
        let truth = Truth::open(&self.data, self.rows, DIMENSIONS)?;
        for (index, case) in [(Index::Flat, "exact"), (Index::Hnsw, "through the index")] {
            for query in &queries[..WARM] {
                client.ask(pictures_of(index, query))?;
            }
            let (mut times, mut answers) = (Vec::new(), Vec::new());
            for query in &queries[..KNOWN] {
                let (time, _, blobs) = client.time(pictures_of(index, query))?;
                times.push(time);
                let mut rows = Vec::new();
                for blob in &blobs {
                    ensure!(blob.len() == PICTURE, "a picture of {} bytes", blob.len());
                    rows.push(Pictures::row(blob)?);
                }
                answers.push(rows);
            }
            let case = format!("10 nearest, with their pictures, {case}");
            let recall = truth.recall(0, &answers);
            figure::print_times(&case, &mut times, &json!({"recall": recall}));
            figure::print(&case, "recall@10", recall, json!({}));
        }
        Ok(())
    }
}

fn pictures_of(index: Index, vector: &[u8]) -> Request {
    let find = json!([
        {"FindDescriptor": {"_ref": 1, "set": SET, "k_neighbors": K, "engine": index.name(),
            "distances": true}},
        {"FindImage": {"is_connected_to": {"ref": 1}, "blobs": true}},
    ]);
    Request::json(&find).with_blob(vector.to_vec())
}
