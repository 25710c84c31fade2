//! Several processes, each with a share of the rows, give the same database as one.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, path::Path, sync::Arc};

use adb::{
    Request,
    loaders::{Ingest, JsonSource, Selection, Shard, Source as _},
    prelude::*,
};
use adb_tests::Looks;
use serde::Deserialize;
use serde_json::{Value as Json, json};

#[derive(Debug, DataModel, Deserialize)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    dish_id: u64,
    #[adb(index)]
    name: String,
    photo: Image,
    #[adb(embed(from = photo, set = Looks))]
    look: Embedding<4>,
    #[adb(connect = "HasIngredient")]
    ingredients: Vec<Ingredient>,
}

/// Shared by dishes of different shares.
#[derive(Debug, DataModel, Deserialize)]
struct Ingredient {
    #[adb(id)]
    name: String,
}

fn write_rows(dir: &Path) {
    fs::write(dir.join("photo.png"), b"GIF89a\x01\0\x01\0\0\0\0,").unwrap();
    let row = |i: u64| {
        json!({
            // Each tenth dish comes twice.
            "dish_id": if i % 10 == 9 { i - 9 } else { i },
            "name": format!("dish {}", if i % 10 == 9 { i - 9 } else { i }),
            "photo": "photo.png",
            "look": [i as f32 - (i % 10 == 9) as u8 as f32 * 9.0, 0.0, 0.0, 1.0],
            "ingredients": [{"name": "salt"}, {"name": format!("thing {}", i % 7)}],
        })
    };
    let text: String = (0..400).map(|i| format!("{}\n", row(i))).collect();
    fs::write(dir.join("dishes.jsonl"), text).unwrap();
}

async fn ingest(db: Arc<dyn Database>, dir: &Path, shard: Option<Shard>) -> u64 {
    let mut selection = Selection::default();
    selection.shard = shard;
    let source = JsonSource::<Dish>::open(dir.join("dishes.jsonl")).unwrap().select(selection);
    let report = Ingest::new(db).run(source).await.unwrap();
    assert!(report.adds_up() && report.exit_code() == 0, "{report}");
    report.added
}

/// All that is in a database, apart from what the database makes itself.
async fn content(db: &dyn Database) -> Vec<String> {
    let find = json!([
        {"FindImage": {"results": {"list": ["dish_id", "name", "adb_content", "user_type"]}}},
        {"FindEntity": {"with_class": "Ingredient", "results": {"list": ["name"]}}},
        {"FindDescriptor": {"set": "looks", "results": {"all_properties": true}}},
        {"FindConnection": {"with_class": "HasIngredient", "results": {"list": ["edge_id"]}}},
    ]);
    let (answers, _) = adb::ask(db, Request::json(&find)).await.unwrap();
    let mut found = Vec::new();
    for (answer, (kind, many)) in answers.iter().zip([
        ("FindImage", "entities"),
        ("FindEntity", "entities"),
        ("FindDescriptor", "entities"),
        ("FindConnection", "connections"),
    ]) {
        let objects = answer[kind][many].as_array().unwrap_or_else(|| unreachable!("{answer}"));
        found.extend(objects.iter().map(|object| {
            let mut object = object.clone();
            let object = object.as_object_mut().unwrap();
            // Which run brought it depends on the share.
            object.retain(|key, _| !key.starts_with('_') && key != "adb_run");
            format!("{kind} {}", Json::from(object.clone()))
        }));
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_at_once_into_an_empty_database_give_what_one_run_gives() {
    let dir = tempfile::tempdir().unwrap();
    write_rows(dir.path());
    let open = |name: &str| adb::connect(dir.path().join(name).to_str().unwrap()).unwrap();
    let (alone, together) = (open("alone"), open("together"));
    assert_eq!(ingest(alone.clone(), dir.path(), None).await, 360);
    let share = |i| ingest(together.clone(), dir.path(), Shard::new(i, 3));
    let (a, b, c) = tokio::join!(share(1), share(2), share(3));
    assert_eq!(a + b + c, 360);
    assert!(a > 0 && b > 0 && c > 0, "{a} {b} {c}");
    let expected = content(&*alone).await;
    assert!(expected.len() > 360 * 3, "{}", expected.len());
    assert_eq!(content(&*together).await, expected);
}
