//! The first page of `--help`: commands in groups.

use clap::Command;

use crate::exit::Usage;

/// What belongs together. A command that stands nowhere comes last.
const GROUPS: &[(&str, &[&str])] = &[
    ("Data in and out", &["ingest", "search", "export", "transact", "runs", "undo"]),
    ("Models", &["schema", "check", "migrate", "model"]),
    ("Vectors", &["embedders", "enrich", "reembed", "audit", "claim"]),
    ("Servers and this machine", &["config", "serve", "conform", "doctor", "utils"]),
    ("The command line itself", &["completions", "man"]),
];

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
