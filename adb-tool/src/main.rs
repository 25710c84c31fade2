//! `adb`: the everyday jobs without writing code. Each command has a module of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod database;
mod exit;
mod ingest;

use clap::{Parser, Subcommand};

use exit::Exit;

/// Typed, multimodal ingestion and search for ApertureDB: embedded, or on a server.
#[derive(Parser)]
#[command(name = "adb", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(subcommand)]
    Ingest(ingest::Ingest),
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let done = match Cli::parse().command {
        Command::Ingest(command) => command.run().await,
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Failed.into()
        }
    }
}
