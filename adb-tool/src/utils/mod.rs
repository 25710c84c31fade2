//! `adb utils`: what the Python SDK's command line has under that name.

mod execute;
mod images;
mod picture;
mod tokens;

use adb::{Request, ask};
use clap::Subcommand;
use serde_json::json;

use crate::{database::Db, exit::Exit};

/// What the Python SDK's command line has under that name.
#[derive(Subcommand)]
#[command(after_help = "Examples:
  adb utils execute summary --db my.adb
  adb utils visualize-schema --format dot --db my.adb")]
pub(crate) enum Utils {
    Execute(execute::Execute),
    Log(Log),
    VisualizeSchema(picture::VisualizeSchema),
    GenerateImages(images::GenerateImages),
    #[command(subcommand)]
    Keys(tokens::Keys),
    #[command(subcommand)]
    Tokens(tokens::Tokens),
}

/// Put a line into a server's log.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb utils log \"nightly ingestion begins\" --db my.adb")]
pub(crate) struct Log {
    /// What is to stand there.
    message: String,
    #[command(flatten)]
    db: Db,
    /// How grave it is.
    #[arg(long, value_enum, ignore_case = true, default_value = "INFO")]
    level: Level,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
enum Level {
    Info,
    Warning,
    Error,
}

impl Utils {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Utils::Execute(command) => command.run().await,
            Utils::Log(command) => command.run().await,
            Utils::VisualizeSchema(command) => command.run().await,
            Utils::GenerateImages(command) => command.run(),
            Utils::Keys(command) => command.run().await,
            Utils::Tokens(command) => command.run().await,
        }
    }
}

impl Log {
    async fn run(self) -> anyhow::Result<Exit> {
        let level = match self.level {
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
        };
        let db = self.db.open_existing()?;
        let command = json!([{"UserLogMessage": {"text": self.message, "type": level}}]);
        ask(&*db, Request::json(&command)).await?;
        Ok(Exit::Well)
    }
}
