//! Runs that are taken back.

use adb::{
    ensure::inspect_set,
    loaders::{OnExisting, runs},
    prelude::*,
};
use serde_json::json;

use super::{
    model::{World, counts, picture, write_picture},
    unchanged::assert_state,
};

use OnExisting::{Keep, Update};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_taken_back_and_what_others_share_stays() {
    let mut world = World::new(20);
    let all = world.rows.clone();
    world.rows = all[..10].to_vec();
    let first = world.ingest(Keep).await.run.unwrap();
    world.rows = all[10..].to_vec();
    let second = world.ingest(Keep).await.run.unwrap();
    assert!(first != second);
    let known = runs::runs(&*world.db).await.unwrap();
    let known: Vec<_> = known.iter().map(|r| (r.id.as_str(), r.added, r.model.as_str())).collect();
    assert_eq!(known.len(), 2);
    assert!(known.contains(&(&first, 10, "Dish")), "{known:?}");

    let undone = runs::undo(&*world.db, &first).await.unwrap();
    // Image, box, three vectors each; all four ingredients are shared by the second run.
    assert_eq!((undone.objects, undone.kept, undone.updated), (50, 4, 0), "{undone}");
    assert_eq!(world.count("FindImage", json!({})).await, 10);
    assert_eq!(world.count("FindDescriptor", json!({"set": "looks"})).await, 20);
    assert_eq!(world.count("FindConnection", json!({"with_class": "Has"})).await, 20);
    assert_eq!(world.count("FindEntity", json!({"with_class": "Ingredient"})).await, 4);
    assert!(world.dishes().await.iter().all(|dish| dish.ingredients.len() == 2));

    // Once more does no harm, and a run brings everything back.
    let undone = runs::undo(&*world.db, &first).await.unwrap();
    assert_eq!((undone.objects, undone.kept), (0, 4), "{undone}");
    world.rows = all;
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (10, 10, 0, 0), "{report}");
    assert_state(&world, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_where_nothing_else_is() {
    let world = World::new(5);
    let run = world.ingest(Update).await.run.unwrap();
    runs::undo(&*world.db, &run).await.unwrap();
    for (command, body) in [
        ("FindImage", json!({})),
        ("FindBoundingBox", json!({})),
        ("FindDescriptor", json!({"set": "looks"})),
        ("FindDescriptor", json!({"set": "meanings"})),
        ("FindEntity", json!({"with_class": "Ingredient"})),
        ("FindConnection", json!({"with_class": "Has"})),
    ] {
        assert_eq!(world.count(command, body).await, 0, "{command}");
    }
    let known = runs::run(&*world.db, &run).await.unwrap();
    assert!(known.undone.is_some() && known.to_string().contains("undone"), "{known}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_changed_stays_and_is_compared_anew() {
    let mut world = World::new(6);
    world.ingest(Update).await;
    write_picture(world.dir.path(), "1.png", 99, 5);
    world.rows[2]["ingredients"] = json!([{"name": "salt"}, {"name": "thing 2"}, {"name": "new"}]);
    world.rows[3]["name"] = "renamed".into();
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 3, 3, 0), "{report}");
    let undone = runs::undo(&*world.db, &report.run.unwrap()).await.unwrap();
    assert_eq!((undone.objects, undone.updated), (1, 3), "{undone}");
    assert!(undone.to_string().ends_with("was before: 3 rows"), "{undone}");
    // The photo that was replaced was there before.
    let dishes = world.dishes().await;
    assert_eq!((dishes.len(), dishes[2].ingredients.len()), (6, 2));
    assert_eq!(dishes[1].photo, Image::bytes(picture(99)));
    // The source has the new ingredient still.
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 5, 1, 0), "{report}");
    assert_eq!(world.dishes().await[2].ingredients.len(), 3);
    let report = world.ingest(Update).await;
    assert_eq!(counts(&report), (0, 6, 0, 0), "{report}");
    assert!(world.db.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_somebody_refers_to_stays_whole() {
    let world = World::new(4);
    let run = world.ingest(Keep).await.run.unwrap();
    world
        .act(json!([
            {"FindImage": {"_ref": 1, "constraints": {"id": ["==", 2]}}},
            {"AddEntity": {"_ref": 2, "class": "Menu", "properties": {"title": "today"}}},
            {"AddConnection": {"class": "Offers", "src": 2, "dst": 1}},
        ]))
        .await;
    let undone = runs::undo(&*world.db, &run).await.unwrap();
    // The image, its box, three vectors, two ingredients.
    assert_eq!(undone.kept, 7, "{undone}");
    let dishes = world.dishes().await;
    assert_eq!((dishes.len(), dishes[0].id, dishes[0].ingredients.len()), (1, 2, 2));
    assert!(dishes[0].look.as_slice().is_some() && dishes[0].plates[0].look.as_slice().is_some());
}

/// A box goes with its image, and a vector with what it is of: so these stay, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_part_hangs_on_stays_with_it() {
    for part in [
        json!({"FindBoundingBox": {"_ref": 2, "is_connected_to": {"ref": 1}}}),
        json!({"FindDescriptor": {"_ref": 2, "set": "meanings", "is_connected_to": {"ref": 1}}}),
    ] {
        let world = World::new(4);
        let run = world.ingest(Keep).await.run.unwrap();
        world
            .act(json!([
                {"FindImage": {"_ref": 1, "constraints": {"id": ["==", 2]}}},
                &part,
                {"AddEntity": {"_ref": 3, "class": "Menu", "properties": {"title": "today"}}},
                {"AddConnection": {"class": "Offers", "src": 3, "dst": 2}},
            ]))
            .await;
        let undone = runs::undo(&*world.db, &run).await.unwrap();
        assert_eq!(undone.kept, 7, "{part}: {undone}");
        assert_eq!(world.count("FindConnection", json!({"with_class": "Offers"})).await, 1);
        let dishes = world.dishes().await;
        assert_eq!((dishes.len(), dishes[0].id, dishes[0].plates.len()), (1, 2, 1), "{part}");
    }
}

/// A region that somebody drew would go with the image.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_which_others_have_put_a_region_stays() {
    let world = World::new(4);
    let run = world.ingest(Keep).await.run.unwrap();
    world
        .act(json!([
            {"FindImage": {"_ref": 1, "constraints": {"id": ["==", 2]}}},
            {"AddBoundingBox": {"image_ref": 1, "label": "by hand",
                "rectangle": {"x": 1, "y": 1, "width": 2, "height": 2}}},
        ]))
        .await;
    let undone = runs::undo(&*world.db, &run).await.unwrap();
    assert_eq!(undone.kept, 7, "{undone}");
    assert_eq!(world.count("FindBoundingBox", json!({"with_label": "by hand"})).await, 1);
    assert_eq!(world.count("FindImage", json!({})).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_which_everything_stays_is_not_undone() {
    let world = World::new(1);
    let run = world.ingest(Keep).await.run.unwrap();
    let line = || async { runs::run(&*world.db, &run).await.unwrap().to_string() };
    let refer = |constraints: serde_json::Value| {
        json!([
            {"FindImage": {"_ref": 1, "constraints": constraints}},
            {"AddEntity": {"_ref": 3, "class": "Menu", "properties": {"title": "today"}}},
            {"AddConnection": {"class": "Offers", "src": 3, "dst": 1}},
        ])
    };
    world.act(refer(json!({"id": ["==", 0]}))).await;
    let undone = runs::undo(&*world.db, &run).await.unwrap();
    assert_eq!((undone.objects, undone.connections, undone.kept), (0, 0, 7), "{undone}");
    assert!(
        undone.to_string().contains("is not undone: others refer to 7 objects, and all stays"),
        "{undone}"
    );
    assert!(
        line().await.ends_with("(not undone: all of its objects stay, since others refer to them)")
    );
    // Once nobody refers to them, it can be.
    world.act(json!([{"DeleteEntity": {"with_class": "Menu"}}])).await;
    let undone = runs::undo(&*world.db, &run).await.unwrap();
    assert_eq!((undone.objects, undone.kept), (7, 0), "{undone}");
    assert!(line().await.ends_with(" (undone)"), "{}", line().await);

    let world = World::new(4);
    let run = world.ingest(Keep).await.run.unwrap();
    world.act(refer(json!({"id": ["==", 2]}))).await;
    runs::undo(&*world.db, &run).await.unwrap();
    let known = runs::run(&*world.db, &run).await.unwrap();
    assert!(
        known.to_string().ends_with("(undone, but for 7 objects that others refer to)"),
        "{known}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_only_failed_leaves_nothing() {
    let world = World::new(3);
    // A property that has a number takes no text.
    let five = json!({"class": "Ingredient", "properties": {"name": 5}});
    world.act(json!([{ "AddEntity": five }])).await;
    let report = world.ingest(Keep).await;
    assert_eq!((report.failed, report.run.as_deref()), (3, None), "{report}");
    assert!(world.db.writes().iter().flatten().any(|command| command == "DeleteEntity"));
    assert_eq!(runs::runs(&*world.db).await.unwrap(), []);
    // Nor do its sets belong to anybody.
    let set = inspect_set(&*world.db, "looks").await.unwrap().unwrap();
    assert!(set.is_vacant && set.filled_by.is_none(), "{set:?}");
    world.act(json!([{"DeleteEntity": {"with_class": "Ingredient"}}])).await;
    let report = world.ingest(Keep).await;
    assert_eq!((report.added, report.notices.len()), (3, 0), "{report}");
    let set = inspect_set(&*world.db, "looks").await.unwrap().unwrap();
    assert!(!set.is_vacant && set.filled_by.is_some(), "{set:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_not_there_is_named() {
    let world = World::new(1);
    let error = runs::undo(&*world.db, "20260101-000000-aaaaa").await.unwrap_err();
    assert!(error.to_string().contains("no run `20260101-000000-aaaaa`"), "{error}");
}
