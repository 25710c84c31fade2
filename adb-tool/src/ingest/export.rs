//! What `adb export` wrote without a model.

use std::path::PathBuf;

use adb::loaders::{self, CommandSource as _, Stop};
use anyhow::Context as _;

use super::{how::Running, sdk::misused};
use crate::{dump::Dump, exit::Exit};

/// Bring a whole database in, as `adb export` wrote it without a model.
///
/// Each object keeps a mark of where it came from, the property `adb_export`: run it again, and what
/// is there is not added again.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb ingest from-export everything --db whole.adb")]
pub(crate) struct FromExport {
    /// The directory.
    from: PathBuf,
    #[command(flatten)]
    running: Running,
}

impl FromExport {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let dump = Dump::open(&self.from)?;
        let running = &self.running;
        let part = running.part;
        if part.limit.is_some() || part.offset > 0 || part.sample.is_some() || part.shard.is_some()
        {
            misused(
                "an export goes in whole: of a part, connections would have no ends; `adb export --query` writes a part",
            );
        }
        if running.dry_run {
            println!("{} rows would be read; nothing was written", dump.rows());
            return Ok(Exit::Well);
        }
        let db = running.db.open()?;
        let stop = Stop::on_ctrl_c();
        let mut worst = Exit::Well;
        for rows in dump.stages() {
            let from = rows.path();
            if !running.json {
                println!("{}", rows.name());
            }
            let ingest = loaders::Ingest::new(db.clone())
                .options(running.options())
                .stop_on(stop.clone())
                .dead_letters(running.dead_letters(&from));
            let run = async |ingest: loaders::Ingest| ingest.run_commands(rows).await;
            let report = running.watched(ingest, true, run).await;
            let report = report.with_context(|| from.display().to_string())?;
            match running.said(&report)? {
                Exit::Well => {}
                Exit::RowsFailed => worst = Exit::RowsFailed,
                ended => return Ok(ended),
            }
        }
        Ok(worst)
    }
}
