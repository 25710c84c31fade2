//! The pipeline against a database of our own making: every row ends as exactly one of added,
//! existed, failed, whatever goes wrong on the way.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use adb_loaders::{ErrorKind, Ingest, JsonSource, Options, Report, Stop};
use common::{Dish, Fake, Letters, dishes, write_dishes};

fn options() -> Options {
    let mut options = Options::default();
    options.backoff = Duration::from_millis(1);
    options.linger = Duration::from_millis(5);
    options.give_up_after = Duration::from_millis(300);
    options
}

async fn ingest(db: &Arc<Fake>, dir: &tempfile::TempDir) -> Report {
    ingest_with(options(), db, dir).await
}

async fn ingest_with(options: Options, db: &Arc<Fake>, dir: &tempfile::TempDir) -> Report {
    let source = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    let report = Ingest::new(db.clone())
        .embedder(Arc::new(Letters::default()))
        .options(options)
        .run(source)
        .await
        .unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

#[tokio::test]
async fn a_second_run_adds_nothing_and_embeds_nothing() {
    let dir = write_dishes(&dishes(250));
    let db = Arc::new(Fake::default());
    let first = ingest(&db, &dir).await;
    assert_eq!((first.rows, first.added, first.existed, first.failed), (250, 250, 0, 0), "{first}");
    assert_eq!(first.embedded, 250);
    assert_eq!(first.exit_code(), 0);
    // Pictures are gone: the second run must not want them.
    std::fs::remove_dir_all(dir.path().join("images")).unwrap();
    let second = ingest(&db, &dir).await;
    assert_eq!((second.rows, second.added, second.existed), (250, 0, 250), "{second}");
    assert_eq!((second.embedded, second.objects_added, second.connections_added), (0, 0, 0));
    assert!(second.to_string().contains("nothing to do"), "{second}");
}

#[tokio::test]
async fn vectors_given_by_the_caller_need_no_embedder() {
    let mut rows = dishes(3);
    for row in &mut rows {
        row["look"] = serde_json::json!([1.0, 0.0, 0.0, 0.5]);
    }
    let dir = write_dishes(&rows);
    let db = Arc::new(Fake::default());
    let source = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    let report = Ingest::new(db.clone()).options(options()).run(source).await.unwrap();
    assert_eq!((report.added, report.embedded), (3, 0), "{report}");
    assert_eq!(db.set_filler("letters"), "caller");
}

#[tokio::test]
async fn without_vector_and_embedder_each_row_says_so() {
    let dir = write_dishes(&dishes(2));
    let source = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    let report =
        Ingest::new(Arc::new(Fake::default())).options(options()).run(source).await.unwrap();
    assert_eq!((report.failed, report.exit_code()), (2, 3), "{report}");
    assert!(report.failures[0].reason.contains("no embedder"), "{report}");
}

#[tokio::test]
async fn poisoned_rows_cost_themselves_only() {
    let mut rows = dishes(120);
    rows[10]["url"] = "images/none.png".into();
    rows[20]["dish_id"] = "twenty".into();
    rows[30]["dish_id"] = u64::MAX.into();
    rows[40]["name"] = "refuse me".into();
    rows[99]["name"] = "refuse me".into();
    let dir = write_dishes(&rows);
    std::fs::write(dir.path().join("images/50.png"), "unreadable").unwrap();
    std::fs::write(dir.path().join("images/60.png"), "breaks the batch").unwrap();
    std::fs::write(dir.path().join("images/70.png"), "not a number").unwrap();
    let db = Arc::new(Fake::default());
    let report = ingest(&db, &dir).await;
    assert_eq!((report.rows, report.added, report.failed), (120, 112, 8), "{report}");
    assert_eq!(report.exit_code(), 3);
    let said: Vec<(u64, &str)> =
        report.failures.iter().map(|f| (f.at.row, f.reason.as_str())).collect();
    for ((row, reason), (expected, words)) in said.iter().zip([
        (11, "images/none.png does not exist"),
        (21, "invalid type: string \"twenty\", expected u64"),
        (31, "18446744073709551615 does not fit"),
        (41, "the database refused it: I was told to"),
        (51, "not a readable image: unreadable"),
        (61, "the embedder `letters` failed"),
        (71, "component 0 of the vector is not a finite number"),
        (100, "the database refused it: I was told to"),
    ]) {
        assert_eq!(*row, expected, "{report}");
        assert!(reason.contains(words), "row {row}: {reason}");
    }
    assert!(report.to_string().contains("row 41 (line"), "{report}");
}

#[tokio::test]
async fn passing_failures_are_waited_out() {
    let dir = write_dishes(&dishes(30));
    let db = Arc::new(Fake::default());
    // The probe, then writes: every second request fails, some after they were applied.
    db.flaky.store(true, Ordering::Relaxed);
    let report = ingest(&db, &dir).await;
    assert_eq!((report.rows, report.failed), (30, 0), "{report}");
    assert_eq!(db.objects("_Image"), 30);
    assert_eq!(db.objects("_Descriptor"), 30);
}

#[tokio::test]
async fn a_database_that_stays_away_breaks_off_with_everything_accounted_for() {
    let dir = write_dishes(&dishes(1500));
    let db = Arc::new(Fake::default());
    db.dies_after.store(6, Ordering::Relaxed);
    let report = ingest(&db, &dir).await;
    assert!(report.rows < 1500, "reading stopped: {report}");
    assert!(report.failed > 0);
    assert_eq!(report.exit_code(), 1);
    let error = report.broken_off.as_ref().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Database(_)), "{error}");
    assert_eq!(db.objects("_Image") as u64, report.added);
    // And back again, another run brings the rest.
    db.dies_after.store(u64::MAX, Ordering::Relaxed);
    let again = ingest(&db, &dir).await;
    assert_eq!((again.added + report.added, again.failed), (1500, 0), "{again}");
}

#[tokio::test]
async fn stopping_drains_what_was_begun() {
    let dir = write_dishes(&dishes(1500));
    let db = Arc::new(Fake::default());
    let stop = Stop::default();
    let source = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    let report = Ingest::new(db.clone())
        // As if Ctrl-C came during the first batch: channels are bounded, so the source can't have
        // been read to its end by then.
        .embedder(Arc::new(Letters::stopping(stop.clone())))
        .options(options())
        .stop_on(stop)
        .run(source)
        .await
        .unwrap();
    assert!(report.adds_up() && report.stopped, "{report}");
    assert!(report.rows < 1500);
    assert_eq!((report.failed, report.exit_code()), (0, 130));
    assert_eq!(db.objects("_Image") as u64, report.added);
}

#[tokio::test]
async fn a_source_broken_in_the_middle_keeps_what_came_before() {
    let dir = write_dishes(&dishes(5));
    let path = dir.path().join("dishes.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 4]).unwrap();
    let report = ingest(&Arc::new(Fake::default()), &dir).await;
    assert_eq!((report.rows, report.added, report.exit_code()), (4, 4, 1), "{report}");
    assert!(report.to_string().contains("broken off: "), "{report}");
}

#[tokio::test]
async fn the_same_id_twice_and_changed_rows_are_told() {
    let mut rows = dishes(4);
    rows[3]["dish_id"] = rows[0]["dish_id"].clone();
    rows[3]["name"] = "an impostor".into();
    let dir = write_dishes(&rows);
    let db = Arc::new(Fake::default());
    // Rows overtake each other on several threads, and the one that is written first is added.
    let mut in_order = options();
    (in_order.decoders, in_order.writers) = (1, 1);
    let report = ingest_with(in_order, &db, &dir).await;
    assert_eq!((report.added, report.existed, report.differing), (3, 1, 1), "{report}");
    let told = report.first_difference.unwrap();
    assert!(told.reason.contains("same id"), "{told}");

    let mut rows = dishes(3);
    rows[1]["name"] = "renamed".into();
    let dir = write_dishes(&rows);
    let report = ingest(&db, &dir).await;
    assert_eq!((report.existed, report.differing), (3, 1), "{report}");
    let told = report.first_difference.unwrap().to_string();
    assert!(told.contains("row 2") && told.contains("`name` is \"renamed\" here"), "{told}");
}

#[tokio::test]
async fn keys_that_no_field_takes_are_reported_once() {
    let mut rows = dishes(3);
    rows[0]["chef"] = "A".into();
    rows[2]["chef"] = "B".into();
    let dir = write_dishes(&rows);
    let report = ingest(&Arc::new(Fake::default()), &dir).await;
    assert_eq!(report.ignored_keys.get("chef"), Some(&2), "{report}");
    assert!(report.to_string().contains("no field takes the key `chef` (2 rows have it)"));
}

#[tokio::test]
async fn vectors_of_another_embedder_are_refused_before_the_first_row() {
    let dir = write_dishes(&dishes(3));
    let db = Arc::new(Fake::default());
    ingest(&db, &dir).await;
    let source = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    let error = Ingest::new(db.clone())
        .embedder(Arc::new(Letters::with_hash("another")))
        .run(source)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("can't be compared") && text.contains("letters"), "{text}");
}
