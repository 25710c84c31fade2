//! `adb serve` as its users meet it: scripts that read its lines, clients, and whoever stops it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Output, Stdio},
};

use adb::{Database, Request};
use common::{Served, adb};
use serde_json::{Value as Json, json};

fn run(dir: &Path, arguments: &[&str]) -> Output {
    adb(dir).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn ask(address: &str, commands: Json) -> Result<Json, String> {
    let db = adb::connect(address).map_err(|e| e.to_string())?;
    let answer = db.execute(Request::json(&commands)).await.map_err(|e| e.to_string())?;
    answer.done().map(|(answers, _)| Json::Array(answers)).map_err(|r| r.info)
}

fn plain(user: &str, password: &str, server: &Served) -> String {
    format!("adb://{user}:{}@{}?tls=off", password.replace('+', "%2B"), server.address)
}

#[tokio::test]
async fn what_is_written_through_a_server_is_there_when_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = Served::start(dir.path(), &["--init"]);
    let password = server.password().to_owned();
    let address = plain("admin", &password, &server);
    let add = json!([{"AddEntity": {"class": "Dish", "properties": {"name": "dal"}}}]);
    ask(&address, add.clone()).await.unwrap();
    assert!(ask(&plain("admin", "wrong", &server), add.clone()).await.is_err());
    let server_address = server.address.clone();
    let (status, log) = server.stop("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("stopped") && log.contains("a login failed"), "{log}");
    let start = log.lines().find(|line| line.contains("serving")).unwrap();
    for part in [server_address.as_str(), "tls=false", "accounts=true", "/my.adb"] {
        assert!(start.contains(part), "{part}: {start}");
    }
    assert!(!log.contains(&password), "{log}");

    // Again, and now `--init` finds accounts.
    let server = Served::start(dir.path(), &["--init"]);
    assert_eq!(server.told("password of admin: "), None, "it is printed once");
    let find = json!([{"FindEntity": {"with_class": "Dish", "results": {"list": ["name"]}}}]);
    let found = ask(&plain("admin", &password, &server), find).await.unwrap();
    assert_eq!(found[0]["FindEntity"]["entities"], json!([{"name": "dal"}]));
    let (status, log) = server.stop("INT");
    assert_eq!(status.code(), Some(130), "{log}");
    assert!(log.contains("--init changes nothing"), "{log}");
    assert!(dir.path().join("my.adb.server/accounts.json").exists());
}

#[tokio::test]
async fn accounts_are_changed_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = adb(dir.path());
    command.env("ADB_ADMIN_PASSWORD", "admin-admin-1");
    let server = Served::start_by(command, &["--init"]);
    assert_eq!(server.lines.len(), 1, "a password that was given is not printed");
    let user = |arguments: &[&str]| {
        let all: Vec<&str> = ["serve", "user"].iter().chain(arguments).copied().collect();
        let output = run(dir.path(), &[&all[..], &["--db", "my.adb"]].concat());
        (output.status.code().unwrap(), said(&output))
    };
    let (code, told) = user(&["add", "anna", "--role", "reader"]);
    assert_eq!(code, 0, "{told}");
    let password = told.trim().strip_prefix("password of anna: ").unwrap().to_owned();
    let status = json!([{"GetStatus": {}}]);
    let anna = plain("anna", &password, &server);
    ask(&anna, status.clone()).await.unwrap();
    let add = json!([{"AddEntity": {"class": "Dish"}}]);
    assert!(ask(&anna, add.clone()).await.unwrap_err().contains("reader"));

    let (_, told) = user(&["token", "anna"]);
    let token = told.trim().strip_prefix("token of anna: ").unwrap();
    let (_, listed) = user(&["ls"]);
    assert!(listed.contains("anna\treader\tpassword\ttokens adbp_"), "{listed}");
    assert!(!listed.contains(token), "{listed}");
    assert_eq!(user(&["token", "anna", "--revoke-all"]).1.trim(), "tokens of anna taken: 1");

    let (_, told) = user(&["passwd", "anna"]);
    assert!(ask(&anna, status.clone()).await.is_err());
    let password = told.trim().strip_prefix("password of anna: ").unwrap();
    let anna = plain("anna", password, &server);
    ask(&anna, status.clone()).await.unwrap();
    assert_eq!(user(&["rm", "anna"]).0, 0);
    assert!(ask(&anna, status).await.is_err());
    ask(&plain("admin", "admin-admin-1", &server), add).await.unwrap();

    for (arguments, told) in [
        (&["rm", "anna"][..], "there is no user `anna`"),
        (&["rm", "admin"], "last admin"),
        (&["add", "bob"], "four to 64"),
        (&["add", "bert", "--role", "root"], "admin, user and reader"),
    ] {
        let (code, said) = user(arguments);
        assert!(code == 1 && said.contains(told), "{said}");
    }
    let mut command = adb(dir.path());
    let mut child = command
        .args(["serve", "user", "add", "bert", "--password-stdin", "--db", "my.adb"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"bert-bert-1\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "nothing to print");
    let status = json!([{"GetStatus": {}}]);
    ask(&plain("bert", "bert-bert-1", &server), status).await.unwrap();
}

#[tokio::test]
async fn tls_of_its_own_making() {
    let dir = tempfile::tempdir().unwrap();
    let server =
        Served::start(dir.path(), &["--init", "--tls-self-signed", "--rest", "127.0.0.1:0"]);
    let port = server.address.rsplit_once(':').unwrap().1;
    let password = server.password().replace('+', "%2B");
    let status = json!([{"GetStatus": {}}]);
    let certificate = server.told("certificate: ").unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let address = format!("adb://admin:{password}@{host}:{port}?ca_cert={certificate}");
        ask(&address, status.clone()).await.unwrap();
    }
    let unknown = format!("adb://admin:{password}@localhost:{port}");
    let error = ask(&unknown, status.clone()).await.unwrap_err();
    assert!(error.contains("UnknownIssuer") && error.contains("?ca_cert=FILE"), "{error}");
    // TLS is all it speaks.
    let error = ask(&plain("admin", &password, &server), status.clone()).await.unwrap_err();
    assert!(
        error.contains("remove `?tls=off` from the address") && error.contains("use_ssl"),
        "{error}"
    );
    let rest = server.told("REST: https://").unwrap();
    let error = ask(&format!("http://admin:{password}@{rest}"), status).await.unwrap_err();
    assert!(error.contains("begins with https://"), "{error}");
    assert!(server.told("REST: https://127.0.0.1:").unwrap().ends_with("/api"));
}

#[test]
fn a_certificate_keeps_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let start = |more: &[&str]| {
        let all = [&["--no-auth", "--tls-self-signed"], more].concat();
        let server = Served::start(dir.path(), &all);
        let path = server.told("certificate: ").unwrap().to_owned();
        let (_, log) = server.stop("TERM");
        (fs::read_to_string(path).unwrap(), log.contains("certificate was replaced"))
    };
    let (first, replaced) = start(&["--tls-name", "db.example.org"]);
    assert!(!replaced);
    assert_eq!(start(&[]), (first.clone(), false));
    let (second, replaced) = start(&["--tls-name", "db.example.com"]);
    assert!(second != first && replaced);
    assert_eq!(start(&["--tls-name", "db.example.org"]), (second, false));
}

#[tokio::test]
async fn a_server_without_tls_says_how_to_reach_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = Served::start(dir.path(), &["--no-auth", "--rest", "127.0.0.1:0"]);
    let status = json!([{"GetStatus": {}}]);
    let address = format!("adb://admin:admin@{}", server.address);
    let error = ask(&address, status.clone()).await.unwrap_err();
    assert!(error.contains("put `?tls=off` behind the address"), "{error}");
    assert!(error.contains("--no-use-ssl"), "{error}");
    let rest = server.told("REST: http://").unwrap();
    let error = ask(&format!("https://admin:admin@{rest}"), status).await.unwrap_err();
    assert!(error.contains("`http://…`"), "{error}");
}

#[test]
fn rest_has_health_and_metrics() {
    let dir = tempfile::tempdir().unwrap();
    let server = Served::start(dir.path(), &["--no-auth", "--rest", "127.0.0.1:0"]);
    let rest = server.told("REST: http://").unwrap().strip_suffix("/api").unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(rest).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("/healthz").ends_with("ok\n"));
    assert!(get("/metrics").contains("adb_requests_total{outcome=\"done\"} 0"));
}

#[test]
fn what_can_t_be_served_says_why() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    for (arguments, code, told) in [
        (&["--db", "other"][..], 1, "make the first with `--init`"),
        (&["--db", "file", "--init"], 1, "file"),
        (&["--db", "my.adb", "--init", "--listen", "0.0.0.0:0"], 1, "TLS, for all connections"),
        (&["--db", "my.adb", "--no-auth", "--listen", "0.0.0.0:0"], 1, "TLS and accounts"),
        (&["--db", "my.adb", "--no-auth", "--init"], 2, "--init"),
        (&["--db", "my.adb", "--tls-cert", "x"], 2, "--tls-key"),
        (&["--db", "my.adb", "--listen", "here"], 2, "invalid socket address"),
        (&["--db", "my.adb", "--message-mb", "0"], 2, "--message-mb"),
        (&[], 2, "--db"),
        (&["user", "ls"], 2, "--db"),
        (&["user", "ls", "--db", "other"], 1, "there are no accounts yet"),
    ] {
        let output = run(dir.path(), &[&["serve"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(told), "{arguments:?}: {}", said(&output));
    }
    assert!(!dir.path().join("file.server").exists());
    assert!(!dir.path().join("other").exists());
    let busy = Served::start(dir.path(), &["--init"]);
    let again = ["serve", "--db", "second", "--no-auth", "--listen", &busy.address];
    let output = run(dir.path(), &again);
    assert!(said(&output).contains("can't listen on"), "{}", said(&output));
}

/// As a name of a directory it would be made, with the password in it.
#[test]
fn an_address_is_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    for address in [
        "adb://admin:hunter2@h",
        "http://admin:hunter2@h",
        "https://admin:hunter2@h/api",
        "config:hunter2",
    ] {
        for arguments in
            [&["serve", "--no-auth"][..], &["serve", "--init"], &["serve", "user", "ls"]]
        {
            let output = adb(dir.path()).args(arguments).env("ADB_DB", address).output().unwrap();
            let said = said(&output);
            assert_eq!(output.status.code(), Some(2), "{arguments:?} {address}: {said}");
            assert!(said.contains("--upstream") && !said.contains("hunter2"), "{said}");
        }
        let output = run(dir.path(), &["serve", "--no-auth", "--db", address]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

fn localhost(address: &str) -> String {
    address.replace("127.0.0.1", "localhost")
}

#[test]
fn a_directory_has_one_server_and_others_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = Served::start(dir.path(), &["--no-auth"]);
    let holder = format!("process {} (adb serve) holds", server.child.id());
    let ends = |arguments: &[&str], code: i32| {
        let output = run(dir.path(), &[arguments, &["--db", "my.adb"]].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    for arguments in [
        &["serve", "--no-auth", "--listen", "127.0.0.1:0"][..],
        &["serve", "--init", "--listen", "127.0.0.1:0"],
        &["ingest", "from-csv", "dishes.csv"],
        &["transact", "from-json-file", "add.json"],
    ] {
        fs::write(dir.path().join("dishes.csv"), "EntityClass,name\nDish,dal\n").unwrap();
        fs::write(dir.path().join("add.json"), r#"[{"AddEntity": {"class": "A"}}]"#).unwrap();
        let told = ends(arguments, 1);
        let way_in = format!("`adb://user:password@{}?tls=off`", localhost(&server.address));
        assert!(told.contains(&holder) && told.contains(&way_in), "{arguments:?}: {told}");
    }
    assert!(!dir.path().join("my.adb.server").exists(), "who does not serve makes no accounts");
    fs::write(dir.path().join("find.json"), r#"[{"GetStatus": {}}]"#).unwrap();
    ends(&["transact", "from-json-file", "find.json"], 0);
    ends(&["schema"], 0);
    assert!(ends(&["doctor"], 0).contains(&format!("{holder} it")));

    // The next server finds the lock free; it says where it listens.
    let address = server.address.clone();
    let (status, log) = server.stop("TERM");
    assert!(status.success(), "{log}");
    let mut command = adb(dir.path());
    let mut next = command.args(["serve", "--db", "my.adb", "--no-auth", "--listen", &address]);
    next = next.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut next = next.spawn().unwrap();
    let mut ready = [0; 9];
    next.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let told = ends(&["transact", "from-json-file", "add.json"], 1);
    next.kill().unwrap();
    next.wait().unwrap();
    assert!(told.contains(&format!("(adb serve --listen {address}) holds")), "{told}");
}

#[test]
fn a_server_that_does_not_start_leaves_nothing_behind() {
    let (busy, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Served::start(busy.path(), &["--no-auth"]);
    fs::write(dir.path().join("none.pem"), "").unwrap();
    let none = ["--tls-cert", "none.pem", "--tls-key", "none.pem"];
    for (arguments, told) in [
        (&["--listen", &first.address][..], "can't listen on"),
        (&["--listen", "127.0.0.1:0", "--rest", &first.address], "can't listen on"),
        (&["--listen", "0.0.0.0:0"], "TLS, for all connections"),
        (&[&["--listen", "127.0.0.1:0"], &none[..]].concat(), "no certificate"),
        (&["--tls-self-signed", "--tls-name", "zoë"], "no certificate can be made"),
        (&["--record", "none.pem"], "none.pem"),
        (&["--record", "gone/day.adbtrace"], "there is no directory gone"),
    ] {
        let output = run(dir.path(), &[&["serve", "--db", "b", "--init"], arguments].concat());
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(told) && !said.contains("password of"), "{arguments:?}: {said}");
    }
    let mut command = adb(dir.path());
    command.env("ADB_ADMIN_PASSWORD", "short");
    let arguments = ["serve", "--db", "b", "--init", "--listen", "127.0.0.1:0"];
    let said = said(&command.args(arguments).output().unwrap());
    assert!(said.contains("ADB_ADMIN_PASSWORD: a password has ten"), "{said}");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["none.pem"]);
}

#[test]
fn logs_are_lines_of_json_if_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = adb(dir.path());
    command.env("ADB_LOG", "adb=debug").env("ADB_LOG_FORMAT", "json");
    let server = Served::start_by(command, &["--no-auth"]);
    let (status, log) = server.stop("TERM");
    assert!(status.success(), "{log}");
    let lines: Vec<Json> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "stopped"), "{log}");
    let mut command = adb(dir.path());
    command.env("ADB_LOG", "=====");
    let output = command.args(["serve", "--db", "my.adb", "--no-auth"]).output().unwrap();
    assert!(said(&output).contains("ADB_LOG====="), "{}", said(&output));
}
