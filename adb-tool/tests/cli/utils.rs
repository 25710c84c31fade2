//! `adb utils` and `adb transact`

use std::{io::Write as _, process::Stdio};

use serde_json::Value as Json;

use crate::place::{ADB, Place};

#[test]
fn a_transaction_comes_from_a_pipe() {
    let place = Place::with_dishes();
    let mut command = place.command(ADB);
    command.args(["transact", "from-json-file", "-", "--db", "my.adb"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let request = br#"[{"FindImage": {"results": {"count": true}}}]"#;
    child.stdin.take().unwrap().write_all(request).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer[0]["FindImage"]["count"], 22);
}

#[test]
fn transactions_go_as_they_are() {
    let place = Place::with_dishes();
    place.write("add.json", r#"[{"AddBlob": {"properties": {"n": 1}}}]"#);
    place.write("old.json", r#"[{"FindBlob": {"constraints": {"n": ["==", 1]}, "blobs": true, "results": {"list": ["n"]}}}]"#);
    place.write(
        "new.json",
        r#"[{"FindBlob": {"constraints": ["$n", "==", 1], "results": {"list": ["n"]}}}]"#,
    );
    place.write("payload", "hello");
    let send = |file: &str, more: &[&str]| {
        let all = ["transact", "from-json-file", file, "--db", "my.adb"];
        place.json(&[&all, more].concat())
    };
    assert_eq!(send("add.json", &["--blob", "payload"])[0]["AddBlob"]["status"], 0);
    assert_eq!(send("new.json", &[])[0]["FindBlob"]["entities"][0]["n"], 1);
    send("old.json", &["--blobs-to", "blobs"]);
    assert_eq!(place.read("blobs/0.bin"), "hello");
    let raw = ["--output-type", "raw_json", "--output-path", "answer.json"];
    place.prints(
        &[&["transact", "from-json-file", "new.json", "--db", "my.adb"], &raw[..]].concat(),
    );
    let answer: Json = serde_json::from_str(&place.read("answer.json")).unwrap();
    assert_eq!(answer[0]["FindBlob"]["returned"], 1);

    place.write("refused.json", r#"[{"FindNothing": {}}]"#);
    place.write("object.json", "{}");
    for (code, file, words) in [
        (1, "refused.json", "FindNothing"),
        (2, "object.json", "an array of commands"),
        (1, "nowhere.json", "nowhere.json"),
    ] {
        let said = place.fails(code, &["transact", "from-json-file", file, "--db", "my.adb"]);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn status_summary_and_removal() {
    let place = Place::with_dishes();
    let execute = |what: &str| place.prints(&["utils", "execute", what, "--db", "my.adb"]);
    assert!(execute("status").contains("\"version\""));
    assert!(execute("summary").contains("dish_photos"));
    for what in ["remove_indexes", "remove_all"] {
        let said = place.fails(2, &["utils", "execute", what, "--db", "my.adb"]);
        assert!(said.contains("--force"), "{said}");
    }
    let remove =
        |what: &str| place.prints(&["utils", "execute", what, "--force", "--db", "my.adb"]);
    let removed = remove("remove_indexes");
    assert!(!removed.starts_with("0 "), "{removed}");
    assert_eq!(remove("remove_indexes"), "0 indexes are removed\n");
    let schema = place.json(&["schema", "--db", "my.adb", "--json"]);
    assert_eq!(schema["classes"][0]["properties"]["dish_id"]["indexed"], false);
    assert!(remove("remove_all").contains("objects are removed"));
    assert_eq!(place.prints(&["schema", "--db", "my.adb"]), "the database is empty\n");
}

#[test]
fn pictures_are_numbered() {
    let place = Place::empty();
    let said = place.prints(&[
        "utils",
        "generate-images",
        "-c",
        "3",
        "-s",
        "40x30",
        "-o",
        "pictures/p%%",
        "-z",
        "3",
        "-t",
        "jpg",
        "-m",
        "pictures/all.txt",
        "-a",
        " dal",
    ]);
    assert_eq!(said.lines().count(), 3);
    assert!(said.starts_with("Saved pictures/p001.jpg\n"), "{said}");
    assert_eq!(place.read("pictures/all.txt").lines().last(), Some("pictures/p003.jpg"));
    let bytes = std::fs::read(place.file("pictures/p002.jpg")).unwrap();
    assert!(bytes.starts_with(&[0xff, 0xd8]));
    assert!(place.fails(2, &["utils", "generate-images", "-c", "2", "-o", "x"]).contains("`%%`"));
    assert!(place.fails(2, &["utils", "generate-images", "-s", "0x9"]).contains("256x256"));
}

#[test]
fn the_schema_is_drawn() {
    let place = Place::with_dishes();
    let draw = |format: &str| {
        place.prints(&["utils", "visualize-schema", "--format", format, "--db", "my.adb"])
    };
    assert_eq!(draw("dot"), "schema.dot\n");
    let graph = place.read("schema.dot");
    assert!(graph.contains("\"_Image\" -> \"Ingredient\" [label=\"HasIngredient"), "{graph}");
    draw("mmd");
    assert!(place.read("schema.mmd").starts_with("erDiagram"));
    let output = place
        .command(ADB)
        .args(["utils", "visualize-schema", "--db", "my.adb"])
        .env("PATH", place.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("adb schema --mermaid"));
}
