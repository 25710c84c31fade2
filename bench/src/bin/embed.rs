//! adb's side of `bench/embed.sh`: pictures and texts to vectors, and what the parts take alone.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adb::{
    Database, Embedder as _, PreparedImage,
    embedders::{self, Bundle, Cache, Device, OnnxEmbedder, TuneOptions},
    loaders::{Ingest, JsonSource, Options},
};
use adb_bench::{Clock, Dish, Nowhere, Used, cores, peak_megabytes, print};
use anyhow::{Context as _, ensure};
use clap::{Args, Parser, Subcommand};
use serde_json::json;

/// Measures embedders. Each figure is a line of JSON.
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    by: By,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct By {
    /// The bundle's directory.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// A directory with images/, texts.txt and captions.txt.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// How often the files are gone through.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Inputs at once [default: what was tuned].
    #[arg(long)]
    batch: Option<usize>,
    /// Batches that are computed at the same time [default: what was tuned].
    #[arg(long)]
    sessions: Option<usize>,
    /// Threads of each [default: what was tuned].
    #[arg(long)]
    threads: Option<usize>,
    /// What computes.
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// The name of the figures [default: the batch].
    #[arg(long)]
    variant: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// The whole pipeline, from rows that name files to requests, into a database that takes all.
    Images,
    /// A list of files, without a database.
    List,
    /// A list of texts.
    Texts {
        /// The file, in the data's directory.
        #[arg(long, default_value = "texts.txt")]
        file: String,
    },
    /// By turns: decoding alone, inference alone, the whole pipeline; and which share of what the
    /// two could give together the pipeline reaches.
    Ceiling {
        /// Turns.
        #[arg(long, default_value_t = 3)]
        turns: usize,
    },
    /// Finds the best setting, and remembers it in the cache.
    Tune {
        /// Milliseconds for each combination.
        #[arg(long, default_value_t = 2000)]
        each: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let by = &cli.by;
    match cli.command {
        Command::Images => images(by),
        Command::List => list(by),
        Command::Texts { file } => texts(by, &file),
        Command::Ceiling { turns } => ceiling(by, turns),
        Command::Tune { each } => tune(by, each),
    }
}

impl By {
    fn embedder(&self) -> anyhow::Result<OnnxEmbedder> {
        let bundle = Bundle::open(&self.bundle)?;
        let mut embedder = OnnxEmbedder::new(bundle, Cache::from_env()?).device(self.device);
        if let Some(sessions) = self.sessions {
            embedder = embedder.sessions(sessions);
        }
        if let Some(threads) = self.threads {
            embedder = embedder.threads(threads);
        }
        if let Some(batch) = self.batch {
            embedder = embedder.batch(batch);
        }
        Ok(embedder)
    }

    /// What the figures are called.
    fn case(&self, what: &str) -> String {
        match (&self.variant, self.batch) {
            (Some(variant), _) => format!("{what}, {variant}"),
            (None, Some(batch)) => format!("{what}, batch {batch}"),
            (None, None) => format!("{what}, tuned"),
        }
    }

    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let folder = fs::canonicalize(self.data.join("images"))?;
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|f| Ok(f?.path())).collect::<anyhow::Result<_>>()?;
        files.sort();
        ensure!(!files.is_empty(), "{} has no pictures", self.data.display());
        Ok(files.iter().cycle().take(files.len() * self.repeat).cloned().collect())
    }
}

fn print_rates(case: &str, what: &str, count: usize, used: Used) -> anyhow::Result<()> {
    print(case, &format!("{what}/s"), count as f64 / used.wall);
    print(case, &format!("{what}/CPU-s"), count as f64 / used.processors);
    print(case, "MB at peak", peak_megabytes()?);
    Ok(())
}

/// Opens all sessions, and has each run once.
fn warm_images(embedder: &OnnxEmbedder, files: &[PathBuf]) -> anyhow::Result<Vec<PreparedImage>> {
    let setting = embedder.image_setting();
    let first = fs::read(&files[0])?;
    let prepared = vec![embedder.prepare_image(&first, None)?; setting.batch];
    at_once(setting.sessions, || embedder.embed_images(&prepared).map(drop))?;
    Ok(prepared)
}

/// Runs the same on so many threads.
fn at_once<E: Into<anyhow::Error> + Send>(
    threads: usize,
    work: impl Fn() -> Result<(), E> + Sync,
) -> anyhow::Result<()> {
    let begin = Barrier::new(threads);
    std::thread::scope(|scope| {
        let run = || {
            begin.wait();
            work()
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        for one in all {
            match one.join() {
                Ok(result) => result.map_err(Into::into)?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })
}

fn images(by: &By) -> anyhow::Result<()> {
    let embedder = Arc::new(by.embedder()?);
    let files = by.files()?;
    warm_images(&embedder, &files)?;
    let used = pipeline(&embedder, &files, Sink::Nowhere)?;
    print_rates(&by.case("images"), "images", files.len(), used)
}

/// Where a pipeline ends.
#[derive(Clone, Copy)]
enum Sink {
    /// A database that takes everything.
    Nowhere,
    /// A new database on disk.
    Engine,
}

/// One run of the whole pipeline; its time without making the rows.
fn pipeline(embedder: &Arc<OnnxEmbedder>, files: &[PathBuf], sink: Sink) -> anyhow::Result<Used> {
    let directory = tempfile::tempdir()?;
    let rows = directory.path().join("rows.jsonl");
    let row = |(id, file): (usize, &PathBuf)| {
        format!("{}\n", json!({"dish_id": id, "name": "", "caption": "", "url": file}))
    };
    fs::write(&rows, files.iter().enumerate().map(row).collect::<String>())?;
    let source = JsonSource::<Dish>::open(&rows)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let db = match sink {
        Sink::Nowhere => Arc::new(Nowhere) as Arc<dyn Database>,
        Sink::Engine => {
            let path = directory.path().join("pictures.adb");
            adb::connect(path.to_str().context("the temporary directory has an odd name")?)?
        }
    };
    let ingest = Ingest::new(db).embedder(embedder.clone());
    let clock = Clock::start()?;
    let mut options = Options::default();
    // Rows name files by absolute paths.
    options.media.allow_outside = true;
    let report = runtime.block_on(ingest.options(options).run(source))?;
    let used = clock.stop()?;
    ensure!(report.added == files.len() as u64 && report.embedded == report.added, "{report}");
    Ok(used)
}

fn list(by: &By) -> anyhow::Result<()> {
    let (embedder, files) = (by.embedder()?, by.files()?);
    warm_images(&embedder, &files)?;
    let clock = Clock::start()?;
    let vectors = embedder.images(&files)?;
    let used = clock.stop()?;
    ensure!(vectors.len() == files.len());
    print_rates(&by.case("list of images"), "images", files.len(), used)
}

fn texts(by: &By, file: &str) -> anyhow::Result<()> {
    let embedder = by.embedder()?;
    let text = fs::read_to_string(by.data.join(file))?;
    let lines: Vec<&str> = text.lines().collect();
    let all: Vec<&str> = lines.iter().cycle().take(lines.len() * by.repeat).copied().collect();
    let setting = embedder.text_setting();
    let first: Vec<&str> = all.iter().copied().take(setting.batch).collect();
    at_once(setting.sessions, || embedder.embed_texts(&first).map(drop))?;
    let clock = Clock::start()?;
    let vectors = embedder.texts(&all)?;
    let used = clock.stop()?;
    ensure!(vectors.len() == all.len());
    let name = Path::new(file).file_stem().and_then(|s| s.to_str()).unwrap_or("texts");
    print_rates(&by.case(name), "texts", all.len(), used)
}

/// All cores decode and resize, and nothing else is done.
fn decode(embedder: &OnnxEmbedder, files: &[PathBuf]) -> anyhow::Result<Used> {
    let next = AtomicUsize::new(0);
    let clock = Clock::start()?;
    at_once(cores(), || -> anyhow::Result<()> {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            embedder.prepare_image(&fs::read(file)?, None)?;
        }
        Ok(())
    })?;
    clock.stop()
}

/// All sessions compute, and nothing else is done; the last portions are small, as the pipeline's.
fn infer(embedder: &OnnxEmbedder, batch: &[PreparedImage], count: usize) -> anyhow::Result<Used> {
    let left = AtomicUsize::new(count);
    let sessions = embedder.image_setting().sessions;
    let portion = |left: usize| left.div_ceil(2 * sessions).clamp(1, batch.len()).min(left);
    let clock = Clock::start()?;
    at_once(sessions, || -> anyhow::Result<()> {
        loop {
            let take = |left: usize| (left > 0).then(|| left - portion(left));
            match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
                Ok(left) => drop(embedder.embed_images(&batch[..portion(left)])?),
                Err(_) => return Ok(()),
            }
        }
    })?;
    clock.stop()
}

fn ceiling(by: &By, turns: usize) -> anyhow::Result<()> {
    let embedder = Arc::new(by.embedder()?);
    let files = by.files()?;
    let batch = warm_images(&embedder, &files)?;
    let count = files.len() as f64;
    for _ in 0..turns {
        let decode = decode(&embedder, &files)?;
        let infer = infer(&embedder, &batch, files.len())?;
        let sinks = [("", Sink::Nowhere), (" into the engine", Sink::Engine)];
        let wholes = sinks.map(|(name, sink)| (name, pipeline(&embedder, &files, sink)));
        let case = by.case("decode and resize alone");
        print(&case, "images/s", count / decode.wall);
        print(&case, "images/CPU-s", count / decode.processors);
        let case = by.case("inference alone");
        print(&case, "images/s", count / infer.wall);
        print(&case, "images/CPU-s", count / infer.processors);
        for (into, whole) in wholes {
            let (case, whole) = (by.case(&format!("pipeline{into} beside its parts")), whole?);
            print(&case, "images/s", count / whole.wall);
            print(&case, "images/CPU-s", count / whole.processors);
            print(&case, "of the ceiling", (decode.wall + infer.wall) / whole.wall);
            let processors = (decode.processors + infer.processors) / whole.processors;
            print(&case, "of the ceiling, in CPU-s", processors);
        }
    }
    Ok(())
}

fn tune(by: &By, each: u64) -> anyhow::Result<()> {
    let bundle = Bundle::open(&by.bundle)?;
    let mut options = TuneOptions::on(by.device);
    options.each = Duration::from_millis(each);
    let tuning = embedders::tune(&bundle, &Cache::from_env()?, &options, |trial| {
        let (what, setting) = (if trial.images { "images" } else { "texts" }, trial.setting);
        let case = format!(
            "tune {what}: {} sessions, {} threads, batch {}",
            setting.sessions, setting.threads, setting.batch
        );
        print(&case, &format!("{what}/s"), trial.per_second);
    })?;
    for (what, tuned) in [("images", tuning.image), ("texts", tuning.text)] {
        let Some(tuned) = tuned else { continue };
        let setting = tuned.setting;
        let numbers = [
            ("sessions", setting.sessions),
            ("threads", setting.threads),
            ("inputs at once", setting.batch),
        ];
        for (unit, value) in numbers {
            print(&format!("tuned, {what}"), unit, value as f64);
        }
    }
    Ok(())
}
