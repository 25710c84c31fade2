//! Ingestion without compiling: the same rows, by the struct and by its document, give databases of
//! the same content.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, path::Path, sync::Arc};

use adb::{
    ObjectKind, Request,
    document::{Document, LoadedModel},
    loaders::{CsvSource, Ingest, JsonSource, Options, Report, Source},
    prelude::*,
};
use adb_tests::Looks;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// A photo of a meal, with all that a row can have.
#[derive(Debug, DataModel, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[adb(image, rename_all = "kebab-case")]
struct Meal {
    #[adb(id)]
    meal_id: u64,
    #[serde(rename = "title")]
    #[adb(rename = "called")]
    name: String,
    #[adb(index)]
    cuisine: Option<String>,
    #[serde(default)]
    weight: f64,
    #[serde(default = "two")]
    portions: u32,
    #[serde(default)]
    course: Course,
    served: Option<jiff::civil::Date>,
    tags: Option<AsJson<Vec<String>>>,
    photo: Image,
    #[adb(embed(from = photo, set = Looks))]
    look: Embedding<4>,
    #[adb(connect = HasPart)]
    #[serde(default)]
    parts: Vec<Linked<HasPart, Part>>,
    #[adb(connect(class = "Cooked", direction = in))]
    cook: Option<Cook>,
    #[adb(regions)]
    #[serde(default)]
    areas: Vec<Area>,
    #[adb(skip)]
    #[serde(skip_deserializing)]
    seen: u32,
}

use adb::jiff;

fn two() -> u32 {
    2
}

#[derive(Debug, Default, Property, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Course {
    Starter,
    #[default]
    MainDish,
}

#[derive(Debug, Connection, Serialize, Deserialize)]
struct HasPart {
    grams: Option<f64>,
    #[serde(default = "raw")]
    state: String,
}

fn raw() -> String {
    "raw".to_owned()
}

#[derive(Debug, DataModel, Serialize, Deserialize)]
struct Part {
    #[adb(id)]
    name: String,
    #[adb(connect = "GrownBy")]
    #[serde(default)]
    growers: Vec<Cook>,
}

#[derive(Debug, DataModel, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Cook {
    #[adb(id)]
    first: String,
    #[adb(id)]
    last: String,
}

#[derive(Debug, DataModel, Serialize, Deserialize)]
#[adb(bounding_box, row_id)]
struct Area {
    at: Rect,
    #[adb(label)]
    what: Option<String>,
}

fn loaded<M: DataModel>() -> LoadedModel {
    let text = serde_json::to_string(&Document::of(M::SCHEMA)).unwrap();
    Document::parse(&text).unwrap().load().unwrap()
}

async fn ingest(db: &Arc<dyn Database>, source: impl Source) -> Report {
    let report = Ingest::new(db.clone()).run(source).await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

/// Everything in a database of meals, but for what the database makes up itself.
async fn content(db: &dyn Database, model: LoadedModel) -> Vec<String> {
    let mut all = Vec::new();
    let mut find = |command: &str, body: Json| all.push(json!({ command: body }));
    let properties = json!({"all_properties": true});
    for model in model.schema().reachable() {
        match model.kind {
            ObjectKind::Entity => {
                find("FindEntity", json!({"with_class": model.class, "results": properties}));
            }
            ObjectKind::BoundingBox => find(
                "FindBoundingBox",
                json!({"coordinates": true, "labels": true, "results": properties}),
            ),
            _ => find("FindImage", json!({"blobs": true, "results": properties})),
        }
    }
    find("FindDescriptor", json!({"set": "looks", "blobs": true, "results": properties}));
    for class in ["HasPart", "Cooked", "GrownBy"] {
        find("FindConnection", json!({"with_class": class, "results": properties}));
    }
    let mut content = Vec::new();
    for command in all {
        let request = Request::json(&json!([command]));
        let (answers, blobs) = adb::ask(db, request).await.unwrap();
        let answer = answers[0].as_object().unwrap();
        let (name, body) = answer.iter().next().unwrap();
        for object in body["entities"].as_array().into_iter().flatten() {
            let mut object = object.clone();
            if let Some(index) = object["_blob_index"].as_u64() {
                object["_blob_index"] = json!(&blobs[usize::try_from(index).unwrap()][..]);
            }
            let object = object.as_object_mut().unwrap();
            // Of which run it is, and what its row was.
            object.retain(|key, _| !["_uniqueid", "adb_run", "adb_row"].contains(&key.as_str()));
            object.sort_keys();
            content.push(format!("{name} {}", json!(object)));
        }
    }
    content.sort();
    content
}

fn database(dir: &Path, name: &str) -> Arc<dyn Database> {
    adb::connect(dir.join(name).to_str().unwrap()).unwrap()
}

fn word() -> impl Strategy<Value = String> {
    "[a-e]{1,2}"
}

fn maybe(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Option<Json>> {
    prop::option::of(value)
}

fn cook() -> impl Strategy<Value = Json> {
    (word(), word()).prop_map(|(first, last)| json!({"FIRST": first, "LAST": last}))
}

fn part() -> impl Strategy<Value = Json> {
    let grams = maybe((0..100u32).prop_map(|n| json!(n)));
    let state = maybe(word().prop_map(Json::from));
    let growers = maybe(prop::collection::vec(cook(), 0..3).prop_map(Json::from));
    (word(), grams, state, growers).prop_map(|(name, grams, state, growers)| {
        let mut part = json!({ "name": name });
        set(&mut part, "grams", grams);
        set(&mut part, "state", state);
        set(&mut part, "growers", growers);
        part
    })
}

fn set(row: &mut Json, key: &str, value: Option<Json>) {
    if let Some(value) = value {
        row[key] = value;
    }
}

fn meal() -> impl Strategy<Value = Json> {
    let area = (0..5i64, 1..5i64, prop::option::of(word())).prop_map(|(x, width, what)| {
        json!({"at": {"x": x, "y": 0, "width": width, "height": 1}, "what": what})
    });
    (
        (0..1000u64, word(), 0..3usize),
        maybe(prop_oneof![word().prop_map(Json::from), Just(Json::Null)]),
        maybe(prop_oneof![(-9f64..9.0).prop_map(Json::from), Just(json!(2))]),
        maybe(prop_oneof![(0..9u32).prop_map(Json::from), Just(json!("many"))]),
        maybe(prop_oneof![Just(json!("starter")), Just(json!("main-dish"))]),
        maybe(Just(json!("2026-02-28"))),
        maybe(prop::collection::vec(word(), 0..3).prop_map(Json::from)),
        maybe(prop::collection::vec(part(), 0..4).prop_map(Json::from)),
        maybe(cook()),
        maybe(prop::collection::vec(area, 0..3).prop_map(Json::from)),
        (any::<bool>(), -2f32..2.0),
    )
        .prop_map(
            |(
                (id, title, photo),
                cuisine,
                weight,
                portions,
                course,
                served,
                tags,
                parts,
                cook,
                areas,
                (chef, x),
            )| {
                let photo = ["a.png", "deep/b.png", "missing.png"][photo];
                let mut row = json!({
                    "mealId": id, "title": title, "photo": photo, "look": [x, 0, 0.5, 1],
                });
                set(&mut row, "cuisine", cuisine);
                set(&mut row, "weight", weight);
                set(&mut row, "portions", portions);
                set(&mut row, "course", course);
                set(&mut row, "served", served);
                set(&mut row, "tags", tags);
                set(&mut row, "parts", parts);
                set(&mut row, "cook", cook);
                set(&mut row, "areas", areas);
                set(&mut row, "chef", chef.then_some(json!("nobody takes this")));
                row
            },
        )
}

/// A directory with two pictures; rows name a third, which is not there.
fn pictures() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("deep")).unwrap();
    for (name, edge) in [("a.png", 9), ("deep/b.png", 12)] {
        image::RgbImage::new(edge, edge).save(dir.path().join(name)).unwrap();
    }
    dir
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn struct_and_document_give_one_content(
        rows in prop::collection::vec(meal(), 1..40),
        lines in any::<bool>(),
    ) {
        let dir = pictures();
        let file = dir.path().join(if lines { "meals.jsonl" } else { "meals.json" });
        let text = match lines {
            true => rows.iter().map(|row| format!("{row}\n")).collect(),
            false => json!(rows).to_string(),
        };
        fs::write(&file, text).unwrap();
        let model = loaded::<Meal>();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (a, b) = (database(dir.path(), "a"), database(dir.path(), "b"));
            let by_struct = ingest(&a, JsonSource::<Meal>::open(&file).unwrap()).await;
            let by_model = ingest(&b, JsonSource::by_model(&file, model).unwrap()).await;
            let numbers = |r: &Report| (r.rows, r.added, r.existed, r.failed, r.ignored_keys.clone());
            assert_eq!(numbers(&by_struct), numbers(&by_model), "{by_struct}\n{by_model}");
            let failed = |r: &Report| r.failures.iter().map(|f| f.at.row).collect::<Vec<_>>();
            assert_eq!(failed(&by_struct), failed(&by_model), "{by_struct}\n{by_model}");
            // Of rows with one id, which is first is no matter of theirs; and one whose picture is
            // missing can go in once another has brought the object.
            let mut ids: Vec<&Json> = rows.iter().map(|row| &row["mealId"]).collect();
            ids.sort_by_key(|id| id.as_u64());
            ids.dedup();
            if ids.len() == rows.len() {
                let content_a = content(&*a, model).await;
                assert_eq!(&content_a, &content(&*b, model).await);
                assert!(by_struct.added == 0 || content_a.len() as u64 > by_struct.added);
                // Either continues what the other began.
                let again = ingest(&a, JsonSource::by_model(&file, model).unwrap()).await;
                assert_eq!((again.added, again.objects_added, again.connections_added), (0, 0, 0));
            }
        });
    }
}

/// What a table can hold.
#[derive(Debug, DataModel, Serialize, Deserialize)]
struct Flat {
    #[adb(id)]
    id: u64,
    name: String,
    note: Option<String>,
    #[serde(default)]
    weight: f64,
    fresh: bool,
    served: Option<jiff::civil::Date>,
    tags: Option<AsJson<Vec<String>>>,
    #[serde(rename = "picture")]
    photo: Option<Image>,
    #[adb(connect = "GrownBy")]
    #[serde(default)]
    growers: Vec<Cook>,
}

#[tokio::test]
async fn a_table_gives_what_json_gives() {
    let dir = pictures();
    let table = "\u{feff}id,name,note,weight,fresh,served,tags,picture,growers,spare\n\
        1,\"a, b\",,2,TRUE,2026-02-28,\"[\"\"x\"\"]\",a.png,\"[{\"\"FIRST\"\": \"\"A\"\", \"\"LAST\"\": \"\"B\"\"}]\",s\n\
        2,\"two\nlines\",n,,false,,,deep/b.png,,\n\
        3,,,1e1,true,,,,,\n\
        4,short\n\
        5,name,,heavy,true,,,,,\n";
    fs::write(dir.path().join("flat.csv"), table).unwrap();
    let rows = json!([
        {"id": 1, "name": "a, b", "weight": 2.0, "fresh": true, "served": "2026-02-28",
         "tags": ["x"], "picture": "a.png", "growers": [{"FIRST": "A", "LAST": "B"}]},
        {"id": 2, "name": "two\nlines", "note": "n", "fresh": false, "picture": "deep/b.png"},
        {"id": 3, "name": "", "weight": 10.0, "fresh": true},
    ]);
    fs::write(dir.path().join("flat.json"), rows.to_string()).unwrap();
    let model = loaded::<Flat>();
    let (csv, json) = (dir.path().join("flat.csv"), dir.path().join("flat.json"));
    let (a, b, c) =
        (database(dir.path(), "a"), database(dir.path(), "b"), database(dir.path(), "c"));
    let by_struct = ingest(&a, CsvSource::<Flat>::open(&csv).unwrap()).await;
    let by_model = ingest(&b, CsvSource::by_model(&csv, model).unwrap()).await;
    let from_json = ingest(&c, JsonSource::<Flat>::open(&json).unwrap()).await;
    assert_eq!(from_json.added, 3, "{from_json}");
    for report in [by_struct, by_model] {
        assert_eq!((report.added, report.failed), (3, 2), "{report}");
        assert_eq!(report.ignored_keys.get("spare"), Some(&1), "{report}");
        let said: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
        assert!(
            said[0].contains("row 4 (line 6): the line has 2 cells, the header 10"),
            "{report}"
        );
        assert!(said[1].contains("row 5") && said[1].contains("heavy"), "{report}");
    }
    let a = flat_content(&*a).await;
    assert_eq!(a.len(), 3 + 2 + 1);
    assert_eq!(a, flat_content(&*b).await);
    assert_eq!(a, flat_content(&*c).await);
}

async fn flat_content(db: &dyn Database) -> Vec<String> {
    let mut content = Vec::new();
    for command in [
        json!({"FindEntity": {"with_class": "Flat", "results": {"all_properties": true}}}),
        json!({"FindEntity": {"with_class": "Cook", "results": {"all_properties": true}}}),
        json!({"FindImage": {"results": {"all_properties": true}}}),
    ] {
        let (answers, _) = adb::ask(db, Request::json(&json!([command]))).await.unwrap();
        let (_, body) = answers[0].as_object().unwrap().iter().next().unwrap();
        for object in body["entities"].as_array().into_iter().flatten() {
            let mut object = object.as_object().unwrap().clone();
            object.retain(|key, _| !["_uniqueid", "adb_run", "adb_row"].contains(&key.as_str()));
            object.sort_keys();
            content.push(json!(object).to_string());
        }
    }
    content.sort();
    content
}

#[tokio::test]
async fn strict_refuses_rows_with_keys_that_no_field_takes() {
    let dir = pictures();
    let file = dir.path().join("rows.json");
    let rows = json!([
        {"id": 1, "name": "a", "fresh": true},
        {"id": 2, "name": "b", "fresh": true, "chef": "C", "growers": [{"FIRST": "A", "LAST": "B", "AGE": 3}]},
    ]);
    fs::write(&file, rows.to_string()).unwrap();
    let mut options = Options::default();
    options.strict = true;
    let model = loaded::<Flat>();
    let (a, b) = (database(dir.path(), "a"), database(dir.path(), "b"));
    let strict = |db: &Arc<dyn Database>| Ingest::new(db.clone()).options(options.clone());
    let reports = [
        strict(&a).run(JsonSource::<Flat>::open(&file).unwrap()).await.unwrap(),
        strict(&b).run(JsonSource::by_model(&file, model).unwrap()).await.unwrap(),
    ];
    for report in reports {
        assert_eq!((report.added, report.failed), (1, 1), "{report}");
        assert!(report.failures[0].reason.contains("no field takes the key `chef`"), "{report}");
        let keys: Vec<&String> = report.ignored_keys.keys().collect();
        assert_eq!(keys, ["chef", "growers[].AGE"]);
    }
    // Without it, they go in, and the keys are counted.
    let report = ingest(&a, JsonSource::<Flat>::open(&file).unwrap()).await;
    assert_eq!((report.added, report.existed), (1, 1), "{report}");
}

#[tokio::test]
async fn a_row_that_is_no_object_costs_itself() {
    let dir = pictures();
    let file = dir.path().join("rows.jsonl");
    fs::write(&file, "{\"id\": 1, \"name\": \"a\", \"fresh\": true}\n[1]\n7\n{\"id\": 2\n")
        .unwrap();
    let db = database(dir.path(), "a");
    let report = ingest(&db, JsonSource::by_model(&file, loaded::<Flat>()).unwrap()).await;
    assert_eq!((report.rows, report.added, report.failed), (4, 1, 3), "{report}");
}

#[test]
fn a_loaded_model_has_the_schema_of_its_struct() {
    for (of_struct, of_document) in [
        (Meal::SCHEMA, loaded::<Meal>().schema()),
        (adb_tests::Recipe::SCHEMA, loaded::<adb_tests::Recipe>().schema()),
        (adb_tests::Film::SCHEMA, loaded::<adb_tests::Film>().schema()),
        (adb_tests::Portrait::SCHEMA, loaded::<adb_tests::Portrait>().schema()),
    ] {
        let names = |schema: &'static adb::ModelSchema| {
            schema.reachable().iter().map(|m| m.name).collect::<Vec<_>>()
        };
        assert_eq!(names(of_struct), names(of_document));
        assert_eq!(of_struct.sets(), of_document.sets());
        // All but what fills a row up, which the document alone has.
        let (mut a, mut b) = (Document::of(of_struct), Document::of(of_document));
        for field in a.models.iter_mut().chain(&mut b.models).flat_map(|m| &mut m.fields) {
            field.default = None;
            if let adb::document::Role::Children { edge, .. } = &mut field.role {
                edge.iter_mut().for_each(|f| f.default = None);
            }
        }
        assert_eq!(a, b);
    }
}
