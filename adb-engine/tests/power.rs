//! Power failures: what was synced stays, and of the rest what chance keeps, in whole writes or torn.
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

use std::{collections::BTreeSet, path::Path, sync::Arc};

use adb_engine::{Engine, Options};
use adb_faults::{Dice, Disk, Event, Fault, Plan, Replay};
use adb_model::{Database as _, Fate, Response};
use tokio::runtime::Runtime;

/// So few pages that the log is moved into the database, and begun anew, many times.
const CHECKPOINT_PAGES: i64 = 30;
const CLIENTS: i64 = 4;
const GROUPS: i64 = 15;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// In memory where the system has such a place: nothing here needs a true disk.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn options() -> Options {
    disk::options(CHECKPOINT_PAGES)
}

/// Several clients at a time; a mark on the tape for each group that was acknowledged.
async fn load(engine: &Arc<Engine>, disk: &Arc<Disk>, first: i64, rounds: i64) {
    // Injected faults end some time, or the engine writes no more.
    for _ in 0..10 {
        if engine.execute(groups::set()).await.is_ok() {
            break;
        }
    }
    let clients = (0..CLIENTS).map(|client| {
        let (engine, disk) = (engine.clone(), disk.clone());
        async move {
            for i in 0..rounds {
                let n = first + i * CLIENTS + client;
                // Groups that failed under injected faults are not acknowledged, and that is all.
                if let Ok(Response::Done { .. }) = engine.execute(groups::group(n)).await {
                    disk.mark(n as u64);
                }
                if i % 10 == client {
                    let _ = engine.execute(groups::index(n)).await;
                    let _ = groups::whole_groups(&engine).await;
                }
            }
        }
    });
    let local = tokio::task::LocalSet::new();
    let tasks: Vec<_> = clients.map(|c| local.spawn_local(c)).collect();
    local
        .run_until(async {
            for task in tasks {
                task.await.unwrap();
            }
        })
        .await;
}

/// Two lives of a database, closed in between and after.
fn tape(options: &Options) -> Vec<Event> {
    let dir = directory();
    let disk = Disk::watch(dir.path()).unwrap();
    for first in [1, 1 + CLIENTS * GROUPS] {
        let engine = Arc::new(options.open(dir.path()).unwrap());
        runtime().block_on(load(&engine, &disk, first, GROUPS));
    }
    disk.tape()
}

/// Opens what a power failure left, as anybody would, and writes to it.
fn examine(dir: &Path, acknowledged: &BTreeSet<i64>) -> Result<(), String> {
    let engine = disk::small_packs().open(dir);
    let engine = engine.map_err(|e| format!("open: {e}"))?;
    runtime().block_on(async {
        let there = groups::whole_groups(&engine).await?;
        if let Some(lost) = acknowledged.difference(&there).next() {
            return Err(format!("group {lost} was acknowledged, and is lost"));
        }
        for request in [groups::set(), groups::group(1_000_000)] {
            let answer = engine.execute(request).await.map_err(|e| e.to_string())?;
            answer.done().map_err(|refusal| refusal.to_string())?;
        }
        let after = groups::whole_groups(&engine).await?;
        if after.len() == there.len() + 1 { Ok(()) } else { Err("a write had no effect".into()) }
    })?;
    drop(engine);
    groups::sound(dir)
}

/// Plays the tape, with power failures at random moments. What each of them did that must not be.
fn cut_power(tape: &[Event], times: usize, seed: u64) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let mut moments: Vec<usize> = (0..times).map(|_| dice.below(tape.len() + 1)).collect();
    moments.sort_unstable();
    let mut replay = Replay::default();
    let (mut acknowledged, mut faults, mut risky) = (BTreeSet::new(), Vec::new(), 0);
    let mut played = 0;
    for moment in moments {
        for event in &tape[played..moment] {
            replay.play(event, &mut dice);
            if let Event::Mark(n) = event {
                acknowledged.insert(*n as i64);
            }
        }
        played = moment;
        risky += usize::from(replay.pending() > 0);
        let dir = directory();
        replay.cut_power(dir.path(), &mut dice).unwrap();
        if let Err(fault) = examine(dir.path(), &acknowledged) {
            faults.push(format!("seed {seed}, event {moment} of {}: {fault}", tape.len()));
        }
    }
    eprintln!(
        "{times} power failures over {} events, {risky} of them with writes at risk: {} faults",
        tape.len(),
        faults.len()
    );
    assert!(times < 50 || risky > times / 4, "too few power failures had anything to lose");
    faults
}

/// `ADB_POWER_CUTS` says how many; `.ci/power` runs the long form.
fn power_cuts() -> usize {
    std::env::var("ADB_POWER_CUTS").map_or(150, |n| n.parse().unwrap())
}

/// Another one each time; a fault names it, and `ADB_POWER_SEED` brings it back.
fn any_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    std::env::var("ADB_POWER_SEED")
        .map_or_else(|_| RandomState::new().hash_one(0), |seed| seed.parse().unwrap())
}

#[test]
fn a_power_failure_loses_nothing_that_was_acknowledged() {
    let tape = tape(&options());
    let packs = tape.iter().filter(|e| matches!(e, Event::Made(name) if name.ends_with(".pack")));
    assert!(packs.count() > 2, "blobs went to packs, and some packs became full");
    let faults = cut_power(&tape, power_cuts(), any_seed());
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The log is synced, and the packs that it names are not.
#[test]
fn without_syncs_of_packs_the_same_test_sees_losses() {
    let tape = tape(&options().pack_files(&disk::UNSYNCED_PACKS));
    let faults = cut_power(&tape, power_cuts() / 4, any_seed());
    assert!(faults.iter().any(|f| f.contains(".pack") || f.contains("other bytes")), "{faults:#?}");
}

/// The same test sees losses where nothing is synced; else it would prove nothing.
#[test]
fn without_syncs_the_same_test_sees_losses() {
    let faults = cut_power(&tape(&options().without_sync()), power_cuts() / 4, any_seed());
    let lost = faults.iter().filter(|f| f.contains("acknowledged")).count();
    eprintln!("{lost} of these lost acknowledged groups");
    // Which fault a power failure leaves is chance: most databases don't even open.
    assert!(!faults.is_empty(), "no database was damaged, and none lacks an acknowledged group");
}

/// A failed sync, be it of the log or of the database, and the power failure some time later.
#[test]
fn a_power_failure_after_failed_syncs() {
    let seed = any_seed();
    let (mut dice, mut failed) = (Dice::new(seed), 0);
    for round in 0..6 {
        let dir = directory();
        let disk = Disk::watch(dir.path()).unwrap();
        for first in [1, 1000] {
            let engine = Arc::new(options().open(dir.path()).unwrap());
            disk.inject(Plan {
                fault: Fault::Sync,
                after: dice.below(20),
                times: 1 + dice.below(4),
                files: if round % 2 == 0 { "-wal" } else { "" },
            });
            runtime().block_on(load(&engine, &disk, first, 8));
            failed += disk.lift();
        }
        let faults = cut_power(&disk.tape(), power_cuts() / 12, seed.wrapping_add(round));
        assert!(faults.is_empty(), "{faults:#?}");
    }
    eprintln!("{failed} syncs failed");
    assert!(failed > 0);
}

/// While a reader holds an older state, a part of the log is moved and noted as moved, and not
/// synced. The sync that follows fails, and what was moved may be gone from the disk.
#[test]
fn what_was_moved_while_a_reader_held_an_older_state() {
    for seed in 0..20 {
        let dir = directory();
        let disk = Disk::watch(dir.path()).unwrap();
        let engine = Arc::new(options().open(dir.path()).unwrap());
        runtime().block_on(load(&engine, &disk, 1, 4));
        let file = dir.path().join("adb.sqlite");
        let reader =
            rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
                .unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM class").unwrap();
        runtime().block_on(load(&engine, &disk, 1000, 4));
        disk.inject(Plan { fault: Fault::Sync, after: 0, times: 1, files: "adb.sqlite" });
        drop(reader);
        // Had the engine gone on, it would have moved the rest, and begun the log anew.
        runtime().block_on(load(&engine, &disk, 2000, 10));
        assert_eq!(disk.lift(), 1);
        let faults = cut_power(&disk.tape(), 4, seed);
        assert!(faults.is_empty(), "{faults:#?}");
        drop(engine);
        let engine = Arc::new(options().open(dir.path()).unwrap());
        runtime().block_on(load(&engine, &disk, 3000, 4));
        let faults = cut_power(&disk.tape(), 8, seed);
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

/// After a failed sync the system shows what the disk does not hold, and a later sync does not
/// help. A log that was left so must not be added to.
#[test]
fn what_a_failed_sync_left_is_not_built_upon() {
    // The log is not moved by itself.
    let options = disk::options(10_000);
    let mut faults = Vec::new();
    for seed in 0..20 {
        let dir = directory();
        let disk = Disk::watch(dir.path()).unwrap();
        let engine = Arc::new(options.open(dir.path()).unwrap());
        runtime().block_on(async {
            load(&engine, &disk, 1, 2).await;
            disk.inject(Plan { fault: Fault::Sync, after: 0, times: usize::MAX, files: "" });
            // One whose image goes into the database: with a pack, the pack's sync fails before.
            let error = engine.execute(groups::group(501)).await.unwrap_err();
            assert_eq!((error.fate(), error.is_transient()), (Fate::Unknown, false));
            assert!(error.to_string().contains("a sync failed"), "{error}");
        });
        // Closing fails to move the log; the next life finds it.
        drop(engine);
        disk.lift();
        let engine = Arc::new(options.open(dir.path()).unwrap());
        runtime().block_on(load(&engine, &disk, 1000, 1));
        let end = disk.tape();
        drop(engine);
        let mut dice = Dice::new(seed);
        let (mut replay, mut acknowledged) = (Replay::default(), BTreeSet::new());
        for event in &end {
            replay.play(event, &mut dice);
            if let Event::Mark(n) = event {
                acknowledged.insert(*n as i64);
            }
        }
        let left = directory();
        replay.cut_power(left.path(), &mut dice).unwrap();
        faults.extend(examine(left.path(), &acknowledged).err());
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
