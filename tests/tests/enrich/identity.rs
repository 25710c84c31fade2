//! Whose vectors a set holds: written on it, checked on the way in and on the way out.

use std::sync::Arc;

use adb::{
    Dialect, Request, SetSpec, ask,
    check::{Difference, check},
    ensure::{FilledBy, claim_set, inspect_set},
    loaders::{Ingest, JsonSource, compare},
    migrate,
    prelude::*,
    query::Query,
};
use serde_json::json;

use super::common::{
    Hashes, Looks, Photo, add_photos, answers, assert_one_each, database, enrich, options, photo,
    run, vectors,
};

fn rows(dir: &std::path::Path, ids: &[u64]) -> JsonSource<Photo> {
    let rows: Vec<_> = ids
        .iter()
        .map(|id| {
            std::fs::write(dir.join(format!("{id}.png")), photo(*id)).unwrap();
            json!({"id": id, "photo": format!("{id}.png")})
        })
        .collect();
    std::fs::write(dir.join("photos.json"), json!(rows).to_string()).unwrap();
    JsonSource::open(dir.join("photos.json")).unwrap()
}

#[tokio::test]
async fn another_embedder_is_refused_by_name_wherever_it_comes_in() {
    let (dir, db) = database();
    let report = run(&db, Hashes::new()).run(rows(dir.path(), &[1, 2])).await.unwrap();
    assert_eq!((report.added, report.notices.len()), (2, 0), "{report}");

    let other = Hashes::named("other");
    let refused = run(&db, Hashes::named("other")).run(rows(dir.path(), &[3])).await.unwrap_err();
    let value = Photo { id: 3, photo: Image::bytes(photo(3)), look: Embedding::default() };
    let upserted = value.upsert().embedder(&other).write(&*db).await.unwrap_err();
    let near = || Photo::find().nearest::<Looks>(Query::Image(photo(1)), 1);
    let searched = near().fetch(&*db, &other).await.unwrap_err();
    let enriched = run(&db, Hashes::named("other")).enrich::<Photo>().await.unwrap_err();
    let checked = check(&*db, &[Photo::SCHEMA], |_| Some(other.identity())).await.unwrap();
    assert_eq!(checked.len(), 1, "{checked:?}");
    assert!(!checked[0].is_note() && !checked[0].is_mended_by_ensure());
    for message in [
        refused.to_string(),
        upserted.to_string(),
        searched.to_string(),
        enriched.to_string(),
        checked[0].to_string(),
    ] {
        for words in ["`looks`", "`hash` (hash-0123456)", "`other` (other-012345)", "`reembed`"] {
            assert!(message.contains(words), "wanted {words} in: {message}");
        }
    }
    assert_eq!(vectors(&*db, "looks").await, 2, "nothing went in");
    // The same name with other weights is another embedder.
    let mut same_name = Hashes::new().identity().clone();
    same_name.hash = "fedcba9876543210".into();
    let checked = check(&*db, &[Photo::SCHEMA], |_| Some(&same_name)).await.unwrap();
    assert!(checked[0].to_string().contains("(fedcba987654)"), "{checked:?}");
    let hits = near().fetch(&*db, &Hashes::new()).await.unwrap();
    assert_eq!(hits[0].value.id, 1);
}

#[tokio::test]
async fn a_set_of_another_embedder_than_the_model_declares_is_told_and_keeps_its_own() {
    let (dir, db) = database();
    run(&db, Hashes::named("stand-in")).run(rows(dir.path(), &[1])).await.unwrap();
    let told = check(&*db, &[Photo::SCHEMA], |_| None).await.unwrap();
    assert!(
        matches!(&told[..], [Difference::SetFilledByOther { declared: "hash", .. }]),
        "{told:?}"
    );
    assert!(told[0].is_note());
    assert!(told[0].to_string().contains("`stand-in`"), "{}", told[0]);
    let plan = migrate::plan::<Photo>(&*db, |_| None).await.unwrap();
    assert!(!plan.is_blocked() && !plan.is_to_do(), "{plan}");
}

/// A set and vectors as other programs make them.
async fn set_of_others(db: &dyn Database, embedder: &Hashes, ids: &[u64]) {
    add_photos(db, ids, 3).await;
    answers(
        db,
        json!([{"AddDescriptorSet": {"name": "looks", "dimensions": 8, "metric": ["CS"], "engine": ["HNSW"]}}]),
    )
    .await;
    for id in ids {
        let commands = json!([
            {"FindImage": {"_ref": 1, "constraints": {"id": ["==", id]}}},
            {"AddDescriptor": {"set": "looks", "connect": {"ref": 1}, "label": format!("l{id}"),
                               "properties": {"image_sha256": format!("sha {id}"), "rank": 3}}},
        ]);
        let vector = embedder.of(&photo(*id), None);
        let request = Request::json(&commands).with_blob(adb::graph::vector_bytes(&vector));
        ask(db, request).await.unwrap();
    }
}

#[tokio::test]
async fn a_set_without_identity_takes_any_says_so_and_can_be_claimed_after_a_comparison() {
    for dialect in super::common::DIALECTS {
        let (_dir, db) = database();
        let ids: Vec<u64> = (1..=20).collect();
        set_of_others(&*db, &Hashes::new(), &ids).await;
        add_photos(&*db, &[21], 1).await;
        let told = check(&*db, &[Photo::SCHEMA], |_| None).await.unwrap();
        let told = told.iter().find(|d| matches!(d, Difference::SetUnclaimed(s) if s == "looks"));
        assert!(told.unwrap().is_note() && told.unwrap().to_string().contains("claim"));
        // What has a vector without a class lacks none.
        let report = enrich::<Photo>(&db, Hashes::new()).await;
        assert_eq!((report.existed, report.updated), (20, 1), "{report}");
        assert!(report.to_string().contains("note: the set `looks` does not say"), "{report}");
        assert_one_each(&*db, "looks", 21).await;

        let wrong: Arc<dyn Embedder> = Arc::new(Hashes::named("other"));
        let compared = compare(dialect, &*db, "looks", wrong, None, 10).await.unwrap();
        assert!(!compared.agrees(), "{compared}");
        let right: Arc<dyn Embedder> = Arc::new(Hashes::new());
        let compared = compare(dialect, &*db, "looks", right.clone(), None, 10).await.unwrap();
        assert!(compared.agrees() && compared.cosines.len() == 10, "{compared}");
        let all = compare(dialect, &*db, "looks", right, None, 100).await.unwrap();
        assert_eq!((all.cosines.len(), all.passed_over), (21, 0), "{all}");

        let hash = Hashes::new();
        assert!(claim_set(dialect, &*db, "looks", hash.identity()).await.unwrap());
        assert!(!claim_set(dialect, &*db, "looks", hash.identity()).await.unwrap(), "once");
        let found = inspect_set(&*db, "looks").await.unwrap().unwrap();
        assert_eq!(found.filled_by, Some(FilledBy::of(Some(hash.identity()))));
        let other = Hashes::named("other");
        let refused = claim_set(dialect, &*db, "looks", other.identity()).await.unwrap_err();
        assert!(refused.to_string().contains("can't be compared"), "{refused}");
        let refused = run(&db, other).enrich::<Photo>().await.unwrap_err();
        assert!(refused.to_string().contains("can't be compared"), "{refused}");
        assert!(claim_set(dialect, &*db, "none", hash.identity()).await.is_err());
    }
}

#[tokio::test]
async fn two_programs_that_make_a_set_at_once_must_agree() {
    use adb::{BoxFuture, DbError, Response};

    /// The set is made by somebody else between the look and the making.
    struct Late(Arc<dyn Database>);
    impl Database for Late {
        fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
            Box::pin(async move {
                if String::from_utf8_lossy(&request.commands).contains("AddDescriptorSet") {
                    let other = Hashes::named("other");
                    let looks = |_: &SetSpec| Some(other.identity());
                    adb::ensure(&*self.0, Photo::SCHEMA, looks).await.unwrap();
                }
                self.0.execute(request).await
            })
        }
    }

    let (_dir, db) = database();
    let hash = Hashes::new();
    let refused =
        adb::ensure(&Late(db), Photo::SCHEMA, |_| Some(hash.identity())).await.unwrap_err();
    assert!(refused.to_string().contains("is filled by the embedder `other`"), "{refused}");
}

#[tokio::test]
async fn vectors_of_the_callers_own_and_of_an_embedder_do_not_mix() {
    let (dir, db) = database();
    let mut row = json!({"id": 1, "photo": "1.png", "look": vec![0.5; 8]});
    std::fs::write(dir.path().join("1.png"), photo(1)).unwrap();
    let source = |row: &serde_json::Value| {
        std::fs::write(dir.path().join("given.json"), json!([row]).to_string()).unwrap();
        JsonSource::<Photo>::open(dir.path().join("given.json")).unwrap()
    };
    Ingest::new(db.clone()).options(options()).run(source(&row)).await.unwrap();
    row["id"] = 2.into();
    let refused = run(&db, Hashes::new()).run(source(&row)).await.unwrap_err().to_string();
    assert!(refused.contains("caller's own") && refused.contains("name another set"), "{refused}");
    let _ = Dialect::Classic;
}
