//! Embedders from the command line; each subcommand has a file of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod again;
mod audit;
mod embed;
mod faces;
mod fetch;
mod init;
mod ls;
mod tune;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What there is to make vectors with, and vectors.
#[derive(Parser)]
#[command(
    after_help = "NAME is the name of a preset or of a bundle in the cache (ADB_CACHE_DIR), \
or the directory of a bundle.
docs/embedders.md says more."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Ls(ls::Ls),
    Fetch(fetch::Fetch),
    Init(init::Init),
    Embed(embed::Embed),
    Faces(faces::Faces),
    Audit(audit::Audit),
    Tune(tune::Tune),
    Reembed(again::Reembed),
    Enrich(again::Enrich),
    Claim(again::Claim),
}

fn main() -> ExitCode {
    let success = |()| ExitCode::SUCCESS;
    let done = match Cli::parse().command {
        Command::Ls(command) => command.run().map(success),
        Command::Fetch(command) => command.run().map(success),
        Command::Init(command) => command.run().map(success),
        Command::Embed(command) => command.run().map(success),
        Command::Faces(command) => command.run().map(success),
        Command::Audit(command) => command.run().map(success),
        Command::Tune(command) => command.run().map(success),
        Command::Reembed(command) => command.run(),
        Command::Enrich(command) => command.run(),
        Command::Claim(command) => command.run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Looks where the environment says, and shows downloads.
fn chooser() -> anyhow::Result<adb::embedders::Chooser> {
    let chooser = adb::embedders::Chooser::from_env()?;
    Ok(chooser.on_download(adb::embedders::OnDownload::shown()))
}
