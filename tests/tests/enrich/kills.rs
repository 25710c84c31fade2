//! Processes that enrich, and are killed at it, or are two.
//!
//! `ADB_ENRICH_KILLS` says how often; 20 unless told.

use std::{
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use adb::{
    loaders::{Ingest, Reembed},
    prelude::*,
};
use serde_json::json;

use super::common::{
    Hash, Hashes, Looks, Photo, WIDTH, add_photos, answers, assert_one_each, enrich, open, options,
    run, vectors,
};

const DATABASE: &str = "ADB_ENRICH_DATABASE";
const TASK: &str = "ADB_ENRICH_TASK";
const KILLS: &str = "ADB_ENRICH_KILLS";
/// So many that no run comes to its end before it is killed.
const PHOTOS: u64 = 600;

#[derive(DescriptorSet)]
#[adb(name = "spots", embedder = Hash, engine = Flat)]
struct SpotLooks;

/// A photo with two regions that are made.
#[derive(DataModel)]
#[adb(image, untyped, class = "Photo")]
struct Spotted {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = Looks))]
    look: Embedding<WIDTH>,
    #[adb(regions, from = photo, by = Corners)]
    spots: Vec<Spot>,
}

#[derive(DataModel)]
#[adb(bounding_box, row_id)]
struct Spot {
    area: Rect,
    #[adb(embed(from = area, set = SpotLooks))]
    look: Embedding<WIDTH>,
}

#[derive(Default)]
struct Corners;

impl ChildMaker for Corners {
    const NAME: &'static str = "corners";
    type From = Image;
    type Child = Spot;
    fn make(&self, _: Picture<'_>) -> Result<Vec<Spot>, MakeError> {
        let spot =
            |x| Spot { area: Rect { x, y: 0, width: 4, height: 4 }, look: Embedding::default() };
        Ok(vec![spot(0), spot(8)])
    }
}

/// Not a test by itself: what the other processes run.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn child() {
    let database = std::env::var(DATABASE).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let db = match database.contains("://") {
            true => adb::connect(&database).unwrap(),
            false => open(Path::new(&database)),
        };
        let slowly = |name| {
            Hashes::named(name).before(|_| {
                println!("> batch.");
                std::thread::sleep(Duration::from_millis(1));
            })
        };
        let ingest =
            |name| Ingest::new(db.clone()).embedder(Arc::new(slowly(name))).options(options());
        let report = match std::env::var(TASK).unwrap().as_str() {
            "enrich" => ingest("hash").enrich::<Spotted>().await.unwrap(),
            _ => ingest("second").reembed(Reembed::new("looks", "looks_2")).await.unwrap(),
        };
        assert!(report.adds_up() && report.exit_code() == 0, "{report}");
    });
}

fn spawn(database: &str, task: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["kills::child", "--exact", "--ignored", "--nocapture"])
        .env(DATABASE, database)
        .env(TASK, task)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Lets a process work for some batches, and kills it.
fn one_life(database: &str, task: &str, random: u64) {
    let mut child = spawn(database, task);
    let mut batches = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // Some die before they have done anything, most while they write.
    let wait = (random % 8) as usize;
    // The pipe stays open to the end: a process that can't print ends by itself.
    let seen = batches.by_ref().filter(|line| line.starts_with("> batch")).take(wait).count();
    assert_eq!(seen, wait, "the process ended before it was killed");
    std::thread::sleep(Duration::from_micros(random >> 8 & 0x3fff));
    assert!(child.try_wait().unwrap().is_none(), "the process ended before it was killed");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(batches);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_each_image_has_exactly_one_vector_and_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    {
        let db = open(&path);
        add_photos(&*db, &(1..=PHOTOS).collect::<Vec<_>>(), 100).await;
    }
    let database = path.to_str().unwrap();
    let kills: u64 = std::env::var(KILLS).map_or(20, |n| n.parse().unwrap());
    for round in 0..kills {
        one_life(database, "enrich", RandomState::new().hash_one(round));
        let db = open(&path);
        if vectors(&*db, "looks").await > PHOTOS / 2 {
            // So many kills that the photos would not last: begin again.
            answers(&*db, json!([{"DeleteDescriptorSet": {"with_name": "looks"}}])).await;
        }
    }
    let db = open(&path);
    let last = run(&db, Hashes::new()).enrich::<Spotted>().await.unwrap();
    assert!(last.adds_up() && last.failed == 0, "{last}");
    eprintln!("{kills} kills; the last run, in peace: {last}");
    assert_one_each(&*db, "looks", PHOTOS as usize).await;
    spots_are_whole(&*db).await;
    let again = enrich::<Photo>(&db, Hashes::new()).await;
    assert_eq!((again.existed, again.embedded), (PHOTOS, 0), "{again}");
}

/// Each photo has its two boxes, each box its vector.
async fn spots_are_whole(db: &dyn Database) {
    let found = answers(
        db,
        json!([
            {"FindImage": {"_ref": 1, "uniqueids": true}},
            {"FindBoundingBox": {"_ref": 2, "is_connected_to": {"ref": 1}, "group_by_source": true, "uniqueids": true}},
            {"FindDescriptor": {"set": "spots", "is_connected_to": {"ref": 2}, "group_by_source": true, "uniqueids": true}},
        ]),
    )
    .await;
    for (command, name, groups, each) in
        [(1, "FindBoundingBox", PHOTOS, 2), (2, "FindDescriptor", PHOTOS * 2, 1)]
    {
        let by_source = found[command][name]["entities"].as_object().unwrap();
        assert_eq!(by_source.len() as u64, groups, "{name}");
        assert!(by_source.values().all(|g| g.as_array().unwrap().len() == each), "{name}");
    }
    assert_eq!(vectors(db, "spots").await, PHOTOS * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_reembed_is_gone_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    {
        let db = open(&path);
        add_photos(&*db, &(1..=PHOTOS).collect::<Vec<_>>(), 100).await;
        enrich::<Photo>(&db, Hashes::new()).await;
    }
    for round in 0..5_u64 {
        one_life(path.to_str().unwrap(), "reembed", RandomState::new().hash_one(round));
    }
    let db = open(&path);
    let task = Reembed::new("looks", "looks_2");
    let last = run(&db, Hashes::named("second")).reembed(task).await.unwrap();
    assert!(last.adds_up() && last.failed == 0, "{last}");
    assert_one_each(&*db, "looks_2", PHOTOS as usize).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_at_once_make_one_each() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir.path().join("db"));
    add_photos(&*db, &(1..=PHOTOS).collect::<Vec<_>>(), 100).await;
    let server = adb_served::options(&dir.path().join("server"));
    let server = adb_served::Running::start(db.clone(), server).await;
    let address = server.url();
    for task in ["enrich", "reembed"] {
        let mut processes = [spawn(&address, task), spawn(&address, task)];
        let mut batches = Vec::new();
        for process in &mut processes {
            let lines = BufReader::new(process.stdout.take().unwrap()).lines();
            batches.push(lines.map_while(Result::ok).filter(|l| l.starts_with("> ")).count());
        }
        for mut process in processes {
            assert!(process.wait().unwrap().success(), "{task}");
        }
        assert!(batches.iter().all(|n| *n > 0), "both had work to do: {batches:?}");
    }
    assert_one_each(&*db, "looks", PHOTOS as usize).await;
    assert_one_each(&*db, "looks_2", PHOTOS as usize).await;
    spots_are_whole(&*db).await;
    server.stop().await;
}
