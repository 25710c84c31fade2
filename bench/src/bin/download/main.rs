//! Pictures per second from a web server that is slow, breaks off, and wants to be left alone: the
//! server, adb's side, and a count of what another program has brought.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod server;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use adb::{
    DataModel, Database, Image,
    loaders::{Ingest, JsonSource, Options},
};
use adb_bench::Nowhere;
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};

/// The two sides of `bench/download.sh`.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves pictures badly, until its standard input ends; then tells what was asked of it.
    Serve(server::Serve),
    /// Brings the pictures of a list into a database.
    Fetch(Fetch),
    /// Counts files that are the server's pictures, and those that are something else.
    Count(Count),
}

/// A picture by its address.
#[derive(DataModel, Serialize, Deserialize)]
#[adb(image)]
struct Photo {
    #[adb(id)]
    number: u64,
    photo: Image,
}

#[derive(clap::Args)]
struct Fetch {
    /// An address on each line.
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// Downloads at once.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
    /// Seconds that a server may be silent.
    #[arg(long, default_value_t = 10)]
    patience: u64,
    /// Where the database is made; without it, pictures go nowhere.
    #[arg(long, value_name = "DIR")]
    database: Option<PathBuf>,
}

impl Fetch {
    async fn run(self) -> anyhow::Result<()> {
        let list = fs::read_to_string(&self.list).context("the list can't be read")?;
        let directory = tempfile::tempdir()?;
        let rows = directory.path().join("photos.jsonl");
        let mut lines = String::new();
        for (number, url) in (0..).zip(list.lines()) {
            lines.push_str(&serde_json::to_string(&Photo { number, photo: Image::url(url) })?);
            lines.push('\n');
        }
        fs::write(&rows, lines)?;
        let db = match &self.database {
            None => Arc::new(Nowhere) as Arc<dyn Database>,
            Some(path) => adb::connect(path.to_str().context("the directory has an odd name")?)?,
        };
        let mut options = Options::default();
        options.media.allow_private = true;
        options.media.downloads = self.at_once;
        options.media.per_host = self.at_once;
        options.media.idle_timeout = Duration::from_secs(self.patience);
        options.media.connect_timeout = Duration::from_secs(self.patience);
        let source = JsonSource::<Photo>::open(&rows)?;
        let report = Ingest::new(db).options(options).run(source).await?;
        for failure in report.failures.iter().take(3) {
            eprintln!("  {failure}");
        }
        println!(
            "{{\"got\": {}, \"failed\": {}, \"seconds\": {:.2}}}",
            report.added,
            report.failed,
            report.time.as_secs_f64()
        );
        Ok(())
    }
}

#[derive(clap::Args)]
struct Count {
    /// Where they lie, folders within it too.
    directory: PathBuf,
}

impl Count {
    fn run(&self) -> anyhow::Result<()> {
        let (mut pictures, mut others) = (0, 0);
        let mut folders = vec![self.directory.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                match path.extension().and_then(|e| e.to_str()) {
                    _ if path.is_dir() => folders.push(path),
                    Some("jpg") => match server::is_whole(&fs::read(&path)?) {
                        true => pictures += 1,
                        false => others += 1,
                    },
                    _ => {}
                }
            }
        }
        println!("{{\"pictures\": {pictures}, \"others\": {others}}}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Fetch(fetch) => fetch.run().await,
        Command::Count(count) => count.run(),
    }
}
