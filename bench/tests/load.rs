//! The program `load` on next to nothing: that its files are read by all sides' names, and that all
//! rows arrive.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod program;

use std::path::Path;

use serde_json::Value as Json;

/// The lines that it prints.
fn load(arguments: &[&str], paths: &[(&str, &Path)]) -> Vec<Json> {
    program::lines(env!("CARGO_BIN_EXE_load"), arguments, paths)
}

fn has(lines: &[Json], case: &str) -> bool {
    let rate = |line: &Json| line["unit"] == "rows/s" && line["value"].as_f64().unwrap() > 0.0;
    lines.iter().any(|line| line["case"] == case && rate(line))
}

#[test]
fn rows_go_nowhere_and_into_databases() {
    let dir = tempfile::tempdir().unwrap();
    let cookbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/cookbook");
    load(&["rows", "--rows", "50"], &[("--cookbook", &cookbook), ("--data", dir.path())]);
    for name in ["photos.jsonl", "photos.csv", "dishes.jsonl", "dishes.csv"] {
        let lines = load(&["nothing", "--batch", "20"], &[("--file", &dir.path().join(name))]);
        assert!(has(&lines, name), "{lines:?}");
    }
    // The program fails if not every row is added.
    for name in ["photos", "dishes"] {
        let file = dir.path().join(format!("{name}.sdk.csv"));
        let db = dir.path().join(format!("{name}.adb"));
        let arguments = ["into", "--batch", "7", "--threads", "3", "--case", name];
        let lines = load(&arguments, &[("--file", &file), ("--db", &db)]);
        assert!(has(&lines, &format!("{name}, batch 7")), "{lines:?}");
    }
    let alone = ["alone", "--rows", "60", "--picture", "300", "--batch", "25"];
    let lines = load(&alone, &[("--work", dir.path())]);
    for case in ["the engine alone", "the pipeline into the engine"] {
        assert!(has(&lines, case), "{lines:?}");
    }
}
