//! The programs behind `bench/*.sh` on next to nothing: that they run, find what they ought to,
//! and print what `bench/speed/report.py` reads.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod program;

use std::path::Path;

use serde_json::Value as Json;

/// The lines that it prints.
fn speed(arguments: &[&str], paths: &[(&str, &Path)]) -> Vec<Json> {
    program::lines(env!("CARGO_BIN_EXE_speed"), arguments, paths)
}

/// The figure of a case.
fn value(lines: &[Json], case: &str, unit: &str) -> f64 {
    let line = lines.iter().find(|line| line["case"] == case && line["unit"] == unit);
    assert!(line.is_some(), "no {unit} of {case} in {lines:?}");
    line.unwrap()["value"].as_f64().unwrap()
}

#[test]
fn faces_go_in_by_all_ways() {
    let dir = tempfile::tempdir().unwrap();
    let data = ("--data", dir.path());
    speed(&["data", "--rows", "1000", "--dimensions", "512"], &[data]);
    let work = [data, ("--work", dir.path())];
    let lines = speed(
        &["ingest", "--rows", "150", "--batch", "40", "--clients", "2", "--index", "hnsw"],
        &work,
    );
    assert!(value(&lines, "add, HNSW", "rows/s") >= value(&lines, "add, until indexed", "rows/s"));
    let lines = speed(
        &["ingest", "--rows", "150", "--batch", "50", "--shape", "guarded", "--searching"],
        &work,
    );
    assert!(value(&lines, "add, guarded, searching", "rows/s") > 0.0);
    let lines = speed(&["commit", "--seconds", "0.05", "--clients", "1,3"], &work);
    for case in ["face, 1 client", "face, 3 clients", "entity, 1 client", "entity, 3 clients"] {
        assert!(value(&lines, case, "rows/s") > 0.0);
        assert!(value(&lines, case, "of 4 KB appends/s") > 0.0);
    }
    // The databases were temporary; the data stay.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn exact_searches_find_all_that_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let (data, db) = (("--data", dir.path()), dir.path().join("db"));
    let size = ["--rows", "600", "--dimensions", "32"];
    for command in ["data", "truth"] {
        speed(&[&[command][..], &size].concat(), &[data]);
    }
    let both = [data, ("--db", &*db)];
    speed(&[&["knn-build"][..], &size].concat(), &both);
    let cases = ["knn", "--cases", "exact,batch,hnsw,filtered,overhead"];
    let lines = speed(&[&cases[..], &size].concat(), &both);
    // So few vectors are compared one by one even where a graph was asked for.
    let recalls: Vec<&Json> = lines.iter().filter(|line| line["unit"] == "recall@10").collect();
    assert_eq!(recalls.len(), 9);
    assert!(recalls.iter().all(|line| line["value"] == 1.0), "{recalls:?}");
}

#[test]
fn a_grown_database_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let (data, db) = (("--data", dir.path()), dir.path().join("db"));
    speed(&["data", "--rows", "2500", "--dimensions", "16"], &[data]);
    let both = [data, ("--db", &*db)];
    let lines = speed(&["growth", "--marks", "1000,2500", "--dimensions", "16"], &both);
    for case in ["1000 vectors, Flat", "2500 vectors, Flat"] {
        assert!(value(&lines, case, "µs/row") > 0.0);
        assert!(value(&lines, case, "B/row on disk") > 64.0);
    }
    let lines = speed(&["open", "--rows", "2500", "--dimensions", "16"], &both);
    assert!(value(&lines, "open and first answer", "s") >= value(&lines, "open", "s"));
}

#[test]
fn pictures_come_with_their_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let (data, db) = (("--data", dir.path()), dir.path().join("db"));
    for command in ["data", "truth"] {
        speed(&[command, "--rows", "300", "--dimensions", "512"], &[data]);
    }
    let both = [data, ("--db", &*db)];
    speed(&["blobs-build", "--rows", "300"], &both);
    let lines = speed(&["blobs", "--rows", "300"], &both);
    for how in ["exact", "through the index"] {
        let case = format!("10 nearest, with their pictures, {how}");
        assert!((value(&lines, &case, "recall@10") - 1.0).abs() < 1e-9);
    }
}

#[test]
fn what_a_server_adds_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let data = ("--data", dir.path());
    speed(&["data", "--rows", "400", "--dimensions", "512"], &[data]);
    // Any address will do, a directory as well.
    let paths = [data, ("--work", dir.path()), ("--url", &dir.path().join("other.adb"))];
    let lines = speed(
        &["served", "--rows", "60", "--batch", "20", "--clients", "1,3", "--trips", "20"],
        &paths,
    );
    for side in ["direct", "through the server"] {
        for clients in ["1 client", "3 clients"] {
            assert!(value(&lines, &format!("{side}, batch 20, {clients}"), "rows/s") > 0.0);
        }
        assert!(value(&lines, &format!("a small request, {side}"), "ms p50") > 0.0);
    }
}
