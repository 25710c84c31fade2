//! What all commands have in common.

use std::process::Stdio;

use crate::place::{ADB, Place};

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
