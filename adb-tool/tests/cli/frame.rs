//! What all commands have in common.

use std::process::Stdio;

use crate::place::{ADB, Place, said};

#[test]
fn it_names_itself() {
    let place = Place::empty();
    let version = place.prints(&["--version"]);
    assert!(version.starts_with("adb 0.") && version.contains("adb-rs"), "{version}");
    assert!(version.contains("ApertureDB"), "{version}");
}

#[test]
fn the_first_page_has_groups() {
    let text = Place::empty().prints(&["--help"]);
    for words in ["Data in and out:", "\n  search ", "\nOptions:", "adb search --db my.adb"] {
        assert!(text.contains(words), "wanted `{words}` in: {text}");
    }
    assert!(!text.contains("Commands:"), "{text}");
}

#[test]
fn wrong_words_are_usage_errors() {
    let place = Place::empty();
    for arguments in [&["serch"][..], &["search", "--db"], &[], &["search", "x", "-v", "-q"]] {
        place.fails(2, arguments);
    }
    let said = place.fails(2, &["--install-completion"]);
    assert!(said.contains("adb completions SHELL"), "{said}");
}

#[test]
fn what_all_commands_have_stands_at_the_end_of_their_help() {
    let place = Place::empty();
    for arguments in [&["schema"][..], &["ingest", "from-dir"], &["search"], &["config", "ls"]] {
        let help = place.prints(&[arguments, &["--help"]].concat());
        let (own, global) = help.split_once("\nGlobal options:\n").unwrap();
        for option in ["--verbose", "--quiet", "--log-format", "--help", "--db <DB>"] {
            assert!(!own.contains(&format!("{option}\n")), "{arguments:?}, {option}: {help}");
        }
        assert!(global.contains("-h, --help"), "{help}");
    }
    let said = place.fails(2, &["ingest", "from-generator", "--help"]);
    assert!(said.contains("modules of Python are not run"), "{said}");
    place.prints(&["man", "man1"]);
    assert!(place.file("man1/adb-ingest-from-dir.1").exists());
    assert!(!place.file("man1/adb-ingest-from-generator.1").exists());
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let place = Place::with_dishes();
    let with = |arguments: &[&str]| {
        let mut command = place.command(ADB);
        let output = command.args(arguments).env("ADB_DB", "").env("ADB_LOG_FORMAT", "").output();
        said(&output.unwrap())
    };
    assert!(with(&["schema", "--db", "my.adb"]).contains("dish_photos"));
    assert!(with(&["schema"]).contains("no database is named"));
    assert!(with(&["serve", "--no-auth"]).contains("--db <DIR>"));
    // Given as an option it is a mistake.
    place.fails(2, &["schema", "--db", ""]);
}

/// What fails before its first write makes no database.
#[test]
fn a_command_that_fails_leaves_no_empty_database() {
    let place = Place::with_sample();
    let dishes = ["ingest", "from-json", "examples/data/cookbook/dishes.json", "--model"];
    let model = "examples/data/cookbook/dish.model.json";
    let other = place.read(model).replace("tiny-clip", "clip-vit-b-32");
    place.write("other.json", &other);
    let said = place.fails(1, &[&dishes[..], &["other.json", "--db", "new.adb"]].concat());
    assert!(said.contains("`clip-vit-b-32` can't be had"), "{said}");
    assert!(said.contains("of 24 components there are here `tiny-clip`"), "{said}");
    let asked = ["--db", "new.adb", "--embedder", "clip-vit-b-32"];
    let said = place.fails(1, &[&dishes[..], &[model], &asked].concat());
    assert!(said.contains("`clip-vit-b-32` can't be had"), "{said}");
    assert!(said.contains("here are `tiny-clip`"), "{said}");
    place.write("table.csv", "EntityClass,name\nDish,dal\n");
    let said = place.fails(
        1,
        &[
            "ingest",
            "from-csv",
            "table.csv",
            "--transformer",
            "clip_pytorch_embeddings",
            "--db",
            "new.adb",
        ],
    );
    assert!(said.contains("clip-vit-b-16"), "{said}");
    assert!(!place.file("new.adb").exists(), "nothing was written");

    let said = place.fails(1, &["schema", "--db", "confg:lab"]);
    assert!(said.contains("is no address"), "{said}");
    place.fails(1, &["ingest", "from-csv", "table.csv", "--db", "confg:lab"]);
    assert!(!place.file("confg:lab").exists());
    place.prints(&["ingest", "from-csv", "table.csv", "--db", "new.adb"]);
    assert!(place.prints(&["schema", "--db", "new.adb"]).contains("Dish"));
}

#[test]
fn numbers_that_make_no_sense_are_usage_errors() {
    let place = Place::empty();
    place.write("t.csv", "EntityClass,name\nDish,dal\n");
    let csv =
        |more: &[&'static str]| [&["ingest", "from-csv", "t.csv", "--db", "x"], more].concat();
    let of = |words: &'static str, more: &[&'static str]| {
        words.split(' ').chain(more.iter().copied()).collect::<Vec<_>>()
    };
    for arguments in [
        csv(&["--batchsize", "0"]),
        csv(&["--num-workers", "0"]),
        csv(&["--sample-count", "-2"]),
        csv(&["--batchsize", "5", "--batch", "5"]),
        csv(&["--num-workers", "2", "--writers", "2"]),
        csv(&["--batch", "0"]),
        csv(&["--writers", "0"]),
        csv(&["--memory", "0"]),
        csv(&["--memory", "99999999999999999"]),
        csv(&["--downloads", "0"]),
        csv(&["--per-host", "0"]),
        csv(&["--max-media-bytes", "0"]),
        csv(&["--limit", "-1"]),
        csv(&["--shard", "0/4"]),
        of("ingest generate-embedding-csv-from-image-csv t.csv s --sample-count", &["-2"]),
        of("search x --db x -k", &["0"]),
        of("model new t.csv --rows", &["0"]),
        of("audit s --db x --sample", &["0"]),
        of("claim s --embedder e --db x --sample", &["0"]),
        of("embedders embed e --text x --sessions", &["0"]),
        of("embedders embed e --text x --threads", &["0"]),
        of("embedders embed e --text x --batch", &["0"]),
        of("embedders tune e --seconds", &["0"]),
        of("embedders tune e --seconds", &["-1"]),
        of("embedders tune e --seconds", &["NaN"]),
        of("embedders tune e --batches", &["1,0"]),
        of("embedders tune e --sessions", &["0"]),
        of("config create x --no-interactive --port", &["0"]),
        of("utils generate-images -c", &["0"]),
        of("utils generate-images -z", &["21"]),
        of("serve --no-auth --db x --idle", &["0"]),
        of("serve --no-auth --db x --requests", &["0"]),
        of("serve --no-auth --db x --session", &["0"]),
    ] {
        let said = place.fails(2, &arguments);
        assert!(said.starts_with("error: ") && said.contains("--help"), "{arguments:?}: {said}");
    }
    assert!(!place.file("x").exists());
    // What the Python SDK says for `all`, and for none.
    assert!(place.prints(&csv(&["--sample-count", "-1", "--batchsize", "1"])).contains("1 added"));
    assert!(place.prints(&csv(&["--sample-count", "0"])).contains("0 rows read"));
}

#[test]
fn logging_is_on_standard_error_and_as_much_as_was_asked_for() {
    let place = Place::with_dishes();
    let schema = |configure: &dyn Fn(&mut std::process::Command)| {
        let mut command = place.command(ADB);
        command.args(["schema", "--db", "my.adb"]);
        configure(&mut command);
        command.output().unwrap()
    };
    let quiet = schema(&|_| {});
    assert!(quiet.stderr.is_empty(), "{}", String::from_utf8_lossy(&quiet.stderr));
    let all = schema(&|command| {
        command.env("ADB_LOG", "trace");
    });
    assert_eq!(all.stdout, quiet.stdout);
    assert!(!all.stderr.is_empty(), "opening a database is worth a word");
    assert!(!all.stderr.contains(&0x1b), "no colours where there is no terminal");
    let wrong = schema(&|command| {
        command.env("ADB_LOG", "adb=loud");
    });
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("ADB_LOG"));
}

/// As `adb completions bash | head -c 0` does: the reader goes before anything was written.
#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let place = Place::with_dishes();
    for arguments in [&["completions", "bash"][..], &["schema", "--db", "my.adb", "--json"]] {
        let mut program = place
            .command(ADB)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(program.stdout.take());
        let output = program.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn completions_and_pages_know_every_command() {
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = place.prints(&["completions", shell]);
        assert!(text.contains("reembed") && text.contains("get-key"), "{shell}");
    }
    place.prints(&["man", "man1"]);
    assert!(place.read("man1/adb.1").contains("search"));
    assert!(place.read("man1/adb-search.1").contains("creamy curry"));
    assert!(place.file("man1/adb-config-get-key.1").exists());
}

#[test]
fn the_doctor_says_what_is_wrong() {
    let place = Place::with_dishes();
    let text = place.prints(&["doctor", "--db", "my.adb", "--verify"]);
    for words in ["run time", "tiny-clip", "no process is writing", "ADB_OFFLINE", "GB free"] {
        assert!(text.contains(words), "wanted `{words}` in: {text}");
    }
    let list = place.json(&["doctor", "--json"]);
    let database = list.as_array().unwrap().iter().find(|one| one["what"] == "database").unwrap();
    assert_eq!(database["state"], "lacking");
    let said = place.fails(1, &["doctor", "--db", "nowhere.adb"]);
    assert!(said.contains("bad      database"), "{said}");
}
