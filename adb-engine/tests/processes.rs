//! Several processes over one directory: who may write, who sees what, and what a kill leaves.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, and tell their parent by printing"
)]

mod common;

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use adb_engine::{Engine, ErrorKind};
use adb_model::{Database, Fate, Request};
use common::{Db, count, png, send, vector};
use serde_json::{Value as Json, json};

const ROLE: &str = "ADB_ENGINE_TEST_ROLE";
const DIRECTORY: &str = "ADB_ENGINE_TEST_DIRECTORY";

/// Not a test by itself: what the other processes run. Lines of theirs begin with `>`.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn child() {
    let directory = std::env::var(DIRECTORY).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let role = std::env::var(ROLE).unwrap();
    let options = Engine::options().index_from(64).save_indexes_after(64);
    let engine = Arc::new(options.read_only(role == "look").open(directory).unwrap());
    match role.as_str() {
        "feed" => runtime.block_on(feed(&engine)),
        "look" => runtime.block_on(look(&engine)),
        "hold" => {
            runtime.block_on(add_letter(&*engine, 1));
            println!("> ready");
            // Until the parent closes its end, or kills this process.
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "serve" => {
            runtime.block_on(engine.hold("a server\nof letters")).unwrap();
            println!("> ready");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "write" => runtime.block_on(write_for_ever(&engine)),
        "churn" => runtime.block_on(churn(&*engine)),
        other => panic!("no role {other}"),
    }
}

fn spawn(role: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(ROLE, role)
        .env(DIRECTORY, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // A kill may cut a line short: only whole ones, which end in a dot, count.
    lines.map_while(Result::ok).filter_map(|l| l.strip_prefix("> ").map(str::to_owned))
}

async fn add_letter(db: &dyn Database, n: i64) {
    let add = json!([
        {"AddDescriptorSet": {"name": "letters", "dimensions": 2}},
        {"AddDescriptor": {"set": "letters", "properties": {"n": n}}},
    ]);
    send(db, add, vec![vector(&[n as f32, 0.0])]).await.done().unwrap();
}

async fn nearest_letter(db: &dyn Database) -> Json {
    let find = json!([{"FindDescriptor": {"set": "letters", "k_neighbors": 1, "results": {"list": ["n"]}}}]);
    let (answers, _) = send(db, find, vec![vector(&[0.0, 0.0])]).await.done().unwrap();
    answers[0]["FindDescriptor"]["entities"][0]["n"].clone()
}

#[tokio::test]
async fn one_process_writes_and_others_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = spawn("hold", dir.path());
    let mut lines = lines(&mut child);
    assert_eq!(lines.next().as_deref(), Some("ready"));

    let engine = Engine::open(dir.path()).unwrap();
    assert_eq!(nearest_letter(&engine).await, 1);
    let add = || Request::json(&json!([{"AddEntity": {"class": "C"}}]));
    let error = engine.execute(add()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("process {} is writing", child.id())), "{text}");
    assert!(text.contains("wait until it ends"), "{text}");
    assert_eq!((error.fate(), error.is_transient()), (Fate::NotApplied, false));

    // A killed process leaves nothing that would have to be cleaned up.
    child.kill().unwrap();
    child.wait().unwrap();
    engine.execute(add()).await.unwrap().done().unwrap();
    assert_eq!(count(&engine, "C").await, 1);
}

#[tokio::test]
async fn a_process_holds_a_database_before_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let before = Engine::open(dir.path()).unwrap();
    drop(before);
    let mut child = spawn("serve", dir.path());
    let mut lines = lines(&mut child);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    let holder = Engine::writer(dir.path()).unwrap().unwrap();
    assert_eq!(holder.to_string(), format!("process {} (a server of letters)", child.id()));

    let engine = Engine::open(dir.path()).unwrap();
    let add = || Request::json(&json!([{"AddEntity": {"class": "C"}}]));
    for error in
        [engine.hold("another").await.unwrap_err(), engine.execute(add()).await.unwrap_err()]
    {
        let text = error.to_string();
        assert!(text.contains(&format!("{holder} holds this database")), "{text}");
        assert!(text.contains("write through it"), "{text}");
    }
    let reader = Engine::options().read_only(true).open(dir.path()).unwrap();
    assert!(reader.hold("a reader").await.unwrap_err().to_string().contains("read-only"));

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    engine.hold("another").await.unwrap();
    engine.execute(add()).await.unwrap().done().unwrap();
    let holder = Engine::writer(dir.path()).unwrap().unwrap();
    assert_eq!(holder.name.as_deref(), Some("another"));
}

#[tokio::test]
async fn another_process_finds_fresh_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    add_letter(&engine, 5).await;
    drop(engine);
    let reader = Engine::options().read_only(true).open(dir.path()).unwrap();
    assert_eq!(nearest_letter(&reader).await, 5);
    let mut child = spawn("hold", dir.path());
    let mut lines = lines(&mut child);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    assert_eq!(nearest_letter(&reader).await, 1, "written after the first search");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn on_the_line(n: i64) -> [f32; 2] {
    [n as f32, (n % 5) as f32]
}

/// Adds vectors to a set with a graph, and deletes every tenth; says how far it is.
async fn feed(engine: &Engine) {
    let set = json!([{"AddDescriptorSet": {"name": "line", "dimensions": 2, "engine": "HNSW"}}]);
    send(engine, set, vec![]).await.done().unwrap();
    for first in (0..).step_by(20) {
        let add: Vec<Json> = (first..first + 20)
            .map(|n| json!({"AddDescriptor": {"set": "line", "properties": {"n": n}}}))
            .collect();
        let blobs = (first..first + 20).map(|n| vector(&on_the_line(n))).collect();
        send(engine, json!(add), blobs).await.done().unwrap();
        let delete =
            json!([{"DeleteDescriptor": {"set": "line", "constraints": {"n": ["==", first]}}}]);
        send(engine, delete, vec![]).await.done().unwrap();
        println!("> {}.", first + 20);
    }
}

/// Finds what was fed.
async fn look_once(engine: &Engine, fed: i64, turn: i64) {
    let n = (fed - 1 - turn * 37 % fed).max(1);
    let find = json!([{"FindDescriptor": {"set": "line", "k_neighbors": 1, "distances": true, "results": {"list": ["n"]}}}]);
    let query = vec![vector(&on_the_line(n))];
    let (answers, _) = send(engine, find, query).await.done().unwrap();
    let found = &answers[0]["FindDescriptor"]["entities"][0];
    if n % 20 == 0 {
        assert_ne!(found["n"], n, "it is deleted");
    } else {
        assert_eq!((&found["n"], &found["_distance"]), (&json!(n), &json!(0.0)));
    }
}

/// Is told how far the feeding is, looks, and says so.
async fn look(engine: &Engine) {
    for line in std::io::stdin().lines() {
        let fed = line.unwrap().parse().unwrap();
        for turn in 0..20 {
            look_once(engine, fed, turn).await;
        }
        println!("> {fed}.");
    }
}

#[tokio::test]
async fn two_processes_search_by_graphs_while_a_third_feeds_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut feeding = spawn("feed", dir.path());
    let mut fed = lines(&mut feeding);
    assert_eq!(fed.next().as_deref(), Some("20."));
    let mut looking = spawn("look", dir.path());
    let mut tell = looking.stdin.take().unwrap();
    let mut looked = lines(&mut looking);
    let options = Engine::options().index_from(64).save_indexes_after(64);
    let engine = options.read_only(true).open(dir.path()).unwrap();
    for round in 0..40 {
        let Some(line) = fed.next() else { panic!("the feeding ended") };
        let count: i64 = line.trim_end_matches('.').parse().unwrap();
        writeln!(tell, "{count}").unwrap();
        for turn in 0..20 {
            look_once(&engine, count, turn).await;
        }
        assert_eq!(looked.next(), Some(line), "round {round}");
    }
    // Another begins with the file that there is by now.
    assert!(dir.path().join("adb.vectors").exists());
    drop(tell);
    assert!(looking.wait().unwrap().success());
    feeding.kill().unwrap();
    feeding.wait().unwrap();
}

/// Vectors come and go, often enough for a new epoch; the set itself now and then.
async fn churn(db: &dyn Database) {
    for round in 0..120_i64 {
        let mut commands = vec![json!({"AddDescriptorSet": {"name": "s", "dimensions": 1}})];
        let mut blobs = Vec::new();
        for n in round * 100..(round + 1) * 100 {
            commands.push(json!({"AddDescriptor": {"set": "s", "properties": {"n": n}}}));
            blobs.push(vector(&[n as f32]));
        }
        let old = json!({"n": ["<", (round - 1) * 100 + round % 90]});
        commands.push(json!({"DeleteDescriptor": {"set": "s", "constraints": old}}));
        if round % 50 == 49 {
            commands.push(json!({"DeleteDescriptorSet": {"with_name": "s"}}));
            commands.push(json!({"AddDescriptorSet": {"name": "s", "dimensions": 1}}));
        }
        send(db, json!(commands), blobs).await.done().unwrap();
        if round == 0 {
            println!("> ready");
        }
    }
}

#[tokio::test]
async fn searches_agree_with_the_rows_while_another_process_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = spawn("churn", dir.path());
    let mut lines = lines(&mut child);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    let reader = Engine::options().read_only(true).open(dir.path()).unwrap();
    let find = json!([
        {"FindDescriptor": {"set": "s", "k_neighbors": 100_000, "results": {"list": ["n"]}}},
        {"FindDescriptor": {"set": "s", "sort": "n", "results": {"list": ["n"]}}},
    ]);
    let mut running = true;
    let mut searches = 0;
    while running {
        // Once more when it has ended.
        running = child.try_wait().unwrap().is_none();
        let (answers, _) = send(&reader, find.clone(), vec![vector(&[0.0])]).await.done().unwrap();
        assert_eq!(answers[0], answers[1], "two views of one snapshot");
        searches += 1;
    }
    assert!(child.wait().unwrap().success());
    assert!(searches > 1);
}

/// Requests of four commands each, four at a time; a line for each that was answered.
async fn write_for_ever(engine: &Arc<Engine>) {
    send(&**engine, json!([{"AddDescriptorSet": {"name": "s", "dimensions": 1}}]), vec![])
        .await
        .done()
        .unwrap();
    let start = count(&**engine, "Row").await as i64;
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for i in 0.. {
                    // No two rounds share a number: what an earlier one left is below.
                    let n = start * 1000 + i * 4 + task;
                    let request = json!([
                        {"AddEntity": {"class": "Row", "_ref": 1, "properties": {"n": n}}},
                        {"AddImage": {"_ref": 2, "properties": {"n": n}}},
                        {"AddConnection": {"class": "has", "src": 1, "dst": 2, "properties": {"n": n}}},
                        {"AddDescriptor": {"set": "s", "properties": {"n": n}, "connect": {"ref": 2}}},
                    ]);
                    let blobs = vec![png(1), vector(&[n as f32])];
                    send(&*engine, request, blobs).await.done().unwrap();
                    println!("> {n}.");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_kill_loses_no_acknowledged_request_and_leaves_none_half_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: HashSet<i64> = HashSet::new();
    for round in 0..12 {
        let random = RandomState::new().hash_one(round);
        let mut child = spawn("write", dir.path());
        let mut lines = lines(&mut child);
        let mut take = |line: String| {
            if let Some(n) = line.strip_suffix('.') {
                acknowledged.insert(n.parse().unwrap());
            }
        };
        for line in lines.by_ref().take(1 + (random % 40) as usize) {
            take(line);
        }
        std::thread::sleep(Duration::from_micros(random >> 8 & 0x1fff));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(take);

        let engine = Engine::open(dir.path()).unwrap();
        let db = Db { engine, dir: tempfile::tempdir().unwrap() };
        let answers = db
            .ask(json!([
                {"FindEntity": {"with_class": "Row", "results": {"list": ["n"]}}},
                {"FindImage": {"results": {"list": ["n"]}}},
                {"FindDescriptor": {"results": {"list": ["n"]}}},
                {"FindConnection": {"with_class": "has", "results": {"list": ["n"]}}},
                {"FindConnection": {"with_class": "_DescriptorConnection", "results": {"count": true}}},
            ]))
            .await;
        let numbers = |i: usize, command: &str, key: &str| -> HashSet<i64> {
            let found = answers[i][command][key].as_array().unwrap();
            let numbers: HashSet<i64> = found.iter().map(|o| o["n"].as_i64().unwrap()).collect();
            assert_eq!(numbers.len(), found.len(), "none is there twice");
            numbers
        };
        let rows = numbers(0, "FindEntity", "entities");
        assert_eq!(numbers(1, "FindImage", "entities"), rows);
        assert_eq!(numbers(2, "FindDescriptor", "entities"), rows);
        assert_eq!(numbers(3, "FindConnection", "connections"), rows);
        assert_eq!(answers[4]["FindConnection"]["count"], rows.len());
        let lost: Vec<_> = acknowledged.difference(&rows).collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        let (found, blobs) = db
            .ask_with(
                json!([
                    {"FindDescriptor": {"set": "s", "k_neighbors": 1_000_000, "uniqueids": true}},
                    {"FindImage": {"blobs": true}},
                ]),
                vec![vector(&[0.0])],
            )
            .await;
        assert_eq!(found[0]["FindDescriptor"]["returned"], rows.len());
        assert!(blobs.iter().all(|b| *b == png(1)));
        assert!(rows.len() >= acknowledged.len());
    }
    assert!(acknowledged.len() >= 12);
}

#[tokio::test]
async fn one_process_may_open_a_directory_twice() {
    let db = Db::new();
    let second = Engine::open(db.path().join(".")).unwrap();
    let reader = Engine::options().read_only(true).open(db.path()).unwrap();
    add_letter(&db.engine, 3).await;
    add_letter(&second, 2).await;
    assert_eq!(nearest_letter(&reader).await, 2);
    let error = reader.execute(Request::json(&json!([{"AddEntity": {"class": "C"}}]))).await;
    assert!(error.unwrap_err().to_string().contains("read-only"));
    let Db { engine, dir } = db;
    drop(engine);
    add_letter(&second, 1).await;
    drop((second, reader));
    // All handles are gone, and with them the lock: another process may write.
    let mut child = spawn("hold", dir.path());
    let mut lines = lines(&mut child);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn opening_while_another_thread_closes() {
    let dir = tempfile::tempdir().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|t| {
            let path = dir.path().to_owned();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for i in 0..10 {
                    let engine = Engine::open(&path).unwrap();
                    runtime.block_on(add_letter(&engine, t * 10 + i));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    assert_eq!(runtime.block_on(count(&engine, "_Descriptor")), 40);
}

#[test]
fn directories_that_are_no_database_of_ours() {
    let file = "adb.sqlite";
    let open = |dir: &tempfile::TempDir| Engine::open(dir.path()).unwrap_err();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("photo.png"), "mine").unwrap();
    assert!(matches!(open(&dir).kind(), ErrorKind::NotOurs));

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(file), "not a database at all, but long enough".repeat(99))
        .unwrap();
    assert!(matches!(open(&dir).kind(), ErrorKind::Foreign { .. }));

    let dir = tempfile::tempdir().unwrap();
    let foreign = rusqlite::Connection::open(dir.path().join(file)).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(foreign);
    assert!(matches!(open(&dir).kind(), ErrorKind::Foreign { .. }));

    let dir = tempfile::tempdir().unwrap();
    drop(Engine::open(dir.path()).unwrap());
    let newer = rusqlite::Connection::open(dir.path().join(file)).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    drop(newer);
    let text = open(&dir).to_string();
    assert!(text.contains("format 7") && text.contains("up to 3"), "{text}");
}

#[tokio::test]
async fn closing_leaves_no_log() {
    let db = Db::new();
    add_letter(&db.engine, 1).await;
    nearest_letter(&db.engine).await;
    assert!(db.path().join("adb.sqlite-wal").exists());
    let Db { engine, dir } = db;
    drop(engine);
    assert!(!dir.path().join("adb.sqlite-wal").exists());
}

#[test]
fn the_file_is_as_the_format_says() {
    let dir = tempfile::tempdir().unwrap();
    drop(Engine::open(dir.path()).unwrap());
    let conn = rusqlite::Connection::open(dir.path().join("adb.sqlite")).unwrap();
    let pragma = |name: &str| conn.pragma_query_value(None, name, |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("application_id"), 0x6164_6245);
    assert_eq!(pragma("user_version"), 3);
    assert_eq!(pragma("page_size"), 8192);
    let mode: String = conn.pragma_query_value(None, "journal_mode", |r| r.get(0)).unwrap();
    assert_eq!(mode, "wal");
}
