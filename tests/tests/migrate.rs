//! A database follows its models.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use adb::{
    BoxFuture, DbError, Lowering, Request, Response, ask,
    document::Document,
    ensure,
    migrate::{Change, MigrateError, Migrated},
    prelude::*,
};
use serde_json::{Value as Json, json};

/// The models as they were.
mod before {
    use super::*;

    #[derive(DataModel)]
    pub(super) struct Cafe {
        #[adb(id)]
        pub(super) cafe: u64,
        #[adb(index)]
        pub(super) stars: f64,
        pub(super) since: Option<adb::jiff::civil::Date>,
        pub(super) tags: AsJson<Vec<String>>,
        #[adb(connect = Serves)]
        pub(super) dishes: Vec<Linked<Serves, Dish>>,
    }

    #[derive(Connection)]
    pub(super) struct Serves {
        pub(super) cost: i64,
    }

    #[derive(DataModel)]
    #[adb(image)]
    pub(super) struct Dish {
        #[adb(id)]
        pub(super) name: String,
        pub(super) text: String,
        pub(super) photo: Image,
    }

    /// Another kind of images, with a property of the same name.
    #[derive(DataModel)]
    #[adb(image)]
    pub(super) struct Portrait {
        #[adb(id)]
        pub(super) id: u64,
        pub(super) text: String,
        pub(super) photo: Image,
    }
}

/// The models as they are.
#[derive(Debug, PartialEq, DataModel)]
struct Cafe {
    #[adb(id, was = "cafe")]
    id: u64,
    #[adb(index, was = "points", was = "stars")]
    rating: f64,
    #[adb(was = "since")]
    founded: Option<adb::jiff::civil::Date>,
    #[adb(was = "tags")]
    labels: AsJson<Vec<String>>,
    owner: Option<String>,
    #[adb(connect = Serves)]
    dishes: Vec<Linked<Serves, Dish>>,
}

#[derive(Debug, PartialEq, Connection)]
struct Serves {
    #[adb(was = "cost")]
    price: i64,
}

#[derive(Debug, PartialEq, DataModel)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    name: String,
    #[adb(was = "text")]
    caption: String,
    photo: Image,
}

fn picture() -> Image {
    Image::bytes(&b"\x89PNG\r\n\x1a\n1"[..])
}

const CAFES: u64 = 1200;

async fn database() -> (tempfile::TempDir, Arc<dyn Database>) {
    let dir = tempfile::tempdir().unwrap();
    let db = adb::connect(dir.path().to_str().unwrap()).unwrap();
    ensure(&*db, before::Cafe::SCHEMA, |_| None).await.unwrap();
    let mut lowering = Lowering::new();
    for cafe in 0..CAFES {
        let dish = before::Dish {
            name: format!("dish {}", cafe % 5),
            text: format!("about {}", cafe % 5),
            photo: picture(),
        };
        let cafe = before::Cafe {
            cafe,
            stars: (cafe % 700) as f64 / 2.0,
            since: (cafe % 2 == 0).then(|| adb::jiff::civil::date(1950, 1, 1 + (cafe % 28) as i8)),
            tags: AsJson(vec![format!("tag {}", cafe % 3)]),
            dishes: vec![Linked { edge: before::Serves { cost: cafe as i64 }, to: dish }],
        };
        lowering.push(&cafe.graph().unwrap()).unwrap();
    }
    let portrait = before::Portrait { id: 1, text: "mine".into(), photo: picture() };
    lowering.push(&portrait.graph().unwrap()).unwrap();
    ask(&*db, lowering.finish()).await.unwrap();
    (dir, db)
}

fn expected(id: u64) -> Cafe {
    let dish = Dish {
        name: format!("dish {}", id % 5),
        caption: format!("about {}", id % 5),
        photo: picture(),
    };
    Cafe {
        id,
        rating: (id % 700) as f64 / 2.0,
        founded: id.is_multiple_of(2).then(|| adb::jiff::civil::date(1950, 1, 1 + (id % 28) as i8)),
        labels: AsJson(vec![format!("tag {}", id % 3)]),
        owner: None,
        dishes: vec![Linked { edge: Serves { price: id as i64 }, to: dish }],
    }
}

async fn all_are_as_expected(db: &dyn Database) {
    let cafes = Cafe::find().sort(|c| c.id.ascending()).with_blobs().fetch(db).await.unwrap();
    assert_eq!(cafes.len() as u64, CAFES);
    for (cafe, id) in cafes.into_iter().zip(0..) {
        assert_eq!(cafe, expected(id));
    }
}

async fn indexes(db: &dyn Database) -> Json {
    let (answers, _) = ask(db, Request::json(&json!([{"GetIndexes": {}}]))).await.unwrap();
    answers[0]["GetIndexes"]["indexes"]["entity"]["Cafe"].clone()
}

#[tokio::test]
async fn renamed_properties_move_with_their_values_and_indexes() {
    let (_dir, db) = database().await;
    let plan = adb::migrate::plan::<Cafe>(&*db, |_| None).await.unwrap();
    let told: Vec<String> = plan.changes.iter().map(ToString::to_string).collect();
    for words in [
        "an index on `Cafe.id` is to be made",
        "an index on `Cafe.rating` is to be made",
        "`Cafe.cafe` becomes `Cafe.id` (1200 have it)",
        "`Cafe.stars` becomes `Cafe.rating` (1200 have it)",
        "`Cafe.since` becomes `Cafe.founded` (600 have it)",
        "`Cafe.owner` is new: nothing to do, 1200 objects are without it",
        "`Serves.cost` becomes `Serves.price` (1200 have it)",
        "`Dish.text` becomes `Dish.caption` (5 have it)",
    ] {
        assert!(told.iter().any(|line| line == words), "{words}: {told:#?}");
    }
    assert!(plan.is_to_do() && !plan.is_blocked());

    let done = adb::migrate::<Cafe>(&*db, |_| None).await.unwrap();
    assert_eq!((done.sets_made, done.indexes_removed), (0, 2), "{done:?}");
    assert_eq!(done.renamed, CAFES * 4 + 600 + 5);
    all_are_as_expected(&*db).await;
    let indexes = indexes(&*db).await;
    assert!(indexes.get("rating").is_some() && indexes.get("stars").is_none(), "{indexes}");
    let portraits = before::Portrait::find().fetch(&*db).await.unwrap();
    assert_eq!(portraits[0].text, "mine", "another model's property keeps its name");

    let again = adb::migrate::<Cafe>(&*db, |_| None).await.unwrap();
    assert_eq!(again, Migrated::default());
    let plan = adb::migrate::plan::<Cafe>(&*db, |_| None).await.unwrap();
    assert!(!plan.is_to_do() && !plan.is_blocked(), "{plan}");
    // What went in under the old names is the same object under the new ones.
    let first = expected(0).upsert().write(&*db).await.unwrap();
    assert!(first.differences.iter().all(|d| !format!("{d}").contains("added")), "{first:?}");
    assert_eq!(Cafe::find().count(&*db).await.unwrap(), CAFES);
}

/// Fails every request from a certain one on.
struct Dying {
    inner: Arc<dyn Database>,
    left: AtomicUsize,
}

impl Database for Dying {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        let alive =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        match alive {
            Ok(_) => self.inner.execute(request),
            Err(_) => Box::pin(async { Err(DbError::transient("gone")) }),
        }
    }
}

#[tokio::test]
async fn an_interrupted_migration_goes_on_where_it_ended() {
    let (_dir, db) = database().await;
    let mut attempts = 0;
    loop {
        attempts += 1;
        // Each attempt gets a few requests further than its plan.
        let dying = Dying { inner: db.clone(), left: AtomicUsize::new(12 + attempts) };
        match adb::migrate::<Cafe>(&dying, |_| None).await {
            Ok(_) => break,
            Err(e) => assert!(e.is_transient(), "{e}"),
        }
        // Whatever has happened, every object has the value under one of the two names.
        let both = json!([{"FindEntity": {"with_class": "Cafe", "results": {"count": true},
            "constraints": {"any": {"stars": ["!=", null], "rating": ["!=", null]}}}}]);
        let (answers, _) = ask(&*db, Request::json(&both)).await.unwrap();
        assert_eq!(answers[0]["FindEntity"]["count"], CAFES);
        assert!(attempts < 100);
    }
    assert!(attempts > 3, "it was interrupted");
    all_are_as_expected(&*db).await;
}

#[tokio::test]
async fn of_an_object_with_both_names_the_new_one_counts() {
    let (_dir, db) = database().await;
    let set = json!([{"UpdateEntity": {"with_class": "Cafe", "constraints": {"cafe": ["==", 3]},
                                       "properties": {"rating": 99}}}]);
    ask(&*db, Request::json(&set)).await.unwrap();
    adb::migrate::<Cafe>(&*db, |_| None).await.unwrap();
    let cafe = Cafe::find().filter(|c| c.id.eq(3)).fetch(&*db).await.unwrap();
    assert_eq!(cafe[0].rating, 99.0);
    assert_eq!(Cafe::find().filter(|c| c.rating.eq(1.0)).count(&*db).await.unwrap(), 2);
}

#[tokio::test]
async fn a_changed_type_is_refused_with_the_way_round_and_nothing_is_done() {
    #[derive(DataModel)]
    #[adb(class = "Cafe")]
    struct Typed {
        #[adb(id)]
        cafe: u64,
        stars: String,
        #[adb(was = "since")]
        founded: i64,
        #[adb(index)]
        owner: Option<String>,
        note: String,
    }
    let (_dir, db) = database().await;
    let plan = adb::migrate::plan::<Typed>(&*db, |_| None).await.unwrap();
    let told = plan.to_string();
    assert!(told.contains("`Cafe.stars` is a Number in the database and a String"), "{told}");
    assert!(told.contains("the way round: store it under another name"), "{told}");
    assert!(told.contains("`Cafe.since` is a Datetime and can't become `Cafe.founded`"), "{told}");
    assert!(told.contains("`Cafe.note` is new: nothing to do, but 1200 objects"), "{told}");
    let before = indexes(&*db).await;
    let error = adb::migrate::<Typed>(&*db, |_| None).await.unwrap_err();
    let MigrateError::Blocked(plan) = error else { unreachable!("{error}") };
    assert!(plan.changes.iter().all(Change::is_blocked) && plan.changes.len() == 2, "{plan}");
    assert_eq!(indexes(&*db).await, before);
}

#[tokio::test]
async fn sets_and_indexes_are_made_and_an_empty_database_fits_then() {
    #[derive(DataModel)]
    struct Note {
        #[adb(id)]
        id: u64,
        text: String,
        #[adb(embed(from = text, set = "notes", embedder = ClipVitB32))]
        meaning: Embedding<512>,
    }
    let dir = tempfile::tempdir().unwrap();
    let db = adb::connect(dir.path().to_str().unwrap()).unwrap();
    let plan = adb::migrate::plan::<Note>(&*db, |_| None).await.unwrap();
    assert!(plan.to_string().contains("the descriptor set `notes` is to be made"), "{plan}");
    let done = adb::migrate::<Note>(&*db, |_| None).await.unwrap();
    assert_eq!((done.sets_made, done.renamed), (1, 0));
    let plan = adb::migrate::plan::<Note>(&*db, |_| None).await.unwrap();
    assert_eq!(plan.to_string(), "the database fits");
}

#[test]
fn old_names_stand_in_the_document() {
    let document = Document::of(Cafe::SCHEMA);
    let rating = &document.root().unwrap().fields[1];
    assert_eq!(rating.was, ["points", "stars"]);
    let text = serde_json::to_string(&document).unwrap();
    assert_eq!(Document::parse(&text).unwrap(), document);
}
