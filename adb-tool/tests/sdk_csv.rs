//! `adb ingest from-csv` with files of the Python SDK.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../../examples/program.rs"]
mod program;

use std::{fs, path::Path, process::Output};

use program::said;
use serde_json::{Value as Json, json};

/// The smallest PNG: one grey pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\nIDAT\x08\xd7c`\0\0\0\x02\0\x01\xe2\x21\xbc\x33\0\0\0\0IEND\xaeB`\x82";

/// Three tables that belong together, and their pictures.
fn tables() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("1.png", PIXEL);
    write("2.png", PIXEL);
    write("dishes.adb.csv", b"filename,id,name,constraint_id\n1.png,1,dal,1\n2.png,2,ramen,2\n");
    write("ingredients.adb.csv", b"EntityClass,name,constraint_name\nIngredient,rice,rice\n");
    write(
        "dish_ingredients.adb.csv",
        b"ConnectionClass,_Image@id,Ingredient@name,cid,constraint_cid\nHas,1,rice,a,a\nHas,2,rice,b,b\n",
    );
    dir
}

/// Runs the program with an empty cache and no hub.
fn adb(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = program::command(env!("CARGO_BIN_EXE_adb"), dir);
    command.env("ADB_DB", "my.adb").args(arguments).output().unwrap()
}

const ALL: [&str; 5] =
    ["ingest", "from-csv", "dish_ingredients.adb.csv", "dishes.adb.csv", "ingredients.adb.csv"];

#[test]
fn several_files_go_in_by_need_and_once() {
    let dir = tables();
    let first = adb(dir.path(), &ALL);
    assert!(first.status.success(), "{}", said(&first));
    let text = said(&first);
    let places = ["ENTITY", "IMAGE", "CONNECTION"].map(|kind| text.find(kind).unwrap());
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains("2 rows read = 2 added"), "{text}");
    let second = adb(dir.path(), &ALL);
    assert!(second.status.success() && said(&second).contains("2 existed"), "{}", said(&second));
}

#[test]
fn shares_of_connections_wait_for_all_shares_of_their_ends() {
    let dir = tables();
    let refused = adb(dir.path(), &[&ALL[..], &["--shard", "1/2"]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    let text = said(&refused);
    let way = "ingredients.adb.csv dishes.adb.csv first, by all shares, then dish_ingredients";
    assert!(text.contains(way), "{text}");
    assert!(!dir.path().join("my.adb").exists());
    for files in [&ALL[3..], &ALL[2..3]] {
        for shard in ["1/2", "2/2"] {
            let share = adb(dir.path(), &[&ALL[..2], files, &["--shard", shard]].concat());
            assert!(share.status.success(), "{}", said(&share));
        }
    }
    let whole = adb(dir.path(), &ALL);
    assert!(whole.status.success() && !said(&whole).contains("= 1 added"), "{}", said(&whole));
    assert!(said(&whole).contains("2 existed"), "{}", said(&whole));
}

#[test]
fn a_part_of_several_tables_is_told_to_lack_ends() {
    let dir = tables();
    let part = adb(dir.path(), &[&ALL[..], &["--sample-count", "1"]].concat());
    assert!(part.status.success(), "{}", said(&part));
    let text = said(&part);
    assert!(text.contains("rows of dish_ingredients.adb.csv look up what ingredients"), "{text}");
    let entities = adb(dir.path(), &[&ALL[..2], &ALL[3..], &["--limit", "1"]].concat());
    assert!(!said(&entities).contains("look up"), "{}", said(&entities));
}

#[test]
fn what_can_be_read_but_once_is_refused_and_so_is_what_would_be_ignored() {
    let dir = tables();
    for pipe in ["-", "/dev/null"] {
        let refused = adb(dir.path(), &["ingest", "from-csv", pipe]);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("more than once"), "{}", said(&refused));
    }
    for option in [&["--on-existing", "update"][..], &["--mirror"], &["--strict"]] {
        let refused = adb(dir.path(), &[&ALL[..], option].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains(option[0]), "{}", said(&refused));
    }
    assert!(!dir.path().join("my.adb").exists());
}

#[test]
fn without_the_models_weights_the_ways_out_are_named_and_no_set_is_made() {
    let dir = tables();
    let arguments = [
        "ingest",
        "from-csv",
        "dishes.adb.csv",
        "--ingest-type",
        "IMAGE",
        "--transformer",
        "clip_pytorch_embeddings",
    ];
    let output = adb(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for word in ["clip_pytorch_embeddings=starter-512", "clip-vit-b-16", "nothing was made"] {
        assert!(said(&output).contains(word), "{word}: {}", said(&output));
    }
    let find = r#"[{"FindDescriptorSet": {"results": {"count": true}}}, {"FindImage": {"results": {"count": true}}}]"#;
    fs::write(dir.path().join("find.json"), find).unwrap();
    let found =
        adb(dir.path(), &["transact", "from-json-file", "find.json", "--output-type", "raw_json"]);
    assert!(
        !said(&found).contains("\"count\":1") && !said(&found).contains("\"count\": 1"),
        "{}",
        said(&found)
    );
}

#[test]
fn what_can_not_be_is_a_fault_of_the_command_line() {
    let dir = tables();
    for (arguments, word) in [
        (&["dishes.adb.csv", "--user-transformer", "t.py"][..], "--transform-cmd"),
        (&["dishes.adb.csv", "--ingest-type", "CLIP"], "by a model"),
        (&["dishes.adb.csv", "--transformer", "clip"], "common_properties"),
        (&["dishes.adb.csv", "--as-text", "zip"], "no file has a column"),
        (&["dishes.adb.csv", "--map", "a=b"], "--model"),
        (
            &["dishes.adb.csv", "ingredients.adb.csv", "--model", "m.json"],
            "one model reads one file",
        ),
        (&[], "FILE"),
    ] {
        let output = adb(dir.path(), &[&["ingest", "from-csv"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(word), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn samples_and_dry_runs_send_nothing() {
    let dir = tables();
    let debug = ["ingest", "from-csv", "dishes.adb.csv", "--debug", "--sample-count", "1"];
    let output = adb(dir.path(), &debug);
    assert!(output.status.success(), "{}", said(&output));
    let sample = fs::read_to_string(dir.path().join("dishes.adb.csv_0.json")).unwrap();
    let sample: Json = serde_json::from_str(&sample).unwrap();
    let image = json!({"_ref": 1, "properties": {"id": 1, "name": "dal"}, "if_not_found": {"id": ["==", 1]}});
    assert_eq!(sample, json!([{ "AddImage": image }]));
    assert_eq!(fs::read(dir.path().join("dishes.adb.csv_0_0.jpg")).unwrap(), PIXEL);
    assert!(!dir.path().join("dishes.adb.csv_1.json").exists());

    let dry = [&ALL[..], &["--dry-run"]].concat();
    let output = adb(dir.path(), &dry);
    assert!(output.status.success(), "{}", said(&output));
    let lines: Vec<Json> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5);
    assert_eq!((&lines[1]["row"], &lines[1]["blobs"]), (&json!(1), &json!(["1.png"])));
    assert!(!dir.path().join("my.adb").exists());
}

#[test]
fn rows_that_failed_are_taken_again() {
    let dir = tables();
    fs::remove_file(dir.path().join("2.png")).unwrap();
    let first = adb(dir.path(), &["ingest", "from-csv", "dishes.adb.csv", "--use-dask"]);
    assert_eq!(first.status.code(), Some(3), "{}", said(&first));
    assert!(said(&first).contains("--use-dask has no effect"), "{}", said(&first));
    fs::write(dir.path().join("2.png"), PIXEL).unwrap();
    let letters = ["ingest", "retry", "dishes.adb.csv.dead-letters.jsonl"];
    let dry = adb(dir.path(), &[&letters[..], &["--dry-run"]].concat());
    assert!(said(&dry).contains("nothing was written"), "{}", said(&dry));
    let part = adb(dir.path(), &[&letters[..], &["--limit", "1"]].concat());
    assert_eq!(part.status.code(), Some(2), "{}", said(&part));
    let retry = adb(dir.path(), &letters);
    assert!(retry.status.success(), "{}", said(&retry));
    assert!(said(&retry).contains("1 row read = 1 added"), "{}", said(&retry));
}
