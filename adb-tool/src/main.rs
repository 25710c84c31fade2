//! `adb`: the everyday jobs without writing code. Each command has a module of its own: a struct
//! with a `run` that says how the program ends, a line in [`Command`], one in [`Command::run`], and
//! its name in the groups of `help.rs`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

// First: it has the `println!` of all others.
#[macro_use]
mod out;

mod audit;
mod check;
mod config;
mod conform;
mod database;
mod doctor;
mod dump;
mod embedders;
mod exit;
mod export;
mod help;
mod ingest;
mod logging;
mod model;
mod numbers;
mod pages;
mod schema;
mod search;
mod serve;
mod stored;
mod sys;
mod transact;
mod undo;
mod unmade;
mod utils;
mod watch;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use exit::Exit;

/// Typed, multimodal ingestion and search for ApertureDB: embedded, or on a server.
#[derive(Parser)]
#[command(
    name = "adb",
    version = concat!(env!("CARGO_PKG_VERSION"), " (adb-rs, ApertureDB from the command line)"),
    after_help = "Each command has its own --help, with an example that runs.

Examples:
  adb ingest from-json examples/data/cookbook/dishes.json \\
      --model examples/data/cookbook/dish.model.json --db my.adb
  adb search --db my.adb --set dish_photos \"creamy curry\" -k 3"
)]
struct Cli {
    #[command(flatten)]
    logging: logging::Logging,
    #[command(flatten)]
    computing: embedders::Computing,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(subcommand)]
    Ingest(Box<ingest::Ingest>),
    Search(search::Search),
    Export(export::Export),
    #[command(subcommand)]
    Transact(transact::Transact),
    Schema(schema::Schema),
    Check(check::Check),
    Migrate(check::Migrate),
    #[command(subcommand)]
    Model(model::Model),
    #[command(subcommand)]
    Embedders(embedders::Embedders),
    Enrich(stored::Enrich),
    Reembed(stored::Reembed),
    Runs(undo::Runs),
    Undo(undo::Undo),
    Audit(audit::Audit),
    Claim(stored::Claim),
    #[command(subcommand)]
    Config(config::Config),
    Serve(Box<serve::Serve>),
    Conform(conform::Conform),
    Doctor(doctor::Doctor),
    #[command(subcommand)]
    Utils(utils::Utils),
    Completions(pages::Completions),
    Man(pages::Man),
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
            Command::Search(command) => command.run().await,
            Command::Export(command) => command.run().await,
            Command::Transact(command) => command.run().await,
            Command::Schema(command) => command.run().await,
            Command::Check(command) => command.run().await,
            Command::Migrate(command) => command.run().await,
            Command::Model(command) => command.run(),
            Command::Embedders(command) => command.run(),
            Command::Enrich(command) => command.run().await,
            Command::Reembed(command) => command.run().await,
            Command::Runs(command) => command.run().await,
            Command::Undo(command) => command.run().await,
            Command::Audit(command) => command.run().await,
            Command::Claim(command) => command.run().await,
            Command::Config(command) => command.run().await,
            Command::Serve(command) => command.run().await,
            Command::Conform(command) => command.run().await,
            Command::Doctor(command) => command.run().await,
            Command::Utils(command) => command.run().await,
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
        }
    }
}

/// The command line, with all that `--help` shows.
fn command() -> clap::Command {
    help::with_groups(help::arranged(Cli::command()))
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    if let Some(error) = help::of_the_sdk(std::env::args().nth(1).as_deref()) {
        out::error(&error.into());
        return Exit::Usage.into();
    }
    let cli = match Cli::from_arg_matches(&command().get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let done = match cli.logging.start(cli.command.usual_level()) {
        Ok(()) => {
            cli.computing.start();
            cli.command.run().await
        }
        Err(error) => Err(error),
    };
    done.unwrap_or_else(|error| {
        out::error(&error);
        Exit::of(&error)
    })
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command: the words that lead to it, itself, and the help of those above and of itself.
    fn all(command: &clap::Command, path: &str, above: &str, found: &mut Vec<(String, String)>) {
        let shown =
            command.get_subcommands().filter(|one| one.get_name() != "help" && !one.is_hide_set());
        for child in shown {
            let path = format!("{path} {}", child.get_name());
            assert!(child.get_about().is_some(), "`{path}` says nothing of itself");
            let own = child.get_after_help().map(ToString::to_string).unwrap_or_default();
            let help = format!("{above}\n{own}\n");
            if child.has_subcommands() {
                assert!(
                    own.contains("Example") && own.contains(&path),
                    "`{path}` has no example: {own}"
                );
                all(child, &path, &help, found);
            } else {
                found.push((path, help));
            }
        }
    }

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_has_an_example_of_itself() {
        let mut commands = Vec::new();
        all(&command(), "adb", "", &mut commands);
        assert!(commands.len() > 30, "{}", commands.len());
        for (path, help) in commands {
            let is_there = [" ", "\n"].iter().any(|end| help.contains(&format!("  {path}{end}")));
            assert!(help.contains("Example") && is_there, "`{path}` has no example: {help}");
        }
    }

    #[test]
    fn every_command_is_in_a_group_of_the_first_page() {
        let text = command().render_help().to_string();
        for group in ["Data in and out:", "Models:", "Vectors:", "Servers and this machine:"] {
            assert!(text.contains(group), "{text}");
        }
        for child in command().get_subcommands() {
            assert!(text.contains(&format!("\n  {} ", child.get_name())), "{}", child.get_name());
        }
    }
}
