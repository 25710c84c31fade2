//! The same requests to an engine in this process, and to one behind a server.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use adb_model::{Database, Request, ask};
use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value as Json, json};
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    data::{Pictures, Vectors},
    face::{self, DIMENSIONS, SET, Shape},
    figure,
};

/// Adds rows in batches, and asks for little, by turns directly and through a server whose database
/// is new.
#[derive(Args)]
pub(crate) struct Served {
    #[arg(long)]
    data: PathBuf,
    /// A directory on the disk that is meant.
    #[arg(long)]
    work: PathBuf,
    /// The server's address, as `adb://user:password@host:port?tls=off`.
    #[arg(long)]
    url: String,
    #[arg(long)]
    rows: usize,
    /// Rows in a request.
    #[arg(long, default_value_t = 100)]
    batch: usize,
    /// Who sends at once.
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    clients: Vec<usize>,
    /// Small requests, one after the other.
    #[arg(long, default_value_t = 3000)]
    trips: usize,
}

impl Served {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let pictures = Pictures::open(&self.data)?;
        let mut vectors = Vectors::open(&self.data, DIMENSIONS)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let directory = tempfile::tempdir_in(&self.work)?;
        let path = directory.path().join("direct.adb");
        let direct = adb::connect(path.to_str().context("the directory has an odd name")?)?;
        // A connection lives where it was made.
        let server = {
            let _inside = runtime.enter();
            adb::connect(&self.url)?
        };
        let sides = [("direct", direct), ("through the server", server)];
        for (_, db) in &sides {
            runtime.block_on(prepare(&**db))?;
        }
        // Rows in vain, so that files and caches are warm on both sides.
        let mut first = 0;
        for turn in 0..=self.clients.len() {
            let clients = turn.checked_sub(1).map(|turn| self.clients[turn]);
            let rows = if clients.is_some() { self.rows } else { self.batch * 4 };
            let mut requests = Vec::new();
            for at in (first..first + rows).step_by(self.batch) {
                let vectors = vectors.bytes(at, self.batch.min(first + rows - at))?;
                requests.push(face::request(at, &vectors, &pictures, Shape::Plain));
            }
            first += rows;
            for (side, db) in &sides {
                let time = runtime.block_on(send(db, &requests, clients.unwrap_or(1)))?;
                let Some(clients) = clients else { continue };
                let senders = if clients == 1 { "client" } else { "clients" };
                let case = format!("{side}, batch {}, {clients} {senders}", self.batch);
                figure::print(&case, "rows/s", rows as f64 / time.as_secs_f64(), json!({}));
            }
        }
        for (side, db) in &sides {
            self.count(&runtime, &**db, first)?;
            let mut times = self.trips(&runtime, &**db, first)?;
            figure::print_times(&format!("a small request, {side}"), &mut times, &json!({}));
        }
        Ok(())
    }

    /// All rows are there.
    fn count(&self, runtime: &Runtime, db: &dyn Database, rows: usize) -> anyhow::Result<()> {
        let count = json!([{"FindImage": {"results": {"count": true}}}]);
        let (answers, _) = runtime.block_on(ask(db, Request::json(&count)))?;
        ensure!(answers[0]["FindImage"]["count"] == rows, "{rows} rows went in: {}", answers[0]);
        Ok(())
    }

    /// One picture's properties by its number, which is indexed.
    fn trips(
        &self,
        runtime: &Runtime,
        db: &dyn Database,
        rows: usize,
    ) -> anyhow::Result<Vec<Duration>> {
        let trip = |row: usize| -> anyhow::Result<Duration> {
            let find = json!([{"FindImage": {"constraints": {"id": ["==", row]},
                "results": {"list": ["id", "file"]}}}]);
            let request = Request::json(&find);
            let start = Instant::now();
            let (answers, _) = runtime.block_on(ask(db, request))?;
            let time = start.elapsed();
            ensure!(answers[0]["FindImage"]["entities"][0]["id"] == row, "{}", answers[0]);
            Ok(time)
        };
        // The first are for warming up.
        let mut times = Vec::with_capacity(self.trips);
        for number in 0..self.trips + 100 {
            let time = trip(number * 7919 % rows)?;
            if number >= 100 {
                times.push(time);
            }
        }
        Ok(times)
    }
}

async fn prepare(db: &dyn Database) -> anyhow::Result<()> {
    let set: Json = json!([{"AddDescriptorSet": {
        "name": SET, "dimensions": DIMENSIONS, "metric": "CS", "engine": ["Flat"]}}]);
    ask(db, Request::json(&set)).await?;
    let index = json!([{"CreateIndex": {
        "index_type": "entity", "class": "_Image", "property_key": "id"}}]);
    ask(db, Request::json(&index)).await?;
    Ok(())
}

/// Sends all, so many at once; the time until the last answer.
async fn send(
    db: &Arc<dyn Database>,
    requests: &[Request],
    clients: usize,
) -> anyhow::Result<Duration> {
    let queue = Arc::new(Mutex::new(VecDeque::from(requests.to_vec())));
    let start = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..clients {
        let (db, queue) = (db.clone(), queue.clone());
        let next = move || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        all.spawn(async move {
            while let Some(request) = next() {
                let (answers, _) = ask(&*db, request).await?;
                ensure!(!answers.is_empty(), "an answer without its commands");
            }
            Ok(())
        });
    }
    while let Some(done) = all.join_next().await {
        done??;
    }
    Ok(start.elapsed())
}
