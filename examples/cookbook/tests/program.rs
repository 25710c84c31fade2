//! The program as a user meets it, up to where it needs an embedder: that part runs in `.ci/demo`.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../../program.rs"]
mod program;

use std::{fs, path::Path, process::Output};

use program::said;

fn cookbook(dir: &Path, arguments: &[&str]) -> Output {
    program::command(env!("CARGO_BIN_EXE_cookbook"), dir).args(arguments).output().unwrap()
}

#[test]
fn help_has_examples() {
    let dir = tempfile::tempdir().unwrap();
    let output = cookbook(dir.path(), &["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("cookbook search --db my.adb \"creamy curry\" -k 3"), "{text}");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(cookbook(dir.path(), &["ingest"]).status.code(), Some(2));
    assert_eq!(cookbook(dir.path(), &["find", "curry"]).status.code(), Some(2));
}

#[test]
fn missing_data_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let output = cookbook(dir.path(), &["ingest", "--data", "no-such-place"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no-such-place/dishes.json"), "{}", said(&output));
}

#[test]
fn without_an_embedder_the_ways_out_are_named_and_no_set_is_made() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("dishes.json"), "[]").unwrap();
    let output = cookbook(dir.path(), &["ingest", "--data", "."]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("`clip-vit-b-16` can't be had"), "{text}");
    assert!(text.contains("tools/models/starter.py"), "{text}");
}

#[test]
fn searching_where_nothing_was_ingested_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let output = cookbook(dir.path(), &["search", "curry"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("ingest something first"), "{}", said(&output));
}

#[test]
fn what_is_no_database_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("photos")).unwrap();
    fs::write(dir.path().join("photos/1.txt"), "mine").unwrap();
    let output = cookbook(dir.path(), &["search", "--db", "photos", "curry"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("photos"), "{}", said(&output));
    assert_eq!(fs::read_dir(dir.path().join("photos")).unwrap().count(), 1);
}

#[test]
fn the_document_beside_the_rows_is_the_struct_s() {
    let dir = tempfile::tempdir().unwrap();
    let output = cookbook(dir.path(), &["model"]);
    assert!(output.status.success(), "{}", said(&output));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/cookbook/dish.model.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &output.stdout).unwrap();
    }
    let stored = fs::read(&path).unwrap_or_default();
    assert!(stored == output.stdout, "UPDATE_GOLDEN=1 cargo test -p cookbook writes it anew");
    assert!(!dir.path().join("cookbook.adb").exists(), "no database is needed for it");
}
