//! Rows that a program prints.

use std::path::Path;

use adb::loaders::{CommandObjects, Stop};

use super::by_model::ByModel;
use crate::exit::Exit;

/// Bring the rows in that a program prints as JSON Lines, as a model document says.
///
/// The command is run by the shell. If it ends with another status than 0, the ingestion has
/// failed, and the rows that it printed before are in. Relative paths in the rows begin in the
/// working directory.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb ingest from-command 'python3 dishes.py' --model dish.model.json --db my.adb
  adb ingest from-command 'zcat dump.gz | jq -c .rows[]' --model dish.model.json --db my.adb")]
pub(crate) struct FromCommand {
    /// The command line.
    command: String,
    #[command(flatten)]
    by: ByModel,
}

impl FromCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let rows = CommandObjects::new(self.command).stop_on(Stop::on_ctrl_c());
        self.by.ingest(rows, Path::new("command")).await
    }
}
