//! Readers beside the writer, groups of requests, futures that are dropped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use adb_engine::Engine;
use adb_model::Response;
use common::{Db, count, send, vector};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_transactions() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Arc::new(Engine::open(dir.path()).unwrap());
    send(&*engine, json!([{"AddDescriptorSet": {"name": "s", "dimensions": 1}}]), vec![])
        .await
        .done()
        .unwrap();
    let writing = Arc::new(AtomicBool::new(true));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (engine, writing) = (engine.clone(), writing.clone());
            tokio::spawn(async move {
                let mut last = 0;
                while writing.load(Ordering::Acquire) {
                    let find = json!([
                        {"FindEntity": {"with_class": "Left", "results": {"count": true}}},
                        {"FindDescriptor": {"set": "s", "k_neighbors": 100_000, "results": {"count": true}}},
                        {"FindDescriptorSet": {"with_name": "s", "counts": true}},
                        {"FindEntity": {"with_class": "Right", "results": {"count": true}}},
                    ]);
                    let (answers, _) = send(&*engine, find, vec![vector(&[0.0])]).await.done().unwrap();
                    let n = answers[0]["FindEntity"]["count"].as_u64().unwrap();
                    assert_eq!(answers[1]["FindDescriptor"]["count"], n);
                    assert_eq!(answers[2]["FindDescriptorSet"]["entities"][0]["_count"], n);
                    assert_eq!(answers[3]["FindEntity"]["count"], n);
                    assert!(n >= last, "time does not run backwards");
                    last = n;
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..4)
        .map(|w| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for i in 0..50 {
                    let add = json!([
                        {"AddEntity": {"class": "Left", "properties": {"i": i}}},
                        {"AddDescriptor": {"set": "s", "properties": {"w": w}}},
                        {"AddEntity": {"class": "Right"}},
                    ]);
                    send(&*engine, add, vec![vector(&[i as f32])]).await.done().unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    writing.store(false, Ordering::Release);
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(count(&*engine, "Left").await, 200);
}

/// Holds SQLite's own write lock, so that the writer waits where it begins a group.
fn hold_up_the_writer(directory: &Path) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(directory.join("adb.sqlite")).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

/// Lets every task that is ready send its request.
async fn until_sent() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn readers_do_not_wait_for_the_writer() {
    let db = Db::new();
    db.ask(json!([{"AddEntity": {"class": "C"}}])).await;
    let Db { engine, dir } = db;
    let engine = Arc::new(engine);
    let held = hold_up_the_writer(dir.path());
    let writer = engine.clone();
    let write = tokio::spawn(async move {
        send(&*writer, json!([{"AddEntity": {"class": "C"}}]), vec![]).await
    });
    until_sent().await;
    assert_eq!(count(&*engine, "C").await, 1);
    assert!(!write.is_finished());
    held.execute_batch("ROLLBACK").unwrap();
    write.await.unwrap().done().unwrap();
    assert_eq!(count(&*engine, "C").await, 2);
}

/// Commits in the write-ahead log: frames that say how large the database is after them.
fn commits(directory: &Path) -> usize {
    let log = std::fs::read(directory.join("adb.sqlite-wal")).unwrap();
    log[32..].chunks(24 + 16384).filter(|frame| frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn requests_that_wait_together_are_committed_together() {
    let db = Db::new();
    db.ask(json!([{"AddEntity": {"class": "C", "properties": {"n": -1}}}])).await;
    let Db { engine, dir } = db;
    let engine = Arc::new(engine);
    let before = commits(dir.path());
    let held = hold_up_the_writer(dir.path());
    let writes: Vec<_> = (0..20)
        .map(|n| {
            let engine = engine.clone();
            tokio::spawn(async move {
                // One of them is at fault, in its second command and after a new class.
                let second = if n == 7 { json!("seven") } else { json!(n) };
                let class = format!("C{}", n % 8);
                let add = json!([
                    {"AddEntity": {"class": class, "properties": {"n": n}}},
                    {"AddEntity": {"class": "C", "properties": {"n": second}}},
                ]);
                send(&*engine, add, vec![]).await
            })
        })
        .collect();
    until_sent().await;
    held.execute_batch("ROLLBACK").unwrap();
    for (n, write) in writes.into_iter().enumerate() {
        match write.await.unwrap() {
            Response::Done { .. } => assert_ne!(n, 7),
            Response::Refused(refusal) => {
                assert_eq!((n, refusal.command), (7, Some(1)), "{}", refusal.info);
            }
        }
    }
    // The writer may have begun with the first alone.
    let commits = commits(dir.path()) - before;
    assert!((1..=2).contains(&commits), "{commits} commits");
    assert_eq!(count(&*engine, "C").await, 20);
    assert_eq!(count(&*engine, "C7").await, 1, "of number 15; nothing of number 7 has stayed");
}

#[tokio::test]
async fn a_dropped_future_undoes_nothing_and_closing_finishes_what_was_sent() {
    let db = Db::new();
    db.ask(json!([{"AddEntity": {"class": "C"}}])).await;
    let Db { engine, dir } = db;
    let engine = Arc::new(engine);
    let held = hold_up_the_writer(dir.path());
    for _ in 0..5 {
        let engine = engine.clone();
        let write = tokio::spawn(async move {
            send(&*engine, json!([{"AddEntity": {"class": "C"}}]), vec![]).await
        });
        until_sent().await;
        write.abort();
        assert!(write.await.unwrap_err().is_cancelled());
    }
    let release = std::thread::spawn(move || held.execute_batch("ROLLBACK").unwrap());
    // Not a single handle is left, and still the queue is worked off.
    drop(engine);
    release.join().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    assert_eq!(count(&engine, "C").await, 6);
}
