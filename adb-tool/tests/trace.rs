//! A server in front of another, what it records, and that held against the engine.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::{fs, path::Path, process::Output};

use adb::{Database, Request};
use common::{Served, adb};
use serde_json::json;

fn conform(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        adb(dir).arg("conform").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code(), said)
}

fn url(server: &Served) -> String {
    let password = server.password().replace('+', "%2B");
    format!("adb://admin:{password}@{}?tls=off", server.address)
}

async fn work(address: &str) {
    let db = adb::connect(address).unwrap();
    let ask = async |commands: serde_json::Value, blob: Option<Vec<u8>>| {
        let mut request = Request::json(&commands);
        request.blobs.extend(blob.map(Into::into));
        db.execute(request).await.unwrap().done().unwrap()
    };
    for n in 0..5 {
        let add = json!([
            {"AddEntity": {"_ref": 1, "class": "Dish", "if_not_found": ["$n", "==", n],
                           "properties": {"n": n, "name": format!("dish {n}"), "password": "hunter2"}}},
            {"AddBlob": {"connect": {"ref": 1, "class": "has"}, "properties": {"n": n}}},
        ]);
        ask(add, Some(vec![n; 10_000])).await;
    }
    let find = json!([{"FindEntity": {"with_class": "Dish", "uniqueids": true, "results": {"list": ["n"]}}}]);
    let (answers, _) = ask(find, None).await;
    let id = &answers[0]["FindEntity"]["entities"][3]["_uniqueid"];
    let by_id = json!([
        {"FindEntity": {"_ref": 1, "with_class": "Dish", "constraints": ["$_uniqueid", "==", id],
                        "results": {"list": ["name"]}}},
        {"FindBlob": {"is_connected_to": {"ref": 1}, "blobs": true}},
    ]);
    let (_, blobs) = ask(by_id, None).await;
    assert_eq!(blobs.len(), 1);
}

#[tokio::test]
async fn two_servers_in_a_chain_and_the_truth_in_a_file() {
    for blobs in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let behind = Served::start(dir.path(), &["--init"]);
        let upstream = url(&behind);
        let mut arguments = vec![
            "--upstream",
            &upstream,
            "--init",
            "--record",
            "day.adbtrace",
            "--rest",
            "127.0.0.1:0",
        ];
        if blobs {
            arguments.push("--record-blobs");
        }
        let proxy = Served::start(dir.path(), &arguments);
        assert_ne!(proxy.password(), behind.password(), "accounts are its own");
        // In by frames, and by REST.
        work(&url(&proxy)).await;
        let rest = proxy.told("REST: ").unwrap().trim_end_matches("/api").to_owned();
        let password = proxy.password().replace('+', "%2B");
        let rest = rest.replace("http://", &format!("http://admin:{password}@"));
        let db = adb::connect(&format!("{rest}/api")).unwrap();
        let count = json!([{"FindEntity": {"with_class": "Dish", "results": {"count": true}}}]);
        let (answers, _) = db.execute(Request::json(&count)).await.unwrap().done().unwrap();
        assert_eq!(answers[0]["FindEntity"]["count"], 5);

        let (status, log) = proxy.stop("TERM");
        assert_eq!(status.code(), Some(0), "{log}");
        for secret in [behind.password(), "hunter2"] {
            assert!(!log.contains(secret), "{log}");
        }
        let path = dir.path().join("day.adbtrace");
        let trace = fs::read_to_string(&path).unwrap();
        assert!(!trace.contains("hunter2") && !trace.contains("Authenticate"), "{trace}");
        assert_eq!((trace.lines().count(), trace.contains("\"data\"")), (1 + 8, blobs), "{trace}");
        behind.stop("TERM");

        let (code, said) = conform(dir.path(), &["day.adbtrace"]);
        assert!(code == Some(0) && said.contains("no difference"), "{said}");

        // One fact changed: the report says where.
        let told = |name: &str| format!("\"entities\":[{{\"name\":\"{name}\"}}]");
        let changed = trace.replacen(&told("dish 3"), &told("dish 4"), 1);
        assert_ne!(changed, trace);
        fs::write(&path, changed).unwrap();
        let (code, said) = conform(dir.path(), &["day.adbtrace", "--db", "other.adb"]);
        assert!(code == Some(1) && said.contains("FindEntity, entities[].name"), "{said}");
        let (_, said) = conform(dir.path(), &["day.adbtrace", "--json"]);
        let found: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(found["differences"][0]["replayed"], "\"dish 3\"");

        // The truth of one day is not overwritten.
        let again = adb(dir.path())
            .args(["serve", "--db", "my.adb", "--record", "day.adbtrace", "--no-auth"])
            .output()
            .unwrap();
        assert_eq!(again.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&again.stderr).contains("there already"));
    }
}

/// A proxy whose server is away says so, and goes on when it is back.
#[tokio::test]
async fn a_proxy_without_its_server() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens there.
    let nobody = "adb://admin:hunter2-hunter2@127.0.0.1:1?tls=off";
    let proxy = Served::start(dir.path(), &["--upstream", nobody, "--init"]);
    let db = adb::connect(&url(&proxy)).unwrap();
    let status = Request::json(&json!([{"GetStatus": {}}]));
    let error = db.execute(status).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("can't connect to 127.0.0.1:1"), "{error}");
    let (_, log) = proxy.stop("TERM");
    assert!(!log.contains("hunter2"), "{log}");
}
