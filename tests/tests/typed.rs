//! Typed questions, answered by the embedded engine: what goes in comes back as the same struct.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use adb::{Graph, Lowering, ensure, prelude::*, query::Query};
use adb_tests::Two;
use serde::Deserialize;

#[derive(DescriptorSet)]
#[adb(name = "places", embedder = Two, metric = L2, engine = Flat)]
struct Places;

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Cafe {
    #[adb(id)]
    id: u32,
    name: String,
    #[adb(index)]
    town: Option<String>,
    rating: f64,
    open: bool,
    founded: Option<adb::jiff::civil::Date>,
    #[adb(embed(set = Places))]
    place: Embedding<2>,
    #[adb(connect = "Serves")]
    dishes: Vec<Dish>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Dish {
    #[adb(id)]
    name: String,
    price: Option<i64>,
}

/// A text with its vector.
#[derive(DataModel)]
struct Note {
    #[adb(id)]
    id: u32,
    text: String,
    #[adb(embed(from = text, set = "notes", embedder = ClipVitB32))]
    meaning: Embedding<512>,
}

fn dish(name: &str, price: Option<i64>) -> Dish {
    Dish { name: name.into(), price }
}

fn cafe(id: u32) -> Cafe {
    Cafe {
        id,
        name: format!("cafe {}", 100 - id),
        town: [None, Some("Oslo".to_owned()), Some("$Rome".to_owned())][id as usize % 3].clone(),
        rating: f64::from(id % 10) / 2.0,
        open: id.is_multiple_of(2),
        founded: (id % 4 == 1).then(|| adb::jiff::civil::date(1900 + id as i16, 3, 1)),
        place: Embedding::from([id as f32, 0.0]),
        dishes: vec![dish("cake", Some(3)), dish(&format!("dish {}", id % 7), None)],
    }
}

/// A database of forty cafés.
async fn cafes() -> (tempfile::TempDir, Arc<dyn Database>) {
    let dir = tempfile::tempdir().unwrap();
    let db = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    ensure(&*db, Cafe::SCHEMA, |_| None).await.unwrap();
    let mut lowering = Lowering::new();
    let graphs: Vec<Graph> = (0..40).map(|id| cafe(id).graph().unwrap()).collect();
    for graph in &graphs {
        lowering.push(graph).unwrap();
    }
    db.execute(lowering.finish()).await.unwrap().done().unwrap();
    (dir, db)
}

fn ids(cafes: &[Cafe]) -> Vec<u32> {
    cafes.iter().map(|c| c.id).collect()
}

#[tokio::test]
async fn what_goes_in_comes_back() {
    let (_dir, db) = cafes().await;
    let all = Cafe::find().sort(|c| c.id.ascending()).with_vectors().fetch(&*db).await.unwrap();
    let expected: Vec<Cafe> = (0..40).map(cafe).collect();
    assert_eq!(all, expected);
    let bare = Cafe::find().filter(|c| c.id.eq(7)).depth(0).fetch(&*db).await.unwrap();
    assert_eq!(bare.len(), 1);
    assert!(bare[0].dishes.is_empty() && bare[0].place.as_slice().is_none());
}

#[tokio::test]
async fn filters_sorting_and_pages() {
    let (_dir, db) = cafes().await;
    let both = adb::Dialect::Classic;
    for dialect in [both, adb::Dialect::Expression] {
        let find = || Cafe::find().dialect(dialect).sort(|c| c.id.ascending());
        let expect = |keep: fn(&Cafe) -> bool| -> Vec<u32> {
            (0..40).filter(|id| keep(&cafe(*id))).collect()
        };
        let found = find().filter(|c| c.town.eq("$Rome").and(c.open.eq(true)));
        assert_eq!(
            ids(&found.fetch(&*db).await.unwrap()),
            expect(|c| c.town.as_deref() == Some("$Rome") && c.open)
        );
        let found = find().filter(|c| c.rating.within(1.0..2.0).or(c.town.is_absent()));
        assert_eq!(
            ids(&found.fetch(&*db).await.unwrap()),
            expect(|c| (1.0..2.0).contains(&c.rating) || c.town.is_none())
        );
        let found = find().filter(|c| c.id.one_of([3, 5, 99]).or(c.name.eq("cafe 90")));
        assert_eq!(ids(&found.fetch(&*db).await.unwrap()), [3, 5, 10]);
        let early = adb::jiff::civil::date(1910, 1, 1);
        let found = find().filter(|c| c.founded.lt(early));
        assert_eq!(ids(&found.fetch(&*db).await.unwrap()), [1, 5, 9]);
        let page = find().offset(10).limit(3).fetch(&*db).await.unwrap();
        assert_eq!(ids(&page), [10, 11, 12]);
        let by_two = Cafe::find()
            .dialect(dialect)
            .sort(|c| c.rating.descending())
            .sort(|c| c.id.descending())
            .limit(3);
        assert_eq!(ids(&by_two.fetch(&*db).await.unwrap()), [39, 29, 19]);
        assert_eq!(find().filter(|c| c.open.eq(false)).count(&*db).await.unwrap(), 20);
    }
}

#[tokio::test]
async fn connections_are_followed_both_ways() {
    let (_dir, db) = cafes().await;
    let serving = Cafe::find()
        .having(|c| c.dishes, Dish::find().filter(|d| d.name.eq("dish 3")))
        .filter(|c| c.open.eq(false))
        .sort(|c| c.id.ascending());
    assert_eq!(ids(&serving.fetch(&*db).await.unwrap()), [3, 17, 31]);
    let served = Dish::find()
        .of(|c| c.dishes, Cafe::find().filter(|c| c.id.eq(9)))
        .sort(|d| d.name.ascending());
    assert_eq!(served.fetch(&*db).await.unwrap(), [dish("cake", Some(3)), dish("dish 2", None)]);
    assert_eq!(Dish::find().count(&*db).await.unwrap(), 8, "cake is one node");
}

#[tokio::test]
async fn the_nearest_among_what_passes() {
    let (_dir, db) = cafes().await;
    let near = vec![0.0, 0.0];
    let find = Cafe::find().filter(|c| c.town.eq("Oslo").and(c.rating.ge(3.0)));
    let hits = find.nearest::<Places>(Query::Vector(near.clone()), 4).fetch_by(&*db, &near).await;
    let expected: Vec<u32> = (0..40)
        .filter(|id| cafe(*id).town.as_deref() == Some("Oslo") && cafe(*id).rating >= 3.0)
        .take(4)
        .collect();
    let hits = hits.unwrap();
    assert_eq!(hits.iter().map(|h| h.value.id).collect::<Vec<_>>(), expected);
    assert!(hits.is_sorted_by(|a, b| a.distance <= b.distance));
    assert_eq!(hits[0].value.dishes.len(), 2);
}

#[tokio::test]
async fn a_value_that_can_not_be_compared_never_reaches_the_database() {
    let (_dir, db) = cafes().await;
    let err = Cafe::find().filter(|c| c.rating.gt(f64::NAN)).fetch(&*db).await.unwrap_err();
    assert!(err.to_string().contains("NaN"), "{err}");
}

#[tokio::test]
async fn properties_change_and_ids_do_not() {
    let (_dir, db) = cafes().await;
    let oslo = || Cafe::find().filter(|c| c.town.eq("Oslo"));
    let n = oslo().count(&*db).await.unwrap();
    let changed = oslo().update(&*db, |c| [c.town.set("Bergen"), c.founded.unset()]).await.unwrap();
    assert_eq!((changed, oslo().count(&*db).await.unwrap()), (n, 0));
    let bergen = Cafe::find().filter(|c| c.town.eq("Bergen")).fetch(&*db).await.unwrap();
    assert!(bergen.len() as u64 == n && bergen.iter().all(|c| c.founded.is_none()));
    let with_cake = Cafe::find().having(|c| c.dishes, Dish::find().filter(|d| d.name.eq("dish 3")));
    assert_eq!(with_cake.update(&*db, |c| [c.open.set(true)]).await.unwrap(), 6);

    let err = Cafe::find().update(&*db, |c| [c.id.set(7)]).await.unwrap_err();
    assert!(err.to_string().contains("identifies the object"), "{err}");
    let err = Note::find().update(&*db, |n| [n.text.set("other")]).await.unwrap_err();
    assert!(err.to_string().contains("`upsert` of the whole value makes the vector anew"), "{err}");
    let err = Cafe::find().update(&*db, |c| [c.name.unset()]).await.unwrap_err();
    assert!(err.to_string().contains("not an `Option`"), "{err}");
}

#[tokio::test]
async fn deleting_takes_what_belongs_to_an_object_and_leaves_what_others_share() {
    let (_dir, db) = cafes().await;
    let closed = || Cafe::find().filter(|c| c.open.eq(false));
    assert_eq!(closed().count(&*db).await.unwrap(), 20);
    let expected = closed().would_delete(&*db).await.unwrap();
    assert_eq!((expected.objects, expected.parts), (20, 20), "each with its vector");
    assert_eq!(closed().count(&*db).await.unwrap(), 20, "nothing has gone yet");
    let limited = closed().limit(1).delete(&*db).await;
    assert!(matches!(limited, Err(adb::query::QueryError::Limited)), "{limited:?}");
    let limited = closed().offset(1).would_delete(&*db).await;
    assert!(matches!(limited, Err(adb::query::QueryError::Limited)), "{limited:?}");
    let deleted = closed().delete(&*db).await.unwrap();
    assert_eq!(deleted, expected);
    assert_eq!(Cafe::find().count(&*db).await.unwrap(), 20);
    assert_eq!(Dish::find().count(&*db).await.unwrap(), 8, "dishes stay");
    let near = vec![1.0, 0.0];
    let hits = Cafe::find()
        .nearest::<Places>(Query::Vector(near.clone()), 40)
        .fetch_by(&*db, &near)
        .await
        .unwrap();
    assert_eq!(hits.len(), 20, "no vector is left behind");
    assert_eq!(closed().delete(&*db).await.unwrap(), adb::query::Deleted::default());
}

#[tokio::test]
async fn a_database_is_compared_with_the_model_before_a_row_moves() {
    use adb::check::{Difference, check};

    /// The same class, and not the same property.
    #[derive(DataModel)]
    #[adb(class = "Cafe")]
    struct Other {
        #[adb(id)]
        id: u32,
        #[adb(rename = "rating")]
        stars: String,
        #[adb(index)]
        owner: Option<String>,
    }

    let (_dir, db) = cafes().await;
    let none = check(&*db, &[Cafe::SCHEMA], |_| None).await.unwrap();
    assert!(none.is_empty(), "{none:?}");
    let found = check(&*db, &[Other::SCHEMA], |_| None).await.unwrap();
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{told:?}");
    assert!(told[0].contains("`Cafe.rating` is a Number in the database"), "{told:?}");
    assert!(!found[0].is_mended_by_ensure() && found[1].is_mended_by_ensure());
    assert!(matches!(&found[1], Difference::IndexMissing { property, .. } if property == "owner"));
    let found = check(&*db, &[Cafe::SCHEMA, Other::SCHEMA], |_| None).await.unwrap();
    assert!(
        found.iter().any(|d| matches!(d, Difference::ModelsDisagree { property: "rating", .. })),
        "{found:?}"
    );
}

#[tokio::test]
async fn two_declarations_of_one_set_that_differ_are_named() {
    use adb::{check::Difference, ensure::EnsureError};

    #[derive(DataModel)]
    struct Page {
        #[adb(id)]
        id: u32,
        scan: Image,
        #[adb(embed(from = scan, set = "shared", embedder = Two, metric = L2))]
        look: Embedding<2>,
        #[adb(connect = "Has")]
        figure: Option<Box<Figure>>,
    }
    #[derive(DataModel)]
    struct Figure {
        #[adb(id)]
        id: u32,
        #[adb(embed(set = "shared", embedder = Two, metric = Cosine))]
        look: Embedding<2>,
    }

    let dir = tempfile::tempdir().unwrap();
    let db = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    let err = ensure(&*db, Page::SCHEMA, |_| None).await.unwrap_err();
    assert!(matches!(err, EnsureError::Disagree { name: "shared", .. }), "{err}");
    // Of models that do not know each other, `check` sees it.
    let found = adb::check::check(&*db, &[Figure::SCHEMA, Page::SCHEMA], |_| None).await.unwrap();
    let told = found.iter().find(|d| matches!(d, Difference::Set(EnsureError::Disagree { .. })));
    assert!(told.unwrap().to_string().contains("declared twice and differently"), "{found:?}");
    ensure(&*db, Figure::SCHEMA, |_| None).await.unwrap();
    let err = ensure(&*db, Figure::SCHEMA, |_| None).await;
    assert!(err.is_ok(), "one declaration holds");
}
