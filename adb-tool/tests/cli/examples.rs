//! The examples of `--help`, and every block of code of the documentation, run as they stand there.

use std::{io::Write as _, process::Stdio};

use adb::{
    document::Document,
    trace::{Blobs, Recorder},
};
use serde_json::Value as Json;

#[cfg(unix)]
use crate::shell::Shell;
use crate::{
    blocks::{Block, Runner, blocks, commands, pages, read},
    place::{Place, said},
};

/// Pages whose commands run, each in a place of its own, by the tests below.
const WITH_COMMANDS: &[&str] = &[
    "README.md",
    "docs/aperturedb.md",
    "docs/cli.md",
    "docs/csv-formats.md",
    "docs/embedders.md",
    "docs/getting-started.md",
    "docs/ingestion.md",
    "docs/server.md",
    "docs/traces.md",
];

/// Files that include pages, so that rustdoc runs their blocks.
const DOC_TESTS: &[&str] = &["adb/src/lib.rs", "adb-derive/src/lib.rs"];

fn of_page(page: &str) -> Vec<Block> {
    blocks(&read(page)).unwrap_or_else(|e| panic!("{page}: {e}"))
}

/// All blocks that somebody runs, with their pages.
fn run_by(runner: Runner) -> Vec<(String, Block)> {
    let of = |page: String| {
        let blocks = of_page(&page).into_iter();
        blocks.map(move |block| (page.clone(), block)).collect::<Vec<_>>()
    };
    pages().into_iter().flat_map(of).filter(|(_, block)| block.runner() == Ok(runner)).collect()
}

#[test]
fn every_block_has_who_runs_it() {
    let included: String = DOC_TESTS.iter().map(|file| read(file)).collect();
    let mut faults = Vec::new();
    let mut number = 0;
    for page in pages() {
        let of_page = match blocks(&read(&page)) {
            Ok(blocks) => blocks,
            Err(e) => {
                faults.push(format!("{page}: {e}"));
                continue;
            }
        };
        let file = page.rsplit('/').next().unwrap_or(&page);
        for block in of_page {
            number += 1;
            let found = block.runner().and_then(|runner| match runner {
                Runner::DocTest if !included.contains(&format!("/{file}\")]")) => {
                    Err(format!("no doc test includes the page: {DOC_TESTS:?}"))
                }
                Runner::Shell if !WITH_COMMANDS.contains(&page.as_str()) => {
                    Err("no test here runs the page's commands".to_owned())
                }
                runner => Ok(runner),
            });
            match found {
                Ok(runner) => println!("{page}:{} `{}` {runner:?}", block.line, block.language),
                Err(e) => faults.push(format!("{page}:{}: {e}", block.line)),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(number > 60, "{number}");
}

/// The examples of a page of help, lines with `\` at their end joined.
#[cfg(unix)]
fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Example"));
    commands(lines.filter_map(|line| line.strip_prefix("  ")))
}

/// Subcommands that a page of help lists.
#[cfg(unix)]
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

#[cfg(unix)]
fn help(place: &Place, path: &[String]) -> String {
    let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
    arguments.push("--help");
    place.prints(&arguments)
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
        if !examples.is_empty() {
            let first = path.first().map_or("", String::as_str);
            let own = match first {
                "ingest" => Place::with_sample(),
                "conform" => with_a_trace(),
                _ => Place::with_dishes(),
            };
            if first == "ingest" {
                crate::stock::stock(&own);
                own.prints(&["export", "everything", "--db", "late.adb"]);
            }
            if !examples.iter().any(|command| command.contains("config create dev")) {
                own.prints(&["config", "create", "dev", "--no-interactive"]);
            }
            let shell = Shell::new(own);
            if first == "serve" {
                // With accounts, which its subcommands are about.
                shell.run(&["adb serve --db my.adb --init".to_owned()]);
            }
            shell.run(&examples);
            found += examples.len();
        }
        to_do.extend(children.into_iter().map(|child| [path.clone(), vec![child]].concat()));
    }
    assert!(found > 45, "{found}");
}

/// All commands of a page, one after the other in one place.
#[cfg(unix)]
fn run_page(page: &str, place: Place, shell: fn(Place) -> Shell) {
    assert!(WITH_COMMANDS.contains(&page), "{page} is missing in the list");
    crate::stock::stock(&place);
    let shell = shell(place);
    let mut number = 0;
    for block in of_page(page) {
        if block.runner() == Ok(Runner::Shell) {
            let commands = block.commands();
            shell.run(&commands);
            number += commands.len();
        }
    }
    assert!(number > 0, "{page} has no commands");
}

#[cfg(unix)]
macro_rules! pages {
    ($($test:ident: $page:literal in $place:expr, $shell:path;)*) => {
        $(#[test]
        fn $test() {
            run_page($page, $place, $shell);
        })*

        #[test]
        fn every_page_of_the_list_is_run() {
            assert_eq!([$($page),*], WITH_COMMANDS);
        }
    };
}

#[cfg(unix)]
pages! {
    readme: "README.md" in Place::with_sample(), Shell::new;
    aperturedb: "docs/aperturedb.md" in Place::with_sample(), Shell::with_server;
    cli: "docs/cli.md" in Place::with_sample(), Shell::new;
    csv_formats: "docs/csv-formats.md" in Place::with_sample(), Shell::new;
    embedders: "docs/embedders.md" in Place::with_dishes(), Shell::new;
    getting_started: "docs/getting-started.md" in Place::with_sample(), Shell::new;
    ingestion: "docs/ingestion.md" in Place::with_sample(), Shell::new;
    server: "docs/server.md" in with_a_certificate(), Shell::new;
    traces: "docs/traces.md" in with_a_trace(), Shell::new;
}

/// A certificate and its key under the names that the page gives them.
#[cfg(unix)]
fn with_a_certificate() -> Place {
    let shell = Shell::new(Place::with_sample());
    shell.run(&["adb serve --db tls.adb --init --tls-self-signed".to_owned()]);
    for (from, to) in [("certificate.pem", "chain.pem"), ("key.pem", "key.pem")] {
        std::fs::copy(shell.place.file("tls.adb.server").join(from), shell.place.file(to)).unwrap();
    }
    std::fs::remove_dir_all(shell.place.file("programs")).unwrap();
    shell.place
}

/// What was recorded on an empty database, and that database.
#[cfg(unix)]
fn with_a_trace() -> Place {
    let place = Place::with_sample();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = adb::connect(place.file("recorded.adb").to_str().unwrap()).unwrap();
        let recorder = Recorder::create(db, &place.file("day.adbtrace"), Blobs::Hashed).unwrap();
        let add = serde_json::json!([{"AddEntity": {"class": "Dish", "properties": {"n": 1}}}]);
        let request = adb::Request::json(&add);
        adb::ask(&recorder, request).await.unwrap();
    });
    place
}

/// A program of Python's, with a text for its standard input; nothing where there is no Python.
fn python(place: &Place, arguments: &[&str], input: &str) -> Option<std::process::Output> {
    let mut command = place.command("python3");
    command.args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PYTHONPATH", crate::blocks::root().join("tools/adapters"));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("skipped: there is no python3");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn every_block_of_python_compiles() {
    let place = Place::empty();
    let found = run_by(Runner::Python);
    assert!(found.len() > 2, "{}", found.len());
    for (page, block) in found {
        let compile = "import sys; compile(sys.stdin.read(), sys.argv[1], 'exec')";
        let Some(output) = python(&place, &["-c", compile, &page], &block.text) else { return };
        assert!(output.status.success(), "{page}:{}: {}", block.line, said(&output));
    }
}

/// What needs neither the SDK nor a server.
#[test]
fn the_adapter_s_block_prints_rows() {
    let place = Place::empty();
    let block = of_page("docs/ingestion.md").into_iter().find(|block| block.language == "python");
    let Some(output) =
        crate::stock::sqlite(&place).and_then(|()| python(&place, &["-"], &block.unwrap().text))
    else {
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
    let row: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((row["dish_id"].as_i64(), row["name"].as_str()), (Some(1), Some("dal")));
}

/// Queries are answered by the engine, models are read.
#[test]
fn every_block_of_json_is_read() {
    let place = Place::empty();
    place.write("log.json", "[{\"UserLogMessage\": {\"text\": \"x\", \"type\": \"INFO\"}}]");
    place.prints(&["transact", "from-json-file", "log.json", "--db", "block.adb"]);
    for (page, block) in run_by(Runner::Json) {
        read_json(&place, &block.text).unwrap_or_else(|e| panic!("{page}:{}: {e}", block.line));
    }
    let wrong = "[{\"FindImages\": {}}]";
    assert!(read_json(&place, wrong).is_err(), "a command that there is none of is found");
    assert!(read_json(&place, "{\"version\": 1, \"models\": [{}]}").is_err());
    assert!(read_json(&place, "[{\"GetStatus\": {}}]").is_ok());
}

fn read_json(place: &Place, text: &str) -> Result<(), String> {
    let json: Json = serde_json::from_str(text).map_err(|e| e.to_string())?;
    match json {
        Json::Array(_) => {
            place.write("block.json", text);
            let output =
                place.adb(&["transact", "from-json-file", "block.json", "--db", "block.adb"]);
            output.status.success().then_some(()).ok_or_else(|| said(&output))
        }
        Json::Object(object) if object.contains_key("models") => {
            Document::parse(text).map(|_| ()).map_err(|e| e.to_string())
        }
        _ => Ok(()),
    }
}
