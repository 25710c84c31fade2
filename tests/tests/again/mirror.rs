//! What left the source leaves the database, and nothing else does.

use adb::{
    Request, ask,
    loaders::{Mirror, OnExisting, Report},
};
use serde_json::{Value as Json, json};

use super::model::{World, counts, picture, write_picture};

use OnExisting::{Keep, Update};

async fn mirror(world: &World, rows: &[Json], mirror: Mirror) -> Report {
    world.run(world.ingest_of(Update).mirror(mirror), rows).await
}

async fn images(world: &World) -> u64 {
    world.count("FindImage", json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_the_source_is_told_and_deleted_when_asked_for() {
    let world = World::new(10);
    world.ingest(Update).await;
    // `thing 1` is of 1, 4 and 7 alone.
    let rows: Vec<Json> =
        world.rows.iter().filter(|r| r["id"].as_u64().unwrap() % 3 != 1).cloned().collect();
    let report = mirror(&world, &rows, Mirror::Tell).await;
    let told = report.mirror.clone().unwrap();
    assert_eq!((told.removed.objects, told.deleted, images(&world).await), (3, false, 10));
    assert_eq!(told.removed.children, 1, "{told}");
    // In the order in which they were added, which is any.
    let mut first = told.first.clone();
    first.sort();
    assert_eq!(first, ["1", "4", "7"]);
    assert!(report.to_string().contains("would be deleted (`--yes` does it): "), "{report}");
    assert!(world.db.writes().is_empty());

    let report = mirror(&world, &rows, Mirror::Delete).await;
    assert_eq!(report.mirror.as_ref().unwrap().removed, told.removed, "{report}");
    assert_eq!(images(&world).await, 7);
    assert_eq!(world.count("FindEntity", json!({"with_class": "Ingredient"})).await, 3);
    assert_eq!(world.count("FindBoundingBox", json!({})).await, 7);
    assert_eq!(world.count("FindDescriptor", json!({"set": "looks"})).await, 14);
    assert_eq!(world.count("FindDescriptor", json!({"set": "meanings"})).await, 7);
    assert_eq!(world.count("FindConnection", json!({"with_class": "Has"})).await, 14);
    let report = mirror(&world, &rows, Mirror::Delete).await;
    assert_eq!((counts(&report), report.mirror.unwrap().removed.objects), ((0, 7, 0, 0), 0));
    // What comes back comes back whole.
    let report = mirror(&world, &world.rows.clone(), Mirror::Delete).await;
    assert_eq!(counts(&report), (3, 7, 0, 0), "{report}");
    super::unchanged::assert_state(&world, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_other_sources_and_programs_nothing_goes() {
    let world = World::new(9);
    let (mine, theirs) = world.rows.split_at(4);
    world.run_file(world.ingest_of(Keep), theirs, "theirs.jsonl").await;
    world.run_file(world.ingest_of(Keep), mine, "mine.jsonl").await;
    let by_hand = json!([{"AddImage": {"properties": {"id": 77, "user_type": "Dish"}}}]);
    ask(&*world.db, Request::json(&by_hand).with_blob(picture(1))).await.unwrap();
    let ingest = world.ingest_of(Update).mirror(Mirror::Delete);
    let report = world.run_file(ingest, &mine[1..], "mine.jsonl").await;
    let mirrored = report.mirror.unwrap();
    assert_eq!((mirrored.removed.objects, mirrored.first), (1, vec!["0".to_owned()]));
    assert_eq!(images(&world).await, 9);
    // The same source under another name is another one.
    let ingest = world.ingest_of(Update).mirror(Mirror::Delete).source_name("elsewhere");
    let report = world.run_file(ingest, &mine[2..], "mine.jsonl").await;
    assert_eq!(report.mirror.unwrap().removed.objects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_which_something_is_not_known_deletes_nothing() {
    let world = World::new(6);
    world.ingest(Update).await;
    let mut broken = world.rows[..3].to_vec();
    broken.push(json!({"id": "no number"}));
    let none: Vec<Json> = Vec::new();
    for (rows, why) in [(broken, "nobody knows which objects"), (none, "it has no rows")] {
        let report = mirror(&world, &rows, Mirror::Delete).await;
        assert!(report.mirror.is_none(), "{report}");
        assert!(report.to_string().contains(why), "{report}");
        assert_eq!(images(&world).await, 6);
    }
    // A row that fails later is known: its object is not taken for one that left.
    let mut rows = world.rows[..4].to_vec();
    rows[1]["photo"] = "none.png".into();
    write_picture(world.dir.path(), "0.png", 50, 9);
    let report = mirror(&world, &rows, Mirror::Delete).await;
    assert_eq!((counts(&report), report.mirror.unwrap().removed.objects), ((0, 2, 1, 1), 2));
    assert_eq!(images(&world).await, 4);
}
