//! `reembed`: a second set beside a first one, by another embedder.

use std::sync::Arc;

use adb::{
    Request, ask,
    ensure::{FilledBy, inspect_set},
    loaders::{ErrorKind, JsonSource, Reembed, Report, Stop},
    prelude::*,
    query::Query,
};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::common::{
    DIALECTS, Flaky, Hash, Hashes, Looks, Photo, WIDTH, add_photos, answers, assert_one_each,
    database, enrich, options, photo, picture, run, vectors,
};

#[derive(DescriptorSet)]
#[adb(name = "looks_2", embedder = Hash, engine = Hnsw)]
struct Looks2;

/// The same model, told to use the second set.
#[derive(Debug, DataModel, Deserialize)]
#[adb(image, untyped, class = "Photo")]
struct Photo2 {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = Looks2))]
    look: Embedding<WIDTH>,
}

async fn reembed(db: &Arc<dyn Database>, embedder: Hashes) -> Report {
    let report = run(db, embedder).reembed(Reembed::new("looks", "looks_2")).await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

#[tokio::test]
async fn the_second_set_is_what_its_model_would_have_made() {
    for dialect in DIALECTS {
        let (_dir, db) = database();
        add_photos(&*db, &(1..=40).collect::<Vec<_>>(), 6).await;
        enrich::<Photo>(&db, Hashes::new()).await;
        let second = || Hashes::named("second");
        let task = || Reembed::new("looks", "looks_2");
        let report = run(&db, second()).dialect(dialect).reembed(task()).await.unwrap();
        assert_eq!((report.rows, report.added, report.embedded), (40, 40, 40), "{report}");
        assert_one_each(&*db, "looks_2", 40).await;
        assert_one_each(&*db, "looks", 40).await;
        let found = inspect_set(&*db, "looks_2").await.unwrap().unwrap();
        assert_eq!(found.filled_by, Some(FilledBy::of(Some(second().identity()))));

        let near = Photo2::find().nearest::<Looks2>(Query::Image(photo(7)), 2);
        let hits = near.fetch(&*db, &second()).await.unwrap();
        assert_eq!((hits.len(), hits[0].value.id, hits[0].distance > 0.999), (2, 7, true));
        let near = Photo2::find().nearest::<Looks2>(Query::Image(photo(7)), 2);
        assert!(near.fetch(&*db, &Hashes::new()).await.is_err(), "the first one's");
        let again = run(&db, second()).dialect(dialect).reembed(task()).await.unwrap();
        assert_eq!((again.existed, again.embedded, again.added), (40, 0, 0), "{again}");
        // The model that uses the second set finds all that it would have put there.
        let none = run(&db, second()).enrich::<Photo2>().await.unwrap();
        assert_eq!((none.existed, none.embedded), (40, 0), "{none}");
        let read = Photo2::find().with_vectors().fetch(&*db).await.unwrap();
        for photo2 in read {
            let expected = second().of(&photo(photo2.id), None);
            assert_eq!(photo2.look.as_slice(), Some(expected.as_slice()));
        }
    }
}

/// Descriptors of a program that knows nothing of adb, with labels and properties.
async fn plain_vectors(db: &dyn Database, ids: &[u64]) {
    add_photos(db, ids, 5).await;
    let set = json!([{"AddDescriptorSet": {"name": "looks", "dimensions": 4, "metric": ["L2"], "engine": ["Flat"]}}]);
    answers(db, set).await;
    for id in ids {
        let commands = json!([
            {"FindImage": {"_ref": 1, "constraints": {"id": ["==", id]}}},
            {"AddDescriptor": {"set": "looks", "connect": {"ref": 1}, "label": format!("l{id}"),
                "properties": {"image_sha256": format!("s{id}"), "rank": 0.5, "seen": true,
                               "day": {"_date": "2024-05-06T00:00:00+00:00"}}}},
        ]);
        let vector = adb::graph::vector_bytes(&[*id as f32; 4]);
        ask(db, Request::json(&commands).with_blob(vector)).await.unwrap();
    }
}

#[tokio::test]
async fn labels_and_properties_are_carried_over() {
    let (_dir, db) = database();
    plain_vectors(&*db, &(1..=12).collect::<Vec<_>>()).await;
    let report = reembed(&db, Hashes::named("second")).await;
    assert_eq!((report.added, report.failed), (12, 0), "{report}");
    assert_one_each(&*db, "looks_2", 12).await;
    // With the first one's metric, whatever its vectors' length.
    let found = inspect_set(&*db, "looks_2").await.unwrap().unwrap();
    assert_eq!((found.dimensions, found.metrics), (WIDTH, vec!["L2".to_owned()]));
    let both = answers(
        &*db,
        json!([
            {"FindDescriptor": {"set": "looks", "labels": true, "sort": "image_sha256", "results": {"all_properties": true}}},
            {"FindDescriptor": {"set": "looks_2", "labels": true, "sort": "image_sha256", "results": {"all_properties": true}}},
        ]),
    )
    .await;
    let all = |i: usize| both[i]["FindDescriptor"]["entities"].as_array().unwrap().clone();
    for (first, second) in all(0).iter().zip(all(1)) {
        for key in ["image_sha256", "rank", "seen", "day", "_label"] {
            assert_eq!(first[key], second[key], "{key}");
        }
        assert_eq!(second["_set_name"], "looks_2");
    }
    assert_eq!(reembed(&db, Hashes::named("second")).await.existed, 12);
}

#[tokio::test]
async fn failures_stops_and_absences_are_gone_on_from() {
    let (_dir, db) = database();
    add_photos(&*db, &(1..=120).collect::<Vec<_>>(), 20).await;
    enrich::<Photo>(&db, Hashes::new()).await;
    let stop = Stop::default();
    let stopping = {
        let stop = stop.clone();
        Hashes::named("second").before(move |batch| {
            if batch == 1 {
                stop.stop();
            }
        })
    };
    let first = run(&db, stopping).stop_on(stop);
    let first = first.reembed(Reembed::new("looks", "looks_2")).await.unwrap();
    assert!(first.stopped && first.added > 0 && first.rows < 120, "{first}");
    let away = reembed(&Flaky::over(&db, 20), Hashes::named("second")).await;
    assert_eq!(away.exit_code(), 1, "{away}");
    let second = Hashes::named("second").unreadable("photo 99.");
    let report = reembed(&Flaky::over(&db, u64::MAX), second).await;
    assert_eq!((report.rows, report.failed), (120, 1), "{report}");
    assert!(report.failures[0].to_string().contains("looks of "), "{report}");
    let (a, b) =
        tokio::join!(reembed(&db, Hashes::named("second")), reembed(&db, Hashes::named("second")),);
    assert_eq!((a.added + b.added, a.failed + b.failed), (1, 0), "{a}\n{b}");
    assert_one_each(&*db, "looks_2", 120).await;
}

#[tokio::test]
async fn two_runs_at_once_make_one_each() {
    let (_dir, db) = database();
    plain_vectors(&*db, &(1..=80).collect::<Vec<_>>()).await;
    let (a, b) =
        tokio::join!(reembed(&db, Hashes::named("second")), reembed(&db, Hashes::named("second")),);
    assert_eq!((a.added + b.added, a.failed + b.failed), (80, 0), "{a}\n{b}");
    assert_one_each(&*db, "looks_2", 80).await;
}

#[tokio::test]
async fn what_can_not_be_done_is_refused_before_it_begins() {
    let (_dir, db) = database();
    add_photos(&*db, &[1], 1).await;
    enrich::<Photo>(&db, Hashes::new()).await;
    let refused =
        |reembed| async { run(&db, Hashes::named("second")).reembed(reembed).await.unwrap_err() };
    for (from, to, words) in
        [("looks", "looks", "name another"), ("none", "looks_2", "none of that name")]
    {
        let error = refused(Reembed::new(from, to)).await;
        assert!(matches!(error.kind(), ErrorKind::NoSource { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = adb::loaders::Ingest::new(db.clone()).reembed(Reembed::new("looks", "looks_2"));
    assert!(matches!(error.await.unwrap_err().kind(), ErrorKind::NoEmbedder { .. }));
    reembed(&db, Hashes::named("second")).await;
    let error = run(&db, Hashes::named("third")).reembed(Reembed::new("looks", "looks_2"));
    let error = error.await.unwrap_err().to_string();
    assert!(error.contains("`second`") && error.contains("`third`"), "{error}");
}

#[derive(Debug, DataModel, Deserialize)]
#[adb(image)]
struct Page {
    #[adb(id)]
    id: u64,
    about: String,
    scan: Image,
    #[adb(embed(from = scan, set = Looks))]
    look: Embedding<WIDTH>,
    #[adb(embed(from = about, set = Looks))]
    meaning: Embedding<WIDTH>,
    #[adb(regions)]
    figures: Vec<Figure>,
    #[adb(connect = "HasNote")]
    notes: Vec<Note>,
}

#[derive(Debug, DataModel, Deserialize)]
#[adb(bounding_box, row_id)]
struct Figure {
    area: Rect,
    #[adb(embed(from = area, set = Looks))]
    look: Embedding<WIDTH>,
}

#[derive(Debug, DataModel, Deserialize)]
struct Note {
    #[adb(id)]
    text: String,
    #[adb(embed(from = text, set = Looks))]
    meaning: Embedding<WIDTH>,
}

#[tokio::test]
async fn a_model_says_which_vectors_were_made_from_texts() {
    let (dir, db) = database();
    std::fs::write(dir.path().join("1.png"), photo(1)).unwrap();
    let rows = json!([{"id": 1, "about": "whales", "scan": "1.png", "notes": [{"text": "n1"}],
        "figures": [{"area": {"x": 1, "y": 1, "width": 5, "height": 5}}]}]);
    std::fs::write(dir.path().join("pages.json"), rows.to_string()).unwrap();
    let source = JsonSource::<Page>::open(dir.path().join("pages.json")).unwrap();
    run(&db, Hashes::new()).run(source).await.unwrap();
    assert_eq!(vectors(&*db, "looks").await, 4);

    let task = || Reembed::new("looks", "looks_2").model(Page::SCHEMA);
    let report = run(&db, Hashes::named("second")).reembed(task()).await.unwrap();
    assert_eq!((report.added, report.failed), (4, 0), "{report}");
    let by_class = |class: &str| {
        json!({"FindDescriptor": {"set": "looks_2", "blobs": true, "constraints": {"user_type": ["==", class]},
               "results": {"list": ["adb_id"]}}})
    };
    let classes = ["Page.look", "Page.meaning", "Figure.look", "Note.meaning"];
    let commands: Vec<Json> = classes.iter().map(|c| by_class(c)).collect();
    let (answers, blobs) = ask(&*db, Request::json(&json!(commands))).await.unwrap();
    let second = Hashes::named("second");
    let area = Rect { x: 1, y: 1, width: 5, height: 5 };
    let expected = [
        second.of(&photo(1), None),
        second.of(b"whales", None),
        second.of(&photo(1), Some(area)),
        second.of(b"n1", None),
    ];
    for (i, expected) in expected.iter().enumerate() {
        assert_eq!(answers[i]["FindDescriptor"]["returned"], 1, "{}", classes[i]);
        assert_eq!(blobs[i], adb::graph::vector_bytes(expected), "{}", classes[i]);
    }
}

#[tokio::test]
async fn without_a_model_a_note_is_told_not_guessed() {
    let (dir, db) = database();
    std::fs::write(dir.path().join("notes.json"), r#"[{"text": "n1"}]"#).unwrap();
    let source = JsonSource::<Note>::open(dir.path().join("notes.json")).unwrap();
    run(&db, Hashes::new()).options(options()).run(source).await.unwrap();
    let report = reembed(&db, Hashes::named("second")).await;
    assert_eq!((report.failed, report.added), (1, 0), "{report}");
    assert!(report.failures[0].reason.contains("give the model"), "{report}");
}

/// As the SDK's models have it, with two fields of one class.
#[tokio::test]
async fn connections_of_the_sdks_models_are_made_again() {
    let (_dir, db) = database();
    let theirs = json!([
        {"AddDescriptorSet": {"name": "looks", "dimensions": 8, "metric": "CS"}},
        {"AddImage": {"_ref": 1, "properties": {"id": "d1", "user_type": "Dish"}}},
        {"AddDescriptor": {"_ref": 2, "set": "looks", "properties": {"id": "u1", "user_type": "Look"}}},
        {"AddConnection": {"src": 1, "dst": 2, "class": "Look", "properties": {"source_field": "front"}}},
        {"AddDescriptor": {"_ref": 3, "set": "looks", "properties": {"id": "u2", "user_type": "Look"}}},
        {"AddConnection": {"src": 1, "dst": 3, "class": "Look", "properties": {"source_field": "back"}}},
    ]);
    let vector = || adb::graph::vector_bytes(&[0.5; 8]);
    let blobs = vec![picture("d1"), vector(), vector()];
    ask(&*db, Request::new(theirs.to_string(), blobs)).await.unwrap();
    for (added, existed) in [(2, 0), (0, 2)] {
        let report = reembed(&db, Hashes::named("second")).await;
        assert_eq!((report.added, report.existed, report.failed), (added, existed, 0), "{report}");
    }
    for field in ["front", "back"] {
        let found = answers(
            &*db,
            json!([
                {"FindImage": {"_ref": 1}},
                {"FindDescriptor": {"set": "looks_2", "is_connected_to": {"ref": 1, "connection_class": "Look",
                    "direction": "out", "constraints": {"source_field": ["==", field]}},
                    "results": {"list": ["id"]}}},
            ]),
        )
        .await;
        assert_eq!(found[1]["FindDescriptor"]["returned"], 1, "{field}: {found:?}");
    }
}
