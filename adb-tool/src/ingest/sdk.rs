//! `adb ingest from-csv` without a model: the files of the Python SDK, with its command line's
//! options.

use std::{
    fs,
    io::{self, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use adb::{
    Database, Dialect,
    loaders::{
        self, CommandSource as _, IngestType, MediaOptions, MediaReader, MediaRoot, SdkCsv, Stop,
    },
};
use anyhow::Context as _;
use serde_json::{Value as Json, json};

use super::{
    how::Running,
    transformers::{self, Asked, Chosen},
};
use crate::exit::Exit;

/// Options for the files of the Python SDK.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Files of the Python SDK (without --model)")]
pub(crate) struct Sdk {
    /// What the rows are, where the header does not tell: IMAGE, VIDEO, BLOB, or any other type of
    /// the SDK's.
    #[arg(long, value_name = "TYPE")]
    ingest_type: Option<IngestType>,
    /// Changes rows on their way: common_properties, image_properties, clip_pytorch_embeddings,
    /// facenet_pytorch_embeddings; can be given several times. An embedder other than the SDK's own
    /// is named behind it: `clip_pytorch_embeddings=starter-512`.
    #[arg(long, value_name = "NAME[=EMBEDDER]")]
    transformer: Vec<Asked>,
    /// Not supported: a program that changes rows is given by `--transform-cmd`.
    #[arg(long, value_name = "PATH", hide = true)]
    user_transformer: Vec<String>,
    /// Rows in one request.
    #[arg(long, value_name = "N")]
    batchsize: Option<usize>,
    /// Requests under way at once.
    #[arg(long, value_name = "N")]
    num_workers: Option<usize>,
    /// So many rows of each file; -1 means all.
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    sample_count: i64,
    /// Files named in rows are looked for beside the table, which is so without this option.
    #[arg(long, overrides_with = "no_blobs_relative_to_csv")]
    blobs_relative_to_csv: bool,
    /// Files named in rows are looked for in the working directory.
    #[arg(long)]
    no_blobs_relative_to_csv: bool,
    /// Shows progress and a summary, which is so without this option.
    #[arg(long, overrides_with = "no_stats")]
    stats: bool,
    /// Tells of failures alone.
    #[arg(long)]
    no_stats: bool,
    /// Accepted, and without effect: all processors are used in any case.
    #[arg(long, overrides_with = "no_use_dask")]
    use_dask: bool,
    /// The same.
    #[arg(long, hide = true)]
    no_use_dask: bool,
    /// Writes the commands and blobs of each row into the working directory instead of sending
    /// them: `TABLE_ROW.json`, `TABLE_ROW_BLOB.jpg`.
    #[arg(long, overrides_with = "no_debug")]
    debug: bool,
    /// Sends them.
    #[arg(long, hide = true)]
    no_debug: bool,
    /// Reads a column as text, also where all of its cells are numbers; can be given several times.
    #[arg(long, value_name = "COLUMN")]
    as_text: Vec<String>,
    /// Sends images without looking whether they are any.
    #[arg(long)]
    no_check_image: bool,
}

/// Says what is wrong with the command line, and ends the program with 2.
pub(super) fn misused(message: impl std::fmt::Display) -> ! {
    clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, format!("{message}\n")).exit()
}

impl Sdk {
    /// Brings files in, in the order of need.
    pub(super) async fn ingest(self, files: &[PathBuf], running: &Running) -> anyhow::Result<Exit> {
        if let Some(path) = self.user_transformer.first() {
            misused(format!(
                "--user-transformer {path}: transformers in Python are not run; let any program change the rows by `--transform-cmd COMMAND`"
            ));
        }
        if self.use_dask {
            eprintln!(
                "note: --use-dask has no effect: rows are read as a stream, and all processors are used"
            );
        }
        if running.part.sample.is_some() {
            misused("--sample is for rows of a model; take --sample-count, --limit or --shard");
        }
        if running.dead_letters.is_some() && files.len() > 1 {
            misused(
                "--dead-letters names one file, and each table has its own: leave it out, or bring the tables in one by one",
            );
        }
        let sources = self.open(files, running)?;
        if self.debug {
            sources.into_iter().try_for_each(write_samples)?;
            return Ok(Exit::Well);
        }
        if running.dry_run {
            return dry(sources);
        }
        let db = running.db.open()?;
        // Before the first row: where an embedder is wanting, nothing is made.
        let chosen = transformers::choose(&self.transformer, &*db).await?;
        let stop = Stop::on_ctrl_c();
        let mut worst = Exit::Well;
        let several = sources.len() > 1;
        for source in sources {
            if several && !running.json {
                println!("{} ({})", source.path().display(), source.kind());
            }
            let from = source.path().to_owned();
            match self.run(source, &from, &db, &chosen, stop.clone(), running).await? {
                Exit::Well => {}
                Exit::RowsFailed => worst = Exit::RowsFailed,
                ended => return Ok(ended),
            }
        }
        Ok(worst)
    }

    /// Takes rows that failed again.
    pub(super) async fn retry(
        source: SdkCsv,
        from: &Path,
        kept: &Json,
        running: &Running,
    ) -> anyhow::Result<Exit> {
        let kept: Vec<String> =
            serde_json::from_value(kept["transformer"].clone()).unwrap_or_default();
        let transformer: Vec<Asked> =
            kept.iter().map(|t| t.parse().map_err(anyhow::Error::msg)).collect::<Result<_, _>>()?;
        let again = Self { transformer, ..Self::default() };
        let db = running.db.open()?;
        let chosen = transformers::choose(&again.transformer, &*db).await?;
        again.run(source, from, &db, &chosen, Stop::on_ctrl_c(), running).await
    }

    async fn run(
        &self,
        mut source: SdkCsv,
        from: &Path,
        db: &Arc<dyn Database>,
        chosen: &[Chosen],
        stop: Stop,
        running: &Running,
    ) -> anyhow::Result<Exit> {
        let mut options = running.options();
        options.rows_per_request = self.batchsize.unwrap_or(options.rows_per_request).max(1);
        options.writers = self.num_workers.unwrap_or(options.writers).max(1);
        let transformer: Vec<&str> = self.transformer.iter().map(Asked::text).collect();
        let letters = running.dead_letters(from).options(json!({ "transformer": transformer }));
        let mut ingest =
            loaders::Ingest::new(db.clone()).options(options).stop_on(stop).dead_letters(letters);
        for chosen in chosen {
            (ingest, source) = chosen.give(ingest, source);
        }
        let run = async |ingest: loaders::Ingest| ingest.run_commands(source).await;
        let report = running.watched(ingest, !self.no_stats, run).await;
        let report = report.with_context(|| from.display().to_string())?;
        match self.no_stats && report.exit_code() == 0 {
            true => Ok(Exit::Well),
            false => running.said(&report),
        }
    }

    /// Opens all files before any row goes in, and puts them in order.
    fn open(&self, files: &[PathBuf], running: &Running) -> anyhow::Result<Vec<SdkCsv>> {
        let mut sources = Vec::with_capacity(files.len());
        for file in files {
            let told = SdkCsv::open(file);
            let source = match (self.ingest_type, told) {
                (None, told) => told?,
                // Of several files, the type is that of those that leave a choice.
                (Some(kind), Ok(told)) if told.kind() == kind => told,
                (Some(kind), Ok(told)) if files.len() > 1 => {
                    match told.kind().is_media() && kind.is_media() {
                        true => SdkCsv::open_as(file, kind)?,
                        false => told,
                    }
                }
                (Some(kind), _) => SdkCsv::open_as(file, kind)?,
            };
            sources.push(self.set_up(source, running));
        }
        for column in &self.as_text {
            let there = sources.iter_mut().fold(false, |there, s| s.as_text(column) | there);
            if !there {
                misused(format!("--as-text {column}: no file has a column of that name"));
            }
        }
        sources.sort_by_key(SdkCsv::kind);
        Ok(sources)
    }

    fn set_up(&self, mut source: SdkCsv, running: &Running) -> SdkCsv {
        source = source.check_images(!self.no_check_image).select(running.part.selection());
        // Vectors are read where pictures are.
        let options = running.media.options();
        let root = match (&options.root, self.no_blobs_relative_to_csv) {
            (Some(dir), _) => MediaRoot::new(dir),
            (None, true) => MediaRoot::new("."),
            (None, false) => MediaRoot::beside(source.path()),
        };
        source = source.relative_to(root.allow_outside(options.allow_outside));
        match u64::try_from(self.sample_count) {
            Ok(rows) => source.most_rows(rows),
            Err(_) => source,
        }
    }
}

/// Prints what each row would become.
fn dry(sources: Vec<SdkCsv>) -> anyhow::Result<Exit> {
    let (mut rows, mut failed) = (0, 0);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    for source in sources {
        source.read(&mut |row, _| {
            rows += 1;
            match row.value {
                Ok(Some(commands)) => {
                    let mut line =
                        json!({"file": &*row.at.file, "row": row.at.row, "line": row.at.line});
                    let mut steps = commands.to_json(Dialect::default());
                    line["commands"] = steps.remove(0).into();
                    if !steps.is_empty() {
                        line["then"] = steps.into();
                    }
                    line["blobs"] = commands.origins().into();
                    written = writeln!(out, "{line}");
                }
                Ok(None) => {}
                Err(reason) => {
                    failed += 1;
                    eprintln!("failed: {}: {reason}", row.at);
                }
            }
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
    }
    match written.and_then(|()| out.flush()) {
        // Who reads has seen enough: `| head`.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Well),
        written => written?,
    }
    eprintln!("{rows} rows read, {failed} would fail; nothing was written");
    Ok(if failed == 0 { Exit::Well } else { Exit::RowsFailed })
}

/// What the SDK's `--debug` leaves behind.
fn write_samples(source: SdkCsv) -> anyhow::Result<()> {
    let reader = MediaReader::new(source.media_root(), MediaOptions::default());
    let transforms = source.transforms();
    let base = source.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut written: anyhow::Result<u64> = Ok(0);
    source.read(&mut |row, _| {
        let sample = || -> anyhow::Result<()> {
            let value = row.value.map_err(anyhow::Error::msg)?;
            let Some(mut commands) = value else { return Ok(()) };
            commands.read_blobs(&reader, false).map_err(anyhow::Error::msg)?;
            for transform in &transforms {
                transform.apply(&mut commands).map_err(anyhow::Error::msg)?;
            }
            // Rows of one step are what the SDK writes; of others, all steps.
            let mut steps = commands.to_json(Dialect::default());
            let json = match steps.len() {
                1 => Json::Array(steps.swap_remove(0)),
                _ => steps.into_iter().map(Json::Array).collect(),
            };
            let name = format!("{base}_{}", row.at.row.saturating_sub(1));
            write(&format!("{name}.json"), serde_json::to_string_pretty(&json)?.as_bytes())?;
            for (i, blob) in commands.blobs().iter().enumerate() {
                write(&format!("{name}_{i}.jpg"), blob)?;
            }
            Ok(())
        };
        let done = sample().with_context(|| row.at.to_string());
        match (done, &mut written) {
            (Ok(()), Ok(rows)) => {
                *rows += 1;
                ControlFlow::Continue(())
            }
            (Err(e), _) => {
                written = Err(e);
                ControlFlow::Break(())
            }
            (Ok(()), Err(_)) => ControlFlow::Break(()),
        }
    })?;
    eprintln!("{}: {} rows written beside each other, none sent", base, written?);
    Ok(())
}

fn write(name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(Path::new(name), bytes).with_context(|| name.to_owned())
}
