//! Replays the seeds of the fuzz targets (`fuzz/seeds`), among them every case that a run of theirs
//! has found, without what fuzzing itself needs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "common/case.rs"]
mod case;

use std::{fs, path::PathBuf};

fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds");
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20, "the seeds are there");
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

#[test]
fn the_parser_takes_all_seeds() {
    for (_, data) in seeds() {
        for line in case::lines(&data) {
            case::parse(line);
        }
    }
}

#[test]
fn the_executor_takes_all_seeds() {
    let stage = case::Stage::new();
    for (file, data) in seeds() {
        // Should one fail, the last that was named is the one.
        println!("{}", file.display());
        stage.play(&data);
    }
}

/// Seeds that are refused at once would teach a fuzzer little.
#[test]
fn the_seeds_without_a_finding_are_answered() {
    for (file, data) in seeds() {
        if file.file_name().unwrap().to_string_lossy().starts_with("found-") {
            continue;
        }
        let first = case::lines(&data).next().unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(first).is_ok(), "{}", file.display());
    }
}
