//! Processes that are killed at random moments while several clients write.
//!
//! `ADB_KILL_ROUNDS` says how often; `.ci/kills` runs the long form.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking, and tell their parent by printing"
)]

#[path = "common/disk.rs"]
mod disk;
#[path = "common/groups.rs"]
mod groups;

use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader},
    num::NonZero,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use adb_engine::{Engine, Options};
use adb_model::{Database as _, Response};

const DIRECTORY: &str = "ADB_ENGINE_KILLS_DIRECTORY";
const FIRST: &str = "ADB_ENGINE_KILLS_FIRST";
const ROUNDS: &str = "ADB_KILL_ROUNDS";
const CLIENTS: i64 = 6;
/// How far the numbers of two lives are apart; a life has some dozens of groups. With numbers in the
/// hundreds of thousands two vectors would differ less in length than single precision tells.
const LIFE: i64 = 2_000;
/// A database that grows for ever would make the checks slow, and find no more.
const ROUNDS_PER_DATABASE: usize = 10;

/// Small packs, and graphs of few vectors, written after few more: kills meet them at it.
fn options() -> Options {
    disk::small_packs().index_from(24).save_indexes_after(8)
}

/// Not a test by itself: what the killed processes run.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn child() {
    let first: i64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let engine = Arc::new(options().open(std::env::var(DIRECTORY).unwrap()).unwrap());
    runtime.block_on(async {
        engine.execute(groups::set()).await.unwrap().done().unwrap();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let engine = engine.clone();
                tokio::spawn(async move {
                    for i in 0.. {
                        let n = first + i * CLIENTS + client;
                        engine.execute(groups::group(n)).await.unwrap().done().unwrap();
                        // A kill may cut a line short: only whole ones, which end in a dot, count.
                        println!("> {n}.");
                        match (i + client) % 8 {
                            // Sent again: the guards find all of it.
                            0 => {
                                engine.execute(groups::group(n)).await.unwrap().done().unwrap();
                            }
                            1 => {
                                let _: Response = engine.execute(groups::index(n)).await.unwrap();
                            }
                            2 => {
                                groups::whole_groups(&engine).await.unwrap();
                            }
                            3 => engine.settle_indexes().await.unwrap(),
                            _ => {}
                        }
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    });
}

fn spawn(directory: &Path, first: i64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(FIRST, first.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets a process write, kills it, and gives what it said that was acknowledged.
fn one_life(directory: &Path, first: i64, random: u64) -> Vec<i64> {
    let mut child = spawn(directory, first);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = lines
        .map_while(Result::ok)
        .filter_map(|l| l.strip_prefix("> ")?.strip_suffix('.')?.parse().ok());
    // Some die while they open, most while they write.
    let wait = if random.is_multiple_of(16) { 0 } else { 1 + (random >> 8) % 60 };
    let mut all: Vec<i64> = acknowledged.by_ref().take(wait as usize).collect();
    std::thread::sleep(Duration::from_micros(random >> 16 & 0x3fff));
    // It may have ended by itself only by a fault of its own, which its silence would hide.
    assert!(child.try_wait().unwrap().is_none(), "the process ended before it was killed");
    child.kill().unwrap();
    child.wait().unwrap();
    all.extend(acknowledged);
    all
}

#[tokio::test]
async fn a_kill_loses_no_acknowledged_group_and_leaves_none_half_there() {
    let rounds: usize = std::env::var(ROUNDS).map_or(10, |n| n.parse().unwrap());
    let (mut dir, mut acknowledged) = (tempfile::tempdir().unwrap(), BTreeSet::new());
    let (mut total, mut unanswered, mut logs, mut graphs) = (0, 0, 0, 0);
    for round in 0..rounds {
        if round % ROUNDS_PER_DATABASE == 0 {
            dir = tempfile::tempdir().unwrap();
            acknowledged = BTreeSet::new();
        }
        // No two lives share a number.
        let first = 1 + (round % ROUNDS_PER_DATABASE) as i64 * LIFE;
        let random = RandomState::new().hash_one(round);
        let fresh = one_life(dir.path(), first, random);
        assert!(fresh.iter().all(|n| *n < first + LIFE), "two lives share numbers");
        total += fresh.len();
        acknowledged.extend(fresh);
        let log = std::fs::metadata(dir.path().join("adb.sqlite-wal"));
        logs += usize::from(log.is_ok_and(|log| log.len() > 0));

        graphs += usize::from(dir.path().join("adb.vectors").exists());
        let engine = options().readers(NonZero::<usize>::MIN).open(dir.path()).unwrap();
        let there = groups::whole_groups(&engine).await;
        let there = there.unwrap_or_else(|fault| panic!("round {round}: {fault}"));
        for _ in 0..2 {
            // As the graph was left; then with all that is there.
            let found = groups::found_by_graph(&engine, &there).await;
            found.unwrap_or_else(|fault| panic!("round {round}: {fault}"));
            engine.settle_indexes().await.unwrap();
        }
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        // Groups that were committed before anybody could be told, one for each client at most.
        unanswered += there.len() - acknowledged.len();
        acknowledged = there;
        drop(engine);
        groups::sound(dir.path()).unwrap_or_else(|fault| panic!("round {round}: {fault}"));
    }
    eprintln!(
        "{rounds} kills, {total} groups acknowledged, {unanswered} more committed unanswered, {logs} logs and {graphs} folders of graphs left behind: none lost, none half there"
    );
    assert!(total >= rounds && logs > 0 && graphs > 0);
}

/// A search during ingest: another process sees whole groups only, and none disappears.
#[tokio::test]
async fn readers_in_another_process_see_whole_groups_while_one_writes() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = spawn(dir.path(), 1);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = BTreeSet::new();
    let mut take = |acknowledged: &mut BTreeSet<i64>| {
        let line = lines.next().unwrap().unwrap();
        let number = line.strip_prefix("> ").and_then(|l| l.strip_suffix('.'));
        acknowledged.extend(number.and_then(|n| n.parse::<i64>().ok()));
    };
    while acknowledged.is_empty() {
        take(&mut acknowledged);
    }
    let engine = Engine::options().read_only(true).open(dir.path()).unwrap();
    let mut before = BTreeSet::new();
    for _ in 0..15 {
        take(&mut acknowledged);
        let there = groups::whole_groups(&engine).await.unwrap();
        assert!(there.is_superset(&acknowledged), "acknowledged, and not to be seen");
        assert!(there.is_superset(&before), "seen, and gone");
        before = there;
    }
    assert!(child.try_wait().unwrap().is_none(), "the writer went on");
    child.kill().unwrap();
    child.wait().unwrap();
}
