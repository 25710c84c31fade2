//! The program as a user meets it, on the Cookbook's rows and pictures.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value as Json, json};

fn cookbook() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/cookbook")
}

/// Runs the program with an empty cache and no hub.
fn ingest(dir: &Path, model: &Path, rows: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_adb"))
        .args(["ingest", "from-json", "--db", "my.adb", "--model"])
        .args([model, rows])
        .args(more)
        .current_dir(dir)
        .env("ADB_CACHE_DIR", dir.join("cache"))
        .env("ADB_OFFLINE", "1")
        .env_remove("ORT_DYLIB_PATH")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The Cookbook's rows with vectors of their own, beside its pictures.
fn rows_with_vectors(dir: &Path) -> PathBuf {
    let text = fs::read_to_string(cookbook().join("dishes.json")).unwrap();
    let mut rows: Vec<Json> = serde_json::from_str(&text).unwrap();
    for row in &mut rows {
        row["look"] = json!(vec![0.5; 512]);
    }
    fs::create_dir(dir.join("images")).unwrap();
    for file in fs::read_dir(cookbook().join("images")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), dir.join("images").join(file.file_name())).unwrap();
    }
    let path = dir.join("dishes.jsonl");
    fs::write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    path
}

#[test]
fn dishes_go_in_once_without_their_struct() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows_with_vectors(dir.path());
    let model = cookbook().join("dish.model.json");
    let first = ingest(dir.path(), &model, &rows, &["--no-embedder"]);
    assert!(first.status.success(), "{}", said(&first));
    assert!(said(&first).contains("22 rows read = 22 added"), "{}", said(&first));
    let second = ingest(dir.path(), &model, &rows, &["--no-embedder"]);
    assert!(said(&second).contains("nothing to do"), "{}", said(&second));
}

#[test]
fn strict_refuses_unknown_keys_and_without_it_they_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows_with_vectors(dir.path());
    let text = fs::read_to_string(&rows).unwrap().replacen("{", "{\"chef\":\"A\",", 1);
    fs::write(&rows, text).unwrap();
    let model = cookbook().join("dish.model.json");
    let strict = ingest(dir.path(), &model, &rows, &["--no-embedder", "--strict"]);
    assert_eq!(strict.status.code(), Some(3), "{}", said(&strict));
    assert!(said(&strict).contains("no field takes the key `chef`"), "{}", said(&strict));
    let lenient = ingest(dir.path(), &model, &rows, &["--no-embedder"]);
    assert!(lenient.status.success(), "{}", said(&lenient));
    assert!(said(&lenient).contains("key `chef` (1 rows have it)"), "{}", said(&lenient));
}

#[test]
fn without_an_embedder_the_ways_out_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let model = cookbook().join("dish.model.json");
    let output = ingest(dir.path(), &model, &cookbook().join("dishes.json"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("`clip-vit-b-16` can't be had"), "{}", said(&output));
}

#[test]
fn a_document_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let rows = cookbook().join("dishes.json");
    let output = ingest(dir.path(), &rows, &rows, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("dishes.json: this is no model document"), "{}", said(&output));
}
