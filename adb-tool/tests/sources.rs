//! Sources as a user meets them: folders, programs, packed files, without code and mostly without a
//! model.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../../examples/program.rs"]
mod program;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use adb::{Database as _, Request, Response};
use program::said;
use serde_json::{Value as Json, json};

fn adb(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().unwrap()
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = program::command(env!("CARGO_BIN_EXE_adb"), dir);
    command.arg("ingest").args(args).args(["--db", "my.adb"]);
    command
}

/// What a Find command finds, with all its properties.
fn found(dir: &Path, command: &str, body: Json) -> Vec<Json> {
    let mut body = body;
    body["results"] = json!({"all_properties": true});
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = adb::connect(dir.join("my.adb").to_str().unwrap()).unwrap();
        let request = Request::json(&json!([{ command: body }]));
        let Response::Done { answers, .. } = db.execute(request).await.unwrap() else {
            return Vec::new();
        };
        answers[0][command]["entities"].as_array().cloned().unwrap_or_default()
    })
}

fn cookbook() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/cookbook")
}

/// A picture of the sample in each of two folders.
fn photos(dir: &Path) {
    let mut pictures: Vec<PathBuf> = fs::read_dir(cookbook().join("images"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pictures.sort();
    for (folder, picture) in ["indian", "japanese"].iter().zip(pictures) {
        fs::create_dir_all(dir.join("photos").join(folder)).unwrap();
        fs::copy(picture, dir.join("photos").join(folder).join("a.jpg")).unwrap();
    }
    fs::write(dir.join("photos/indian/a.txt"), "creamy").unwrap();
    fs::write(dir.join("photos/indian/a.json"), r#"{"rating": 4.5}"#).unwrap();
}

const MODEL: &str = r#"{"version": 1, "models": [{"name": "Dish", "class": "Dish",
    "kind": "entity", "fields": [
        {"name": "id", "key": "id", "property": "id", "role": "id", "type": "int"},
        {"name": "name", "key": "name", "property": "name", "role": "property", "type": "string",
         "optional": true},
        {"name": "photo", "key": "photo", "property": "photo", "role": "media", "kind": "image",
         "optional": true}]}]}"#;

#[test]
fn a_folder_of_photos_goes_in_with_no_document_at_all() {
    let dir = tempfile::tempdir().unwrap();
    photos(dir.path());
    let args = ["from-dir", "photos", "--folder-as", "cuisine", "--text-as", "caption"];
    let first = adb(dir.path(), &args);
    assert!(said(&first).contains("2 rows read = 2 added"), "{}", said(&first));
    assert_eq!(first.status.code(), Some(0));
    let images = found(dir.path(), "FindImage", json!({"sort": "path"}));
    assert_eq!(images.len(), 2, "{images:?}");
    let indian = &images[0];
    for (key, value) in [
        ("path", json!("indian/a.jpg")),
        ("cuisine", json!("indian")),
        ("caption", json!("creamy")),
        ("rating", json!(4.5)),
        ("filename", json!("a.jpg")),
    ] {
        assert_eq!(indian[key], value, "{indian}");
    }
    let second = adb(dir.path(), &args);
    assert!(said(&second).contains("2 existed"), "{}", said(&second));
}

#[test]
fn a_folder_is_joined_with_a_table_and_checked_by_its_manifest() {
    let dir = tempfile::tempdir().unwrap();
    photos(dir.path());
    fs::write(dir.path().join("stars.csv"), "file;stars\nindian/a.jpg;5\nnone.jpg;1\n").unwrap();
    let args = ["from-dir", "photos", "--table", "stars.csv", "--join", "file", "--class", "Dish"];
    let output = adb(dir.path(), &[&args[..], &["--manifest", "photos.sha256"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("is called \"none.jpg\""), "{}", said(&output));
    let dishes =
        found(dir.path(), "FindImage", json!({"constraints": {"user_type": ["==", "Dish"]}}));
    assert!(dishes.iter().any(|dish| dish["stars"] == 5), "{dishes:?}");
    fs::write(dir.path().join("photos/indian/a.jpg"), "other").unwrap();
    let output = adb(dir.path(), &["from-dir", "photos", "--manifest", "photos.sha256"]);
    assert!(said(&output).contains("is not what the manifest"), "{}", said(&output));
}

#[test]
fn what_a_program_prints_goes_in_and_its_status_counts() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("m.json"), MODEL).unwrap();
    let line = r#"printf '{"id": 1, "name": "dal"}\n{"id": 2, "photo": "data:;base64,R0lGODlhAQABAAAAACw="}\n'"#;
    let output = adb(dir.path(), &["from-command", line, "--model", "m.json"]);
    assert!(said(&output).contains("2 rows read = 2 added"), "{}", said(&output));
    let output =
        adb(dir.path(), &["from-command", "echo '{\"id\": 3}'; exit 9", "--model", "m.json"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("exit status: 9"), "{}", said(&output));
    assert_eq!(found(dir.path(), "FindEntity", json!({"with_class": "Dish"})).len(), 3);
}

#[test]
fn the_python_adapter_feeds_a_cursor() {
    let adapters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/adapters");
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: there is no python3");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("m.json"), MODEL).unwrap();
    let program = "import rows, sqlite3
db = sqlite3.connect(':memory:')
rows.write(db.execute(\"select 1 as id, 'dal' as name, x'474946383961010001000000002c' as photo union select 2, 'naan', null\"))";
    fs::write(dir.path().join("dishes.py"), program).unwrap();
    let output = command(dir.path(), &["from-command", "python3 dishes.py", "--model", "m.json"])
        .env("PYTHONPATH", adapters)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(said(&output).contains("2 rows read = 2 added"), "{}", said(&output));
    assert_eq!(found(dir.path(), "FindImage", json!({})).len(), 1);
}

#[test]
fn rows_go_through_a_program() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("m.json"), MODEL).unwrap();
    fs::write(dir.path().join("rows.csv"), "id,name\n1,a\n2,b\n3,c\n").unwrap();
    let program = r#"while read -r row; do case "$row" in
        *'"b"'*) echo null;; *'"c"'*) echo '{"_error": "no c"}';; *) echo "$row";; esac; done"#;
    let output =
        adb(dir.path(), &["from-csv", "rows.csv", "--model", "m.json", "--transform-cmd", program]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    for words in ["2 rows read = 1 added", "1 row was left out by a transform", "no c"] {
        assert!(said(&output).contains(words), "{}", said(&output));
    }
}

#[test]
fn rows_come_packed_and_through_standard_input_under_other_names() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("m.json"), MODEL).unwrap();
    let mut child = command(
        dir.path(),
        &["from-csv", "-", "--model", "m.json", "--map", "Dish no=id", "--map", "Title=name"],
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    {
        use std::io::Write as _;
        let mut packed =
            flate2::write::GzEncoder::new(child.stdin.take().unwrap(), flate2::Compression::fast());
        packed.write_all(b"Dish no;Title\n1;dal\n2;\n").unwrap();
        packed.finish().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert!(said(&output).contains("2 rows read = 2 added"), "{}", said(&output));
    let dishes = found(dir.path(), "FindEntity", json!({"with_class": "Dish"}));
    assert!(dishes.iter().any(|dish| dish["id"] == 1 && dish["name"] == "dal"), "{dishes:?}");
}

#[test]
fn samples_of_a_tar_file_go_in_with_their_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let mut tar = Vec::new();
    for (name, data) in [
        ("0.jpg", &b"GIF89a\x01\0\x01\0\0\0\0,"[..]),
        ("0.json", br#"{"caption": "dal"}"#),
        ("0.cls", b"7"),
        ("1.jpg", b"GIF89a\x02\0\x01\0\0\0\0,"),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(data);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    for shard in ["shard-00.tar", "shard-01.tar"] {
        fs::write(dir.path().join(shard), &tar).unwrap();
    }
    let args = ["from-webdataset", "shard-{00..01}.tar", "--map", "cls=label"];
    let output = adb(dir.path(), &args);
    assert!(said(&output).contains("4 rows read = 4 added"), "{}", said(&output));
    let images = found(dir.path(), "FindImage", json!({"constraints": {"label": ["==", 7]}}));
    assert_eq!(images.len(), 2, "{images:?}");
    assert_eq!(images[0]["caption"], "dal");
    // What they are called tells rows apart.
    fs::create_dir(dir.path().join("val")).unwrap();
    fs::copy(dir.path().join("shard-00.tar"), dir.path().join("val/shard-00.tar")).unwrap();
    let output = adb(dir.path(), &["from-webdataset", "shard-00.tar", "val/shard-00.tar"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("it has the name of shard-00.tar"), "{}", said(&output));
    // Its pictures are in no dead-letter file, so no retry is named.
    let bad = String::from_utf8_lossy(&tar).replace("GIF89a", "nogif?");
    fs::write(dir.path().join("bad.tar"), bad).unwrap();
    let output = adb(dir.path(), &["from-webdataset", "bad.tar"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("run the same again"), "{}", said(&output));
    assert!(!said(&output).contains("ingest retry"), "{}", said(&output));
}

/// Files are known by their place in the folder, which may be another folder's as well.
#[test]
fn files_of_one_name_in_two_folders_are_told() {
    let dir = tempfile::tempdir().unwrap();
    photos(dir.path());
    let from = |folder: &str| {
        let output =
            adb(dir.path(), &["from-dir", &format!("photos/{folder}"), "--class", "Photo"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        said(&output)
    };
    assert!(from("indian").contains("1 added + 0 existed"));
    let other = from("japanese");
    assert!(other.contains("0 added + 1 existed") && !other.contains("nothing to do"), "{other}");
    let folder = dir.path().join("photos/indian");
    let told = format!("the database has this object from {}, of another file", folder.display());
    assert!(other.contains(&told), "{other}");
    // Of its own source's rows files are looked at where one asks for it.
    fs::copy(dir.path().join("photos/japanese/a.jpg"), folder.join("a.jpg")).unwrap();
    assert!(!from("indian").contains("another one"));
    let output = adb(dir.path(), &["from-dir", "photos/indian", "--class", "Photo", "--recheck"]);
    assert!(said(&output).contains("its file is another one now"), "{}", said(&output));
    photos(dir.path());
    // The folder itself, and one with the very same file, have nothing new to say.
    assert!(!from("indian").contains("another file"));
    fs::create_dir(dir.path().join("photos/copy")).unwrap();
    for file in ["a.jpg", "a.txt", "a.json"] {
        fs::copy(folder.join(file), dir.path().join("photos/copy").join(file)).unwrap();
    }
    assert!(!from("copy").contains("another file"), "{}", from("copy"));
}

#[test]
fn rows_without_an_id_are_the_same_whatever_directory_one_is_in() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    let model = MODEL.replace(
        r#"{"name": "id", "key": "id", "property": "id", "role": "id", "type": "int"},"#,
        "",
    );
    fs::write(dir.path().join("model.json"), model).unwrap();
    fs::write(dir.path().join("rows.jsonl"), "{\"name\": \"a\"}\n").unwrap();
    fs::write(dir.path().join("rows.csv"), "name\nb\n").unwrap();
    for (kind, file) in [("from-json", "rows.jsonl"), ("from-csv", "rows.csv")] {
        let whole = dir.path().join(file).display().to_string();
        let spellings = [file.to_owned(), format!("./{file}"), whole];
        for (spelling, outcome) in spellings.iter().zip(["1 added", "1 existed", "1 existed"]) {
            let output = adb(dir.path(), &[kind, spelling, "--model", "model.json"]);
            assert!(said(&output).contains(outcome), "{spelling}: {}", said(&output));
        }
        fs::copy(dir.path().join(file), dir.path().join("sub").join(file)).unwrap();
        let output = adb(dir.path(), &[kind, &format!("sub/{file}"), "--model", "model.json"]);
        assert!(said(&output).contains("1 added"), "{}", said(&output));
    }
}

#[test]
fn a_table_does_not_say_where_a_file_lies() {
    let dir = tempfile::tempdir().unwrap();
    photos(dir.path());
    let table = "file,path,stars\na.jpg,x,5\nb.jpg,x,4\n";
    fs::write(dir.path().join("stars.csv"), table).unwrap();
    let args = ["from-dir", "photos", "--table", "stars.csv", "--join"];
    let output = adb(dir.path(), &[&args[..], &["file"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("the table has a `path`"), "{}", said(&output));
    assert!(!said(&output).contains("1 existed"), "{}", said(&output));
    let output = adb(dir.path(), &[&args[..], &["name"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("what it has: `file`, `path`, `stars`"), "{}", said(&output));
}

const WITH_VECTORS: &str = r#"{"version": 1,
    "sets": [{"name": "looks", "dimensions": 2, "metric": "L2", "engine": "Flat", "embedder": "mine"}],
    "models": [{"name": "Dish", "class": "Dish", "kind": "entity", "fields": [
        {"name": "id", "key": "id", "property": "id", "role": "id", "type": "int"},
        {"name": "look", "key": "look", "property": "look", "role": "embedding", "set": "looks"}]}]}"#;

/// As NumPy writes an array of doubles.
fn npy(path: &Path, vectors: &[[f64; 2]]) {
    let shape = vectors.len();
    let head = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}, 2), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(head.len() + 1).unwrap().to_le_bytes());
    bytes.extend(head.bytes().chain(*b"\n"));
    bytes.extend(vectors.iter().flatten().flat_map(|x| x.to_le_bytes()));
    fs::write(path, bytes).unwrap();
}

#[test]
fn vectors_that_were_made_elsewhere_go_in_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("m.json"), WITH_VECTORS).unwrap();
    fs::write(dir.path().join("r.jsonl"), "{\"id\": 1}\n{\"id\": 2}\n{\"id\": 3}\n").unwrap();
    npy(&dir.path().join("v-0.npy"), &[[1.0, 0.0]]);
    npy(&dir.path().join("v-1.npy"), &[[2.0, 0.0], [3.0, 0.0]]);
    let args = ["from-json", "r.jsonl", "--model", "m.json"];
    let part = ["--vectors", "look=v-*.npy", "--offset", "1"];
    let output = adb(dir.path(), &[&args[..], &part, &["--on-existing", "update"]].concat());
    assert!(said(&output).contains("2 rows read = 2 added"), "{}", said(&output));
    assert_eq!(found(dir.path(), "FindDescriptor", json!({"set": "looks"})).len(), 2);
    // What was written is what the files say, so that nothing is to be done.
    let all = ["--vectors", "look=v-{0..1}.npy", "--on-existing", "update"];
    let output = adb(dir.path(), &[&args[..], &all].concat());
    assert!(said(&output).contains("1 added + 2 existed"), "{}", said(&output));
    npy(&dir.path().join("v-1.npy"), &[[2.0, 0.0], [9.0, 0.0]]);
    let output = adb(dir.path(), &[&args[..], &all].concat());
    assert!(said(&output).contains("2 existed + 1 updated"), "{}", said(&output));
    // More of them than rows, and no field.
    for (vectors, wanted) in [
        ("look=v-{0,1,1}.npy", "have 5 rows, and the source has 3"),
        ("id=v-0.npy", "these are: look"),
    ] {
        let output = adb(dir.path(), &[&args[..], &["--vectors", vectors]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(wanted), "{}", said(&output));
    }
    // With pictures and no document, the set is as the file's vectors are.
    photos(dir.path());
    npy(&dir.path().join("p.npy"), &[[1.0, 0.0], [2.0, 0.0]]);
    let args = ["from-dir", "photos", "--set", "seen", "--vectors", "seen=p.npy"];
    let output = adb(dir.path(), &args);
    assert!(said(&output).contains("2 rows read = 2 added"), "{}", said(&output));
    assert_eq!(found(dir.path(), "FindDescriptor", json!({"set": "seen"})).len(), 2);
}

#[test]
fn a_pattern_names_its_source_and_a_program_has_no_name() {
    let dir = tempfile::tempdir().unwrap();
    photos(dir.path());
    for (shard, folder) in [("s-0.tar", "indian"), ("s-1.tar", "japanese")] {
        let mut tar = tar::Builder::new(fs::File::create(dir.path().join(shard)).unwrap());
        let picture = dir.path().join("photos").join(folder).join("a.jpg");
        tar.append_path_with_name(picture, format!("{folder}.jpg")).unwrap();
        tar.finish().unwrap();
    }
    let args = ["from-webdataset", "s-*.tar"];
    assert!(said(&adb(dir.path(), &args)).contains("2 added"));
    fs::remove_file(dir.path().join("s-1.tar")).unwrap();
    let output = adb(dir.path(), &[&args[..], &["--mirror", "--yes"]].concat());
    assert!(said(&output).contains("mirror: 1 object left the source"), "{}", said(&output));
    assert_eq!(found(dir.path(), "FindImage", json!({})).len(), 1);
    // Files that a shell has found may be others the next time.
    fs::copy(dir.path().join("s-0.tar"), dir.path().join("s-2.tar")).unwrap();
    let output = adb(dir.path(), &["from-webdataset", "s-0.tar", "s-2.tar", "--mirror"]);
    assert!(said(&output).contains("--source-name"), "{}", said(&output));
    // And a program may be given a name.
    fs::write(dir.path().join("m.json"), MODEL).unwrap();
    fs::write(dir.path().join("r.jsonl"), "{\"id\": 1}\n{\"id\": 2}\n").unwrap();
    let args = ["from-command", "cat r.jsonl", "--model", "m.json", "--mirror"];
    let output = adb(dir.path(), &args);
    assert!(said(&output).contains("--source-name"), "{}", said(&output));
    let args = [&args[..], &["--source-name", "dishes", "--transform-cmd", "cat"]].concat();
    assert!(said(&adb(dir.path(), &args)).contains("2 added"));
    fs::write(dir.path().join("r.jsonl"), "{\"id\": 2}\n").unwrap();
    let output = adb(dir.path(), &args);
    assert!(said(&output).contains("mirror: 1 object left the source"), "{}", said(&output));
}
