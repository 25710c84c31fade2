//! The examples of `--help` and of docs/cli.md run as they stand there.

use std::{fs, path::Path};

use crate::place::{ADB, Place, said};

/// What can't run here as it stands, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("adb embedders get", "it asks a hub"),
    ("adb embedders init", "it wants ONNX files of the user's"),
    ("adb embedders faces", "it wants a detector; see the tests of faces"),
    ("adb reembed", "it wants a second embedder; see tests/enrich"),
    ("adb claim", "it wants a set that another program made; see tests/enrich"),
    ("adb undo", "it wants the name of a run; see tests/again"),
    ("config:dev", "it asks a server"),
    ("adb config get-key", "it asks a server"),
    ("adb serve", "it runs until it is stopped"),
    ("adb conform", "it asks a server"),
];

/// The examples of a page of help, lines with `\` at their end joined.
fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Example"));
    commands(lines.filter_map(|line| line.strip_prefix("  ")))
}

fn commands<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        let text = line.trim_end();
        // What a line says beside its command may go on below it.
        if text.is_empty() || (text.starts_with(' ') && !goes_on) {
            continue;
        }
        match all.last_mut().filter(|_| goes_on) {
            Some(last) => last.push_str(&format!("\n{text}")),
            None => all.push(text.to_owned()),
        }
        goes_on = text.ends_with('\\');
    }
    all
}

/// Subcommands that a page of help lists.
fn children(help: &str, is_first_page: bool) -> Vec<String> {
    let mut children = Vec::new();
    let mut within = false;
    for line in help.lines() {
        if !line.starts_with(' ') {
            // The first page has groups instead of one list.
            let others = ["Options:", "Usage:", "Example:", "Examples:"];
            let is_group = is_first_page && line.ends_with(':') && !others.contains(&line);
            within = is_group || line == "Commands:";
        } else if let Some(rest) = line.strip_prefix("  ").filter(|_| within) {
            let name = rest.split(' ').next().unwrap_or_default();
            if !name.is_empty() && name != "help" {
                children.push(name.to_owned());
            }
        }
    }
    children
}

fn help(place: &Place, path: &[String]) -> String {
    let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
    arguments.push("--help");
    place.prints(&arguments)
}

/// In one place, one after the other.
#[cfg(unix)]
fn run(commands: &[String]) {
    let place = Place::with_dishes();
    let programs = place.file("programs");
    fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink(ADB, programs.join("adb")).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let config = ["config", "create", "dev", "--no-interactive"];
    if !commands.iter().any(|command| command.contains("config create dev")) {
        place.prints(&config);
    }
    for command in commands {
        if let Some((_, why)) = NOT_RUN.iter().find(|(words, _)| command.contains(words)) {
            println!("not run, because {why}: {command}");
            continue;
        }
        // The tests' own embedder has the name of none that is known.
        let command =
            command.replace("clip-vit-b-32", "tiny-clip").replace("clip-vit-b-16", "tiny-clip:24");
        let output =
            place.command("sh").args(["-ec", &command]).env("PATH", &path).output().unwrap();
        assert!(output.status.success(), "{command}\n{}", said(&output));
    }
}

#[cfg(unix)]
#[test]
fn every_example_of_help_runs() {
    let place = Place::empty();
    let mut to_do: Vec<Vec<String>> = vec![Vec::new()];
    let mut found = 0;
    while let Some(path) = to_do.pop() {
        let text = help(&place, &path);
        let children = children(&text, path.is_empty());
        let examples = examples(&text);
        // Whether each has one, the unit tests see.
        if path.first().is_none_or(|first| first != "ingest") {
            run(&examples);
            found += examples.len();
        }
        to_do.extend(children.into_iter().map(|child| [path.clone(), vec![child]].concat()));
    }
    assert!(found > 30, "{found}");
}

/// Blocks of shell in the page, each a line that begins with `adb`.
#[cfg(unix)]
#[test]
fn every_command_of_the_page_runs() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let text = fs::read_to_string(page).unwrap();
    let mut lines = Vec::new();
    let mut within = false;
    for line in text.lines() {
        if let Some(language) = line.strip_prefix("```") {
            within = !within && language == "sh";
        } else if within && !line.trim().is_empty() && !line.starts_with('#') {
            lines.push(line);
        }
    }
    let commands = commands(lines.into_iter());
    assert!(commands.len() > 20, "{}", commands.len());
    run(&commands);
}
