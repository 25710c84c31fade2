//! Typed questions about labels and places, figures and groups, dates, lists and pages: as commands
//! in both dialects, and as the engine and the reference database answer them.
//!
//! After a deliberate change, `UPDATE_GOLDEN=1` writes the commands anew; read the difference.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use adb::{
    BoxFuture, Database, DbError, Dialect, Lowering, Request, Response,
    ensure::ensure_in,
    jiff::civil::{Date, date},
    prelude::*,
    query::QueryError,
};
use adb_oracle::Reference;
use adb_tests::golden::assert_golden;
use serde_json::Value as Json;

#[derive(Debug, Clone, PartialEq, DataModel)]
struct Cafe {
    #[adb(id)]
    id: u32,
    town: Option<String>,
    rating: f64,
    founded: Option<Date>,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(video)]
struct Film {
    #[adb(id)]
    id: u32,
    film: Video,
    #[adb(clips)]
    scenes: Vec<Scene>,
    #[adb(clips)]
    shots: Vec<Shot>,
    #[adb(frames)]
    stills: Vec<Still>,
    #[adb(frames)]
    marks: Vec<Mark>,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(clip)]
struct Scene {
    #[adb(id)]
    id: u32,
    span: TimeSpan,
    #[adb(label)]
    what: Option<String>,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(clip)]
struct Shot {
    #[adb(id)]
    id: u32,
    span: FrameSpan,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(frame)]
struct Still {
    #[adb(id)]
    id: u32,
    at: TimeOffset,
    #[adb(regions)]
    faces: Vec<Face>,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(frame)]
struct Mark {
    #[adb(id)]
    id: u32,
    at: FrameNumber,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(bounding_box)]
struct Face {
    #[adb(id)]
    id: u32,
    area: Rect,
    #[adb(label)]
    who: String,
}

/// Keeps what it was asked.
struct Watched {
    inner: Arc<dyn Database>,
    asked: Mutex<String>,
}

impl Database for Watched {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        let commands: Vec<Json> = serde_json::from_slice(&request.commands).unwrap();
        for command in commands {
            writeln!(self.asked.lock().unwrap(), "{command}").unwrap();
        }
        self.inner.execute(request)
    }
}

async fn both() -> (tempfile::TempDir, [Watched; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let engine = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    let watched = |inner| Watched { inner, asked: Mutex::default() };
    let databases = [watched(engine), watched(Arc::new(Reference::new()))];
    for db in &databases {
        fill(db).await;
        db.asked.lock().unwrap().clear();
    }
    (dir, databases)
}

fn seconds(seconds: f64) -> TimeOffset {
    TimeOffset::new(Duration::from_secs_f64(seconds))
}

async fn fill(db: &dyn Database) {
    for schema in [Cafe::SCHEMA, Film::SCHEMA] {
        ensure_in(Dialect::Classic, db, schema, |_| None).await.unwrap();
    }
    let mut lowering = Lowering::new();
    for id in 1..=10_u32 {
        let cafe = Cafe {
            id,
            town: [None, Some("Oslo".to_owned()), Some("Rome".to_owned())][id as usize % 3].clone(),
            rating: f64::from(id) / 2.0,
            founded: (id % 2 == 0).then(|| date(1900 + id as i16, 3, 1)),
        };
        lowering.push(&cafe.graph().unwrap()).unwrap();
    }
    let face = |id: u32, who: &str| Face {
        id,
        area: Rect { x: 1, y: 1, width: i64::from(id), height: 10 },
        who: who.to_owned(),
    };
    let film = Film {
        id: 1,
        film: Video::bytes(&b"a film"[..]),
        scenes: [(1, 0.0, 1.5, Some("rain")), (2, 1.5, 60.25, None), (3, 61.0, 99.0, Some("sun"))]
            .map(|(id, start, stop, what)| Scene {
                id,
                span: TimeSpan { start: seconds(start), stop: seconds(stop) },
                what: what.map(str::to_owned),
            })
            .to_vec(),
        shots: vec![
            Shot { id: 4, span: FrameSpan { start: 0, stop: 24 } },
            Shot { id: 5, span: FrameSpan { start: 25, stop: 99 } },
        ],
        stills: vec![
            Still { id: 6, at: seconds(3.5), faces: vec![face(1, "Ada"), face(2, "Bo")] },
            Still { id: 7, at: seconds(0.25), faces: vec![face(3, "Ada")] },
        ],
        marks: [9, 3, 27].map(|n| Mark { id: n, at: FrameNumber(n.into()) }).to_vec(),
    };
    lowering.push(&film.graph().unwrap()).unwrap();
    adb::ask(db, lowering.finish()).await.unwrap();
}

/// Runs questions on both databases in both dialects, and holds what was sent against a file.
async fn each(name: &str, questions: impl AsyncFn(&Watched, Dialect)) {
    let mut text = String::new();
    for dialect in [Dialect::Classic, Dialect::Expression] {
        let (_dir, databases) = both().await;
        for db in &databases {
            questions(db, dialect).await;
        }
        let [first, second] = databases.map(|db| db.asked.into_inner().unwrap());
        assert_eq!(first, second);
        writeln!(text, "{first}").unwrap();
    }
    assert_golden(name, &text);
}

#[tokio::test]
async fn labels_and_places_are_searched_and_sorted_by() {
    each("places.txt", async |db, dialect| {
        let faces = || Face::find().dialect(dialect);
        let ada = faces().filter(|f| f.who.eq("Ada")).fetch(db).await.unwrap();
        assert_eq!(ada.iter().map(|f| f.id).collect::<Vec<_>>(), [1, 3]);
        let large = faces().filter(|f| f.area.area().ge(20.0)).sort(|f| f.who.descending());
        assert_eq!(large.fetch(db).await.unwrap().iter().map(|f| f.id).collect::<Vec<_>>(), [2, 3]);

        let scenes = || Scene::find().dialect(dialect);
        let nameless = scenes().filter(|s| s.what.is_absent()).fetch(db).await.unwrap();
        assert_eq!(nameless.iter().map(|s| s.id).collect::<Vec<_>>(), [2]);
        let late = scenes().filter(|s| s.span.start().ge(seconds(1.5)));
        let late = late.sort(|s| s.span.stop().descending()).fetch(db).await.unwrap();
        assert_eq!(late.iter().map(|s| s.id).collect::<Vec<_>>(), [3, 2]);
        let shots = Shot::find().dialect(dialect).filter(|s| s.span.stop().lt(25_u64));
        assert_eq!(shots.fetch(db).await.unwrap()[0].id, 4);

        let marks = || Mark::find().dialect(dialect);
        let sorted = marks().sort(|m| m.at.number().ascending()).fetch(db).await.unwrap();
        assert_eq!(sorted.iter().map(|m| m.at.0).collect::<Vec<_>>(), [3, 9, 27]);
        let between = marks().filter(|m| m.at.number().within(4_u64..27));
        assert_eq!(between.fetch(db).await.unwrap()[0].id, 9);
        let early = Still::find().dialect(dialect).filter(|s| s.at.time().lt(seconds(1.0)));
        assert_eq!(early.fetch(db).await.unwrap()[0].id, 7);
        let first = Still::find().dialect(dialect).min(db, |s| s.at.time()).await.unwrap();
        assert_eq!(first.unwrap().0, seconds(0.25));

        // Across both: the stills that Bo is on.
        let of_bo =
            Still::find().dialect(dialect).having(|s| s.faces, faces().filter(|f| f.who.eq("Bo")));
        assert_eq!(of_bo.fetch(db).await.unwrap()[0].id, 6);
    })
    .await;
}

#[tokio::test]
async fn labels_change_and_places_do_not() {
    each("labels.txt", async |db, dialect| {
        let faces = || Face::find().dialect(dialect);
        let renamed = faces().filter(|f| f.who.eq("Bo")).update(db, |f| [f.who.set("Bob")]).await;
        assert_eq!(renamed.unwrap(), 1);
        assert_eq!(faces().filter(|f| f.who.eq("Bob")).count(db).await.unwrap(), 1);
        let error = faces().update(db, |f| [f.who.unset()]).await.unwrap_err();
        assert!(matches!(error, QueryError::Model(_)), "{error}");
        let marks = Mark::find().dialect(dialect);
        let error = marks.update(db, |m| [m.at.number().set(7_u64)]).await.unwrap_err();
        assert!(error.to_string().contains("it says where the object lies"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn figures_come_alone_and_in_groups() {
    each("figures.txt", async |db, dialect| {
        let cafes = || Cafe::find().dialect(dialect);
        assert_eq!(cafes().sum(db, |c| c.rating).await.unwrap(), Some(27.5));
        assert_eq!(cafes().average(db, |c| c.rating).await.unwrap(), Some(2.75));
        assert_eq!(cafes().min(db, |c| c.founded).await.unwrap(), Some(date(1902, 3, 1)));
        assert_eq!(cafes().max(db, |c| c.town).await.unwrap().as_deref(), Some("Rome"));
        assert_eq!(cafes().max(db, |c| c.id).await.unwrap(), Some(10));
        let nobody = cafes().filter(|c| c.rating.gt(99.0));
        assert_eq!(nobody.min(db, |c| c.id).await.unwrap(), None);

        let town = |name: &str| Some(name.to_owned());
        let by_town = || cafes().group_by(|c| c.town);
        let counts = by_town().count(db).await.unwrap();
        assert_eq!(counts, [(None, 3), (town("Oslo"), 4), (town("Rome"), 3)]);
        let sums = by_town().sum(db, |c| c.rating).await.unwrap();
        assert_eq!(
            sums,
            [(None, Some(9.0)), (town("Oslo"), Some(11.0)), (town("Rome"), Some(7.5))]
        );
        let means = by_town().average(db, |c| c.rating).await.unwrap();
        assert_eq!(means[1], (town("Oslo"), Some(2.75)));
        let last = by_town().max(db, |c| c.founded).await.unwrap();
        assert_eq!(last[0], (None, Some(date(1906, 3, 1))));
        let first = cafes().filter(|c| c.town.is_present()).group_by(|c| c.town);
        let first = first.min(db, |c| c.id).await.unwrap();
        assert_eq!(first, [(town("Oslo"), Some(1)), (town("Rome"), Some(2))]);
    })
    .await;
}

#[tokio::test]
async fn dates_lists_alternatives_and_pages() {
    each("filters.txt", async |db, dialect| {
        let cafes = || Cafe::find().dialect(dialect);
        let ids = |cafes: Vec<Cafe>| cafes.iter().map(|c| c.id).collect::<Vec<_>>();
        let young = cafes().filter(|c| c.founded.within(date(1903, 1, 1)..=date(1908, 3, 1)));
        assert_eq!(ids(young.fetch(db).await.unwrap()), [4, 6, 8]);
        let listed = cafes().filter(|c| c.founded.one_of([date(1902, 3, 1), date(1999, 1, 1)]));
        assert_eq!(ids(listed.fetch(db).await.unwrap()), [2]);
        let none = cafes().filter(|c| c.town.none_of(["Oslo"]));
        assert_eq!(ids(none.fetch(db).await.unwrap()), [2, 5, 8], "none without a town");
        let either = cafes().filter(|c| {
            let old = c.founded.lt(date(1903, 1, 1)).or(c.founded.ge(date(1910, 1, 1)));
            old.and(c.town.eq("Rome").or(c.town.eq("Oslo")))
        });
        assert_eq!(ids(either.fetch(db).await.unwrap()), [2, 10]);
        // Pages: all of it, nothing twice.
        let mut seen = Vec::new();
        for page in 0.. {
            let page = cafes()
                .sort(|c| c.town.descending())
                .sort(|c| c.id.ascending())
                .limit(4)
                .offset(4 * page);
            let page = page.fetch(db).await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(ids(page));
        }
        assert_eq!(seen, [2, 5, 8, 1, 4, 7, 10, 3, 6, 9]);
    })
    .await;
}
