//! From a directory on disk to the first answer.

use std::{path::PathBuf, time::Instant};

use adb_model::Request;
use anyhow::ensure;
use clap::Args;
use serde_json::json;

use crate::{
    client::Client,
    data::{Vectors, queries},
    figure,
    growth::SET,
};

/// Opens the database of `growth` and searches in it. That its pages are not in memory is for the
/// caller to see to.
#[derive(Args)]
pub(crate) struct Open {
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    db: PathBuf,
    /// How many vectors the database has.
    #[arg(long)]
    rows: usize,
    #[arg(long)]
    dimensions: usize,
}

impl Open {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let queries = queries(&self.data, self.dimensions)?;
        let last = self.rows - 1;
        let last_vector = Vectors::open(&self.data, self.dimensions)?.bytes(last, 1)?;
        let start = Instant::now();
        let client = Client::open(&self.db)?;
        let opened = start.elapsed();
        // A vector that is there: the answer shows that all of them were looked at.
        let (answers, _) = client.ask(nearest(&last_vector))?;
        let first = start.elapsed();
        let found = &answers[0]["FindDescriptor"]["entities"];
        ensure!(found[0]["row"] == last && found[9].is_object(), "{last} is not first in {found}");
        let (second, ..) = client.time(nearest(&queries[1]))?;
        client.settle()?;
        let ready = start.elapsed();
        let more = json!({"rows": self.rows});
        for (case, time) in [
            ("open", opened),
            ("open and first answer", first),
            ("second search", second),
            ("open until indexes are ready", ready),
        ] {
            figure::print(case, "s", time.as_secs_f64(), more.clone());
        }
        Ok(())
    }
}

fn nearest(vector: &[u8]) -> Request {
    let find = json!([{"FindDescriptor": {"set": SET, "k_neighbors": 10, "distances": true,
        "results": {"list": ["row"]}}}]);
    Request::json(&find).with_blob(vector.to_vec())
}
