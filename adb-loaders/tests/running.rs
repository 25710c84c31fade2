//! A run under way: databases that are away, being told to stop, what is told meanwhile, and parts
//! of a source.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    path::Path,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use adb_loaders::{
    CsvSource, DeadLetters, Ingest, JsonSource, Options, Progress, Report, Selection, Shard,
    Source as _, Stop, dry_run,
};
use adb_model::Dialect;
use common::{Dish, Fake, Letters, dishes, write_dishes};
use serde_json::{Value as Json, json};

fn options() -> Options {
    let mut options = Options::default();
    options.backoff = Duration::from_millis(1);
    options.linger = Duration::from_millis(5);
    options
}

fn ingest(db: &Arc<Fake>) -> Ingest {
    Ingest::new(db.clone()).embedder(Arc::new(Letters::default())).options(options())
}

fn source(dir: &tempfile::TempDir) -> JsonSource<Dish> {
    JsonSource::open(dir.path().join("dishes.json")).unwrap()
}

/// Watches until `seen` says so; a test that waits for ever fails elsewhere.
async fn until(mut seen: impl FnMut() -> bool) {
    while !seen() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_long_is_waited_for() {
    let dir = write_dishes(&dishes(600));
    let db = Arc::new(Fake::default());
    let progress = Arc::new(Progress::default());
    let running = tokio::spawn(ingest(&db).progress(progress.clone()).run(source(&dir)));
    until(|| progress.added() > 0).await;
    db.is_away.store(true, Ordering::Relaxed);
    until(|| progress.outage().is_some_and(|outage| outage.reason == "gone")).await;
    // Long enough for more attempts than any count of them would have allowed.
    let before = db.requests();
    until(|| db.requests() > before + 20).await;
    assert!(!running.is_finished());
    db.is_away.store(false, Ordering::Relaxed);
    let report = running.await.unwrap().unwrap();
    assert!(report.adds_up(), "{report}");
    assert_eq!((report.added, report.failed, report.exit_code()), (600, 0, 0), "{report}");
    assert_eq!(progress.outage(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_for_good_ends_the_run_and_the_next_one_goes_on() {
    let dir = write_dishes(&dishes(1500));
    let db = Arc::new(Fake::default());
    db.dies_after.store(6, Ordering::Relaxed);
    let mut impatient = options();
    impatient.give_up_after = Duration::from_millis(200);
    let letters = dir.path().join("letters.jsonl");
    let report = ingest(&db)
        .options(impatient)
        .dead_letters(DeadLetters::at(&letters))
        .run(source(&dir))
        .await
        .unwrap();
    assert!(report.adds_up() && report.failed > 0 && report.rows < 1500, "{report}");
    assert_eq!(report.exit_code(), 1);
    assert!(report.to_string().contains("run it again to go on from here"), "{report}");
    // What failed meanwhile is kept as well.
    let kept = std::fs::read_to_string(&letters).unwrap().lines().count() as u64;
    assert_eq!(kept - 1, report.failed);
    db.dies_after.store(0, Ordering::Relaxed);
    let rest = ingest(&db).run(source(&dir)).await.unwrap();
    assert_eq!((rest.rows, rest.failed, db.objects("_Image")), (1500, 0, 1500), "{rest}");
}

#[tokio::test]
async fn a_database_that_never_answers_is_not_waited_for_all_night() {
    let dir = write_dishes(&dishes(3));
    let db = Arc::new(Fake::default());
    db.is_away.store(true, Ordering::Relaxed);
    let mut impatient = options();
    impatient.give_up_after = Duration::from_millis(50);
    let error = ingest(&db).options(impatient).run(source(&dir)).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("gone"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_does_not_wait_for_a_database_that_is_away() {
    let dir = write_dishes(&dishes(1500));
    let db = Arc::new(Fake::default());
    let (progress, stop) = (Arc::new(Progress::default()), Stop::default());
    let ingesting = ingest(&db).progress(progress.clone()).stop_on(stop.clone());
    let running = tokio::spawn(ingesting.run(source(&dir)));
    until(|| progress.added() > 0).await;
    db.is_away.store(true, Ordering::Relaxed);
    until(|| progress.outage().is_some()).await;
    stop.stop();
    let report = running.await.unwrap().unwrap();
    // What was under way is neither in nor failed: it is as if it had not been read.
    assert!(report.adds_up() && report.stopped, "{report}");
    assert_eq!((report.failed, report.exit_code()), (0, 130), "{report}");
    assert!(report.rows < 1500 && report.added > 0, "{report}");
    db.is_away.store(false, Ordering::Relaxed);
    let rest = ingest(&db).run(source(&dir)).await.unwrap();
    assert_eq!((rest.rows, rest.failed, db.objects("_Image")), (1500, 0, 1500), "{rest}");
}

#[tokio::test]
async fn being_told_to_stop_when_all_is_done_changes_nothing() {
    let dir = write_dishes(&dishes(3));
    let stop = Stop::default();
    // It is told during the only batch.
    let report = Ingest::new(Arc::new(Fake::default()))
        .embedder(Arc::new(Letters::stopping(stop.clone())))
        .options(options())
        .stop_on(stop)
        .run(source(&dir))
        .await
        .unwrap();
    assert!(report.adds_up(), "{report}");
    assert_eq!(report.stopped, report.rows < 3, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_what_happens() {
    let mut rows = dishes(200);
    rows[17]["url"] = "images/none.png".into();
    rows[18]["chef"] = "A".into();
    let dir = write_dishes(&rows);
    let events = Arc::new(Mutex::new(Vec::new()));
    let ingest = ingest(&Arc::new(Fake::default())).on_event({
        let events = events.clone();
        move |event| events.lock().unwrap().push(serde_json::to_value(event).unwrap())
    });
    let report = ingest.run(source(&dir)).await.unwrap();
    let events = std::mem::take(&mut *events.lock().unwrap());
    let of = |kind: &str| events.iter().filter(|e| e["event"] == kind).collect::<Vec<_>>();
    assert_eq!(events[0]["event"], "started");
    assert_eq!((&events[0]["version"], &events[0]["class"]), (&json!(1), &json!("Dish")));
    assert!(events[0]["source_bytes"].as_u64() > Some(0));
    let failed = of("row_failed");
    assert_eq!(failed.len(), 1);
    assert_eq!((&failed[0]["row"], &failed[0]["stage"]), (&json!(18), &json!("media")));
    assert!(failed[0]["reason"].as_str().unwrap().contains("images/none.png"));
    for progress in of("progress") {
        assert!(progress["rows_per_second"].is_f64() && progress["finished"].is_u64());
    }
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["exit_code"]), (&json!("finished"), &json!(3)));
    let told = &last["report"];
    assert_eq!(
        (&told["rows"], &told["added"], &told["failed"]),
        (&json!(200), &json!(199), &json!(1))
    );
    assert_eq!(told["failure_groups"][0]["rows"], 1);
    assert_eq!(told["ignored_keys"], json!({"chef": 1}));
    assert_eq!(told["broken_off"], Json::Null);
    assert!(told["seconds"].is_f64() && told["stages"]["embed"].is_f64());
    assert_eq!(told["slowest"].as_array().unwrap().len(), report.slowest.len());
    assert_eq!(report.slowest.len(), 10);
    assert!(report.slowest.is_sorted_by(|a, b| a.time >= b.time));
    assert_eq!(serde_json::to_value(&report).unwrap(), *told);
}

fn part(change: impl FnOnce(&mut Selection)) -> Selection {
    let mut selection = Selection::default();
    change(&mut selection);
    selection
}

/// The numbers of the rows that a selection leaves.
fn selected(dir: &Path, selection: Selection) -> Vec<u64> {
    let mut rows = Vec::new();
    let source = JsonSource::<Dish>::open(dir.join("dishes.json")).unwrap().select(selection);
    source
        .read(&mut |row, _| {
            rows.push(row.at.row);
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

#[test]
fn parts_of_a_source_are_the_same_on_every_run() {
    let mut rows = dishes(100);
    rows[40] = json!("broken");
    // The same dish again, as another row.
    rows[60]["dish_id"] = 7.into();
    let dir = write_dishes(&rows);
    let of = |change: fn(&mut Selection)| selected(dir.path(), part(change));
    assert_eq!(of(|_| ()), (1..=100).collect::<Vec<_>>());
    assert_eq!(of(|s| s.limit = Some(3)), [1, 2, 3]);
    assert_eq!(of(|s| s.limit = Some(0)), [0; 0]);
    assert_eq!(of(|s| (s.offset, s.limit) = (97, Some(5))), [98, 99, 100]);
    assert_eq!(of(|s| s.offset = 200), [0; 0]);
    let sample = of(|s| s.sample = Some(10));
    assert_eq!(sample.len(), 10);
    assert_eq!(sample, of(|s| s.sample = Some(10)));
    assert!(sample.is_sorted());
    let sampled = of(|s| (s.offset, s.limit, s.sample) = (50, Some(20), Some(5)));
    assert!(sampled.len() == 5 && sampled.iter().all(|n| (51..=70).contains(n)), "{sampled:?}");

    let mut all = BTreeSet::new();
    for i in 1..=4 {
        let share = selected(dir.path(), part(|s| s.shard = Shard::new(i, 4)));
        assert!((10..=40).contains(&share.len()), "{share:?}");
        assert_eq!(share.contains(&8), share.contains(&61), "rows of one dish go together");
        for row in share {
            assert!(all.insert(row), "row {row} is in two shares");
        }
    }
    assert_eq!(all.len(), 100, "the broken row is in one share too");
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_that_run_at_once_give_the_same_database_as_one_run() {
    let mut rows = dishes(300);
    rows[200]["dish_id"] = 7.into();
    let dir = write_dishes(&rows);
    let (together, alone) = (Arc::new(Fake::default()), Arc::new(Fake::default()));
    let whole = ingest(&alone).run(source(&dir)).await.unwrap();
    // Sets and indexes are there, as those of the first process are when others begin; the race
    // for them is tested with the engine.
    let none = source(&dir).select(part(|s| s.limit = Some(0)));
    ingest(&together).run(none).await.unwrap();
    let shares = (1..=3).map(|i| {
        let share = source(&dir).select(part(|s| s.shard = Shard::new(i, 3)));
        tokio::spawn(ingest(&together).run(share))
    });
    let mut added = 0;
    for share in shares.collect::<Vec<_>>() {
        let report: Report = share.await.unwrap().unwrap();
        assert!(report.adds_up() && report.failed == 0, "{report}");
        added += report.added;
    }
    assert_eq!(added, whole.added);
    assert_eq!(together.content(), alone.content());
}

#[test]
fn a_dry_run_shows_commands_and_what_their_blobs_would_be() {
    let mut rows = dishes(3);
    rows[1]["dish_id"] = "two".into();
    rows[2]["look"] = json!([1.0, 0.0, 0.0, 0.5]);
    let dir = write_dishes(&rows);
    // Nothing is read but the rows.
    std::fs::remove_dir_all(dir.path().join("images")).unwrap();
    let mut shown = Vec::new();
    let report = dry_run(source(&dir), Dialect::default(), false, &mut |row| {
        shown.push(serde_json::to_value(&row).unwrap());
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((report.rows, report.failed, report.exit_code()), (3, 1, 3), "{report}");
    assert_eq!(shown.len(), 2);
    let first = &shown[0];
    assert_eq!((&first["row"], &first["line"]), (&json!(1), &json!(2)));
    assert_eq!(first["commands"][0]["AddImage"]["properties"]["name"], "dish 0");
    assert_eq!(first["commands"][1]["AddDescriptor"]["set"], "letters");
    assert_eq!(
        first["blobs"],
        json!([
            {"Image": "images/0.png"},
            {"Descriptor": {"set": "letters", "dimensions": 4, "to_be_made_from": "images/0.png"}},
        ])
    );
    assert_eq!(shown[1]["blobs"][1]["Descriptor"]["given"], true);
}

#[tokio::test]
async fn csv_rows_are_kept_as_json_and_lines_of_another_length_as_text() {
    let dir = write_dishes(&dishes(4));
    let rows = dir.path().join("dishes.csv");
    let text = "dish_id,name,url\n1,\"a, b\",images/1.png\ntwo,b,images/2.png\n3,\"c, d\"\n";
    std::fs::write(&rows, text).unwrap();
    let db = Arc::new(Fake::default());
    let source = CsvSource::<Dish>::open(&rows).unwrap();
    let report = ingest(&db).dead_letters(DeadLetters::beside(&rows)).run(source).await.unwrap();
    assert_eq!((report.added, report.failed), (1, 2), "{report}");
    let text = std::fs::read_to_string(report.dead_letters.unwrap()).unwrap();
    let letters: Vec<Json> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(letters[1]["json"], json!({"dish_id": "two", "name": "b", "url": "images/2.png"}));
    assert_eq!((&letters[2]["text"], &letters[2]["line"]), (&json!("3,\"c, d\""), &json!(4)));
}
