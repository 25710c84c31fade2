//! A process that ingests is killed at random moments, and the database is deleted or restored from
//! an older copy in between: in the end everything is there once.
//!
//! `ADB_INGEST_KILLS` says how often; 20 unless told.

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use adb::loaders::{Ingest, JsonSource, OnExisting};
use serde_json::json;

use super::{
    model::{Counting, Dish, World, counts, options, write_rows},
    unchanged::{assert_state, copy_dir},
};

const WORLD: &str = "ADB_INGEST_WORLD";
const EXISTING: &str = "ADB_INGEST_EXISTING";
const KILLS: &str = "ADB_INGEST_KILLS";
/// So many that no run comes to its end before it is killed.
const ROWS: u64 = 400;
/// Pictures that one batch takes at most.
const BATCH: usize = 8;
/// Rows that may be embedded and not yet written: batches that wait and that are computed, rows that
/// wait for the other kind of vector, and those in requests.
const IN_FLIGHT: u64 = 60;

fn ingest(dir: &Path, tiny: Counting, existing: OnExisting) -> Ingest {
    let mut options = options();
    options.embed_batch = Some(BATCH);
    let db = adb::connect(dir.join("db").to_str().unwrap()).unwrap();
    Ingest::new(db)
        .embedder(Arc::new(tiny))
        .options(options)
        .ledger(dir.join("ledger"))
        .on_existing(existing)
}

/// Not a test by itself: what the other process runs.
#[test]
#[ignore = "run by the other test, in a process of its own"]
fn child() {
    let dir = std::env::var(WORLD).unwrap();
    let dir = Path::new(&dir);
    let existing = match std::env::var(EXISTING).unwrap().as_str() {
        "keep" => OnExisting::Keep,
        _ => OnExisting::Update,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let slowly = Counting::new().before(|pictures| {
        println!("> batch {pictures}");
        std::thread::sleep(Duration::from_millis(1));
    });
    let source = JsonSource::<Dish>::open(dir.join("rows.jsonl")).unwrap();
    let report = runtime.block_on(ingest(dir, slowly, existing).run(source)).unwrap();
    assert!(report.adds_up() && report.exit_code() == 0, "{report}");
}

/// Lets a process work for some batches, and kills it; answers how many pictures it embedded.
fn one_life(dir: &Path, existing: &str, random: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kills::child", "--exact", "--ignored", "--nocapture"])
        .env(WORLD, dir)
        .env(EXISTING, existing)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut batches = lines.filter_map(|line| line.strip_prefix("> batch ")?.parse::<u64>().ok());
    // Some die before they have done anything, most while they write.
    let wait = (random % 8) as usize;
    let mut embedded: u64 = batches.by_ref().take(wait).sum();
    std::thread::sleep(Duration::from_micros(random >> 8 & 0x3fff));
    child.kill().unwrap();
    child.wait().unwrap();
    embedded += batches.sum::<u64>();
    embedded
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_nothing_is_lost_or_there_twice() {
    let mut world = World::new(ROWS);
    write_rows(&world.path("rows.jsonl"), &world.rows);
    let dir = world.dir.path().to_owned();
    let (db, copy) = (dir.join("db"), dir.join("copy"));
    let kills: u64 = std::env::var(KILLS).map_or(20, |n| n.parse().unwrap());
    let (mut deleted, mut restored, mut most) = (0, 0, 0);
    for round in 0..kills {
        let random = RandomState::new().hash_one(round);
        let existing = if random >> 40 & 1 == 0 { "keep" } else { "update" };
        let before = world.count("FindImage", json!({})).await;
        let mut embedded = 0;
        world.reopen(|_| embedded = one_life(&dir, existing, random));
        let after = world.count("FindImage", json!({})).await;
        assert!(after >= before, "round {round}: what was there is gone");
        let again = (embedded / 2).saturating_sub(after - before);
        most = most.max(again);
        assert!(
            again <= IN_FLIGHT,
            "round {round}: {embedded} pictures for {before} to {after} rows"
        );
        let nearly_done = after > ROWS / 2;
        world.reopen(|_| match random >> 50 & 7 {
            0 => {
                let _ = fs::remove_dir_all(&copy);
                copy_dir(&db, &copy);
            }
            1 | 2 if copy.exists() => {
                restored += 1;
                fs::remove_dir_all(&db).unwrap();
                copy_dir(&copy, &db);
            }
            3 => {
                deleted += 1;
                fs::remove_dir_all(&db).unwrap();
            }
            _ if nearly_done => {
                deleted += 1;
                fs::remove_dir_all(&db).unwrap();
            }
            _ => {}
        });
    }
    world.rows.truncate(ROWS as usize);
    let last = world.ingest(OnExisting::Update).await;
    assert_eq!((last.failed, last.updated, last.added + last.existed), (0, 0, ROWS), "{last}");
    eprintln!(
        "{kills} kills; the database was {deleted} times deleted and {restored} times restored; at most {most} rows were embedded again; the last run, in peace: {last}"
    );
    assert_state(&world, ROWS).await;
    for (i, dish) in world.dishes().await.iter().enumerate() {
        let last = f32::from(i as u8);
        assert_eq!(dish.look.as_slice(), Some([last, -1.0, -1.0, 1.0].as_slice()));
    }
    let again = world.ingest(OnExisting::Update).await;
    assert_eq!(counts(&again), (0, ROWS, 0, 0), "{again}");
    assert!(world.db.writes().is_empty());
}
