//! `adb runs` and `adb undo`: what was ingested when, and taking it back.

use adb::loaders::runs;

use crate::{database::Db, exit::Exit};

/// List the ingestions that a database knows of, the oldest first.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb runs --db my.adb")]
pub(crate) struct Runs {
    #[command(flatten)]
    db: Db,
}

/// Take an ingestion back: delete what it added.
///
/// Objects that others refer to by now stay, with all that belongs to them. What it changed stays as
/// it is. The next ingestion compares every row with the database again.
#[derive(clap::Args)]
#[command(after_help = "Example, with an id that `adb runs` lists:
  adb undo 20261126-231501042-k3f9x --db my.adb")]
pub(crate) struct Undo {
    /// The run's id.
    run: String,
    #[command(flatten)]
    db: Db,
}

impl Runs {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        for run in runs::runs(&*self.db.read()?).await? {
            println!("{run}");
        }
        Ok(Exit::Well)
    }
}

impl Undo {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        println!("{}", runs::undo(&*self.db.open_existing()?, &self.run).await?);
        Ok(Exit::Well)
    }
}
