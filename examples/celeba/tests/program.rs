//! The program as a user meets it, on a data set that it makes itself.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../../program.rs"]
mod program;

use std::{fs, path::Path, process::Output};

use serde_json::Value as Json;

use program::said;

fn celeba(dir: &Path, arguments: &[&str]) -> Output {
    program::command(env!("CARGO_BIN_EXE_celeba"), dir).args(arguments).output().unwrap()
}

fn well(dir: &Path, args: &[&str]) -> String {
    let output = celeba(dir, args);
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn sample(dir: &Path, rows: &str) {
    well(dir, &["make-sample", "--rows", rows, "--each", "5", "--width", "60", "faces"]);
}

#[test]
fn faces_go_in_once_and_are_found_by_likeness_and_by_what_they_show() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path(), "200");
    let first = well(dir.path(), &["ingest", "--data", "faces"]);
    assert!(first.contains("200 rows read = 200 added"), "{first}");
    let second = well(dir.path(), &["ingest", "--data", "faces"]);
    assert!(second.contains("nothing to do"), "{second}");

    let all = well(dir.path(), &["similar", "000007.jpg", "-k", "3", "--json"]);
    let all: Vec<Json> = serde_json::from_str(&all).unwrap();
    assert_eq!(all[0]["image_id"], "000007.jpg");
    let same = |hit: &Json| hit["identity"] == all[0]["identity"];
    assert!(all.iter().filter(|hit| same(hit)).count() > 1, "{all:?}");

    let filter = "Young && !Eyeglasses && `5_o_Clock_Shadow` == false";
    let some =
        well(dir.path(), &["similar", "000007.jpg", "--where", filter, "-k", "20", "--json"]);
    let some: Vec<Json> = serde_json::from_str(&some).unwrap();
    assert_eq!(some.len(), 20);
    for hit in &some {
        let shows = hit["shows"].to_string();
        assert!(shows.contains("Young") && !shows.contains("Eyeglasses"), "{shows}");
    }

    let figures = well(dir.path(), &["measure", "--data", "faces", "--searches", "20"]);
    // Every search was exact; what is rare may pass nobody of 200.
    let (found, nobody) = (figures.matches("1.0000").count(), figures.matches('–').count());
    assert!(found >= 2 && found + nobody == 4, "{figures}");
}

#[test]
fn figures_are_lines_of_json() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path(), "120");
    let lines = |args: &[&str]| -> Vec<Json> {
        let said = well(dir.path(), args);
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let value = |lines: &[Json], case: &str, unit: &str| {
        let line = lines.iter().find(|line| line["case"] == case && line["unit"] == unit);
        line.unwrap_or_else(|| panic!("no {unit} of {case}: {lines:?}"))["value"].as_f64().unwrap()
    };
    let ingested = lines(&["ingest", "--data", "faces", "--figures", "--json"]);
    let (rate, time) = (value(&ingested, "ingest", "rows/s"), value(&ingested, "ingest", "s"));
    assert!((rate * time - 120.0).abs() < 1.0, "{ingested:?}");
    // Two vectors of 512 for each face, and a picture.
    assert!(value(&ingested, "ingest", "B/row on disk") > 4096.0);
    assert!(value(&ingested, "until indexed, after that", "s") >= 0.0);
    let measured = lines(&["measure", "--data", "faces", "--searches", "10", "--json"]);
    assert_eq!(measured.len(), 12);
    assert!(value(&measured, "search, no filter", "ms p50") > 0.0);
    assert_eq!(measured[0]["recall"], 1.0);
    // For people the same is said in words.
    let said = well(dir.path(), &["ingest", "--data", "faces", "--db", "b.adb", "--figures"]);
    assert!(said.contains("120 added") && said.contains("MB on the disk"), "{said}");
}

#[test]
fn a_table_that_lacks_a_line_gives_no_face_what_is_anothers() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path(), "20");
    let path = dir.path().join("faces/list_bbox_celeba.csv");
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("000013.jpg")).collect();
    fs::write(&path, kept.join("\n")).unwrap();
    let output = celeba(dir.path(), &["ingest", "--data", "faces"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("12 added"), "{}", said(&output));
    let fault = "has 000014.jpg where list_attr_celeba.csv has 000013.jpg";
    assert!(said(&output).contains(fault), "{}", said(&output));
}

#[test]
fn without_vectors_and_embedder_the_ways_out_are_named() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path(), "20");
    fs::remove_file(dir.path().join("faces/vectors/facenet.npy")).unwrap();
    let output = celeba(dir.path(), &["ingest", "--data", "faces"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("facenet-512"), "{}", said(&output));
}

#[test]
fn a_directory_of_something_else_is_refused_with_what_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let output = celeba(dir.path(), &["ingest", "--data", "."]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("list_attr_celeba.csv"), "{}", said(&output));
    sample(dir.path(), "20");
    let again = celeba(dir.path(), &["make-sample", "--rows", "20", "faces"]);
    assert!(said(&again).contains("is there already"), "{}", said(&again));
}
