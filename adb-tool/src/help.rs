//! What `--help` shows: commands in groups on the first page, and on each page what all commands have
//! at its end.

use std::env;

use clap::{Arg, ArgAction, Command};

use crate::exit::Usage;

/// What belongs together. A command that stands nowhere comes last.
const GROUPS: &[(&str, &[&str])] = &[
    ("Data in and out", &["ingest", "search", "export", "transact", "runs", "undo"]),
    ("Models", &["schema", "check", "migrate", "model"]),
    ("Vectors", &["embedders", "enrich", "reembed", "audit", "claim"]),
    ("Servers and this machine", &["config", "serve", "conform", "doctor", "utils"]),
    ("The command line itself", &["completions", "man"]),
];

/// The heading of what all commands have, or nearly all.
const GLOBAL: &str = "Global options";

/// What stands under that heading, in this order; each command has some of it.
const GLOBALS: &[&str] = &["db", "json", "device", "verbose", "quiet", "log_format", "help"];

/// Puts what all commands have at the end of each command's help, and says nothing of variables that
/// are set to nothing.
pub(crate) fn arranged(mut command: Command) -> Command {
    command = command.mut_args(unless_empty).mut_subcommands(arranged);
    // The Python SDK's verbs that are not ours take every option there is.
    if command.is_disable_help_flag_set() {
        return command;
    }
    command = command.disable_help_flag(true).arg(
        Arg::new("help")
            .short('h')
            .long("help")
            .action(ArgAction::Help)
            .help("Print help (see a summary with '-h')"),
    );
    for (id, order) in GLOBALS.iter().zip(900..) {
        let its_own = |arg: &Arg| *id == "json" && arg.get_help_heading().is_some();
        let has = |arg: &Arg| arg.get_id() == *id && !its_own(arg);
        if command.get_arguments().any(has) {
            command = command.mut_arg(id, |arg| arg.help_heading(GLOBAL).display_order(order));
        }
    }
    command
}

/// A variable that is set to nothing counts as one that is not set. Clap would take it for a value;
/// no variable has the name that is asked for instead.
fn unless_empty(arg: Arg) -> Arg {
    match arg.get_env().and_then(env::var_os) {
        Some(value) if value.is_empty() => arg.env("=").hide_env(true),
        _ => arg,
    }
}

/// Puts the groups in place of the plain list.
pub(crate) fn with_groups(command: Command) -> Command {
    let text = groups(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{text}\n\
         Options:\n{{options}}{{after-help}}"
    ))
}

fn groups(command: &Command) -> String {
    let all: Vec<&Command> =
        command.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let width = all.iter().map(|command| command.get_name().len()).max().unwrap_or(0);
    let named = |name: &&str| all.iter().copied().find(|command| command.get_name() == *name);
    let others = || {
        let is_grouped = |name: &str| GROUPS.iter().any(|(_, commands)| commands.contains(&name));
        all.iter().copied().filter(move |command| !is_grouped(command.get_name()))
    };
    let mut text = String::new();
    let mut group = |title: &str, commands: Vec<&Command>| {
        if commands.is_empty() {
            return;
        }
        text.push_str(&format!("{title}:\n"));
        for command in commands {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {:width$}  {about}\n", command.get_name()));
        }
        text.push('\n');
    };
    for (title, commands) in GROUPS {
        group(title, commands.iter().filter_map(named).collect());
    }
    group("More", others().collect());
    text.pop();
    text
}

/// Options of the Python SDK's command line that are commands here.
pub(crate) fn of_the_sdk(first: Option<&str>) -> Option<Usage> {
    match first? {
        option @ ("--install-completion" | "--show-completion") => Some(Usage(format!(
            "{option} is a command here: `adb completions SHELL` prints what the shell needs"
        ))),
        _ => None,
    }
}
