//! How rows go in, whatever they are: what all of `adb ingest` have in common.

use std::{
    fs,
    io::{self, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use adb::{
    Database, Dialect, FieldRole, FieldSchema, ModelSchema, SetSpec,
    document::{Document, LoadedModel},
    embedders::{Chooser, OnDownload},
    loaders::{
        self, DeadLetters, Event, ObjectSource, Options, PlainModel, Progress, Report, Selection,
        Shard, Source, Stop, WithVectors, shards, terminal::Bar, vectors_in,
    },
};
use anyhow::Context as _;
use serde_json::{Value as Json, json};

use super::{again::Again, media::Media};
use crate::{database::Db, exit::Exit};

/// Rows by a model document: what the model is, who makes its vectors, how the rows go in.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct How {
    /// The model document: what `Document::of(Dish::SCHEMA)` is as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) vectors: Vectors,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// Who makes vectors.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Vectors {
    /// Embedder for new sets: a bundle's name or directory.
    #[arg(long, conflicts_with = "no_embedder")]
    pub(crate) embedder: Option<String>,
    /// The rows bring their vectors.
    #[arg(long)]
    pub(crate) no_embedder: bool,
    /// Takes the vectors of a field (or of the set that it fills) from files of NumPy's, `.npy`: a
    /// row of theirs for each row of the source, in the same order. Several files, by a pattern such
    /// as `looks-{000..010}.npy` or by several of these, are read one after another. The field needs
    /// no embedder.
    #[arg(long, value_name = "FIELD=FILE", value_parser = of_field)]
    pub(crate) vectors: Vec<(String, String)>,
    /// Fields that had their vectors from files when a row failed: it has them still.
    #[arg(skip)]
    brought: Vec<String>,
}

impl Vectors {
    /// What a retry of failed rows wants to know.
    pub(crate) fn to_keep(&self) -> Json {
        json!({
            "embedder": self.embedder, "no_embedder": self.no_embedder,
            "brought": self.brought(),
        })
    }

    /// What [`to_keep`](Self::to_keep) kept, unless other options are given now.
    pub(crate) fn or_kept(self, kept: &Json) -> Self {
        let brought = kept["brought"].as_array().into_iter().flatten();
        let brought = brought.filter_map(|field| Some(field.as_str()?.to_owned())).collect();
        if self.embedder.is_some() || self.no_embedder {
            return Self { brought, ..self };
        }
        Self {
            embedder: kept["embedder"].as_str().map(str::to_owned),
            no_embedder: kept["no_embedder"].as_bool().unwrap_or_default(),
            vectors: Vec::new(),
            brought,
        }
    }

    /// Fields whose vectors rows bring, or files beside them.
    fn brought(&self) -> Vec<&str> {
        let of_files = self.vectors.iter().map(|(field, _)| field);
        of_files.chain(&self.brought).map(String::as_str).collect()
    }

    /// A source with the vectors that lie beside it.
    pub(crate) fn beside<S: ObjectSource>(
        &self,
        source: S,
        schema: &'static ModelSchema,
    ) -> Result<WithVectors<S>, loaders::Error> {
        let mut vectors = source.and_vectors();
        for (field, pattern) in &self.vectors {
            vectors = vectors.with_vectors(field, shards(pattern)?);
        }
        // Before an embedder is chosen for what is no field of theirs.
        vectors.check(schema)?;
        Ok(vectors)
    }

    /// How many components the vectors have that lie beside the rows for the set of a model that is
    /// made from what is seen.
    pub(crate) fn dimensions(&self, set: &str) -> Result<Option<usize>, loaders::Error> {
        let of_set = |field: &str| field == set || field == PlainModel::VECTORS;
        let Some((_, pattern)) = self.vectors.iter().find(|(field, _)| of_set(field)) else {
            return Ok(None);
        };
        let first = shards(pattern)?.into_iter().next();
        first.map(|file| Ok(vectors_in(&file)?.1)).transpose()
    }

    /// Whether no embedder need fill a set: all fields of it are brought.
    fn is_brought(&self, schema: &'static ModelSchema, set: &SetSpec) -> bool {
        let brought = self.brought();
        let names =
            |field: &FieldSchema| brought.contains(&field.key) || brought.contains(&set.name);
        !brought.is_empty()
            && schema.reachable().into_iter().all(|model| {
                model.fields.iter().all(|field| match field.role {
                    FieldRole::Embedding { set: other, .. } if other.name == set.name => {
                        std::ptr::eq(model, schema) && names(field)
                    }
                    _ => true,
                })
            })
    }

    /// Gives each set of a model its own embedder.
    pub(crate) async fn of_model(
        &self,
        mut ingest: loaders::Ingest,
        db: &dyn Database,
        model: LoadedModel,
    ) -> anyhow::Result<loaders::Ingest> {
        if self.no_embedder {
            return Ok(ingest);
        }
        for set in model.schema().sets() {
            if self.is_brought(model.schema(), &set) {
                continue;
            }
            let chooser = Chooser::from_env()?.on_download(OnDownload::shown());
            let chosen = chooser.choose(db, &set, self.embedder.as_deref()).await?;
            chosen.notices.iter().for_each(|notice| eprintln!("{notice}"));
            ingest = ingest.embedder_for(set.name, chosen.embedder);
        }
        Ok(ingest)
    }
}

/// How rows go in, and what is told of it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Running {
    #[command(flatten)]
    pub(crate) db: Db,
    /// Rows with a key that no field takes fail.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Where rows that fail are kept, for `adb ingest retry`. Without it: a file beside the rows,
    /// named after theirs.
    #[arg(long, value_name = "FILE", help_heading = "Failures")]
    pub(crate) dead_letters: Option<PathBuf>,
    /// How long a database that gives no answer is waited for, such as `90s`, `15m`, `8h`.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time, help_heading = "Failures")]
    pub(crate) give_up_after: Duration,
    /// Tells what happens as JSON, an event on each line of standard output.
    #[arg(long, help_heading = "What is told")]
    pub(crate) json: bool,
    /// Prints the commands that each row would become, as JSON; needs neither database nor
    /// embedder, and changes nothing.
    #[arg(long, help_heading = "What is told")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) media: Media,
    #[command(flatten)]
    pub(crate) again: Again,
    /// Requests to the database under way at once.
    #[arg(long, value_name = "N", help_heading = "Speed")]
    pub(crate) writers: Option<usize>,
    /// Rows in one request to the database, at most.
    #[arg(long, value_name = "N", help_heading = "Speed")]
    pub(crate) batch: Option<usize>,
    /// Memory for pictures, videos and files in flight, in MiB.
    #[arg(long, value_name = "MIB", help_heading = "Speed")]
    pub(crate) memory: Option<usize>,
}

/// Which of a source's rows go in.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "A part of the rows")]
pub(crate) struct Part {
    /// So many rows at most.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// So many rows are passed over first.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) offset: u64,
    /// So many rows, by chance that is the same on every run.
    #[arg(long, value_name = "N")]
    pub(crate) sample: Option<u64>,
    /// One share of several, such as 1/4: four processes with 1/4 to 4/4 bring in all.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
}

impl Part {
    pub(crate) fn selection(self) -> Selection {
        let mut selection = Selection::default();
        selection.limit = self.limit;
        selection.offset = self.offset;
        selection.sample = self.sample;
        selection.shard = self.shard;
        selection
    }
}

impl Running {
    /// Brings a source's rows in. `from` names them, for the dead-letter file; `to_keep`, an object,
    /// is what a retry wants to know; `set_up` gives the ingestion what it needs beside: embedders,
    /// makers.
    pub(crate) async fn ingest<S: Source>(
        self,
        from: &Path,
        mut to_keep: Json,
        source: S,
        set_up: impl AsyncFnOnce(loaders::Ingest, &dyn Database) -> anyhow::Result<loaders::Ingest>,
    ) -> anyhow::Result<Exit> {
        let source = source.select(self.part.selection());
        if self.dry_run {
            return self.dry(source);
        }
        to_keep["strict"] = self.strict.into();
        let db = self.db.open()?;
        let ingest = loaders::Ingest::new(db.clone()).options(self.options());
        let ingest = self.again.set_up(ingest, &self.db);
        let ingest = set_up(ingest, &*db)
            .await?
            .stop_on(Stop::on_ctrl_c())
            .dead_letters(self.dead_letters(from).options(to_keep));
        let report = self.watched(ingest, true, async |ingest| ingest.run(source).await).await?;
        self.said(&report)
    }

    /// Runs an ingestion while its user watches: by lines of JSON if those are asked for, else by a
    /// bar, if there is to be one.
    pub(super) async fn watched<T>(
        &self,
        mut ingest: loaders::Ingest,
        with_bar: bool,
        run: impl AsyncFnOnce(loaders::Ingest) -> T,
    ) -> T {
        if self.json {
            ingest = ingest.on_event(print_line);
        }
        let progress = Arc::new(Progress::default());
        let bar = (with_bar && !self.json).then(|| Bar::start(progress.clone()));
        let done = run(ingest.progress(progress)).await;
        drop(bar);
        done
    }

    /// What [`ingest`](Self::ingest) kept, beside what is asked for now.
    pub(crate) fn or_kept(mut self, kept: &Json) -> Self {
        self.strict |= kept["strict"].as_bool().unwrap_or_default();
        self
    }

    /// Where failed rows go.
    pub(crate) fn dead_letters(&self, from: &Path) -> DeadLetters {
        match &self.dead_letters {
            Some(path) => DeadLetters::at(path),
            None => DeadLetters::beside(from),
        }
    }

    /// The pipeline's options.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        options.strict = self.strict;
        options.media = self.media.options();
        options.give_up_after = self.give_up_after;
        options.writers = self.writers.unwrap_or(options.writers);
        options.rows_per_request = self.batch.unwrap_or(options.rows_per_request).max(1);
        options.bytes_in_flight = self.memory.map_or(options.bytes_in_flight, |mib| mib << 20);
        options
    }

    /// Prints what each row would become.
    fn dry(&self, source: impl Source) -> anyhow::Result<Exit> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut written = Ok(());
        let report = loaders::dry_run(source, Dialect::default(), self.strict, &mut |row| {
            written = serde_json::to_writer(&mut out, &row)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"));
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        match written.and_then(|()| out.flush()) {
            // Who reads has seen enough: `| head`.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Well),
            written => written?,
        }
        for failure in &report.failures {
            eprintln!("failed: {failure}");
        }
        eprintln!("{} rows read, {} would fail; nothing was written", report.rows, report.failed);
        Ok(exit_of(&report))
    }

    /// Prints a report, unless that was the last event; answers how the program ends with it.
    pub(crate) fn said(&self, report: &Report) -> anyhow::Result<Exit> {
        if !self.json {
            println!("{report}");
        }
        Ok(exit_of(report))
    }
}

fn exit_of(report: &Report) -> Exit {
    match report.exit_code() {
        0 => Exit::Well,
        3 => Exit::RowsFailed,
        130 => Exit::Stopped,
        _ => Exit::Failed,
    }
}

/// Prints an event as a line of JSON. Who reads may be gone; the ingestion goes on.
pub(crate) fn print_line(event: &Event<'_>) {
    if let Ok(mut line) = serde_json::to_vec(event) {
        line.push(b'\n');
        let mut out = io::stdout().lock();
        // As said.
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

/// `90`, `90s`, `15m`, `8h`, `2d`.
fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let seconds = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => 0,
    };
    let number: Option<u64> = number.parse().ok().filter(|_| seconds > 0);
    number.and_then(|n| n.checked_mul(seconds)).map(Duration::from_secs).ok_or_else(|| {
        "a time is a number with s, m, h or d behind it, such as 90s or 15m".to_owned()
    })
}

/// `FIELD=FILE`. Files may have `=` in their names; fields have none.
fn of_field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, file)) if !field.is_empty() && !file.is_empty() => {
            Ok((field.to_owned(), file.to_owned()))
        }
        _ => Err("it takes FIELD=FILE, such as look=looks.npy".to_owned()),
    }
}

/// Reads a model document.
pub(crate) fn load(path: &Path) -> anyhow::Result<LoadedModel> {
    let load = || -> anyhow::Result<LoadedModel> {
        Ok(Document::parse(&fs::read_to_string(path)?)?.load()?)
    };
    load().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let seconds = |text| time(text).map(|t| t.as_secs());
        assert_eq!(
            ["90", "90s", "15m", "8h", "2d"].map(seconds),
            [90, 90, 900, 28_800, 172_800].map(Ok)
        );
        for wrong in
            ["", "m", "5x", "-5s", "1.5h", "99999999999999999999d", "18446744073709551615d"]
        {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
