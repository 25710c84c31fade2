//! What `adb export` wrote without a model.

use std::{path::PathBuf, sync::Arc};

use adb::{
    Database,
    loaders::{self, CommandSource as _, Stop},
};
use anyhow::Context as _;

use super::{dry, running::Running};
use crate::{
    dump::{Dump, DumpRows},
    exit::{Exit, usage},
};

/// Bring a whole database in, as `adb export` wrote it without a model.
///
/// Each object keeps a mark of where it came from, the property `adb_export`: run it again, and what
/// is there is not added again. Rows that fail, and those that need what failed, are kept beside
/// their files, for `adb ingest retry`: first sets, then objects, parts, regions, descriptors and
/// connections.
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
        if !running.part.selection().is_all() {
            usage!(
                "an export goes in whole: of a part, connections would have no ends; `adb export --query` writes a part"
            );
        }
        if running.dead_letters.is_some() {
            usage!(
                "--dead-letters names one file, and an export has several of rows: leave it out, and failed rows are kept beside each"
            );
        }
        if running.dry_run {
            return dry::of_commands(dump.stages());
        }
        let db = running.db.open()?;
        let stop = Stop::on_ctrl_c();
        let mut worst = Exit::Well;
        for rows in dump.stages() {
            if !running.json {
                println!("{}", rows.name());
            }
            match bring(rows, db.clone(), stop.clone(), running).await? {
                Exit::Well => {}
                Exit::RowsFailed => worst = Exit::RowsFailed,
                ended => return Ok(ended),
            }
        }
        Ok(worst)
    }
}

/// Brings the rows of one file in.
pub(super) async fn bring(
    rows: DumpRows,
    db: Arc<dyn Database>,
    stop: Stop,
    running: &Running,
) -> anyhow::Result<Exit> {
    let from = rows.path();
    let ingest = loaders::Ingest::new(db)
        .options(running.options())
        .stop_on(stop)
        .dead_letters(running.dead_letters(&from));
    let run = async |ingest: loaders::Ingest| ingest.run_commands(rows).await;
    let report = running.watched(ingest, true, run).await;
    running.said(&report.with_context(|| from.display().to_string())?)
}
