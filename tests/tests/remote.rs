//! The same code against a server: rows go through the pipeline, over the wire, into an engine that
//! stands behind it, and are found again; also while the server comes and goes.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use adb::{
    loaders::{Ingest, JsonSource, Report},
    prelude::*,
};
use adb_server::{Access, Accounts, Lifetimes, Options, Server};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::{sync::oneshot, task::JoinHandle};

const PASSWORD: &str = "admin-admin-1";

#[derive(Debug, DataModel, Deserialize)]
struct Dish {
    #[adb(id)]
    dish_id: u64,
    name: String,
    #[adb(connect = "HasIngredient")]
    ingredients: Vec<Ingredient>,
}

#[derive(Debug, DataModel, Deserialize)]
struct Ingredient {
    #[adb(id)]
    name: String,
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<bool>,
}

impl Running {
    /// A server in front of an engine in the directory, on that port or any.
    async fn start(dir: &Path, listen: Option<SocketAddr>) -> Self {
        let engine = adb::connect(dir.join("db").to_str().unwrap()).unwrap();
        let state = dir.join("server");
        let accounts = Accounts::open(&state, Lifetimes::default())
            .or_else(|_| Accounts::create_with(&state, &PASSWORD.into(), Lifetimes::default()))
            .unwrap();
        let mut options = Options::new(0, Access::Accounts(Arc::new(accounts)));
        options.listen = listen.unwrap_or(options.listen);
        // Requests that are at work when it stops are cut off.
        options.limits.drain = Duration::ZERO;
        let server = Server::bind(engine, options).await.unwrap();
        let address = server.address().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address, stop, task }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }
}

fn address(server: SocketAddr) -> String {
    format!("adb://admin:{PASSWORD}@{server}?tls=off")
}

fn write_rows(dir: &Path, count: u64) {
    let row = |id: u64| {
        json!({"dish_id": id, "name": format!("dish {id}"),
               "ingredients": [{"name": "salt"}, {"name": format!("thing {}", id % 5)}]})
    };
    let rows: Vec<Json> = (0..count).map(row).collect();
    fs::write(dir.join("dishes.json"), Json::from(rows).to_string()).unwrap();
}

async fn ingest(dir: &Path, address: &str) -> Report {
    let source = JsonSource::<Dish>::open(dir.join("dishes.json")).unwrap();
    let report = Ingest::new(adb::connect(address).unwrap()).run(source).await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

async fn count(db: &dyn Database, command: &str, class: &str) -> u64 {
    let body = json!({"with_class": class, "results": {"count": true}});
    let (answers, _) = adb::ask(db, adb::Request::json(&json!([{ command: body }]))).await.unwrap();
    answers[0][command]["count"].as_u64().unwrap()
}

async fn assert_whole(db: &dyn Database, rows: u64) {
    assert_eq!(count(db, "FindEntity", "Dish").await, rows);
    assert_eq!(count(db, "FindEntity", "Ingredient").await, 6);
    assert_eq!(count(db, "FindConnection", "HasIngredient").await, 2 * rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_code_over_the_wire() {
    let dir = tempfile::tempdir().unwrap();
    write_rows(dir.path(), 300);
    let server = Running::start(dir.path(), None).await;
    let address = address(server.address);
    let first = ingest(dir.path(), &address).await;
    assert_eq!((first.added, first.failed), (300, 0), "{first}");
    let second = ingest(dir.path(), &address).await;
    assert_eq!((second.added, second.existed), (0, 300), "{second}");

    let db = adb::connect(&address).unwrap();
    assert_whole(&*db, 300).await;
    let found = Dish::find().filter(|d| d.name.eq("dish 42")).fetch(&*db).await.unwrap();
    assert_eq!((found.len(), found[0].dish_id, found[0].ingredients.len()), (1, 42, 2));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_and_goes_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write_rows(dir.path(), 3000);
    let mut server = Running::start(dir.path(), None).await;
    let (place, url) = (server.address, address(server.address));
    let ended = Arc::new(AtomicBool::new(false));
    let loading = tokio::spawn({
        let (dir, url, ended) = (dir.path().to_owned(), url.clone(), Arc::clone(&ended));
        async move {
            let report = ingest(&dir, &url).await;
            ended.store(true, Ordering::SeqCst);
            report
        }
    });
    let mut restarts = 0;
    while !ended.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(70)).await;
        server.stop().await;
        server = Running::start(dir.path(), Some(place)).await;
        restarts += 1;
    }
    let report = loading.await.unwrap();
    assert_eq!((report.added + report.existed, report.failed), (3000, 0), "{report}");
    eprintln!("{restarts} restarts");
    let db = adb::connect(&url).unwrap();
    assert_whole(&*db, 3000).await;
    server.stop().await;
}

#[test]
fn addresses_that_lead_nowhere_say_so() {
    for (address, told) in [
        ("adb://db.example.com", "adb://USER:PASSWORD@HOST"),
        ("https://db.example.com/api", "lacks a user"),
        ("ftp://db.example.com", "`ftp://` is not known"),
        ("config:no-such-configuration", "no-such-configuration"),
    ] {
        let error = adb::connect(address).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(told), "{address}: {error}");
    }
}
