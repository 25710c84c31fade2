//! Buckets and web servers as folders, on the command line.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../../adb-loaders/tests/local_web/mod.rs"]
mod local_web;
#[path = "../../examples/program.rs"]
mod program;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use adb::{Database as _, Request, Response};
use local_web::{Answer, Asked, Web, ok, part, status, to};
use program::said;
use serde_json::{Value as Json, json};

fn adb(dir: &Path, bucket: &Web, args: &[&str]) -> Output {
    program::command(env!("CARGO_BIN_EXE_adb"), dir)
        .arg("ingest")
        .args(args)
        .args(["--db", "my.adb"])
        .env("AWS_ENDPOINT_URL", format!("http://{}", bucket.address))
        .env("AWS_SKIP_SIGNATURE", "true")
        .env("AWS_REGION", "us-east-1")
        .env("GOOGLE_BASE_URL", format!("http://{}", bucket.address))
        .env("GOOGLE_SKIP_SIGNATURE", "true")
        .output()
        .unwrap()
}

fn images(dir: &Path) -> Vec<Json> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = adb::connect(dir.join("my.adb").to_str().unwrap()).unwrap();
        let find = json!([{"FindImage": {"sort": "path", "results": {"all_properties": true}}}]);
        let Response::Done { answers, .. } = db.execute(Request::json(&find)).await.unwrap() else {
            return Vec::new();
        };
        answers[0]["FindImage"]["entities"].as_array().cloned().unwrap_or_default()
    })
}

/// Pictures that differ.
fn picture(number: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::RgbImage::from_pixel(4, 4, image::Rgb([number, 0, 0]))
        .write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png)
        .unwrap();
    bytes
}

const NAMES: [&str; 3] = ["indian/dal.png", "japanese/ramen.png", "top.png"];

/// A bucket `photos`, with three pictures below `dishes`.
fn bucket() -> Web {
    Web::start(|asked| {
        let (path, _) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let path = decoded(path);
        let keys = (1..).zip(NAMES);
        if path.trim_end_matches('/') == "/photos" {
            let contents: String = keys
                .map(|(_, name)| {
                    format!(
                        "<Contents><Key>dishes/{name}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>\"{name}\"</ETag><Size>1</Size></Contents>"
                    )
                })
                .collect();
            let xml = format!(
                "<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
            );
            let kind = ("content-type", "application/xml".to_owned());
            return Answer::Whole(200, vec![kind], xml.into_bytes());
        }
        object(asked, path.strip_prefix("/photos/dishes/"))
    })
}

fn object(asked: &Asked, name: Option<&str>) -> Answer {
    let found = (1..).zip(NAMES).find(|(_, other)| Some(*other) == name);
    found.map_or_else(|| status(404), |(n, name)| part(asked, &picture(n), &format!("\"{name}\"")))
}

/// Google's names have neither slashes nor dots in an address.
fn decoded(path: &str) -> String {
    path.replace("%2F", "/").replace("%2E", ".")
}

fn downloads(web: &Web) -> usize {
    web.asked().iter().filter(|asked| decoded(&asked.path).ends_with(".png")).count()
}

#[test]
fn a_bucket_goes_in_with_no_document_at_all() {
    for cloud in ["s3", "gs"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("stars.csv"), "file,stars\ndal.png,5\ntop,4\nnone.png,1\n")
            .unwrap();
        let web = bucket();
        let address = format!("{cloud}://photos/dishes/");
        let args = ["from-dir", &address, "--folder-as", "cuisine", "--class", "Dish"];
        let table = ["--table", "stars.csv", "--join", "file"];
        let first = adb(dir.path(), &web, &[&args[..], &table].concat());
        assert_eq!(first.status.code(), Some(3), "{}", said(&first));
        assert!(said(&first).contains("4 rows read = 3 added"), "{}", said(&first));
        assert!(said(&first).contains("is called \"none.png\""), "{}", said(&first));
        // The address is no folder, so they lie here.
        assert!(dir.path().join("dishes.dead-letters.jsonl").exists());
        let found = images(dir.path());
        let of = |key: &str| found.iter().map(|image| image[key].clone()).collect::<Vec<_>>();
        assert_eq!(of("path"), NAMES);
        assert_eq!(of("cuisine"), [json!("indian"), json!("japanese"), Json::Null]);
        assert_eq!(of("stars"), [json!(5), Json::Null, json!(4)]);
        assert_eq!(downloads(&web), 3);
        let second = adb(dir.path(), &web, &[&args[..], &table].concat());
        assert!(said(&second).contains("3 existed"), "{}", said(&second));
        assert_eq!(downloads(&web), 3, "what is there is not fetched again");
    }
}

const MODEL: &str = r#"{"version": 1, "models": [{"name": "Dish", "class": "Dish",
    "kind": "image", "fields": [
        {"name": "id", "key": "stem", "property": "name", "role": "id", "type": "string"},
        {"name": "stars", "key": "stars", "property": "stars", "role": "property", "type": "int",
         "optional": true},
        {"name": "photo", "key": "photo", "property": "photo", "role": "media", "kind": "image",
         "optional": false}]}]}"#;

#[test]
fn a_web_server_that_the_user_names_may_be_private_and_what_it_leads_to_may_not() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("m.json"), MODEL).unwrap();
    fs::write(dir.path().join("stars.jsonl"), "{\"path\": \"indian/dal.png\", \"stars\": 5}\n")
        .unwrap();
    let other = Web::start(|_| ok(picture(9)));
    let elsewhere = other.url("/secret.png");
    let web = Web::start(move |asked| match asked.path.as_str() {
        "/pub/" => ok("<a href='top.png'>t</a><a href='indian/'>i</a><a href='evil.png'>e</a>\
             <a href='out.png'>o</a><a href='notes.txt'>n</a>"),
        "/pub/indian/" => ok("<a href='dal.png'>d</a>"),
        "/pub/evil.png" => to(elsewhere.clone()),
        "/pub/out.png" => to("/admin.png"),
        "/admin.png" => ok(picture(8)),
        path => object(asked, path.strip_prefix("/pub/")),
    });
    let address = web.url("/pub");
    let table = ["--table", "stars.jsonl", "--join", "path"];
    let args = [&["from-dir", &address, "--model", "m.json", "--json"][..], &table].concat();
    let output = adb(dir.path(), &web, &args);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let failed: Vec<Json> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &Json| event["event"] == "row_failed")
        .collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(
        failed.iter().all(|f| f["reason"].to_string().contains("--allow-private")),
        "{failed:?}"
    );
    assert!(other.asked().is_empty() && web.asked().iter().all(|a| a.path != "/admin.png"));
    let found = images(dir.path());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|dish| dish["name"] == "dal" && dish["stars"] == 5), "{found:?}");
    // Rows of other sources may not name that server.
    fs::write(
        dir.path().join("r.jsonl"),
        format!("{{\"stem\": \"x\", \"photo\": \"{address}/top.png\"}}"),
    )
    .unwrap();
    let output = adb(dir.path(), &web, &["from-json", "r.jsonl", "--model", "m.json"]);
    assert!(said(&output).contains("--allow-private"), "{}", said(&output));
}

#[test]
fn what_folders_alone_have_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let web = bucket();
    for option in [["--manifest", "m.sha256"], ["--text-as", "caption"]] {
        let output =
            adb(dir.path(), &web, &[&["from-dir", "s3://photos/dishes"], &option[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(option[0]), "{}", said(&output));
    }
    assert!(web.asked().is_empty());
}

#[test]
fn files_of_the_sdk_are_fetched_many_at_once_and_their_run_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let web = Web::start(|asked| {
        // So that others meet it.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let number = asked.path.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
        match asked.before {
            0 if number == 3 => status(503),
            _ => ok(picture(number)),
        }
    });
    let rows: String =
        (1..=12).map(|n| format!("{},{n},{n}\n", web.url(&format!("/{n}.png")))).collect();
    fs::write(dir.path().join("i.adb.csv"), format!("url,id,constraint_id\n{rows}")).unwrap();
    fs::write(dir.path().join("e.adb.csv"), "EntityClass,id,constraint_id\nDish,1,1\n").unwrap();
    let args = ["from-csv", "i.adb.csv", "e.adb.csv", "--allow-private", "--per-host", "5"];
    let output = adb(dir.path(), &web, &args);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(web.asked().len(), 13, "one of them twice");
    assert_eq!(web.most_at_once(), 5, "as many as one host may be asked for at once");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adb"));
        said(&command.args(args).args(["--db", "my.adb"]).current_dir(dir.path()).output().unwrap())
    };
    let runs = run(&["runs"]);
    assert!(runs.contains("IMAGE: 12 added") && runs.contains("i.adb.csv"), "{runs}");
    assert!(runs.contains("ENTITY: 1 added"), "{runs}");
    // Pictures are looked up first; entities are sent, and found there.
    let output = adb(dir.path(), &web, &args);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(web.asked().len(), 13);
    assert!(!run(&["runs"]).replace(&runs, "").contains("IMAGE"), "{}", run(&["runs"]));
    for line in runs.lines() {
        let undone = run(&["undo", line.split_whitespace().next().unwrap()]);
        let objects = if line.contains("IMAGE") { "12 objects" } else { "1 object deleted" };
        assert!(undone.contains(objects), "{undone}");
    }
    assert!(images(dir.path()).is_empty());
}
