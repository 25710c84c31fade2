//! Disks that are full, fail, or give less than was asked for.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

#[path = "common/disk.rs"]
mod disk;
#[path = "common/groups.rs"]
mod groups;

use std::{collections::BTreeMap, sync::Arc};

use adb_engine::Engine;
use adb_faults::{Disk, Fault, Plan};
use adb_model::{Database as _, DbError, Fate, Response};

const CHECKPOINT_PAGES: i64 = 40;

struct Watched {
    engine: Engine,
    disk: Arc<Disk>,
    dir: tempfile::TempDir,
}

fn open(dir: &tempfile::TempDir) -> Engine {
    disk::options(CHECKPOINT_PAGES).open(dir.path()).unwrap()
}

/// A database with some groups in it.
async fn watched() -> Watched {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::watch(dir.path()).unwrap();
    let engine = open(&dir);
    engine.execute(groups::set()).await.unwrap().done().unwrap();
    for n in 1..5 {
        engine.execute(groups::group(n)).await.unwrap().done().unwrap();
    }
    Watched { engine, disk, dir }
}

/// Sends groups while calls fail; then, with a disk that works again, looks what is there and goes
/// on. Gives the errors that were met.
async fn survive(plan: Plan) -> Vec<DbError> {
    let Watched { engine, disk, dir } = watched().await;
    disk.inject(plan);
    let mut fates: BTreeMap<i64, Option<Fate>> = (1..5).map(|n| (n, None)).collect();
    let mut errors = Vec::new();
    for n in 5..13 {
        match engine.execute(groups::group(n)).await {
            Ok(Response::Done { .. }) => fates.insert(n, None),
            Ok(Response::Refused(refusal)) => panic!("{plan:?}: {refusal}"),
            Err(e) => {
                let fate = e.fate();
                errors.push(e);
                fates.insert(n, Some(fate))
            }
        };
    }
    disk.lift();
    let agree = |there: &std::collections::BTreeSet<i64>, engine: &str| {
        for (n, fate) in &fates {
            match fate {
                None => assert!(there.contains(n), "{plan:?}: {engine} lost group {n}"),
                Some(Fate::NotApplied) => {
                    assert!(!there.contains(n), "{plan:?}: {engine} applied group {n} after all");
                }
                Some(Fate::Unknown) => {}
            }
        }
    };
    agree(&groups::whole_groups(&engine).await.unwrap(), "the engine");
    // It goes on as if nothing had been, unless a sync failed while the log was moved.
    match engine.execute(groups::group(100)).await {
        Ok(answer) => drop(answer.done().unwrap()),
        Err(e) => {
            assert!(plan.fault == Fault::Sync, "{plan:?}: {e}");
            assert!(e.to_string().contains("then open it again"), "{plan:?}: {e}");
        }
    }
    drop(engine);
    let engine = open(&dir);
    agree(&groups::whole_groups(&engine).await.unwrap(), "opening again");
    for n in (5..13).chain([100]) {
        engine.execute(groups::group(n)).await.unwrap().done().unwrap();
    }
    assert_eq!(groups::whole_groups(&engine).await.unwrap().len(), 13);
    drop(engine);
    groups::sound(dir.path()).unwrap();
    errors
}

/// The fault at each of so many calls, once and for some time.
async fn sweep(fault: Fault, files: &'static str, calls: usize, step: usize, says: &str) {
    let (mut met, mut plans) = (0, 0);
    for after in (0..calls).step_by(step) {
        for times in [1, 25] {
            let errors = survive(Plan { fault, after, times, files }).await;
            plans += 1;
            met += usize::from(!errors.is_empty());
            for error in errors {
                let text = error.to_string();
                assert!(text.contains(says), "{fault:?} at {after}: {text}");
                // What, where, and how to mend it.
                assert!(text.contains(';') && text.contains('/'), "{text}");
            }
        }
    }
    eprintln!("{fault:?} on `{files}`: {plans} plans, {met} of them answered with errors");
    assert!(met > 0, "{fault:?} was never seen");
}

#[tokio::test]
async fn a_full_disk() {
    sweep(Fault::Full, "-wal", 60, 7, "the disk is full").await;
}

#[tokio::test]
async fn failed_writes_of_the_log() {
    sweep(Fault::Write, "-wal", 60, 7, "a write failed").await;
}

#[tokio::test]
async fn failed_syncs_of_the_log() {
    sweep(Fault::Sync, "-wal", 8, 1, "a sync failed").await;
}

/// Nothing of a request whose pack could not be written, or not surely, is there; the next one goes
/// to another pack, or to the same place.
#[tokio::test]
async fn packs_on_a_full_disk() {
    sweep(Fault::Full, ".pack", 8, 1, "the disk is full").await;
}

#[tokio::test]
async fn failed_writes_of_packs() {
    sweep(Fault::Write, ".pack", 8, 1, "a write failed").await;
}

#[tokio::test]
async fn failed_syncs_of_packs() {
    sweep(Fault::Sync, ".pack", 6, 1, "a sync failed").await;
}

/// A pack whose name may not be on the disk is not a place for what is acknowledged.
#[tokio::test]
async fn a_pack_whose_name_is_not_synced() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::watch(dir.path()).unwrap();
    let engine = open(&dir);
    engine.execute(groups::set()).await.unwrap().done().unwrap();
    disk.inject(Plan { fault: Fault::Sync, after: 0, times: 1, files: ".names" });
    // One with an image for a pack.
    let error = engine.execute(groups::group(3)).await.unwrap_err();
    assert_eq!((error.fate(), disk.lift()), (Fate::NotApplied, 1));
    assert!(error.to_string().contains("syncing the directory"), "{error}");
    engine.execute(groups::group(3)).await.unwrap().done().unwrap();
    assert!(dir.path().join("adb-000002.pack").exists(), "the first is given up");
    assert_eq!(groups::whole_groups(&engine).await.unwrap(), [3].into());
    engine.reclaim().await.unwrap();
    assert!(!dir.path().join("adb-000001.pack").exists());
    drop(engine);
    groups::sound(dir.path()).unwrap();
}

#[tokio::test]
async fn failed_and_short_reads_of_packs() {
    let Watched { engine, disk, dir } = watched().await;
    drop(engine);
    for fault in [Fault::Read, Fault::ShortRead] {
        for after in 0..3 {
            let engine = open(&dir);
            disk.inject(Plan { fault, after, times: 1, files: ".pack" });
            let text = groups::whole_groups(&engine).await.unwrap_err();
            let says = if fault == Fault::Read { "a read failed" } else { "adb-000001.pack" };
            assert!(text.contains(says), "{fault:?} at {after}: {text}");
            assert_eq!(disk.lift(), 1);
            assert_eq!(groups::whole_groups(&engine).await.unwrap().len(), 4);
        }
    }
}

/// Moving the log into the database fails: nobody has to be told, for the log still holds it.
#[tokio::test]
async fn a_database_that_cannot_be_written_while_its_log_can() {
    for fault in [Fault::Full, Fault::Write] {
        for after in 0..3 {
            let plan = Plan { fault, after, times: usize::MAX, files: "adb.sqlite" };
            let errors = survive(plan).await;
            assert!(errors.is_empty(), "{errors:?}");
        }
    }
}

/// The disk does not confirm what was moved from the log: what is in the database is in doubt, what
/// is in the log is not, so the log must stay as it is until the database is opened again.
#[tokio::test]
async fn a_database_whose_sync_fails_is_not_written_on() {
    let Watched { engine, disk, dir } = watched().await;
    disk.inject(Plan { fault: Fault::Sync, after: 0, times: 1, files: "adb.sqlite" });
    let (mut acknowledged, mut refused) = (4, 0);
    for n in 5..30 {
        match engine.execute(groups::group(n)).await {
            Ok(answer) => {
                assert_eq!(refused, 0, "refused, and then written");
                answer.done().unwrap();
                acknowledged += 1;
            }
            Err(e) => {
                refused += 1;
                assert_eq!((e.fate(), e.is_transient()), (Fate::NotApplied, false));
                assert!(e.to_string().contains("then open it again"), "{e}");
            }
        }
        assert_eq!(groups::whole_groups(&engine).await.unwrap().len(), acknowledged);
    }
    assert_eq!(disk.lift(), 1);
    assert!(refused > 0 && acknowledged > 4);
    drop(engine);
    assert!(dir.path().join("adb.sqlite-wal").exists(), "closing does not move the log");
    let engine = open(&dir);
    assert_eq!(groups::whole_groups(&engine).await.unwrap().len(), acknowledged);
    engine.execute(groups::group(100)).await.unwrap().done().unwrap();
    drop(engine);
    groups::sound(dir.path()).unwrap();
}

#[tokio::test]
async fn a_disk_that_stays_full_keeps_answering() {
    let Watched { engine, disk, dir: _dir } = watched().await;
    disk.inject(Plan { fault: Fault::Full, after: 0, times: usize::MAX, files: "" });
    for n in 10..40 {
        let answer = engine.execute(groups::group(n)).await;
        // What still fits into the files as they are is done.
        if let Err(e) = answer {
            assert!(e.to_string().contains("the disk is full; make room"), "{e}");
            assert!(!e.is_transient());
        }
        // Reading goes on.
        assert!(groups::whole_groups(&engine).await.unwrap().len() >= 4);
    }
    assert!(disk.lift() > 0);
    engine.execute(groups::group(1)).await.unwrap().done().unwrap();
}

/// An upgrade meets a full disk at one write after another: the database stays what it was, and the
/// next attempt succeeds.
#[test]
fn an_upgrade_that_is_interrupted() {
    let mut met = 0;
    for after in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("adb.sqlite");
        let old = rusqlite::Connection::open(&file).unwrap();
        old.execute_batch(include_str!("fixtures/format-2.sql")).unwrap();
        drop(old);
        let disk = Disk::watch(dir.path()).unwrap();
        disk.inject(Plan { fault: Fault::Full, after, times: usize::MAX, files: "" });
        let opened = disk::options(CHECKPOINT_PAGES).open(dir.path());
        if let Err(e) = &opened {
            met += 1;
            assert!(e.to_string().contains("the disk is full"), "{e}");
            let old = rusqlite::Connection::open(&file).unwrap();
            let format = old.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
            assert_eq!(format.unwrap(), 2);
            old.query_row("SELECT count(*) FROM pack", [], |_| Ok(())).unwrap_err();
        }
        disk.lift();
        drop(opened);
        drop(open(&dir));
        let report = Engine::verify(dir.path()).unwrap();
        assert!(report.is_sound(), "{report}");
        assert_eq!((report.blobs, report.vectors), (2, 2));
    }
    assert!(met > 1);
}

/// Reads fail on the threads that read: an error, never a shorter answer, and the next one is whole.
#[tokio::test]
async fn failed_reads() {
    let Watched { engine, disk, dir } = watched().await;
    drop(engine);
    let mut met = 0;
    for after in 0..40 {
        let engine = open(&dir);
        disk.inject(Plan { fault: Fault::Read, after, times: 1, files: "" });
        match groups::whole_groups(&engine).await {
            Ok(there) => assert_eq!(there.len(), 4),
            Err(text) => {
                met += 1;
                assert!(text.contains("a read failed") && text.contains("look after"), "{text}");
            }
        }
        disk.lift();
        assert_eq!(groups::whole_groups(&engine).await.unwrap().len(), 4);
    }
    assert!(met > 0);
}

/// Reads that end early, as of a file that becomes shorter while it is open. Nothing panics, nothing
/// is written wrong, and whoever opens the database after that gets whole answers.
///
/// The log has checksums, so there it is always an error. Of the database's pages only blobs and
/// vectors have, and SQLite takes what is missing for zeros: docs/trust.md says what that means.
#[tokio::test]
async fn short_reads() {
    let (mut met, mut wrong) = (0, 0);
    for files in ["-wal", "adb.sqlite"] {
        let Watched { engine, disk, dir } = watched().await;
        if files == "adb.sqlite" {
            // Its log is moved by closing.
            drop(engine);
            for after in 0..40 {
                let engine = disk::options(CHECKPOINT_PAGES);
                disk.inject(Plan { fault: Fault::ShortRead, after, times: 1, files });
                let opened = engine.open(dir.path());
                let answer = match &opened {
                    Ok(engine) => groups::whole_groups(engine).await,
                    Err(e) => Err(e.to_string()),
                };
                met += usize::from(answer.is_err());
                // Errors name the directory; what `whole_groups` finds wrong does not.
                let name = dir.path().to_str().unwrap();
                wrong += usize::from(match &answer {
                    Ok(there) => there.len() != 4,
                    Err(text) => !text.contains(name),
                });
                drop(opened);
                disk.lift();
                assert_eq!(groups::whole_groups(&open(&dir)).await.unwrap().len(), 4);
            }
        } else {
            for after in 0..20 {
                // A reader that has nothing in memory.
                disk.inject(Plan { fault: Fault::Read, after: 0, times: 1, files: "" });
                let _ = groups::whole_groups(&engine).await;
                disk.inject(Plan { fault: Fault::ShortRead, after, times: 1, files });
                match groups::whole_groups(&engine).await {
                    Ok(there) => assert_eq!(there.len(), 4),
                    Err(_) => met += 1,
                }
                disk.lift();
                assert_eq!(groups::whole_groups(&engine).await.unwrap().len(), 4);
            }
        }
        groups::sound(dir.path()).unwrap();
    }
    eprintln!("{met} short reads did harm, {wrong} of them without an error");
    assert!(met > 0);
}
