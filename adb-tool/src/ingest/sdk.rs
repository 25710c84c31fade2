//! `adb ingest from-csv` without a model: the files of the Python SDK, with its command line's
//! options.

use std::{
    fs,
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
    dry,
    running::Running,
    transformers::{self, Asked, Chosen},
};
use crate::{
    exit::{Exit, usage},
    numbers::at_least_one,
    out,
};

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
    /// Rows in one request: what `--batch` says for others.
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "batch")]
    batchsize: Option<usize>,
    /// Requests under way at once: what `--writers` says for others.
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "writers")]
    num_workers: Option<usize>,
    /// So many rows of each file; -1 means all.
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true,
        value_parser = clap::value_parser!(i64).range(-1..))]
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

impl Sdk {
    /// Brings files in, in the order of need.
    pub(super) async fn ingest(self, files: &[PathBuf], running: &Running) -> anyhow::Result<Exit> {
        if let Some(path) = self.user_transformer.first() {
            usage!(
                "--user-transformer {path}: transformers in Python are not run; let any program change the rows by `--transform-cmd COMMAND`"
            );
        }
        if self.use_dask {
            out::notice(
                "note: --use-dask has no effect: rows are read as a stream, and all processors are used",
            );
        }
        if running.part.sample.is_some() {
            usage!("--sample is for rows of a model; take --sample-count, --limit or --shard");
        }
        if running.dead_letters.is_some() && files.len() > 1 {
            usage!(
                "--dead-letters names one file, and each table has its own: leave it out, or bring the tables in one by one"
            );
        }
        // A pipe would be empty after the first reading, which looks for what kind of table it is.
        let is_pipe = |path: &&PathBuf| {
            path.as_os_str() == "-" || path.metadata().is_ok_and(|meta| !meta.is_file())
        };
        if let Some(path) = files.iter().find(is_pipe) {
            usage!(
                "{}: it is no file, and a table of the Python SDK is read more than once: save it as one first, or give --model",
                path.display()
            );
        }
        let sources = self.open(files, running)?;
        self.look_at_part(&sources, running)?;
        if self.debug {
            sources.into_iter().try_for_each(write_samples)?;
            return Ok(Exit::Well);
        }
        if running.dry_run {
            return dry::of_commands(sources);
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
        options.rows_per_request = self.batchsize.unwrap_or(options.rows_per_request);
        options.writers = self.num_workers.unwrap_or(options.writers);
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
                usage!("--as-text {column}: no file has a column of that name");
            }
        }
        sources.sort_by_key(SdkCsv::kind);
        Ok(sources)
    }

    /// A part of the rows that look something up may not go in together with a part of those that
    /// add it: what one row needs may be in another share.
    fn look_at_part(&self, sources: &[SdkCsv], running: &Running) -> anyhow::Result<()> {
        let part = running.part.selection();
        if part.is_all() && self.sample_count < 0 {
            return Ok(());
        }
        let needs = |source: &&SdkCsv| sources.iter().any(|other| source.needs(other));
        let (last, first): (Vec<&SdkCsv>, Vec<&SdkCsv>) = sources.iter().partition(needs);
        if last.is_empty() {
            return Ok(());
        }
        let names = |sources: &[&SdkCsv]| {
            let names = sources.iter().map(|source| source.path().display().to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        let (first, last) = (names(&first), names(&last));
        if part.shard.is_some() {
            usage!(
                "--shard: rows of {last} look up what {first} adds, and that may be in another share: bring in {first} first, by all shares, then {last}"
            );
        }
        out::notice(format_args!(
            "note: rows of {last} look up what {first} adds, and of both only a part is taken: those whose counterpart is in neither this part nor the database fail"
        ));
        Ok(())
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
