//! The program as a user meets it, on the Cookbook's rows and pictures.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../../examples/program.rs"]
mod program;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use program::said;
use serde_json::{Value as Json, json};

fn cookbook() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/cookbook")
}

/// Brings rows in.
fn ingest(dir: &Path, model: &Path, rows: &Path, more: &[&str]) -> Output {
    let (model, rows) = (model.to_str().unwrap(), rows.to_str().unwrap());
    let first = ["ingest", "from-json", "--db", "my.adb", "--model", model, rows];
    adb(dir, &[&first, more].concat())
}

/// Runs the program with an empty cache and no hub.
fn adb(dir: &Path, arguments: &[&str]) -> Output {
    program::command(env!("CARGO_BIN_EXE_adb"), dir).args(arguments).output().unwrap()
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
    assert!(said(&lenient).contains("key `chef` (1 row has it)"), "{}", said(&lenient));
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

#[test]
fn failed_rows_are_kept_and_taken_again_once_they_are_mended() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows_with_vectors(dir.path());
    let text = fs::read_to_string(&rows).unwrap();
    let mut lines: Vec<Json> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let picture = dir.path().join(lines[3]["url"].as_str().unwrap());
    let kept = fs::read(&picture).unwrap();
    fs::remove_file(&picture).unwrap();
    lines[5]["dish_id"] = "five".into();
    fs::write(&rows, lines.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    let model = cookbook().join("dish.model.json");
    let first = ingest(dir.path(), &model, &rows, &["--no-embedder"]);
    assert_eq!(first.status.code(), Some(3), "{}", said(&first));
    let letters = dir.path().join("dishes.jsonl.dead-letters.jsonl");
    let advice = format!("adb ingest retry {}", letters.display());
    assert!(said(&first).contains(&advice), "{}", said(&first));
    let reasons = said(&first).matches(" does not exist").count();
    assert_eq!(reasons, 1, "the report tells it, and no line of the log: {}", said(&first));

    fs::write(&picture, kept).unwrap();
    fs::remove_file(&rows).unwrap();
    let retry = |letters: &Path| {
        let letters = letters.to_str().unwrap();
        adb(dir.path(), &["ingest", "retry", letters, "--db", "my.adb"])
    };
    let second = retry(&letters);
    assert_eq!(second.status.code(), Some(3), "{}", said(&second));
    assert!(said(&second).contains("2 rows read = 1 added + 0 existed"), "{}", said(&second));
    let letters = dir.path().join("dishes.jsonl.dead-letters.2.jsonl");
    let text = fs::read_to_string(&letters).unwrap().replace("\"five\"", "500");
    fs::write(&letters, text).unwrap();
    let third = retry(&letters);
    assert!(third.status.success(), "{}", said(&third));
    assert!(said(&third).contains("1 row read = 1 added"), "{}", said(&third));
    // What a retry brings belongs to the source, and leaves with it.
    let runs = adb(dir.path(), &["runs", "--db", "my.adb"]);
    let sources = said(&runs).matches(&format!("; {}", rows.display())).count();
    assert_eq!(sources, 3, "{}", said(&runs));
    fs::write(&rows, format!("{}\n", lines[0])).unwrap();
    let mirror = ["--no-embedder", "--mirror", "--yes"];
    let mirrored = ingest(dir.path(), &model, &rows, &mirror);
    assert!(mirrored.status.success(), "{}", said(&mirrored));
    let left =
        adb(dir.path(), &["export", "left", "--db", "my.adb", "--model", model.to_str().unwrap()]);
    assert!(said(&left).contains("1 row and 1 file"), "{}", said(&left));

    let header = r#"{"adb_dead_letters":1,"rows":{"format":{"name":"x"}},"media_root":"."}"#;
    fs::write(&letters, format!("{header}\n")).unwrap();
    let unknown = retry(&letters);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said(&unknown).contains("format `x`, which this adb does not know"));
}

#[test]
fn a_dry_run_prints_commands_and_needs_neither_database_nor_embedder() {
    let dir = tempfile::tempdir().unwrap();
    let model = cookbook().join("dish.model.json");
    let rows = cookbook().join("dishes.json");
    let output = ingest(dir.path(), &model, &rows, &["--dry-run", "--limit", "2"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let shown: Vec<Json> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(shown.len(), 2);
    assert!(shown[0]["commands"][0]["AddImage"].is_object(), "{text}");
    assert!(shown[0]["blobs"].to_string().contains("to_be_made_from"), "{text}");
    assert!(!dir.path().join("my.adb").exists());
}

#[test]
fn events_are_lines_of_json_and_nothing_else_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows_with_vectors(dir.path());
    let model = cookbook().join("dish.model.json");
    let output = ingest(dir.path(), &model, &rows, &["--no-embedder", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Json> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(events[0]["event"], "started");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["report"]["added"]), (&json!("finished"), &json!(22)));
}

#[test]
fn parts_and_shares_of_the_rows_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows_with_vectors(dir.path());
    let model = cookbook().join("dish.model.json");
    let mut added = 0;
    for share in ["1/3", "2/3", "3/3"] {
        let options = ["--no-embedder", "--json", "--shard", share];
        let output = ingest(dir.path(), &model, &rows, &options);
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let last: Json = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        added += last["report"]["added"].as_u64().unwrap();
    }
    assert_eq!(added, 22);
    let wrong = ingest(dir.path(), &model, &rows, &["--shard", "0/3"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
    assert!(said(&wrong).contains("1/4, 2/4"), "{}", said(&wrong));
    let sample = ingest(dir.path(), &model, &rows, &["--no-embedder", "--sample", "5"]);
    assert!(said(&sample).contains("5 rows read = 0 added + 5 existed"), "{}", said(&sample));
}

/// Ctrl-C, as a terminal sends it.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_soon_with_everything_accounted_for() {
    use std::io::{BufRead as _, BufReader};

    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("thing.model.json");
    let document = json!({"version": 1, "models": [{
        "name": "Thing", "class": "Thing", "kind": "entity", "fields": [
            {"name": "id", "key": "id", "property": "id", "role": "id", "type": "int"},
        ],
    }]});
    fs::write(&model, document.to_string()).unwrap();
    // More than any machine takes in before the signal comes.
    let rows = dir.path().join("things.jsonl");
    let text: String = (0..3_000_000).map(|i| format!("{{\"id\":{i}}}\n")).collect();
    fs::write(&rows, text).unwrap();
    let mut running = Command::new(env!("CARGO_BIN_EXE_adb"))
        .args(["ingest", "from-json", "--db", "my.adb", "--json", "--no-embedder", "--model"])
        .args([&model, &rows])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(running.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str::<Json>(&line.unwrap()).unwrap());
    assert!(events.any(|e| e["event"] == "progress" && e["finished"].as_u64() > Some(0)));
    let signal = Command::new("kill").args(["-INT", &running.id().to_string()]).status();
    assert!(signal.unwrap().success());
    let last = events.last().unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130), "{last}");
    let report = &last["report"];
    assert_eq!((&report["stopped"], &report["failed"]), (&json!(true), &json!(0)), "{last}");
    assert_eq!(report["rows"], report["added"], "{last}");
}
