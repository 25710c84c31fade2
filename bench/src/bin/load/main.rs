//! adb's side of `bench/overhead.sh` and of the loaders in `bench/server.sh`: what rows cost where
//! neither an embedder nor a database is to be measured, or where only the database is.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

mod alone;
mod into;
mod nothing;
mod rows;

use clap::Parser;

/// Measures the way from rows to a database. Each figure is a line of JSON.
#[derive(Parser)]
enum Command {
    /// Writes rows of the Cookbook, over and over, as all sides read them.
    Rows(rows::Rows),
    /// Rows into a database that takes everything, with an embedder that looks at nothing.
    Nothing(nothing::Nothing),
    /// Rows with vectors into an engine; and the same requests into another one, by themselves.
    Alone(alone::Alone),
    /// A file of the Python SDK into any database.
    Into(into::Into),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Rows(command) => command.run(),
        Command::Nothing(command) => command.run().await,
        Command::Alone(command) => command.run().await,
        Command::Into(command) => command.run().await,
    }
}
