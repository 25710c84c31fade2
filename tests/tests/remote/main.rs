//! The same code against a server: rows go through the pipeline, over the wire, into an engine that
//! stands behind it, and are found again; also while the server comes and goes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking, and tell their parent by printing"
)]

mod kills;
mod pipeline;
mod process;

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
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
use adb_served::Running;
use serde::Deserialize;
use serde_json::{Value as Json, json};

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

/// A server in front of an engine in the directory; again in the same place, if there was one, and
/// then without REST.
async fn start(dir: &Path, before: Option<SocketAddr>) -> Running {
    let engine = adb::connect(dir.join("db").to_str().unwrap()).unwrap();
    let mut options = adb_served::options(&dir.join("server"));
    options.rest = options.rest.filter(|_| before.is_none());
    options.listen = before.unwrap_or_else(place);
    // Requests that are at work when it stops are cut off.
    options.limits.drain = Duration::ZERO;
    Running::start(engine, options).await
}

/// A free port below those that the system gives to outgoing connections: one of these could be taken
/// while the server is away.
fn place() -> SocketAddr {
    let random = || RandomState::new().hash_one(0) % 20_000;
    let places = std::iter::repeat_with(|| ([127, 0, 0, 1], 10_000 + random() as u16).into());
    let free = |place: &SocketAddr| std::net::TcpListener::bind(place).is_ok();
    places.take(100).find(free).unwrap()
}

fn write_rows(dir: &Path, rows: std::ops::Range<u64>) {
    let row = |id: u64| {
        json!({"dish_id": id, "name": format!("dish {id}"),
               "ingredients": [{"name": "salt"}, {"name": format!("thing {}", id % 5)}]})
    };
    let rows: Vec<Json> = rows.map(row).collect();
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
    write_rows(dir.path(), 0..300);
    for rest in [false, true] {
        let data = tempfile::tempdir().unwrap();
        let server = start(data.path(), None).await;
        let address = if rest { server.rest_url() } else { server.url() };
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_and_goes_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write_rows(dir.path(), 0..3000);
    let mut server = start(dir.path(), None).await;
    let (place, url) = (server.address, server.url());
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
        server = start(dir.path(), Some(place)).await;
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
