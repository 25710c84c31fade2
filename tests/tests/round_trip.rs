//! Whatever a model can hold comes back equal: from the engine, and from the reference database.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{borrow::Cow, fmt::Debug, sync::Arc};

use adb::{
    Dialect, Lowering,
    ensure::ensure_in,
    jiff::{Timestamp, civil},
    prelude::*,
    uuid::Uuid,
};
use adb_oracle::Reference;
use adb_tests::Two;
use bytes::Bytes;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    test_runner::{RngSeed, TestRunner},
};
use serde_json::Value as Json;

#[derive(Debug, Clone, PartialEq, DataModel)]
struct Values {
    #[adb(id)]
    id: String,
    i8: i8,
    u32: Option<u32>,
    i64: i64,
    u64: u64,
    i128: i128,
    f32: f32,
    f64: f64,
    perhaps: Option<f64>,
    bool: bool,
    text: String,
    cow: Cow<'static, str>,
    boxed: Box<str>,
    shared: Arc<str>,
    char: char,
    uuid: Uuid,
    at: Timestamp,
    local: civil::DateTime,
    day: Option<civil::Date>,
    json: Json,
    list: AsJson<Vec<String>>,
    tone: Tone,
    grams: Grams,
    held: Box<i32>,
    counted: Option<Arc<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Property)]
#[adb(rename_all = "kebab-case")]
enum Tone {
    LightBlue,
    Red,
}

#[derive(Debug, Clone, Copy, PartialEq, Property)]
struct Grams(f64);

/// NUL, quotes, dollars, beyond the basic plane, and long ones.
fn text() -> impl Strategy<Value = String> {
    let odd = [
        "",
        "\0",
        "a\0b",
        "$x",
        "$$",
        "null",
        "None",
        "'",
        "\"\\",
        "\u{1F980}\u{301}",
        "\u{FEFF}",
        "1.0.2",
    ];
    prop_oneof![
        3 => any::<String>(),
        3 => select(odd.to_vec()).prop_map(str::to_owned),
        1 => (1..4000_usize).prop_map(|n| "\u{e9}\0x".repeat(n)),
    ]
}

fn id() -> impl Strategy<Value = String> {
    text().prop_filter("an id is not empty", |text| !text.is_empty())
}

/// Subnormal, negative zero and the extremes among them; no NaN, no infinity.
fn float() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    let edges = [f64::MIN, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0, 0.1 + 0.2, 1e22, 1e23, 2e53];
    prop_oneof![
        4 => NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE,
        1 => select(edges.to_vec()),
        1 => any::<i64>().prop_map(|i| i as f64),
    ]
}

fn narrow() -> impl Strategy<Value = f32> {
    use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE, Just(f32::MAX), Just(-0.0)]
}

fn integer() -> impl Strategy<Value = i64> {
    let edges = [i64::MIN, i64::MAX, 0, -1, (1 << 53) + 1, -(1 << 53) - 1];
    prop_oneof![any::<i64>(), select(edges.to_vec())]
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let (min, max) = (Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond());
    prop_oneof![min..max, -10_000_000..10_000_000_i64, Just(min), Just(max)].prop_map(|micros| {
        Timestamp::new(micros / 1_000_000, (micros % 1_000_000) as i32 * 1000).unwrap()
    })
}

/// Days whose midnight can be told: the calendar begins within one.
fn day() -> impl Strategy<Value = civil::Date> {
    timestamp().prop_map(|at| utc(at).date().max(civil::date(-9999, 1, 3)))
}

fn utc(at: Timestamp) -> civil::DateTime {
    adb::jiff::tz::TimeZone::UTC.to_datetime(at)
}

/// An object or an array: a bare value has a type of its own.
fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        integer().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        float().prop_map(Json::from),
        text().prop_map(Json::from),
    ];
    let nested = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            vec((text(), inner), 0..4).prop_map(|all| Json::Object(all.into_iter().collect())),
        ]
    });
    let is_date =
        |json: &Json| json.as_object().is_some_and(|o| o.len() == 1 && o.contains_key("_date"));
    nested
        .prop_map(|json| match json {
            Json::Object(_) | Json::Array(_) => json,
            plain => Json::Array(vec![plain]),
        })
        .prop_filter("a date in disguise is refused", move |json| !is_date(json))
}

fn values() -> impl Strategy<Value = Values> {
    let numbers = (
        any::<i8>(),
        any::<Option<u32>>(),
        integer(),
        (0..=i64::MAX as u64),
        integer(),
        narrow(),
        float(),
        option::of(float()),
        any::<bool>(),
    );
    let texts = (text(), text(), text(), text(), any::<char>(), any::<u128>());
    let rest = (timestamp(), timestamp(), option::of(day()), json(), vec(text(), 0..4));
    let own = (any::<bool>(), float(), any::<i32>(), option::of(text()));
    (id(), numbers, texts, rest, own).prop_map(|(id, numbers, texts, rest, own)| Values {
        id,
        i8: numbers.0,
        u32: numbers.1,
        i64: numbers.2,
        u64: numbers.3,
        i128: numbers.4.into(),
        f32: numbers.5,
        f64: numbers.6,
        perhaps: numbers.7,
        bool: numbers.8,
        text: texts.0,
        cow: texts.1.into(),
        boxed: texts.2.into(),
        shared: texts.3.into(),
        char: texts.4,
        uuid: Uuid::from_u128(texts.5),
        at: rest.0,
        local: utc(rest.1),
        day: rest.2,
        json: rest.3,
        list: AsJson(rest.4),
        tone: if own.0 { Tone::LightBlue } else { Tone::Red },
        grams: Grams(own.1),
        held: Box::new(own.2),
        counted: own.3.map(Arc::new),
    })
}

// What hangs together

#[derive(Debug, Clone, PartialEq, DataModel)]
struct Person {
    #[adb(id)]
    name: String,
    #[adb(id)]
    number: i64,
    #[adb(connect = "Owns")]
    things: Vec<Thing>,
    #[adb(connect = "Likes")]
    favourite: Option<Arc<Thing>>,
    #[adb(connect = Knows)]
    friends: Vec<Linked<Knows, Person>>,
    #[adb(connect(class = "Taught", direction = in))]
    teacher: Option<Box<Person>>,
    portrait: Option<Image>,
    letter: Option<Blob>,
    #[adb(embed(set = "faces", embedder = Two, metric = L2))]
    face: Option<Embedding<2>>,
    #[adb(embed(set = "voices", embedder = Two, metric = L2))]
    voice: Embedding<2>,
}

#[derive(Debug, Clone, PartialEq, Connection)]
struct Knows {
    since: Option<civil::Date>,
    how_well: f64,
    note: String,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
struct Thing {
    #[adb(id)]
    id: u8,
    name: String,
}

fn thing(id: u8) -> Thing {
    Thing { id, name: format!("thing \0{id}") }
}

fn embedding() -> impl Strategy<Value = Embedding<2>> {
    [narrow(), narrow()].prop_map(Embedding::from)
}

fn media() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..300).prop_map(|bytes| [b"\x89PNG\r\n\x1a\n", &bytes[..]].concat().into())
}

fn person(depth: u32) -> BoxedStrategy<Person> {
    let own = (id(), integer(), vec(0..6_u8, 0..5), option::of(0..6_u8));
    let media = (
        option::of(media()),
        option::of(vec(any::<u8>(), 0..9)),
        option::of(embedding()),
        embedding(),
    );
    let edge = || (option::of(day()), float(), text());
    let (friends, teacher) = match depth {
        0 => (Just(Vec::new()).boxed(), Just(None).boxed()),
        _ => {
            (vec((edge(), person(depth - 1)), 0..3).boxed(), option::of(person(depth - 1)).boxed())
        }
    };
    (own, media, friends, teacher)
        .prop_map(|((name, number, mut things, favourite), media, friends, teacher)| {
            things.sort_unstable();
            things.dedup();
            Person {
                name,
                number,
                things: things.into_iter().map(thing).collect(),
                favourite: favourite.map(|id| Arc::new(thing(id))),
                friends: friends
                    .into_iter()
                    .map(|((since, how_well, note), to)| Linked {
                        edge: Knows { since, how_well, note },
                        to,
                    })
                    .collect(),
                teacher: teacher.map(Box::new),
                portrait: media.0.map(Image::bytes),
                letter: media.1.map(Blob::bytes),
                face: media.2,
                voice: media.3,
            }
        })
        .boxed()
}

/// Nobody twice: a second one of the same id is the first one. And in the order of ids, since who
/// is shared has been made with the first who has it.
fn tidy(person: &mut Person, seen: &mut i64) {
    *seen += 1;
    // Still at the ends of the range, some of them.
    person.number = person.number.wrapping_add(*seen);
    person.name = format!("{seen}{}", person.name);
    for friend in &mut person.friends {
        tidy(&mut friend.to, seen);
    }
    if let Some(teacher) = &mut person.teacher {
        tidy(teacher, seen);
    }
}

fn in_order(person: &mut Person) {
    person.things.sort_by_key(|thing| thing.id);
    person.friends.sort_by(|a, b| a.to.name.cmp(&b.to.name));
    person.friends.iter_mut().for_each(|friend| in_order(&mut friend.to));
    person.teacher.iter_mut().for_each(|teacher| in_order(teacher));
}

// Parts

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(video)]
struct Film {
    #[adb(id)]
    id: i64,
    film: Video,
    #[adb(clips)]
    scenes: Vec<Scene>,
    #[adb(clips)]
    shots: Vec<Shot>,
    #[adb(clips)]
    acts: Vec<Act>,
    #[adb(frames)]
    stills: Vec<Still>,
    #[adb(frames)]
    marks: Vec<Mark>,
    #[adb(frames)]
    poster: Option<Poster>,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(clip)]
struct Scene {
    #[adb(id)]
    id: u32,
    span: TimeSpan,
    #[adb(label)]
    what: Option<String>,
    #[adb(embed(set = "scenes", embedder = Two, metric = L2))]
    meaning: Embedding<2>,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(clip)]
struct Shot {
    #[adb(id)]
    id: u32,
    span: FrameSpan,
}

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(clip)]
struct Act {
    #[adb(id)]
    id: u32,
    span: FractionSpan,
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
#[adb(frame)]
struct Poster {
    #[adb(id)]
    id: u32,
    at: TimeFraction,
    #[adb(regions)]
    outlines: Vec<Outline>,
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

#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(polygon)]
struct Outline {
    #[adb(id)]
    id: u32,
    line: Polygon,
}

fn moment() -> impl Strategy<Value = TimeOffset> {
    let micros = prop_oneof![0..100_000_000_u64, 0..360_000_000_000_u64, Just(3_599_999_999)];
    micros.prop_map(|micros| TimeOffset::new(std::time::Duration::from_micros(micros)))
}

fn fraction() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..=1.0, Just(0.1 + 0.2), Just(0.0), Just(1.0), Just(5e-324)]
}

fn outline() -> impl Strategy<Value = Polygon> {
    // Triangles turned any way, side by side.
    let triangle = ([narrow_place(), narrow_place()], 0.5..90.0_f32, 0.5..90.0_f32);
    vec(triangle, 1..3).prop_map(|all| {
        let rings = all.into_iter().enumerate().map(|(i, ([x, y], width, height))| {
            let x = x + 1000.0 * i as f32;
            vec![[x, y], [x + width, y], [x, y + height]]
        });
        Polygon(rings.collect())
    })
}

fn narrow_place() -> impl Strategy<Value = f32> {
    prop_oneof![-500.0..500.0_f32, Just(0.1), Just(0.0)]
}

fn label() -> impl Strategy<Value = String> {
    // "None" is how databases show that there is none.
    text().prop_filter("a label", |text| text != "None")
}

fn film() -> impl Strategy<Value = Film> {
    let clips = (
        vec((moment(), moment(), option::of(label()), embedding()), 0..3),
        vec((any::<u32>(), any::<u32>()), 0..3),
        vec((fraction(), fraction()), 0..3),
    );
    let face = (any::<i32>(), any::<i32>(), 1..i64::from(i32::MAX), 1..9_i64, label());
    let frames = (
        vec((moment(), vec(face, 0..3)), 0..3),
        vec(0..=i64::MAX as u64, 0..3),
        option::of((fraction(), vec(outline(), 0..3))),
    );
    (integer(), media(), clips, frames).prop_map(|(id, film, clips, frames)| {
        let mut ids = 0_u32..;
        let mut next = || ids.next().unwrap();
        Film {
            id,
            film: Video::bytes(film),
            scenes: clips
                .0
                .into_iter()
                .map(|(a, b, what, meaning)| Scene {
                    id: next(),
                    span: TimeSpan { start: a.min(b), stop: a.max(b) },
                    what,
                    meaning,
                })
                .collect(),
            shots: clips
                .1
                .into_iter()
                .map(|(a, b)| Shot {
                    id: next(),
                    span: FrameSpan { start: a.min(b).into(), stop: a.max(b).into() },
                })
                .collect(),
            acts: clips
                .2
                .into_iter()
                .map(|(a, b)| Act {
                    id: next(),
                    span: FractionSpan { start: a.min(b), stop: a.max(b) },
                })
                .collect(),
            stills: frames
                .0
                .into_iter()
                .map(|(at, faces)| Still {
                    id: next(),
                    at,
                    faces: faces
                        .into_iter()
                        .map(|(x, y, width, height, who)| Face {
                            id: next(),
                            area: Rect { x: x.into(), y: y.into(), width, height },
                            who,
                        })
                        .collect(),
                })
                .collect(),
            marks: frames
                .1
                .into_iter()
                .map(|number| Mark { id: next(), at: FrameNumber(number) })
                .collect(),
            poster: frames.2.map(|(at, outlines)| Poster {
                id: next(),
                at: TimeFraction(at),
                outlines: outlines.into_iter().map(|line| Outline { id: next(), line }).collect(),
            }),
        }
    })
}

// Both databases

fn both() -> (tempfile::TempDir, [Arc<dyn Database>; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let engine = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    (dir, [engine, Arc::new(Reference::new())])
}

/// Puts models in, twice, and reads all of their kind with `depth` connections below them.
async fn through<M: DataModel>(
    db: &dyn Database,
    dialect: Dialect,
    model: &M,
    depth: usize,
) -> Result<Vec<M>, String> {
    ensure_in(dialect, db, M::SCHEMA, |_| None).await.map_err(|e| e.to_string())?;
    for _ in 0..2 {
        let mut lowering = Lowering::with_dialect(dialect);
        let graph = model.graph().map_err(|e| e.to_string())?;
        lowering.push(&graph).map_err(|e| e.to_string())?;
        adb::ask(db, lowering.finish()).await.map_err(|e| e.to_string())?;
    }
    let find = M::find().dialect(dialect).depth(depth).with_blobs().with_vectors();
    find.fetch(db).await.map_err(|e| e.to_string())
}

fn check<M: DataModel + Debug + PartialEq>(
    strategy: impl Strategy<Value = M>,
    cases: u32,
    depth: usize,
    mut prepared: impl FnMut(&mut M),
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    };
    let (prepared, dialects) =
        (std::cell::RefCell::new(&mut prepared), [Dialect::Classic, Dialect::Expression]);
    let turn = std::cell::Cell::new(0);
    TestRunner::new(config)
        .run(&strategy, |mut model| {
            (prepared.borrow_mut())(&mut model);
            turn.set(turn.get() + 1);
            let (_dir, databases) = both();
            for (i, db) in databases.iter().enumerate() {
                let dialect = dialects[(turn.get() + i) % 2];
                let found = runtime.block_on(through(&**db, dialect, &model, depth));
                let mut found = found.map_err(TestCaseError::fail)?;
                found.iter_mut().for_each(|found| (prepared.borrow_mut())(found));
                // −0 equals 0, and must not become it: what is shown is compared.
                let (there, wanted) = (format!("{found:?}"), format!("{:?}", [&model]));
                prop_assert_eq!(there, wanted, "from the {}", ["engine", "reference"][i]);
                prop_assert!(found[0] == model);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn every_property_type_comes_back() {
    check(values(), 100, 0, |_| {});
}

#[test]
fn what_hangs_together_comes_back() {
    let people = person(2).prop_map(|mut person| {
        tidy(&mut person, &mut 0);
        in_order(&mut person);
        person
    });
    let roots = |found: &mut Person| in_order(found);
    check_roots(people, roots);
}

/// Everybody in the database is a person: the root is the one of its name.
fn check_roots(people: impl Strategy<Value = Person>, mut tidied: impl FnMut(&mut Person)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig {
        cases: 40,
        rng_seed: RngSeed::Fixed(8),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    };
    let tidied = std::cell::RefCell::new(&mut tidied);
    TestRunner::new(config)
        .run(&people, |person| {
            let (_dir, databases) = both();
            for (i, db) in databases.iter().enumerate() {
                for dialect in [Dialect::Classic, Dialect::Expression] {
                    let found = runtime.block_on(through(&**db, dialect, &person, 3));
                    let found = found.map_err(TestCaseError::fail)?;
                    let root = found.into_iter().find(|found| found.name == person.name);
                    let mut root = root.unwrap();
                    (tidied.borrow_mut())(&mut root);
                    let (there, wanted) = (format!("{root:?}"), format!("{person:?}"));
                    prop_assert_eq!(there, wanted, "from the {}", ["engine", "reference"][i]);
                    prop_assert!(root == person);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn parts_of_films_and_pictures_come_back() {
    check(film(), 60, 2, |_| {});
}

#[test]
fn the_word_for_no_label_is_refused_as_one() {
    let face = Face { id: 1, area: Rect { x: 0, y: 0, width: 1, height: 1 }, who: "None".into() };
    let mut film = Film {
        id: 1,
        film: Video::bytes(&b"a film"[..]),
        scenes: vec![],
        shots: vec![],
        acts: vec![],
        stills: vec![Still {
            id: 1,
            at: TimeOffset::new(std::time::Duration::ZERO),
            faces: vec![face],
        }],
        marks: vec![],
        poster: None,
    };
    let mut lowering = Lowering::new();
    let error = lowering.push(&film.graph().unwrap()).unwrap_err();
    assert!(error.to_string().contains("\"None\" is no label"), "{error}");
    film.stills[0].faces[0].who = "none".into();
    lowering.push(&film.graph().unwrap()).unwrap();
}

/// A value that holds itself, over another one.
#[derive(Debug, Clone, PartialEq, DataModel)]
struct Ring {
    #[adb(id)]
    id: u8,
    #[adb(connect = "Next")]
    next: Vec<Ring>,
}

#[test]
fn cycles_and_self_reference_come_back_as_deep_as_they_are_read() {
    let ring = |id, next| Ring { id, next };
    // 1 → 2 → 1, and 3 → 3.
    let one = ring(1, vec![ring(2, vec![ring(1, vec![])])]);
    let own = ring(3, vec![ring(3, vec![])]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_dir, databases) = both();
    for db in &databases {
        for ring in [&one, &own] {
            runtime.block_on(through(&**db, Dialect::Classic, ring, 2)).unwrap();
        }
        let find = |depth| runtime.block_on(Ring::find().depth(depth).fetch(&**db)).unwrap();
        let rings = find(2);
        assert_eq!(rings.len(), 3);
        assert_eq!(rings[0], ring(1, vec![ring(2, vec![ring(1, vec![])])]));
        assert_eq!(rings[2], ring(3, vec![ring(3, vec![ring(3, vec![])])]));
        assert_eq!(find(0)[0], ring(1, vec![]));
    }
}
