//! Blobs in packs, checksums, and what is said of damaged ones.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use adb_engine::{Engine, Options};
use bytes::Bytes;
use common::{Db, send, vector};
use serde_json::{Value as Json, json};

/// Requests from 50 kB on go to packs of about 400 kB.
fn options() -> Options {
    Engine::options().pack_sizes(50_000, 400_000)
}

fn database() -> Db {
    let dir = tempfile::tempdir().unwrap();
    Db { engine: options().open(dir.path()).unwrap(), dir }
}

/// Bytes that are found again in a file.
fn blob(n: i64) -> Bytes {
    let mut noise = n as u64 + 1;
    let byte = |_| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (noise >> 56) as u8
    };
    (0..20_000).map(byte).collect::<Vec<u8>>().into()
}

/// Blobs with their numbers, in one request.
async fn add(engine: &Engine, numbers: std::ops::Range<i64>) {
    let commands: Vec<Json> =
        numbers.clone().map(|n| json!({"AddBlob": {"properties": {"n": n}}})).collect();
    send(engine, json!(commands), numbers.map(blob).collect()).await.done().unwrap();
}

/// What a search for these finds: their numbers, if each has its bytes.
async fn find(engine: &Engine, constraints: Json) -> Result<Vec<i64>, String> {
    let find = json!([{"FindBlob": {"constraints": constraints, "blobs": true, "results": {"list": ["n"]}}}]);
    let request = adb_model::Request::json(&find);
    let answer = adb_model::Database::execute(engine, request).await.map_err(|e| e.to_string())?;
    let (answers, blobs) = answer.done().unwrap();
    let found = answers[0]["FindBlob"]["entities"].as_array().cloned().unwrap_or_default();
    let numbers: Vec<i64> = found.iter().map(|o| o["n"].as_i64().unwrap()).collect();
    assert!(numbers.iter().zip(&blobs).all(|(n, bytes)| blob(*n) == bytes));
    Ok(numbers)
}

fn packs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut packs: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "pack")).collect();
    packs.sort();
    packs
}

/// Turns a bit of what a file has of these bytes.
fn flip(file: &Path, of: &[u8]) {
    let bytes = fs::read(file).unwrap();
    let at = bytes.windows(64).position(|window| window == &of[of.len() - 64..]).unwrap();
    let file = OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(&[bytes[at + 7] ^ 1], at as u64 + 7).unwrap();
}

#[tokio::test]
async fn large_requests_go_to_packs_and_small_ones_do_not() {
    let db = database();
    add(&db.engine, 0..1).await;
    assert_eq!(packs(db.path()).len(), 0);
    add(&db.engine, 1..11).await;
    assert_eq!(packs(db.path()).len(), 1);
    // What a request that is refused wrote is written over, or left.
    let refused = json!([
        {"AddBlob": {"properties": {"n": 98}}}, {"AddBlob": {"properties": {"n": 99}}},
        {"AddBlob": {"properties": {"n": 100}}}, {"AddConnection": {"class": "C", "src": 1, "dst": 2}},
    ]);
    db.refused(refused, (98..101).map(blob).collect()).await;
    add(&db.engine, 11..31).await;
    // One that reads what it has just written, and deletes some of it.
    let commands = json!([
        {"AddBlob": {"_ref": 1, "properties": {"n": 31}}}, {"AddBlob": {"properties": {"n": 32}}},
        {"AddBlob": {"properties": {"n": 33}}}, {"FindBlob": {"constraints": {"n": [">", 30]}, "blobs": true}},
        {"DeleteBlob": {"constraints": {"n": ["==", 32]}}},
    ]);
    let (_, found) = db.ask_with(commands, (31..34).map(blob).collect()).await;
    assert_eq!(found, [blob(31), blob(32), blob(33)]);
    add(&db.engine, 34..40).await;
    let expected: Vec<i64> = (0..32).chain(33..40).collect();
    assert_eq!(find(&db.engine, json!({})).await.unwrap(), expected);
    assert!(packs(db.path()).len() > 1, "a full pack is followed by another");
    let Db { engine, dir } = db;
    drop(engine);
    let engine = options().open(dir.path()).unwrap();
    let before = packs(dir.path()).len();
    add(&engine, 40..43).await;
    assert_eq!(packs(dir.path()).len(), before, "the last pack is gone on with");
    let reader = Engine::options().read_only(true).open(dir.path()).unwrap();
    assert_eq!(find(&reader, json!({})).await.unwrap().len(), 42);
    assert!(reader.reclaim().await.unwrap_err().to_string().contains("read-only"));
    let report = Engine::verify(dir.path()).unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.blobs, report.bytes), (42, 42 * 20_000));
}

#[tokio::test]
async fn one_bit_is_noticed_and_named() {
    let db = database();
    add(&db.engine, 0..1).await;
    add(&db.engine, 1..6).await;
    let set = json!([{"AddDescriptorSet": {"name": "s", "dimensions": 64}}, {"AddDescriptor": {"set": "s"}}, {"AddDescriptor": {"set": "s"}}]);
    let look = |n: u32| vector(&(0..64).map(|i| (i * n) as f32).collect::<Vec<_>>());
    db.ask_with(set, vec![look(1), look(2)]).await;
    let Db { engine, dir } = db;
    drop(engine);
    let file = dir.path().join("adb.sqlite");
    flip(&file, &blob(0));
    flip(&file, &look(2));
    flip(&packs(dir.path())[0], &blob(3));

    let engine = options().open(dir.path()).unwrap();
    for n in [0, 3] {
        let text = find(&engine, json!({"n": ["==", n]})).await.unwrap_err();
        assert!(text.contains("has other bytes than were stored"), "{text}");
        let id = format!("the object 2.0.{}", n + 1);
        assert!(text.contains(&id) && text.contains("restore a copy"), "{id}: {text}");
    }
    let others = find(&engine, json!({"n": ["in", [1, 2, 4, 5]]})).await.unwrap();
    assert_eq!(others, [1, 2, 4, 5]);
    for command in [
        json!({"FindDescriptor": {"set": "s", "k_neighbors": 1}}),
        json!({"ClassifyDescriptor": {"set": "s", "k_neighbors": 1}}),
    ] {
        let request = adb_model::Request::json(&json!([command])).with_blob(look(1));
        let error = adb_model::Database::execute(&engine, request).await.unwrap_err().to_string();
        assert!(error.contains("4.0.9") && error.contains("other components"), "{error}");
    }
    let report = Engine::verify(dir.path()).unwrap();
    let named: Vec<&str> = report.problems.iter().map(|p| &*p.what).collect();
    assert_eq!(named, ["2.0.1", "2.0.4", "4.0.9"], "{report}");
    // As the message says: deleted and added again, all is well.
    let delete = json!([
        {"DeleteBlob": {"constraints": {"n": ["in", [0, 3]]}}},
        {"DeleteDescriptor": {"constraints": {"_uniqueid": ["==", "4.0.9"]}}},
    ]);
    send(&engine, delete, vec![]).await.done().unwrap();
    let report = Engine::verify(dir.path()).unwrap();
    assert!(report.is_sound(), "{report}");
    let answer = send(
        &engine,
        json!([{"FindDescriptor": {"set": "s", "k_neighbors": 9, "distances": true}}]),
        vec![look(1)],
    );
    assert_eq!(answer.await.done().unwrap().0[0]["FindDescriptor"]["returned"], 1);
}

#[tokio::test]
async fn packs_that_were_cut_taken_away_or_exchanged() {
    let Db { engine, dir } = database();
    add(&engine, 0..5).await;
    drop(engine);
    let other = database();
    add(&other.engine, 0..5).await;
    let foreign = packs(other.path())[0].clone();
    let pack = packs(dir.path())[0].clone();
    let whole = fs::read(&pack).unwrap();

    fs::write(&pack, &whole[..whole.len() - 1]).unwrap();
    let damaged = |says: &str| {
        for read_only in [true, false] {
            let error = options().read_only(read_only).open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("restore a copy"), "{error}");
        }
        let report = Engine::verify(dir.path()).unwrap();
        assert!(report.problems.iter().any(|p| p.why.contains(says)), "{report}");
        report.problems.len()
    };
    assert_eq!(damaged("was cut"), 2, "the pack and its last blob");
    fs::remove_file(&pack).unwrap();
    assert_eq!(damaged("is gone"), 6);

    // Same name, same length, even the same blobs.
    fs::copy(foreign, &pack).unwrap();
    let report = Engine::verify(dir.path()).unwrap();
    assert!(report.to_string().contains("not the pack that this database wrote"), "{report}");
    let engine = options().open(dir.path()).unwrap();
    let text = find(&engine, json!({})).await.unwrap_err();
    assert!(text.contains("not the pack that this database wrote"), "{text}");
    add(&engine, 10..15).await;
    assert_eq!(find(&engine, json!({"n": [">=", 10]})).await.unwrap().len(), 5, "not in that one");
    assert_eq!(packs(dir.path()).len(), 2);
    send(&engine, json!([{"DeleteBlob": {"constraints": {"n": [">=", 10]}}}]), vec![]).await;
    drop(engine);

    fs::write(&pack, &whole).unwrap();
    // One reader, which looks at the files no more once it has begun.
    let engine = options().readers(std::num::NonZero::<usize>::MIN).open(dir.path()).unwrap();
    assert_eq!(find(&engine, json!({})).await.unwrap().len(), 5);
    // While it is open.
    fs::write(&pack, &whole[..30_000]).unwrap();
    assert_eq!(find(&engine, json!({"n": ["==", 0]})).await.unwrap(), [0]);
    let text = find(&engine, json!({"n": ["==", 4]})).await.unwrap_err();
    assert!(text.contains("ends before them") || text.contains("was cut"), "{text}");
    drop(engine);

    fs::remove_file(dir.path().join("adb.sqlite")).unwrap();
    let text = options().open(dir.path()).unwrap_err().to_string();
    assert!(text.contains("its packs are still there"), "{text}");
}

#[tokio::test]
async fn what_deleted_blobs_took_is_given_back() {
    let db = database();
    for n in 0..20 {
        add(&db.engine, n * 6..n * 6 + 6).await;
    }
    add(&db.engine, 120..123).await;
    let size =
        |db: &Db| packs(db.path()).iter().map(|p| fs::metadata(p).unwrap().len()).sum::<u64>();
    let before = size(&db);
    let nothing = db.engine.reclaim().await.unwrap();
    assert_eq!((nothing.files, nothing.bytes), (0, 0), "nothing was deleted");
    let count = packs(db.path()).len();
    add(&db.engine, 123..126).await;
    assert_eq!(packs(db.path()).len(), count, "the last pack is gone on with");
    let delete = json!([
        {"DeleteBlob": {"constraints": {"n": ["<", 40]}}},
        {"DeleteBlob": {"constraints": {"n": [">=", 100]}}},
        {"DeleteBlob": {"constraints": {"n": ["in", (0..20).map(|i| 40 + 3 * i).collect::<Vec<_>>()]}}},
    ]);
    db.ask(delete).await;
    let left = find(&db.engine, json!({})).await.unwrap();
    // A file that a transaction left that failed.
    fs::write(db.path().join("adb-000777.pack"), "worthless").unwrap();

    // Whoever sees the state before still needs the old packs.
    let reader = rusqlite::Connection::open(db.path().join("adb.sqlite")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM blob").unwrap();
    let held = db.engine.reclaim().await.unwrap();
    assert!(held.held_back && held.files == 0, "{held:?}");
    assert!(size(&db) >= before);
    let extents = "SELECT pack, at, length FROM blob WHERE pack IS NOT NULL";
    let mut select = reader.prepare(extents).unwrap();
    let rows = select.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
    for (pack, at, length) in rows.map(|row: rusqlite::Result<(i64, i64, i64)>| row.unwrap()) {
        let file = db.path().join(format!("adb-{pack:06}.pack"));
        assert!(fs::metadata(file).unwrap().len() >= (at + length) as u64);
    }
    drop(select);
    reader.execute_batch("COMMIT").unwrap();

    let done = db.engine.reclaim().await.unwrap();
    assert!(!done.held_back && done.files > 3 && done.bytes > 0, "{done:?}");
    assert!(size(&db) < before / 2, "{} of {before}", size(&db));
    assert_eq!(find(&db.engine, json!({})).await.unwrap(), left);
    add(&db.engine, 200..206).await;
    let db = db.reopen();
    assert_eq!(find(&db.engine, json!({})).await.unwrap().len(), left.len() + 6);
    let report = Engine::verify(db.path()).unwrap();
    assert!(report.is_sound() && !db.path().join("adb-000777.pack").exists(), "{report}");
    let again = db.engine.reclaim().await.unwrap();
    assert_eq!(again.files, 0, "{again:?}");
}

/// The database first, by SQLite's own means; then the packs, which only grow.
#[tokio::test]
async fn a_copy_that_is_made_while_somebody_writes() {
    let db = database();
    add(&db.engine, 0..6).await;
    let copy = tempfile::tempdir().unwrap();
    let file = copy.path().join("adb.sqlite");
    let reader = rusqlite::Connection::open(db.path().join("adb.sqlite")).unwrap();
    reader.execute("VACUUM INTO ?", [file.to_str().unwrap()]).unwrap();
    add(&db.engine, 6..30).await;
    for pack in packs(db.path()) {
        fs::copy(&pack, copy.path().join(pack.file_name().unwrap())).unwrap();
    }
    let engine = options().open(copy.path()).unwrap();
    assert_eq!(find(&engine, json!({})).await.unwrap(), [0, 1, 2, 3, 4, 5]);
    // It goes on by itself, beside what the copied packs have of the other one's later blobs.
    add(&engine, 100..130).await;
    engine.reclaim().await.unwrap();
    assert_eq!(find(&engine, json!({})).await.unwrap().len(), 36);
    let report = Engine::verify(copy.path()).unwrap();
    assert!(report.is_sound(), "{report}");
    let mode = reader.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
    assert_eq!(mode.unwrap(), "wal");
    let copied = rusqlite::Connection::open(file).unwrap();
    let mode = copied.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
    assert_eq!(mode.unwrap(), "wal");
    assert_eq!(find(&db.engine, json!({})).await.unwrap().len(), 30);
}

/// Rows that belong together, and one of them is gone.
#[tokio::test]
async fn dangling_rows_are_reported() {
    let db = database();
    let commands = json!([
        {"AddDescriptorSet": {"name": "s", "dimensions": 1}},
        {"AddBlob": {"_ref": 1}}, {"AddEntity": {"class": "E", "_ref": 2}},
        {"AddConnection": {"class": "of", "src": 1, "dst": 2}},
        {"AddDescriptor": {"set": "s", "connect": {"ref": 2}}},
    ]);
    db.ask_with(commands, vec![blob(1), vector(&[1.0])]).await;
    let Db { engine, dir } = db;
    drop(engine);
    assert!(Engine::verify(dir.path()).unwrap().is_sound());
    let file = dir.path().join("adb.sqlite");
    let whole = fs::read(&file).unwrap();
    for (damage, says) in [
        ("DELETE FROM blob", "has no bytes"),
        ("DELETE FROM c2", "belongs to no object"),
        ("DELETE FROM vector", "has no bytes"),
        ("DELETE FROM c4", "belongs to no descriptor"),
        ("DELETE FROM c3", "in a set that is not there"),
        ("DELETE FROM c100", "begins or ends at an object that is not there"),
        ("UPDATE counter SET value = 3 WHERE name = 'object'", "not given out yet"),
        ("UPDATE c3 SET dimensions = 2", "not as many components"),
        ("INSERT INTO tombstone VALUES (1, 1, 5)", "marked as deleted"),
        ("UPDATE blob SET pack = 9, at = 4096, length = 1", "outside of what its pack holds"),
    ] {
        fs::write(&file, &whole).unwrap();
        let conn = rusqlite::Connection::open(&file).unwrap();
        assert!(conn.execute(damage, []).unwrap() > 0, "{damage}");
        drop(conn);
        let report = Engine::verify(dir.path()).unwrap();
        assert!(!report.is_sound() && report.to_string().contains(says), "{damage}: {report}");
    }
}
