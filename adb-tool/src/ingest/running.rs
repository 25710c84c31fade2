//! How rows go in, whatever they are: the options that all of `adb ingest` has, and what is told.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use adb::{
    Database,
    loaders::{self, DeadLetters, Event, Options, Report, Selection, Shard, Source, Stop},
};
use serde_json::Value as Json;

use super::{again::Again, dry, media::Media};
use crate::{
    database::Db,
    exit::Exit,
    numbers::{at_least_one, mebibytes},
    watch::watched,
};

/// How rows go in, and what is told of it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Running {
    #[command(flatten)]
    pub(crate) db: Db,
    /// Rows with a key that no field takes fail.
    #[arg(long, help_heading = "The rows")]
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
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Speed")]
    pub(crate) writers: Option<usize>,
    /// Rows in one request to the database, at most.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Speed")]
    pub(crate) batch: Option<usize>,
    /// Memory for pictures, videos and files in flight, in MiB.
    #[arg(long, value_name = "MIB", value_parser = mebibytes, help_heading = "Speed")]
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
            return dry::of_model(source, self.strict);
        }
        to_keep["strict"] = self.strict.into();
        let db = self.db.open()?;
        let ingest = loaders::Ingest::new(db.clone()).options(self.options());
        let ingest = self.again.set_up(ingest, &self.db);
        let ingest = set_up(ingest, &*db)
            .await?
            .stop_on(Stop::on_ctrl_c())
            .dead_letters(self.dead_letters(from).options(to_keep));
        // All that can be wrong before the first row is right. The ledger lies in the directory.
        let _made = self.db.absent().map(|_| self.db.make()).transpose()?;
        let report = self.watched(ingest, true, async |ingest| ingest.run(source).await).await?;
        self.said(&report)
    }

    /// Runs an ingestion while its user watches: by lines of JSON if those are asked for, else by a
    /// bar, if there is to be one.
    pub(super) async fn watched<T>(
        &self,
        ingest: loaders::Ingest,
        with_bar: bool,
        run: impl AsyncFnOnce(loaders::Ingest) -> T,
    ) -> T {
        match self.json {
            true => run(ingest.on_event(print_line)).await,
            false => watched(ingest, with_bar, run).await,
        }
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
        options.rows_per_request = self.batch.unwrap_or(options.rows_per_request);
        options.bytes_in_flight = self.memory.unwrap_or(options.bytes_in_flight);
        options
    }

    /// Prints a report, unless that was the last event; answers how the program ends with it.
    pub(crate) fn said(&self, report: &Report) -> anyhow::Result<Exit> {
        if !self.json {
            println!("{report}");
        } else if let Some(e) = UNWRITTEN.get() {
            anyhow::bail!("standard output: {e}; what was ingested is in the database");
        }
        Ok(Exit::of_report(report))
    }
}

/// The first failure to write an event.
static UNWRITTEN: OnceLock<io::Error> = OnceLock::new();

/// Prints an event as a line of JSON. Who reads may be gone; the ingestion goes on.
pub(crate) fn print_line(event: &Event<'_>) {
    if let Ok(mut line) = serde_json::to_vec(event) {
        line.push(b'\n');
        let mut out = io::stdout().lock();
        match out.write_all(&line).and_then(|()| out.flush()) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                // The first one stays.
                let _ = UNWRITTEN.set(e);
            }
            _ => {}
        }
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
