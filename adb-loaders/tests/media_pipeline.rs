//! Rows whose pictures are on a web server: downloads beside everything else.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
mod local_web;

use std::{
    collections::HashSet,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use adb_loaders::{CsvSource, Ingest, JsonSource, Options, Report, Stop};
use common::{Dish, Fake, Letters, write_dishes};
use local_web::{Answer, Web, ok, status, to};
use serde_json::{Value as Json, json};

fn options() -> Options {
    let mut options = Options::default();
    options.backoff = Duration::from_millis(1);
    options.linger = Duration::from_millis(5);
    options.decoders = 1;
    options.media.allow_private = true;
    options.media.backoff = Duration::from_millis(1);
    options
}

fn picture() -> Answer {
    ok(b"\x89PNG\r\n\x1a\n\0".to_vec())
}

fn rows(web: &Web, n: u64) -> Vec<Json> {
    let url = |i| web.url(&format!("/{i}.png"));
    (0..n).map(|i| json!({"dish_id": i, "name": format!("dish {i}"), "url": url(i)})).collect()
}

async fn ingest_with(
    db: &Arc<Fake>,
    dir: &tempfile::TempDir,
    options: Options,
    stop: Stop,
) -> Report {
    let source = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    let report = Ingest::new(db.clone())
        .embedder(Arc::new(Letters::default()))
        .options(options)
        .stop_on(stop)
        .run(source)
        .await
        .unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

async fn ingest(db: &Arc<Fake>, rows: &[Json], options: Options) -> Report {
    ingest_with(db, &write_dishes(rows), options, Stop::default()).await
}

#[tokio::test]
async fn each_picture_is_fetched_once_and_not_again() {
    let web = Web::start(|_| picture());
    let db = Arc::new(Fake::default());
    let rows = rows(&web, 150);
    let first = ingest(&db, &rows, options()).await;
    // Stored and embedded, both.
    assert_eq!((first.added, first.embedded, first.failed), (150, 150, 0), "{first}");
    assert_eq!(web.asked().len(), 150);
    let second = ingest(&db, &rows, options()).await;
    assert_eq!((second.existed, second.embedded), (150, 0), "{second}");
    assert_eq!(web.asked().len(), 150, "what is there is not fetched");
}

#[tokio::test]
async fn csv_rows_name_addresses_too() {
    let web = Web::start(|asked| match asked.path.as_str() {
        "/moved" => to("/a.png"),
        _ => picture(),
    });
    let dir = write_dishes(&[json!({})]);
    let text = format!("dish_id,name,url\n1,one,{}\n2,two,images/0.png\n", web.url("/moved"));
    let path = dir.path().join("dishes.csv");
    std::fs::write(&path, text).unwrap();
    let db = Arc::new(Fake::default());
    let report = Ingest::new(db.clone())
        .embedder(Arc::new(Letters::default()))
        .options(options())
        .run(CsvSource::<Dish>::open(&path).unwrap())
        .await
        .unwrap();
    assert_eq!((report.added, report.failed), (2, 0), "{report}");
}

/// Lets requests go once so many different paths have been asked for.
#[derive(Default)]
struct Barrier(Mutex<HashSet<String>>, Condvar);

impl Barrier {
    fn wait(&self, path: &str, others: usize) -> bool {
        let mut seen = self.0.lock().unwrap();
        seen.insert(path.to_owned());
        self.1.notify_all();
        let patience = Duration::from_secs(20);
        let (seen, _) = self.1.wait_timeout_while(seen, patience, |s| s.len() < others).unwrap();
        seen.len() >= others
    }
}

#[tokio::test]
async fn a_slow_server_keeps_no_decoder_waiting() {
    // With one decoder: the first pictures come when the last has been asked for.
    let barrier = Barrier::default();
    let web = Web::start(move |asked| match barrier.wait(&asked.path, 40) {
        true => picture(),
        false => status(404),
    });
    let mut options = options();
    options.media.per_host = 40;
    let report = ingest(&Arc::new(Fake::default()), &rows(&web, 40), options).await;
    assert_eq!((report.added, report.failed), (40, 0), "{report}");
}

#[tokio::test]
async fn pictures_that_do_not_come_cost_their_row() {
    let web = Web::start(|asked| match asked.path.as_str() {
        "/10.png" => status(404),
        "/20.png" => ok("<html><title>Sorry</title></html>"),
        "/30.png" => to("http://169.254.169.254/secret"),
        "/40.png" if asked.before == 0 => status(503),
        "/50.png" => Answer::Cut(200, vec![], vec![1; 100], 50),
        _ => picture(),
    });
    let mut options = options();
    options.media.allow_private = false;
    options.media.trusting = Some(web.address);
    options.media.attempts = 3;
    let db = Arc::new(Fake::default());
    let report = ingest(&db, &rows(&web, 60), options).await;
    assert_eq!((report.added, report.failed, report.exit_code()), (56, 4, 3), "{report}");
    for (row, says) in [
        (11, "/10.png can't be had: the server answers 404"),
        (21, "an HTML page (\"Sorry\"), where an image is needed"),
        (31, "leads to 169.254.169.254"),
        (51, "cut off after 50 bytes of the 100"),
    ] {
        let failure = report.failures.iter().find(|f| f.at.row == row).unwrap();
        assert!(failure.to_string().contains(says), "{failure}");
    }
    assert_eq!(web.asked().iter().filter(|a| a.path == "/50.png").count(), 3);
    assert_eq!(db.objects("_Image"), 56);
}

#[tokio::test]
async fn little_room_is_enough() {
    let web = Web::start(|asked| match asked.path.as_str() {
        // Sizes that are told, and sizes that are not.
        path if path.contains('3') => Answer::Untold(vec![0x89; 3 << 20]),
        _ => ok(vec![0x89; 30_000]),
    });
    let mut options = options();
    options.media.bytes_in_flight = 1;
    options.rows_per_request = 7;
    let report = ingest(&Arc::new(Fake::default()), &rows(&web, 60), options).await;
    assert_eq!((report.added, report.failed), (60, 0), "{report}");
}

#[tokio::test]
async fn who_stops_does_not_wait_for_a_silent_server() {
    let stop = Stop::default();
    let stopping = stop.clone();
    let web = Web::start(move |asked| match asked.path.as_str() {
        "/0.png" => {
            stopping.stop();
            picture()
        }
        _ => Answer::Silent,
    });
    let mut options = options();
    // Nobody would wait for that.
    options.media.idle_timeout = Duration::from_secs(3600);
    options.media.total_timeout = Duration::from_secs(3600);
    let dir = write_dishes(&rows(&web, 300));
    let report = ingest_with(&Arc::new(Fake::default()), &dir, options, stop).await;
    assert!(report.stopped && report.rows < 300, "{report}");
}

#[tokio::test]
async fn paths_of_rows_stay_beside_their_file() {
    let dir = write_dishes(&[json!({}), json!({})]);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.png"), b"secret").unwrap();
    let secret = outside.path().join("secret.png");
    let rows = json!([
        {"dish_id": 1, "name": "within", "url": "images/0.png"},
        {"dish_id": 2, "name": "outside", "url": secret},
    ]);
    std::fs::write(dir.path().join("dishes.json"), rows.to_string()).unwrap();
    let run = async |options| {
        ingest_with(&Arc::new(Fake::default()), &dir, options, Stop::default()).await
    };
    let report = run(options()).await;
    assert_eq!((report.added, report.failed), (1, 1), "{report}");
    assert!(report.failures[0].to_string().contains("--allow-outside"), "{report}");
    let mut lax = options();
    lax.media.allow_outside = true;
    assert_eq!(run(lax).await.added, 2);
    let mut elsewhere = options();
    elsewhere.media.root = Some(outside.path().to_owned());
    let report = run(elsewhere).await;
    assert_eq!((report.added, report.failed), (1, 1), "{report}");
    assert!(report.failures[0].to_string().contains("does not exist"), "{report}");
}
