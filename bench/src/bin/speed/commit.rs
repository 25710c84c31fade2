//! One row a request.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use adb_model::Request;
use clap::Args;
use serde_json::json;

use crate::{
    client::{Client, Index},
    data::{Pictures, Vectors},
    disk,
    face::{self, DIMENSIONS, Shape},
    figure,
};

/// Adds rows one by one for some time, and between that appends 4 KB to a file in the same way.
#[derive(Args)]
pub(crate) struct Commit {
    #[arg(long)]
    data: PathBuf,
    /// A directory on the disk that is meant; the database is made in it, and removed.
    #[arg(long)]
    work: PathBuf,
    /// How long each takes its turn.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How many send at once, one after another.
    #[arg(long, value_delimiter = ',', default_value = "1,32")]
    clients: Vec<usize>,
}

/// What one request adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    /// A picture of 20 KB, 40 properties, a vector, a connection.
    Face,
    /// An entity with three properties.
    Entity,
}

/// Vectors that rows take by turns.
const VECTORS: usize = 1000;

impl Commit {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let time = Duration::from_secs_f64(self.seconds);
        let pictures = Pictures::open(&self.data)?;
        let vectors = Vectors::open(&self.data, DIMENSIONS)?.bytes(0, VECTORS)?;
        let row = vectors.chunks_exact(DIMENSIONS * 4).collect::<Vec<_>>();
        let directory = tempfile::tempdir_in(&self.work)?;
        let client = Client::open(&directory.path().join("db"))?;
        face::prepare(&client, Index::Flat, Shape::Plain)?;

        let next = AtomicUsize::new(0);
        let mut appends = disk::appends(directory.path(), time)?;
        for kind in [Row::Face, Row::Entity] {
            for &clients in &self.clients {
                let (rate, mut times) = many(&client, clients, time, || {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    match kind {
                        Row::Face => face::request(id, row[id % VECTORS], &pictures, Shape::Plain),
                        Row::Entity => Request::json(&json!([{"AddEntity": {"class": "Note",
                            "properties": {"id": id, "title": format!("note {id}"), "seen": false}}}])),
                    }
                })?;
                let after = disk::appends(directory.path(), time)?;
                let disk = (appends + after) / 2.0;
                appends = after;
                let name = if kind == Row::Face { "face" } else { "entity" };
                let plural = if clients == 1 { "" } else { "s" };
                let case = format!("{name}, {clients} client{plural}");
                let more = json!({"clients": clients});
                figure::print(&case, "rows/s", rate, more.clone());
                figure::print(&case, "of 4 KB appends/s", rate / disk, json!({"appends": disk}));
                figure::print_times(&case, &mut times, &more);
                figure::print("append 4 KB, fdatasync", "1/s", after, json!({}));
            }
        }
        Ok(())
    }
}

/// Requests a second of so many clients, and how long each request took. A request is made while
/// its client's clock stands still, but the time that this takes is in the rate: a program has to
/// make its requests too.
fn many(
    client: &Client,
    clients: usize,
    time: Duration,
    request: impl Fn() -> Request + Sync,
) -> anyhow::Result<(f64, Vec<Duration>)> {
    let start = Instant::now();
    let send = || -> anyhow::Result<Vec<Duration>> {
        let client = client.another()?;
        let mut times = Vec::new();
        // One at least, however long that takes.
        while times.is_empty() || start.elapsed() < time {
            times.push(client.time(request())?.0);
        }
        Ok(times)
    };
    let all = thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(send)).collect();
        running.into_iter().map(thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>()
    });
    let seconds = start.elapsed().as_secs_f64();
    let all = all.map_err(|_| anyhow::anyhow!("a client panicked"))?;
    let times = all.into_iter().collect::<anyhow::Result<Vec<_>>>()?.concat();
    Ok((times.len() as f64 / seconds, times))
}
