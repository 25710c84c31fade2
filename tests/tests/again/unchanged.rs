//! A second run does what has changed and nothing else, whatever became of ledger and database.

use std::{fs, path::Path};

use adb::{loaders::OnExisting, prelude::*};
use serde_json::json;

use super::model::{Dish, World, counts, picture, write_picture};

use OnExisting::{Fail, Keep, Update};

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_source_is_let_alone_with_and_without_the_ledger() {
    for existing in [Keep, Update] {
        for ledger in [true, false] {
            let mut world = World::new(30);
            world.ledger = ledger;
            let report = world.ingest(existing).await;
            assert_eq!(counts(&report), (30, 0, 0, 0), "{report}");
            assert_eq!(world.tiny.count(), (60, 30));
            for lost in [false, true] {
                if lost && ledger {
                    fs::remove_file(world.path("ledger")).unwrap();
                }
                let report = world.ingest(existing).await;
                assert_eq!(counts(&report), (0, 30, 0, 0), "{report}");
                assert_eq!((world.tiny.count(), report.run), ((0, 0), None));
                assert_eq!(world.db.writes(), [[""; 0]; 0], "{existing:?}, ledger {ledger}");
            }
            assert_eq!(world.count("FindEntity", json!({"with_class": "AdbRun"})).await, 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_the_stamp_that_they_had_are_not_read() {
    let mut world = World::new(10);
    world.ingest(Update).await;
    // Other bytes, of the same size and time: only by reading it one could know.
    write_picture(world.dir.path(), "4.png", 99, 0);
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 10, 0, 0), "{report}");
    // Without the ledger files are read, and this one is found.
    world.ledger = false;
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 9, 1, 0), "{report}");
    assert_eq!(world.tiny.count(), (2, 0));
    assert_eq!(world.dishes().await[4].photo, Image::bytes(picture(99)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_only_touched_is_no_change() {
    let world = World::new(10);
    world.ingest(Update).await;
    write_picture(world.dir.path(), "4.png", 4, 5);
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 10, 0, 0), "{report}");
    assert!(world.db.writes().is_empty() && world.tiny.count() == (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_changed_photo_of_thirty_is_replaced_with_all_that_hangs_on_it() {
    let world = World::new(30);
    world.ingest(Update).await;
    // What somebody else has joined to it stays.
    world
        .act(json!([
            {"FindImage": {"_ref": 1, "constraints": {"id": ["==", 7]}}},
            {"AddEntity": {"_ref": 2, "class": "Note", "properties": {"text": "mine"}}},
            {"AddConnection": {"class": "Noted", "src": 2, "dst": 1}},
        ]))
        .await;
    write_picture(world.dir.path(), "7.png", 200, 5);
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 29, 1, 0), "{report}");
    // The photo and its one plate.
    assert_eq!(world.tiny.count(), (2, 0));
    let writes = world.db.writes();
    assert_eq!(writes.len(), 3, "the run's own entity twice, and one transaction: {writes:?}");
    assert_state(&world, 30).await;
    let changed = &world.dishes().await[7];
    assert_eq!(changed.photo, Image::bytes(picture(200)));
    assert_eq!(changed.look.as_slice(), Some([200.0, -1.0, -1.0, 1.0].as_slice()));
    assert_eq!(changed.plates[0].look.as_slice(), Some([200.0, 7.0, 0.0, 1.0].as_slice()));
    assert_eq!(world.count("FindConnection", json!({"with_class": "Noted"})).await, 1);
    let again = world.ingest(Update).await;
    assert_eq!(counts(&again), (0, 30, 0, 0), "{again}");
    assert!(world.db.writes().is_empty());
}

/// Nothing is missing, nothing is there twice, nothing hangs in the air.
pub(crate) async fn assert_state(world: &World, n: u64) {
    for (command, body, expected) in [
        ("FindImage", json!({}), n),
        ("FindBoundingBox", json!({}), n),
        ("FindDescriptor", json!({"set": "looks"}), 2 * n),
        ("FindDescriptor", json!({"set": "meanings"}), n),
        ("FindEntity", json!({"with_class": "Ingredient"}), 4),
        ("FindConnection", json!({"with_class": "Has"}), 2 * n),
    ] {
        assert_eq!(world.count(command, body.clone()).await, expected, "{command} {body}");
    }
    for (i, dish) in world.dishes().await.iter().enumerate() {
        assert_eq!((dish.id, dish.ingredients.len()), (i as u64, 2), "{dish:?}");
        assert!(dish.look.as_slice().is_some() && dish.meaning.as_slice().is_some(), "{dish:?}");
        assert!(dish.plates.len() == 1 && dish.plates[0].look.as_slice().is_some(), "{dish:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_comes_before_others_changes_none_of_them() {
    for existing in [Keep, Update] {
        let mut world = World::new(10);
        let all = world.rows.clone();
        world.rows.remove(0);
        world.ingest(existing).await;
        world.rows = all;
        let report = world.ingest(existing).await;
        assert_eq!((counts(&report), report.embedded), ((1, 9, 0, 0), 3), "{report}");
        assert_state(&world, 10).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_caption_embeds_what_reads_the_caption() {
    let mut world = World::new(30);
    world.ingest(Update).await;
    world.rows[3]["caption"] = "longer than before".into();
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 29, 1, 0), "{report}");
    assert_eq!(world.tiny.count(), (0, 1));
    world.rows[4]["name"] = "read by nobody".into();
    let report = world.ingest(Update).await;
    assert_eq!((counts(&report), world.tiny.count()), ((0, 29, 1, 0), (0, 0)), "{report}");
    assert_state(&world, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_deleted_or_restored_is_filled_again() {
    for existing in [Keep, Update] {
        let mut world = World::new(20);
        let all = world.rows.clone();
        world.rows.truncate(8);
        world.ingest(existing).await;
        let copy = world.path("copy");
        world.reopen(|db| copy_dir(db, &copy));
        world.rows = all;
        world.ingest(existing).await;
        assert_state(&world, 20).await;

        world.reopen(|db| {
            fs::remove_dir_all(db).unwrap();
            copy_dir(&copy, db);
        });
        let report = world.ingest(existing).await;
        assert_eq!(counts(&report), (12, 8, 0, 0), "{report}");
        assert_state(&world, 20).await;

        world.reopen(|db| fs::remove_dir_all(db).unwrap());
        let report = world.ingest(existing).await;
        assert_eq!(counts(&report), (20, 0, 0, 0), "{report}");
        assert_state(&world, 20).await;
    }
}

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_dir(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_that_somebody_deleted_are_made_again() {
    for existing in [Keep, Update] {
        let world = World::new(10);
        world.ingest(existing).await;
        let one = json!({"adb_id": ["==", "Dish/3/look"]});
        world.act(json!([{"DeleteDescriptor": {"constraints": one}}])).await;
        let report = world.ingest(existing).await;
        assert_eq!(report.embedded, 1, "{report}");
        assert_state(&world, 10).await;
        world.act(json!([{"DeleteDescriptorSet": {"with_name": "meanings"}}])).await;
        let report = world.ingest(existing).await;
        assert_eq!((report.embedded, report.failed), (10, 0), "{report}");
        assert_state(&world, 10).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_changed_is_found_when_it_is_asked_for() {
    let world = World::new(10);
    world.ingest(Update).await;
    let third = json!({"id": ["==", 3]});
    let change = json!([{"UpdateImage": {"constraints": third, "properties": {"name": "theirs"}}}]);
    world.act(change).await;
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 10, 0, 0), "{report}");
    let report = world.run(world.ingest_of(Update).recheck(true), &world.rows).await;
    assert_eq!(counts(&report), (0, 9, 1, 0), "{report}");
    assert_eq!(world.dishes().await[3].name, "dish 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_exist_fail_where_they_are_to() {
    let mut world = World::new(4);
    let all = world.rows.clone();
    world.rows.truncate(2);
    world.ingest(Fail).await;
    world.rows = all;
    world.rows[0]["ingredients"] = json!([{"name": "new"}]);
    let report = world.ingest(Fail).await;
    assert_eq!(counts(&report), (2, 0, 0, 2), "{report}");
    assert!(report.failures[0].reason.contains("--on-existing keep"), "{report}");
    assert_eq!(world.count("FindEntity", json!({"with_class": "Ingredient"})).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_kept_are_updated_later_all_the_same() {
    let mut world = World::new(5);
    world.ingest(Keep).await;
    world.rows[2]["name"] = "renamed".into();
    for _ in 0..2 {
        let report = world.ingest(Keep).await;
        assert_eq!((counts(&report), report.differing), ((0, 5, 0, 0), 1), "{report}");
    }
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 4, 1, 0), "{report}");
    let report = world.ingest(Keep).await;
    assert_eq!((counts(&report), report.differing), ((0, 5, 0, 0), 0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_added_in_code_are_noted_by_an_ingestion_that_updates() {
    let world = World::new(3);
    let dish = Dish {
        id: 1,
        name: "dish 1".into(),
        caption: "caption 1".into(),
        photo: Image::bytes(picture(1)),
        look: Embedding::default(),
        meaning: Embedding::default(),
        plates: Vec::new(),
        ingredients: Vec::new(),
    };
    adb::ensure(&*world.db, Dish::SCHEMA, |_| Some(world.tiny.identity())).await.unwrap();
    dish.upsert().embedder(&*world.tiny).write(&*world.db).await.unwrap();
    let noted = json!({"constraints": {"adb_row": ["!=", null]}});
    let of_runs = json!({"constraints": {"adb_run": ["!=", null]}});
    assert_eq!(world.count("FindImage", noted.clone()).await, 0);
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (2, 0, 1, 0), "{report}");
    assert_eq!(world.count("FindImage", noted).await, 3);
    assert_eq!(world.count("FindImage", of_runs).await, 2, "it is not this run's");
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 3, 0, 0), "{report}");
    assert!(world.db.writes().is_empty());
}
