//! Descriptor sets that several models share: each search has its hits, and declarations agree. On
//! the engine and on the reference database, whose KNN searches first and filters after unless it
//! is told otherwise, as the documentation has it.
//!
//! After a deliberate change, `UPDATE_GOLDEN=1` writes the commands anew; read the difference.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use adb::{
    BoxFuture, Database, DbError, Dialect, Lowering, Request, Response,
    check::{Difference, check},
    ensure::{EnsureError, ensure_in},
    prelude::*,
    query::Query,
};
use adb_oracle::Reference;
use adb_tests::{Two, golden::assert_golden};
use serde_json::Value as Json;

#[derive(DescriptorSet)]
#[adb(name = "tastes", embedder = Two, metric = L2, engine = Flat)]
struct Tastes;

#[derive(Debug, Clone, PartialEq, DataModel)]
struct Dish {
    #[adb(id)]
    id: u32,
    town: String,
    #[adb(embed(set = Tastes))]
    taste: Embedding<2>,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
struct Drink {
    #[adb(id)]
    id: u32,
    #[adb(embed(set = Tastes))]
    first: Embedding<2>,
    #[adb(embed(set = Tastes))]
    after: Option<Embedding<2>>,
}

/// Counts what goes through, and keeps the last request.
struct Watched {
    inner: Arc<dyn Database>,
    asked: Mutex<Vec<Request>>,
}

impl Database for Watched {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        self.asked.lock().unwrap().push(request.clone());
        self.inner.execute(request)
    }
}

fn both() -> (tempfile::TempDir, [Watched; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let engine = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    let watched = |inner| Watched { inner, asked: Mutex::default() };
    (dir, [watched(engine), watched(Arc::new(Reference::new()))])
}

/// 400 dishes at 1 to 400 on the line, and 100 drinks between them and the origin: their first
/// taste is nearer to it than any dish, the other at the dishes'.
async fn fill(db: &dyn Database) {
    for schema in [Dish::SCHEMA, Drink::SCHEMA] {
        ensure_in(Dialect::Classic, db, schema, |_| None).await.unwrap();
    }
    let mut lowering = Lowering::new();
    for id in 1..=400_u32 {
        let town = if id % 200 == 0 { "Rare" } else { "Common" };
        let taste = [id as f32, 0.0].into();
        lowering.push(&Dish { id, town: town.into(), taste }.graph().unwrap()).unwrap();
    }
    for id in 1..=100_u32 {
        let first = [id as f32 / 1000.0, 0.0].into();
        let after = Some([id as f32 / 1000.0 + 0.0001, 0.0].into());
        lowering.push(&Drink { id, first, after }.graph().unwrap()).unwrap();
    }
    adb::ask(db, lowering.finish()).await.unwrap();
}

const HERE: [f32; 2] = [0.0, 0.0];

fn asked() -> Query {
    Query::Vector(HERE.to_vec())
}

#[tokio::test]
async fn other_models_vectors_take_no_places() {
    let (_dir, databases) = both();
    for db in &databases {
        fill(db).await;
        for dialect in [Dialect::Classic, Dialect::Expression] {
            let dishes = || Dish::find().dialect(dialect);
            // The five nearest of all are drinks.
            db.asked.lock().unwrap().clear();
            let hits = dishes().nearest::<Tastes>(asked(), 5).fetch_by(db, &HERE).await.unwrap();
            let found: Vec<_> = hits.iter().map(|h| (h.value.id, h.distance)).collect();
            assert_eq!(found, [(1, 1.0), (2, 4.0), (3, 9.0), (4, 16.0), (5, 25.0)]);
            assert_eq!(db.asked.lock().unwrap().len(), 2, "once for all, once for its own");

            db.asked.lock().unwrap().clear();
            let own = dishes().nearest::<Tastes>(asked(), 5).among_own();
            assert_eq!(own.fetch_by(db, &HERE).await.unwrap().len(), 5);
            assert_eq!(db.asked.lock().unwrap().len(), 1);

            // Half a percent passes.
            let rare = dishes().filter(|d| d.town.eq("Rare"));
            let hits = rare.nearest::<Tastes>(asked(), 2).fetch_by(db, &HERE).await.unwrap();
            assert_eq!(hits.iter().map(|h| h.value.id).collect::<Vec<_>>(), [200, 400]);
        }
    }
}

#[tokio::test]
async fn two_vectors_of_one_object_are_one_hit_and_there_are_still_k() {
    let (_dir, databases) = both();
    for db in &databases {
        fill(db).await;
        db.asked.lock().unwrap().clear();
        let drinks = Drink::find().nearest::<Tastes>(asked(), 4);
        let hits = drinks.fetch_by(db, &HERE).await.unwrap();
        assert_eq!(hits.iter().map(|h| h.value.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!((hits[0].distance - 1e-6).abs() < 1e-9, "the nearer of the two: {hits:?}");
        assert_eq!(db.asked.lock().unwrap().len(), 1);
        // More than there are: all, in order.
        let all = Drink::find().nearest::<Tastes>(asked(), 1000);
        let hits = all.fetch_by(db, &HERE).await.unwrap();
        assert_eq!(hits.len(), 100);
        assert!(hits.is_sorted_by(|a, b| a.distance <= b.distance));
    }
}

#[tokio::test]
async fn equal_distances_come_in_the_order_of_their_making() {
    let (_dir, databases) = both();
    for db in &databases {
        ensure_in(Dialect::Classic, db, Dish::SCHEMA, |_| None).await.unwrap();
        let mut lowering = Lowering::new();
        for (id, taste) in [(7, [0.0, 1.0]), (3, [1.0, 0.0]), (9, [0.0, -1.0]), (1, [3.0, 0.0])] {
            let dish = Dish { id, town: "Oslo".into(), taste: taste.into() };
            lowering.push(&dish.graph().unwrap()).unwrap();
        }
        adb::ask(db, lowering.finish()).await.unwrap();
        for find in [Dish::find(), Dish::find().filter(|d| d.town.eq("Oslo"))] {
            let hits = find.nearest::<Tastes>(asked(), 3).fetch_by(db, &HERE).await.unwrap();
            assert_eq!(hits.iter().map(|h| h.value.id).collect::<Vec<_>>(), [7, 3, 9]);
        }
    }
}

fn shown(request: &Request) -> String {
    let commands: Vec<Json> = serde_json::from_slice(&request.commands).unwrap();
    commands.iter().fold(String::new(), |mut text, command| {
        writeln!(text, "{command}").unwrap();
        text
    })
}

#[test]
fn commands_of_a_search_in_a_shared_set() {
    let mut text = String::new();
    for dialect in [Dialect::Classic, Dialect::Expression] {
        let near = || Drink::find().dialect(dialect).nearest::<Tastes>(asked(), 5);
        for request in [near().request(&HERE).unwrap(), near().among_own().request(&HERE).unwrap()]
        {
            text.push_str(&shown(&request));
            text.push('\n');
        }
    }
    assert_golden("nearest_shared.txt", &text);
}

#[tokio::test]
async fn sets_and_indexes_are_made_in_either_dialect_and_once() {
    let mut text = String::new();
    for dialect in [Dialect::Classic, Dialect::Expression] {
        let (_dir, databases) = both();
        for db in &databases {
            let made = ensure_in(dialect, db, Dish::SCHEMA, |_| None).await.unwrap();
            assert_eq!((made.sets_made.len(), made.indexes_made), (1, 2));
            let again = ensure_in(dialect, db, Dish::SCHEMA, |_| None).await.unwrap();
            assert_eq!((again.sets_made.len(), again.indexes_made), (0, 0));
        }
        for request in databases[0].asked.lock().unwrap().iter() {
            text.push_str(&shown(request));
        }
        text.push('\n');
    }
    assert_golden("ensure.txt", &text);
}

/// A set declared on the spot, in two models, and not in the same way.
#[derive(Debug, DataModel)]
struct Menu {
    #[adb(id)]
    id: u32,
    #[adb(embed(set = "menus", embedder = Two, metric = L2))]
    look: Embedding<2>,
    #[adb(connect = Offers)]
    soups: Vec<Linked<Offers, Soup>>,
}

#[derive(Debug, DataModel)]
struct Soup {
    #[adb(id)]
    id: u32,
    #[adb(embed(set = "menus", embedder = Two, metric = Cosine))]
    look: Embedding<2>,
}

#[derive(Debug, Clone, PartialEq, Connection)]
struct Offers {
    price: Option<i64>,
}

#[derive(Debug, DataModel)]
struct Kiosk {
    #[adb(id)]
    id: u32,
    #[adb(connect = Sells)]
    soups: Vec<Linked<Sells, Drink>>,
}

/// The same class of connections.
#[derive(Debug, Clone, PartialEq, Connection)]
#[adb(class = "Offers")]
struct Sells {
    price: Option<String>,
}

#[tokio::test]
async fn declarations_that_differ_are_named() {
    let (_dir, databases) = both();
    for db in &databases {
        let error = ensure_in(Dialect::Classic, db, Menu::SCHEMA, |_| None).await.unwrap_err();
        assert!(matches!(error, EnsureError::Disagree { name: "menus", .. }), "{error}");
        assert!(error.to_string().contains("`menus` is declared twice and differently"), "{error}");
        let found = check(db, &[Menu::SCHEMA], |_| None).await.unwrap();
        let is = |d: &&Difference| {
            matches!(d, Difference::Set(EnsureError::Disagree { name: "menus", .. }))
        };
        assert_eq!(found.iter().filter(is).count(), 1, "{found:?}");
        // A set type has one declaration: nothing to disagree about.
        let found = check(db, &[Dish::SCHEMA, Drink::SCHEMA], |_| None).await.unwrap();
        assert!(found.iter().all(Difference::is_mended_by_ensure), "{found:?}");

        let found = check(db, &[Menu::SCHEMA, Kiosk::SCHEMA], |_| None).await.unwrap();
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        let price = "`Offers.price` is a Number in `Menu` and a String in `Kiosk`";
        assert!(told.iter().any(|told| told.contains(price)), "{told:?}");
    }
}
