//! Rows that fail: each costs itself only, is kept with its reason, and can be taken again.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use adb_loaders::{
    DeadLetters, Error, ErrorKind, Ingest, JsonSource, LetterFile, Options, Report, Stage,
    letters::RowsAre,
};
use adb_model::DataModel as _;
use common::{Dish, Fake, Letters, write_dishes};
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

async fn run(db: &Arc<Fake>, rows: &Path) -> Report {
    let source = JsonSource::<Dish>::open(rows).unwrap();
    let report = ingest(db).dead_letters(DeadLetters::beside(rows)).run(source).await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

async fn retry(db: &Arc<Fake>, letters: &Path) -> Report {
    let source = LetterFile::open(letters).unwrap().rows::<Dish>();
    let ingest = ingest(db).dead_letters(DeadLetters::beside(letters));
    let report = ingest.run(source).await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

fn lines(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Rows of which some are poisoned, each in another way, beside a hundred pictures.
fn poisoned(count: u64) -> (tempfile::TempDir, PathBuf, Vec<(u64, Stage, &'static str)>) {
    let dir = write_dishes(&vec![Json::Null; 100]);
    let picture = |name: &str, bytes: &str| fs::write(dir.path().join("images").join(name), bytes);
    picture("unreadable.png", "unreadable").unwrap();
    picture("breaks.png", "breaks the batch").unwrap();
    picture("nan.png", "not a number").unwrap();
    picture("empty.png", "").unwrap();
    let row = |i: u64| json!({"dish_id": i, "name": format!("dish {i}"), "url": format!("images/{}.png", i % 100)});
    let step = count / 12;
    let mut expected = Vec::new();
    let mut text = String::new();
    for i in 0..count {
        let mut json = row(i);
        let mut line = None;
        if i % step == step / 2 {
            let (stage, words) = match i / step {
                0 => {
                    json["url"] = "images/none.png".into();
                    (Stage::Media, "does not exist")
                }
                1 => {
                    json["url"] = "images/unreadable.png".into();
                    (Stage::Decode, "not a readable image")
                }
                2 => {
                    json["url"] = "images/breaks.png".into();
                    (Stage::Embed, "the embedder `letters` failed")
                }
                3 => {
                    json["url"] = "images/nan.png".into();
                    (Stage::Embed, "not a finite number")
                }
                4 => {
                    json["url"] = "images/empty.png".into();
                    (Stage::Media, "is empty")
                }
                5 => {
                    json["dish_id"] = "five".into();
                    (Stage::Read, "expected u64")
                }
                6 => {
                    json["dish_id"] = u64::MAX.into();
                    (Stage::Read, "18446744073709551615 does not fit")
                }
                7 => {
                    line = Some("{\"dish_id\": 7, \"name\"".to_owned());
                    (Stage::Read, "EOF while parsing")
                }
                8 => {
                    json["name"] = "refuse me".into();
                    (Stage::Write, "the database refused it: I was told to")
                }
                9 => {
                    json["name"] = "too much for me".into();
                    (Stage::Write, "too much for me")
                }
                10 => {
                    json["name"] = "takes me down".into();
                    (Stage::Write, "connection lost")
                }
                _ => {
                    json["url"] = "http://127.0.0.1:9/a.png".into();
                    (Stage::Media, "127.0.0.1:9/a.png")
                }
            };
            if i / step < 12 {
                expected.push((i + 1, stage, words));
            } else {
                json = row(i);
            }
        }
        text.push_str(&line.unwrap_or_else(|| json.to_string()));
        text.push('\n');
    }
    let rows = dir.path().join("dishes.jsonl");
    fs::write(&rows, text).unwrap();
    (dir, rows, expected)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_rows_the_poisoned_ones_fail_and_no_other() {
    let (dir, rows, expected) = poisoned(10_000);
    assert_eq!(expected.len(), 12);
    let db = Arc::new(Fake::default());
    let report = run(&db, &rows).await;
    assert_eq!((report.rows, report.added, report.failed), (10_000, 9988, 12), "{report}");
    assert_eq!((report.exit_code(), db.objects("_Image")), (3, 9988));
    let path = report.dead_letters.clone().unwrap();
    assert_eq!(path, dir.path().join("dishes.jsonl.dead-letters.jsonl"));
    assert!(report.to_string().contains("adb ingest retry"), "{report}");
    let mut letters = lines(&path).split_off(1);
    letters.sort_by_key(|letter| letter["row"].as_u64());
    assert_eq!(letters.len(), 12);
    for ((letter, failure), (row, stage, words)) in
        letters.iter().zip(&report.failures).zip(expected)
    {
        assert_eq!((&letter["row"], &letter["line"]), (&json!(row), &json!(row)), "{letter}");
        assert_eq!(letter["stage"], stage.name(), "{letter}");
        assert!(letter["reason"].as_str().unwrap().contains(words), "{letter}");
        assert_eq!((failure.at.row, failure.stage), (row, stage));
        assert!(letter["json"].is_object() != letter["text"].is_string(), "{letter}");
    }
    let field = letters.iter().find(|letter| letter["row"] == json!(report.failures[6].at.row));
    assert_eq!(field.unwrap()["field"], "Dish.dish_id");
    // Groups name each way once.
    assert_eq!(report.failure_groups.iter().map(|g| g.rows).sum::<u64>(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn mended_rows_are_taken_from_the_dead_letters_without_the_source() {
    let (dir, rows, _) = poisoned(120);
    let db = Arc::new(Fake::default());
    let first = run(&db, &rows).await;
    assert_eq!((first.added, first.failed), (108, 12), "{first}");
    let whole: Vec<String> =
        fs::read_to_string(&rows).unwrap().lines().map(str::to_owned).collect();
    fs::remove_file(&rows).unwrap();

    // Without mending, the same rows fail, and are in a new file.
    let path = first.dead_letters.unwrap();
    let again = retry(&db, &path).await;
    assert_eq!((again.rows, again.failed), (12, 12), "{again}");
    let second = again.dead_letters.clone().unwrap();
    assert_eq!(second, dir.path().join("dishes.jsonl.dead-letters.2.jsonl"));
    let places = |report: &Report| report.failures.iter().map(|f| f.at.clone()).collect::<Vec<_>>();
    let source_rows = again.failures.iter().map(|f| f.at.row).collect::<Vec<_>>();
    assert_eq!(source_rows, first.failures.iter().map(|f| f.at.row).collect::<Vec<_>>());
    assert!(places(&again).iter().all(|at| &*at.file == rows.to_str().unwrap()));

    // The user mends files, and rows in the dead-letter file; two stay as they are.
    for name in ["none", "unreadable", "breaks", "nan", "empty"] {
        fs::write(dir.path().join(format!("images/{name}.png")), "mended").unwrap();
    }
    let mut letters = lines(&second);
    for letter in letters.iter_mut().skip(1) {
        let row = letter["row"].as_u64().unwrap();
        let id = 100_000 + row;
        if let Some(text) = letter.get("text") {
            assert_eq!(text, whole[row as usize - 1].as_str());
            letter["text"] =
                format!(r#"{{"dish_id": {id}, "name": "m", "url": "images/1.png"}}"#).into();
        } else if !letter["json"]["dish_id"].is_u64() || letter["json"]["dish_id"] == u64::MAX {
            letter["json"]["dish_id"] = id.into();
        } else if letter["json"]["url"].as_str().unwrap().starts_with("http") {
            letter["json"]["url"] = "images/2.png".into();
        } else if letter["json"]["name"] == "too much for me" {
            letter["json"]["name"] = "smaller".into();
        }
    }
    let text: String = letters.iter().map(|letter| format!("{letter}\n")).collect();
    fs::write(&second, text).unwrap();
    let mended = retry(&db, &second).await;
    assert_eq!((mended.rows, mended.added, mended.failed), (12, 10, 2), "{mended}");
    let left: Vec<Json> = lines(&mended.dead_letters.unwrap()).split_off(1);
    let names: Vec<&Json> = left.iter().map(|letter| &letter["json"]["name"]).collect();
    assert!(names.contains(&&json!("refuse me")) && names.contains(&&json!("takes me down")));
    assert_eq!(db.objects("_Image"), 118);
}

#[tokio::test]
async fn the_header_says_what_the_rows_are() {
    let (dir, rows, _) = poisoned(120);
    let db = Arc::new(Fake::default());
    let letters = dir.path().join("kept.jsonl");
    let source = JsonSource::<Dish>::open(&rows).unwrap();
    let kept = DeadLetters::at(&letters).options(json!({"embedder": "letters"}));
    let report = ingest(&db).dead_letters(kept).run(source).await.unwrap();
    assert_eq!(report.dead_letters.as_deref(), Some(&*letters));
    let header = &lines(&letters)[0];
    assert_eq!(header["adb_dead_letters"], 1);
    assert_eq!(header["options"], json!({"embedder": "letters"}));
    assert!(Path::new(header["media_root"].as_str().unwrap()).is_absolute());
    // By the document in it, rows go in without their struct.
    let file = LetterFile::open(&letters).unwrap();
    let RowsAre::Model(document) = file.header().rows.clone() else { unreachable!() };
    assert_eq!(document.models[0].name, Dish::SCHEMA.name);
    let source = file.rows_by(document.load().unwrap());
    fs::write(dir.path().join("images/none.png"), "mended").unwrap();
    let report = ingest(&db).run(adb_loaders::Source::select(source, Default::default())).await;
    let report: Report = report.unwrap();
    assert_eq!((report.rows, report.added), (12, 1), "{report}");
}

#[tokio::test]
async fn rows_that_failed_before_are_never_overwritten() {
    let (dir, rows, _) = poisoned(120);
    let db = Arc::new(Fake::default());
    let first = run(&db, &rows).await.dead_letters.unwrap();
    let second = run(&db, &rows).await.dead_letters.unwrap();
    assert_ne!(first, second);
    assert_eq!(lines(&first).len(), lines(&second).len());
    let source = JsonSource::<Dish>::open(&rows).unwrap();
    let error: Error =
        ingest(&db).dead_letters(DeadLetters::at(&first)).run(source).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::DeadLetters { .. }));
    assert!(error.to_string().contains("name another file"), "{error}");
    // Where nothing fails, nothing is left behind.
    fs::remove_dir_all(dir.path().join("images")).unwrap();
    let good = dir.path().join("good.jsonl");
    fs::write(&good, "").unwrap();
    assert_eq!(run(&db, &good).await.dead_letters, None);
    assert!(!dir.path().join("good.jsonl.dead-letters.jsonl").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_many_failures_stays_small_and_the_file_has_all() {
    let dir = tempfile::tempdir().unwrap();
    let rows = dir.path().join("dishes.jsonl");
    let row = |i| format!("{{\"dish_id\": {i}, \"name\": \"a\", \"url\": \"images/{i}.png\"}}\n");
    fs::write(&rows, (0..5000).map(row).collect::<String>()).unwrap();
    let report = run(&Arc::new(Fake::default()), &rows).await;
    assert_eq!((report.rows, report.failed, report.failures.len()), (5000, 5000, 1000));
    let [group] = report.failure_groups.as_slice() else { panic!("{report}") };
    assert_eq!((group.rows, group.stage, group.first.len()), (5000, Stage::Media, 3));
    let letters = lines(&report.dead_letters.clone().unwrap());
    let mut failed: Vec<u64> = letters[1..].iter().map(|l| l["row"].as_u64().unwrap()).collect();
    failed.sort_unstable();
    assert_eq!(failed, (1..=5000).collect::<Vec<_>>());
    assert!(report.to_string().contains("and 4997 more"), "{report}");
}
