//! The program as a user meets it, with an empty cache and no hub.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    path::Path,
    process::{Command, Output},
};

fn run(cache: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_embedders"))
        .args(arguments)
        .env("ADB_CACHE_DIR", cache)
        .env("ADB_OFFLINE", "1")
        .env_remove("ORT_DYLIB_PATH")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn ls_names_the_presets() {
    let cache = tempfile::tempdir().unwrap();
    let output = run(cache.path(), &["ls"]);
    assert!(output.status.success(), "{}", said(&output));
    let said = said(&output);
    for words in ["clip-vit-b-32", "clip-vit-l-14", "768", "no"] {
        assert!(said.contains(words), "wanted `{words}` in: {said}");
    }
}

#[test]
fn what_can_t_be_had_says_why() {
    let cache = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["fetch", "clip-vit-b-32"][..], "ADB_OFFLINE is set"),
        (&["embed", "clip-vit-b-32", "--text", "naan"], "ADB_OFFLINE is set"),
        (&["embed", "clip-vit-b-32"], "give --text"),
        (&["fetch", "clip"], "the embedder `clip` is not in"),
        (&["embed", "./nowhere", "--text", "naan"], "no bundle.json"),
        (&["audit", "./no-such-parent/db", "photos", "--embedder", "./nowhere"], "no bundle.json"),
    ] {
        let output = run(cache.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(words), "wanted `{words}` in: {}", said(&output));
    }
}
