//! `adb`: the everyday jobs without writing code. Each command has a module of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod database;
mod exit;
mod ingest;
mod logging;
mod serve;

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use exit::Exit;

/// Typed, multimodal ingestion and search for ApertureDB: embedded, or on a server.
#[derive(Parser)]
#[command(name = "adb", version, about)]
struct Cli {
    #[command(flatten)]
    logging: logging::Logging,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(subcommand)]
    Ingest(ingest::Ingest),
    Serve(Box<serve::Serve>),
}

impl Command {
    /// How much is logged without options.
    fn usual_level(&self) -> LevelFilter {
        match self {
            Command::Serve(command) if command.serves() => LevelFilter::INFO,
            _ => LevelFilter::WARN,
        }
    }

    async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Command::Ingest(command) => command.run().await,
            Command::Serve(command) => command.run().await,
        }
    }
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let Cli { logging, command } = Cli::parse();
    let done = match logging.start(command.usual_level()) {
        Ok(()) => command.run().await,
        Err(error) => Err(error),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Failed.into()
        }
    }
}
