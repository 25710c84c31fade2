//! What the attributes of a model do, through the embedded engine: flattened structs, conversions,
//! models without `user_type`, identity by content, models of descriptors, labels of vectors.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use adb::{
    DataModel, FieldRole, GraphBuilder, Inside, Lowering, MediaSource, ModelErrorKind, ObjectKind,
    check::check,
    document::Document,
    ensure,
    graph::{content_id, row_identity},
    loaders::{Ingest, JsonSource, Report},
    prelude::*,
    query::Query,
    upsert::Outcome,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

/// An embedder that exists at compile time alone: vectors are given.
struct Two;
impl adb::EmbedderSpec for Two {
    const NAME: &'static str = "two";
    const DIMENSIONS: usize = 2;
}
impl adb::Produces<Embedding<2>> for Two {}
impl adb::Accepts<Image> for Two {}
impl adb::Accepts<String> for Two {}

fn empty() -> (tempfile::TempDir, Arc<dyn Database>) {
    let dir = tempfile::tempdir().unwrap();
    let db = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    (dir, db)
}

/// Values in a database, each in a request of its own.
async fn put<M: DataModel>(db: &dyn Database, values: &[M]) {
    ensure(db, M::SCHEMA, |_| None).await.unwrap();
    for value in values {
        let mut lowering = Lowering::new();
        lowering.push(&value.graph().unwrap()).unwrap();
        db.execute(lowering.finish()).await.unwrap().done().unwrap();
    }
}

async fn count(db: &dyn Database, command: &str, body: Json) -> u64 {
    let request = adb::Request::json(&json!([{ command: body }]));
    let (answers, _) = adb::ask(db, request).await.unwrap();
    answers[0][command]["count"].as_u64().unwrap()
}

fn counted() -> Json {
    json!({"results": {"count": true}})
}

/// A row gives one graph, by the struct and by its document.
fn agree<M: DataModel + DeserializeOwned>(row: &Json) {
    let identity = row_identity("rows.json", 1, row.to_string().as_bytes());
    let value: M = serde_json::from_value(row.clone()).unwrap();
    let by_struct = value.graph_in(GraphBuilder::for_row(identity)).unwrap();
    let document = Document::of(M::SCHEMA);
    let text = serde_json::to_string(&document).unwrap();
    let loaded = Document::parse(&text).unwrap().load().unwrap();
    let by_document = loaded.graph_in(row, GraphBuilder::for_row(identity)).unwrap();
    assert_eq!(format!("{by_struct:#?}"), format!("{by_document:#?}"));
}

// Flattened structs.

/// What is in 100 grams.
#[derive(Debug, Clone, PartialEq, Properties, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Nutrition {
    /// Energy.
    energy_kcal: f64,
    #[adb(index, rename = "vegan")]
    #[serde(default)]
    is_vegan: Option<bool>,
    #[adb(flatten)]
    #[serde(flatten)]
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Properties, Serialize, Deserialize)]
struct Origin {
    country: String,
    #[adb(default)]
    #[serde(default)]
    bio: bool,
}

#[derive(Debug, Clone, PartialEq, Connection, Serialize, Deserialize)]
struct Serves {
    #[serde(flatten)]
    price: Price,
    #[adb(index)]
    since: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Properties, Serialize, Deserialize)]
struct Price {
    cents: u32,
}

#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
struct Food {
    #[adb(id)]
    name: String,
    // As serde has it: the keys lie among the row's own.
    #[serde(flatten)]
    nutrition: Nutrition,
    // The properties lie among the object's own, and the row nests them.
    #[adb(flatten)]
    price: Price,
}

#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
struct Shop {
    #[adb(id)]
    name: String,
    #[adb(connect = Serves)]
    foods: Vec<Linked<Serves, Food>>,
}

fn food(name: &str, energy_kcal: f64, vegan: Option<bool>) -> Food {
    let origin = Origin { country: "IN".into(), bio: vegan.is_none() };
    let nutrition = Nutrition { energy_kcal, is_vegan: vegan, origin };
    Food { name: name.into(), nutrition, price: Price { cents: name.len() as u32 } }
}

#[test]
fn flattened_fields_are_fields_of_the_schema() {
    let nutrition = Some(Inside { field: "nutrition", key: None });
    let price = Some(Inside { field: "price", key: Some("price") });
    let fields: Vec<_> =
        Food::SCHEMA.fields.iter().map(|f| (f.name, f.key, f.property, f.inside)).collect();
    assert_eq!(
        fields,
        [
            ("name", "name", "name", None),
            ("energy_kcal", "energyKcal", "energyKcal", nutrition),
            ("is_vegan", "isVegan", "vegan", nutrition),
            ("country", "country", "country", nutrition),
            ("bio", "bio", "bio", nutrition),
            ("cents", "cents", "cents", price),
        ]
    );
    assert_eq!(Food::SCHEMA.fields[1].doc, "Energy.");
    let role = Food::SCHEMA.fields[2].role;
    assert!(matches!(role, FieldRole::Property { indexed: true, optional: true, .. }), "{role:?}");
}

#[tokio::test]
async fn flattened_fields_go_in_are_searched_and_come_back() {
    let (_dir, db) = empty();
    let foods =
        [food("dal", 120.0, Some(true)), food("ghee", 900.0, Some(false)), food("x", 1.0, None)];
    put(&*db, &foods).await;
    let find = || Food::find().sort(|f| f.name.ascending());
    assert_eq!(find().fetch(&*db).await.unwrap(), foods);
    let found = find().filter(|f| f.nutrition.energy_kcal.gt(100.0).and(f.price.cents.eq(4)));
    assert_eq!(found.fetch(&*db).await.unwrap(), foods[1..2]);
    let found =
        find().filter(|f| f.nutrition.is_vegan.is_absent().or(f.nutrition.origin.bio.eq(true)));
    assert_eq!(found.fetch(&*db).await.unwrap(), foods[2..]);
    let fattest = Food::find().sort(|f| f.nutrition.energy_kcal.descending()).limit(1);
    assert_eq!(fattest.fetch(&*db).await.unwrap(), foods[1..2]);

    let dal = || Food::find().filter(|f| f.name.eq("dal"));
    dal()
        .update(&*db, |f| [f.nutrition.origin.country.set("NP"), f.price.cents.set(7)])
        .await
        .unwrap();
    let changed = dal().fetch(&*db).await.unwrap().remove(0);
    assert_eq!((&*changed.nutrition.origin.country, changed.price.cents), ("NP", 7));
    let err = dal().update(&*db, |f| [f.nutrition.energy_kcal.unset()]).await.unwrap_err();
    assert!(err.to_string().contains("not an `Option`"), "{err}");

    // Indexes and types of what is flattened are seen to.
    let differences = check(&*db, &[Food::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "{differences:?}");
    #[derive(DataModel)]
    #[adb(class = "Food")]
    struct Other {
        #[adb(id)]
        name: String,
        #[adb(flatten)]
        texts: Texts,
    }
    #[derive(Properties)]
    struct Texts {
        #[adb(rename = "energyKcal", index)]
        energy: String,
    }
    let differences = check(&*db, &[Other::SCHEMA], |_| None).await.unwrap();
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("`Food.energyKcal` is a Number in the database"), "{told:?}");
    assert!(told[1].contains("`Food.energyKcal` has no index"), "{told:?}");
    assert!(Texts { energy: String::new() }.energy.is_empty());
}

#[tokio::test]
async fn connections_flatten_and_index_too() {
    let (_dir, db) = empty();
    let edge = Serves { price: Price { cents: 250 }, since: Some(1999) };
    let shop = Shop {
        name: "corner".into(),
        foods: vec![Linked { edge, to: food("dal", 120.0, Some(true)) }],
    };
    put(&*db, std::slice::from_ref(&shop)).await;
    assert_eq!(Shop::find().fetch(&*db).await.unwrap(), [shop]);
    let differences = check(&*db, &[Shop::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "the index on `since` is there: {differences:?}");
}

#[test]
fn rows_with_flattened_fields_are_read_by_struct_and_by_document() {
    agree::<Food>(&json!({
        "name": "dal", "energyKcal": 120.5, "isVegan": true, "country": "IN", "bio": false,
        "price": {"cents": 250},
    }));
    agree::<Shop>(&json!({"name": "corner", "foods": [{
        "cents": 100, "since": 1999,
        "name": "dal", "energyKcal": 120.5, "country": "IN", "bio": true, "price": {"cents": 250},
    }]}));
    let loaded = Document::of(Food::SCHEMA).load().unwrap();
    let row = json!({"name": "dal", "energyKcal": 1, "country": "IN", "bio": false, "cents": 250});
    let err = loaded.graph_in(&row, GraphBuilder::new()).unwrap_err();
    assert!(err.place() == "Food.price.cents" && err.to_string().contains("`price`"), "{err}");
}

#[test]
fn flattened_fields_are_in_json_schema_and_diagram() {
    let document = Document::of(Food::SCHEMA);
    let schema = document.to_json_schema();
    let food = &schema.as_value()["$defs"]["Food"];
    assert_eq!(food["properties"]["energyKcal"]["description"], "Energy.");
    assert_eq!(food["properties"]["price"]["properties"]["cents"]["type"], "integer");
    assert_eq!(food["properties"]["price"]["required"], json!(["cents"]));
    // `bio` has a default.
    assert_eq!(food["required"], json!(["name", "energyKcal", "country", "price"]));
    let diagram = document.to_mermaid();
    assert!(diagram.contains("        float energyKcal\n"), "{diagram}");
    assert!(diagram.contains("        int cents\n"), "{diagram}");
}

#[derive(Properties)]
struct Pair<T> {
    first: T,
    second: Option<T>,
}

#[derive(DataModel)]
struct Around<P> {
    #[adb(id)]
    id: u64,
    #[adb(flatten)]
    inner: P,
}

#[test]
fn generic_structs_are_flattened() {
    let pair = Pair { first: 1u8, second: None };
    let graph = Around { id: 1, inner: pair }.graph().unwrap();
    assert_eq!(graph.root().unwrap().properties, [("first", adb::Value::Int(1))]);
    let names: Vec<_> = Around::<Pair<String>>::SCHEMA.fields.iter().map(|f| f.property).collect();
    assert_eq!(names, ["id", "first", "second"]);
    let _ = Around::<Pair<String>>::find().filter(|a| a.inner.first.eq("x"));
}

// Conversions.

/// A time as whole seconds.
mod seconds {
    use std::time::Duration;

    use adb::{Property as _, Value, ValueError, ValueType};

    pub(crate) const TYPE: ValueType = ValueType::Int;

    pub(crate) fn to_value(time: &Duration) -> Result<i64, ValueError> {
        if time.subsec_nanos() != 0 {
            return Err("only whole seconds are stored".into());
        }
        i64::try_from(time.as_secs()).map_err(|e| e.to_string().into())
    }

    pub(crate) fn from_value(value: Value) -> Result<Duration, ValueError> {
        u64::from_value(value).map(Duration::from_secs)
    }
}

/// A list as one text; a type instead of a module.
struct Words;

impl Words {
    const TYPE: adb::ValueType = adb::ValueType::String;

    #[expect(clippy::ptr_arg, reason = "what the field holds")]
    fn to_value(words: &Vec<String>) -> Result<String, String> {
        match words.iter().find(|word| word.contains(' ')) {
            Some(word) => Err(format!("`{word}` is not one word")),
            None => Ok(words.join(" ")),
        }
    }

    fn from_value(value: adb::Value) -> Result<Vec<String>, adb::ValueError> {
        Ok(String::from_value(value)?.split(' ').map(str::to_owned).collect())
    }
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Plan {
    #[adb(id)]
    name: String,
    #[adb(with = seconds, index)]
    #[serde(deserialize_with = "whole")]
    cook: Duration,
    #[adb(with = seconds, rename = "rest_s")]
    #[serde(skip)]
    rest: Option<Duration>,
    #[adb(with = Words, default)]
    #[serde(skip)]
    tags: Vec<String>,
    #[adb(flatten)]
    #[serde(flatten)]
    more: More,
}

#[derive(Debug, Clone, PartialEq, Properties, Deserialize)]
struct More {
    #[adb(with = seconds)]
    #[serde(deserialize_with = "whole")]
    cool: Duration,
}

fn whole<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    u64::deserialize(d).map(Duration::from_secs)
}

fn plan(name: &str, cook: u64, rest: Option<u64>) -> Plan {
    Plan {
        name: name.into(),
        cook: Duration::from_secs(cook),
        rest: rest.map(Duration::from_secs),
        tags: vec!["a".into(), name.into()],
        more: More { cool: Duration::from_secs(cook + 1) },
    }
}

#[tokio::test]
async fn converted_fields_go_in_are_searched_and_come_back() {
    let (_dir, db) = empty();
    let plans = [plan("bread", 3000, Some(7200)), plan("egg", 300, None)];
    put(&*db, &plans).await;
    let find = || Plan::find().sort(|p| p.cook.descending());
    assert_eq!(find().fetch(&*db).await.unwrap(), plans);
    let minute = Duration::from_secs(60);
    let quick = find().filter(|p| p.cook.lt(10 * minute).and(p.more.cool.gt(minute)));
    assert_eq!(quick.fetch(&*db).await.unwrap(), plans[1..]);
    let resting = find().filter(|p| p.rest.eq(120 * minute).and(p.rest.is_present()));
    assert_eq!(resting.fetch(&*db).await.unwrap(), plans[..1]);
    assert_eq!(find().filter(|p| p.rest.eq(None)).fetch(&*db).await.unwrap(), plans[1..]);
    let tagged = find().filter(|p| p.tags.eq(vec!["a".to_owned(), "egg".to_owned()]));
    tagged.update(&*db, |p| [p.rest.set(minute)]).await.unwrap();
    let egg = Plan::find().filter(|p| p.name.eq("egg")).fetch(&*db).await.unwrap().remove(0);
    assert_eq!(egg.rest, Some(minute));
    let err =
        Plan::find().update(&*db, |p| [p.tags.set(vec!["a b".to_owned()])]).await.unwrap_err();
    assert!(err.to_string().contains("`a b` is not one word"), "{err}");
}

#[test]
fn conversions_that_fail_name_the_field() {
    let mut plan = plan("egg", 300, None);
    plan.rest = Some(Duration::from_millis(1));
    let err = plan.graph().unwrap_err();
    assert_eq!(err.place(), "Plan.rest");
    assert!(err.to_string().contains("whole seconds"), "{err}");
    let role = |i: usize| Plan::SCHEMA.fields[i].role;
    let FieldRole::Property { optional, indexed, .. } = role(1) else { unreachable!() };
    assert!(!optional && indexed);
    let FieldRole::Property { optional, indexed, .. } = role(2) else { unreachable!() };
    assert!(optional && !indexed);
}

/// A document has the stored type, and no functions: rows say what is stored.
#[test]
fn converted_fields_in_a_document() {
    let document = Document::of(Plan::SCHEMA);
    let schema = document.to_json_schema();
    assert_eq!(schema.as_value()["$defs"]["Plan"]["properties"]["cook"]["type"], "integer");
    let row = json!({"name": "egg", "cook": 300, "cool": 301});
    let mut value: Plan = serde_json::from_value(row.clone()).unwrap();
    value.tags = vec!["soft".into()];
    let mut row = row;
    row["tags"] = "soft".into();
    let by_document = document.load().unwrap().graph_in(&row, GraphBuilder::new()).unwrap();
    assert_eq!(format!("{by_document:#?}"), format!("{:#?}", value.graph().unwrap()));
}

/// The functions contradict their own `TYPE`.
#[test]
fn a_value_of_another_type_than_declared_is_refused() {
    struct Wrong;
    impl Wrong {
        const TYPE: adb::ValueType = adb::ValueType::String;
        fn to_value(_: &u8) -> Result<i64, adb::ValueError> {
            Ok(1)
        }
        fn from_value(_: adb::Value) -> Result<u8, adb::ValueError> {
            Ok(1)
        }
    }
    #[derive(DataModel)]
    struct Thing {
        #[adb(id)]
        id: u64,
        #[adb(with = Wrong)]
        number: u8,
    }
    let err = Thing { id: 1, number: 1 }.graph().unwrap_err();
    assert_eq!(err.place(), "Thing.number");
    assert!(err.to_string().contains("declare a String, and made a Int"), "{err}");
}

// Without `user_type`.

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(image, untyped)]
struct Picture {
    #[adb(id)]
    id: i64,
    #[adb(index)]
    label: Option<String>,
    photo: Image,
    #[adb(regions)]
    #[serde(default)]
    boxes: Vec<Mark>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(bounding_box, untyped)]
struct Mark {
    #[adb(id)]
    number: i64,
    area: Rect,
}

/// A picture of `grey`, one pixel wide.
fn png(grey: u8) -> Vec<u8> {
    // Stored, not compressed; checksums as the format asks for.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, b| {
            (0..8).fold(
                crc ^ u32::from(*b),
                |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 },
            )
        })
    }
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8], data: &[u8]| {
        file.extend((data.len() as u32).to_be_bytes());
        let body = [kind, data].concat();
        file.extend(&body);
        file.extend(crc(&body).to_be_bytes());
    };
    chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
    let sum = (u32::from(grey) + 2) << 16 | (u32::from(grey) + 1);
    let mut data = vec![0x78, 0x01, 0x01, 2, 0, 0xfd, 0xff, 0, grey];
    data.extend(sum.to_be_bytes());
    chunk(b"IDAT", &data);
    chunk(b"IEND", &[]);
    file
}

#[tokio::test]
async fn what_plain_csv_filled_is_found_changed_and_added_to_without_a_type() {
    let (_dir, db) = empty();
    // As the loaders of the Python SDK write it: no `user_type`.
    let add = json!([{"AddImage": {"_ref": 1, "properties": {"id": 1, "label": "cat"}}},
                     {"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 0, "y": 0, "width": 1, "height": 1},
                                         "properties": {"number": 7}}}]);
    let request = adb::Request::json(&add).with_blob(png(1));
    db.execute(request).await.unwrap().done().unwrap();

    let all = Picture::find().with_blobs().fetch(&*db).await.unwrap();
    assert_eq!((all.len(), all[0].id, all[0].boxes[0].number), (1, 1, 7));
    assert_eq!(all[0].photo, Image::bytes(png(1)));
    // The same picture is there already, another is not.
    let picture = |id, grey| Picture {
        id,
        label: Some("cat".into()),
        photo: Image::bytes(png(grey)),
        boxes: vec![],
    };
    put(&*db, &[picture(1, 1), picture(2, 2)]).await;
    assert_eq!(Picture::find().count(&*db).await.unwrap(), 2);
    let stored = Picture::find().filter(|p| p.id.eq(2));
    assert_eq!(stored.update(&*db, |p| [p.label.set("dog")]).await.unwrap(), 1);
    assert_eq!(Picture::find().filter(|p| p.label.eq("dog")).count(&*db).await.unwrap(), 1);
    let typed = json!({"results": {"count": true}, "constraints": {"user_type": ["!=", ""]}});
    assert_eq!(count(&*db, "FindImage", typed).await, 0);
    let differences = check(&*db, &[Picture::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "{differences:?}");
    let deleted = Picture::find().filter(|p| p.id.eq(1)).delete(&*db).await.unwrap();
    assert_eq!((deleted.objects, deleted.parts), (1, 1));
    agree::<Picture>(&json!({"id": 1, "photo": "a.png", "boxes": [
        {"number": 1, "area": {"x": 0, "y": 0, "width": 1, "height": 1}}]}));
}

// Identity by content.

#[derive(DescriptorSet)]
#[adb(name = "looks", embedder = Two, metric = L2, engine = Flat)]
struct Looks;

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(image, content_id)]
struct Photo {
    photo: Image,
    title: String,
    #[adb(embed(from = photo, set = Looks))]
    look: Embedding<2>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Album {
    #[adb(id)]
    title: String,
    #[adb(connect = "Shows")]
    photos: Vec<Photo>,
}

#[test]
fn bytes_in_code_are_identified_at_once() {
    let photo = |grey| Photo {
        photo: Image::bytes(png(grey)),
        title: String::new(),
        look: Embedding::default(),
    };
    let graph = photo(1).graph().unwrap();
    let root = graph.root().unwrap();
    assert_eq!(root.identity.parts()[0], ("adb_sha256", content_id(&png(1)).into()));
    assert!(!graph.is_unidentified());
    let album = Album { title: "a".into(), photos: vec![photo(1), photo(2), photo(1)] };
    let graph = album.graph().unwrap();
    let images = graph.nodes().iter().filter(|n| n.kind == ObjectKind::Image);
    assert_eq!(images.count(), 2, "the same bytes are the same object");
}

#[test]
fn a_path_is_identified_when_it_has_been_read() {
    let row = json!({"title": "a", "photos": [
        {"photo": "a.png", "title": "one", "look": null},
        {"photo": "b.png", "title": "two"}]});
    agree::<Album>(&row);
    let album: Album = serde_json::from_value(row).unwrap();
    let mut graph = album.graph().unwrap();
    assert!(graph.is_unidentified());
    let err = Lowering::new().push(&graph).unwrap_err();
    assert!(matches!(err.kind(), ModelErrorKind::Unidentified(path) if path == "a.png"), "{err}");
    let before: Vec<_> = graph.edges().iter().map(|e| e.edge_id).collect();
    let mut read = Vec::new();
    graph
        .identify(|source| {
            read.push(source.origin().unwrap());
            Ok::<_, ()>(png(if source == &MediaSource::from_text("a.png") { 1 } else { 2 }).into())
        })
        .unwrap();
    assert_eq!(read, ["a.png", "b.png"], "each once, though each is embedded as well");
    // What is made from identities is made anew.
    let given = |grey| Photo {
        photo: Image::bytes(png(grey)),
        title: String::new(),
        look: Embedding::default(),
    };
    let in_code = Album { title: "a".into(), photos: vec![given(1), given(2)] }.graph().unwrap();
    let ids = |graph: &adb::Graph| {
        let nodes = graph.nodes().iter().map(|n| n.identity.clone());
        let edges = graph.edges().iter().map(|e| e.edge_id);
        (nodes.collect::<Vec<_>>(), edges.collect::<Vec<_>>())
    };
    assert_eq!(ids(&graph), ids(&in_code));
    assert_ne!(ids(&graph).1, before);
}

fn write_pictures(dir: &Path, pictures: &[(&str, u8)]) {
    for (name, grey) in pictures {
        fs::write(dir.join(name), png(*grey)).unwrap();
    }
}

async fn ingest<M>(db: &Arc<dyn Database>, dir: &Path, rows: &Json) -> Report
where
    M: DataModel + DeserializeOwned + Send + 'static,
{
    fs::write(dir.join("rows.json"), rows.to_string()).unwrap();
    let source = JsonSource::<M>::open(dir.join("rows.json")).unwrap();
    let report = Ingest::new(db.clone()).run(source).await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

#[tokio::test]
async fn the_same_picture_is_one_object_whatever_its_file_is_called() {
    let (dir, db) = empty();
    write_pictures(dir.path(), &[("a.png", 1), ("b.png", 2), ("copy.png", 1)]);
    let row = |file: &str| json!({"photo": file, "title": "x", "look": [0.5, 1.0]});
    let first =
        ingest::<Photo>(&db, dir.path(), &json!([row("a.png"), row("b.png"), row("copy.png")]))
            .await;
    assert_eq!((first.added, first.existed, first.failed), (2, 1, 0), "{first}");
    assert_eq!(count(&*db, "FindImage", counted()).await, 2);
    assert_eq!(count(&*db, "FindDescriptor", counted()).await, 2);

    // Renamed, and other pixels under the old name.
    write_pictures(dir.path(), &[("a.png", 3), ("moved.png", 2)]);
    let second =
        ingest::<Photo>(&db, dir.path(), &json!([row("moved.png"), row("a.png"), row("none.png")]))
            .await;
    assert_eq!((second.added, second.existed, second.failed), (1, 1, 1), "{second}");
    assert!(second.failures[0].reason.contains("none.png"), "{second}");
    assert_eq!(count(&*db, "FindImage", counted()).await, 3);
    let differences = check(&*db, &[Photo::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "the index on the hash is there: {differences:?}");
}

#[tokio::test]
async fn children_are_identified_by_content_too() {
    let (dir, db) = empty();
    write_pictures(dir.path(), &[("a.png", 1), ("b.png", 2), ("copy.png", 1)]);
    let photo = |file: &str| json!({"photo": file, "title": "x", "look": [0.5, 1.0]});
    let rows = json!([
        {"title": "one", "photos": [photo("a.png"), photo("b.png"), photo("copy.png")]},
        {"title": "two", "photos": [photo("copy.png")]},
    ]);
    let first = ingest::<Album>(&db, dir.path(), &rows).await;
    assert_eq!((first.added, first.failed), (2, 0), "{first}");
    assert_eq!(count(&*db, "FindImage", counted()).await, 2);
    let edges = json!({"with_class": "Shows", "results": {"count": true}});
    assert_eq!(count(&*db, "FindConnection", edges).await, 3);
    let again = ingest::<Album>(&db, dir.path(), &rows).await;
    assert_eq!((again.existed, again.objects_added, again.connections_added), (2, 0, 0), "{again}");
    let albums =
        Album::find().sort(|a| a.title.ascending()).with_vectors().fetch(&*db).await.unwrap();
    assert_eq!(albums.iter().map(|a| a.photos.len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(albums[1].photos[0].look, Embedding::from([0.5, 1.0]));
}

// Models of descriptors.

#[derive(DescriptorSet)]
#[adb(name = "chunks", embedder = Two, metric = L2, engine = Flat)]
struct Chunks;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(descriptor)]
struct Chunk {
    #[adb(id)]
    number: i64,
    #[adb(index)]
    text: String,
    #[adb(label)]
    topic: Option<String>,
    #[adb(embed(from = text, set = Chunks))]
    meaning: Embedding<2>,
    #[adb(connect = "Cites")]
    #[serde(default)]
    cites: Vec<Chunk>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Article {
    #[adb(id)]
    title: String,
    #[adb(descriptors)]
    chunks: Vec<Chunk>,
}

/// Another class of vectors in the same set.
#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(descriptor)]
struct Headline {
    #[adb(id)]
    number: i64,
    #[adb(embed(set = Chunks))]
    meaning: Embedding<2>,
}

fn chunk(number: i64, topic: Option<&str>) -> Chunk {
    Chunk {
        number,
        text: format!("text {number}"),
        topic: topic.map(str::to_owned),
        meaning: Embedding::from([number as f32, 0.0]),
        cites: vec![],
    }
}

fn articles() -> [Article; 2] {
    let article = |title: &str, chunks| Article { title: title.into(), chunks };
    let mut second = vec![chunk(3, Some("soup")), chunk(4, None)];
    second[0].cites = vec![chunk(9, None)];
    [article("one", vec![chunk(1, None), chunk(2, Some("soup"))]), article("two", second)]
}

#[tokio::test]
async fn descriptors_are_objects_with_properties_label_and_owner() {
    let (_dir, db) = empty();
    put(&*db, &articles()).await;
    put(&*db, &articles()).await;
    assert_eq!(count(&*db, "FindDescriptor", counted()).await, 5, "a second time adds nothing");
    let owned = json!({"with_class": "_DescriptorConnection", "results": {"count": true}});
    assert_eq!(count(&*db, "FindConnection", owned).await, 4, "by the system's own connection");
    let found = Article::find().sort(|a| a.title.ascending()).depth(2).with_vectors();
    let mut found = found.fetch(&*db).await.unwrap();
    for article in &mut found {
        article.chunks.sort_by_key(|c| c.number);
    }
    assert_eq!(found, articles());

    let soup =
        Chunk::find().filter(|c| c.text.eq("text 3")).with_vectors().fetch(&*db).await.unwrap();
    assert_eq!(soup, articles()[1].chunks[..1]);
    let bare = Chunk::find().filter(|c| c.number.eq(4)).fetch(&*db).await.unwrap();
    assert!(bare[0].meaning.as_slice().is_none(), "vectors come when they are asked for");
    let of_one = Chunk::find().of(|a| a.chunks, Article::find().filter(|a| a.title.eq("one")));
    assert_eq!(of_one.count(&*db).await.unwrap(), 2);
    let having = Article::find().having(|a| a.chunks, Chunk::find().filter(|c| c.number.eq(3)));
    assert_eq!(having.fetch(&*db).await.unwrap()[0].title, "two");
    let cited = Chunk::find().of(|c| c.cites, Chunk::find()).fetch(&*db).await.unwrap();
    assert_eq!(cited[0].number, 9);
    let differences = check(&*db, &[Article::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "{differences:?}");
}

#[tokio::test]
async fn the_nearest_descriptors_are_the_objects_themselves() {
    let (_dir, db) = empty();
    put(&*db, &articles()).await;
    // Nearer than all, and of another class.
    let headlines: Vec<Headline> =
        (0..8).map(|number| Headline { number, meaning: Embedding::from([2.25, 0.0]) }).collect();
    put(&*db, &headlines).await;
    let near = vec![2.2, 0.0];
    for dialect in [adb::Dialect::Classic, adb::Dialect::Expression] {
        let find = || Chunk::find().dialect(dialect);
        let nearest = find().with_vectors().nearest::<Chunks>(near.clone(), 3);
        let hits = nearest.fetch_by(&*db, &near).await.unwrap();
        assert_eq!(hits.iter().map(|h| h.value.number).collect::<Vec<_>>(), [2, 3, 1]);
        assert!((hits[0].distance - 0.04).abs() < 1e-4, "{}", hits[0].distance);
        assert_eq!(hits[0].value, chunk(2, Some("soup")));
        assert_eq!(hits[1].value.cites.len(), 1, "children come along");
        let some = find().filter(|c| c.number.gt(2));
        let hits = some
            .nearest::<Chunks>(Query::Vector(near.clone()), 2)
            .fetch_by(&*db, &near)
            .await
            .unwrap();
        assert_eq!(hits.iter().map(|h| h.value.number).collect::<Vec<_>>(), [3, 4]);
        let of_one = find().of(|a| a.chunks, Article::find().filter(|a| a.title.eq("one")));
        let hits = of_one.nearest::<Chunks>(near.clone(), 9).fetch_by(&*db, &near).await.unwrap();
        assert_eq!(hits.iter().map(|h| h.value.number).collect::<Vec<_>>(), [2, 1]);
    }
}

#[tokio::test]
async fn descriptors_are_upserted_as_what_they_hang_on_is() {
    let (_dir, db) = empty();
    put(&*db, &articles()).await;
    let read = async |title: &str| {
        let find = Article::find().depth(2).with_vectors().filter(|a| a.title.eq(title));
        let mut found: Vec<Article> = find.fetch(&*db).await.unwrap();
        found[0].chunks.sort_by_key(|c| c.number);
        found.remove(0)
    };
    let [mut one, two] = articles();
    for article in [&one, &two] {
        let done = article.upsert().write(&*db).await.unwrap();
        assert_eq!(done.outcome, Outcome::Unchanged, "{:?}", done.differences);
    }
    // A property; then a vector and a label.
    one.chunks[0].text = "another".into();
    let done = one.upsert().write(&*db).await.unwrap();
    assert_eq!(done.outcome, Outcome::Updated);
    assert_eq!(done.differences.len(), 1, "{:?}", done.differences);
    assert_eq!(read("one").await, one);
    one.chunks[0].meaning = Embedding::from([0.5, 0.5]);
    one.chunks[1].topic = None;
    one.chunks.push(chunk(7, Some("bread")));
    assert_eq!(one.upsert().write(&*db).await.unwrap().outcome, Outcome::Updated);
    assert_eq!(read("one").await, one);
    let done = one.upsert().write(&*db).await.unwrap();
    assert_eq!(done.outcome, Outcome::Unchanged, "{:?}", done.differences);
    // What is gone is deleted: it hangs on this one alone.
    one.chunks.remove(0);
    assert_eq!(one.upsert().write(&*db).await.unwrap().outcome, Outcome::Updated);
    assert_eq!(read("one").await, one);
    assert_eq!(Chunk::find().filter(|c| c.number.eq(1)).count(&*db).await.unwrap(), 0);
    // One that is cited is replaced, and remains so; others are as they were.
    let cited = Chunk { meaning: Embedding::from([8.0, 8.0]), ..chunk(9, None) };
    assert_eq!(cited.upsert().write(&*db).await.unwrap().outcome, Outcome::Updated);
    let found = Chunk::find().of(|c| c.cites, Chunk::find()).with_vectors();
    assert_eq!(found.fetch(&*db).await.unwrap(), [cited]);
    let mut rest = read("two").await;
    rest.chunks[0].cites.clear();
    let mut expected = two.clone();
    expected.chunks[0].cites.clear();
    assert_eq!(rest, expected);
}

#[tokio::test]
async fn descriptors_are_changed_and_deleted() {
    let (_dir, db) = empty();
    put(&*db, &articles()).await;
    let err = Chunk::find().update(&*db, |c| [c.text.set("new")]).await.unwrap_err();
    assert!(err.to_string().contains("a vector was made from it"), "{err}");
    let deleted = Chunk::find().filter(|c| c.number.eq(9)).delete(&*db).await.unwrap();
    assert_eq!((deleted.objects, deleted.parts), (1, 0));
    let deleted = Article::find().filter(|a| a.title.eq("one")).delete(&*db).await.unwrap();
    assert_eq!((deleted.objects, deleted.parts), (1, 2), "with what hangs on it alone");
    assert_eq!(Chunk::find().count(&*db).await.unwrap(), 2);
}

#[tokio::test]
async fn rows_of_descriptors_are_ingested() {
    let (dir, db) = empty();
    let rows = json!([{"number": 1, "text": "a", "topic": "soup", "meaning": [1, 0],
                       "cites": [{"number": 2, "text": "b", "meaning": [2, 0]}]}]);
    agree::<Chunk>(&rows[0]);
    agree::<Article>(&json!({"title": "x", "chunks": [rows[0].clone()]}));
    let report = ingest::<Chunk>(&db, dir.path(), &rows).await;
    assert_eq!(
        (report.added, report.objects_added, report.connections_added),
        (1, 2, 1),
        "{report}"
    );
    // Both ends of a new connection exist.
    let mut rows = rows;
    rows[0]["cites"] = json!([{"number": 2, "text": "b", "meaning": [2, 0]}, {"number": 3, "text": "c", "meaning": [3, 0]}]);
    let report = ingest::<Chunk>(&db, dir.path(), &rows).await;
    assert_eq!(
        (report.existed, report.objects_added, report.connections_added),
        (1, 1, 1),
        "{report}"
    );
    let labelled = json!({"set": "chunks", "with_label": "soup", "results": {"count": true}});
    assert_eq!(count(&*db, "FindDescriptor", labelled).await, 1);
}

#[test]
fn a_descriptor_without_a_vector_is_refused() {
    let headline = Headline { number: 1, meaning: Embedding::default() };
    let err = headline.graph().unwrap_err();
    assert!(matches!(err.kind(), ModelErrorKind::NoVector { set: "chunks" }), "{err}");
    assert_eq!(err.place(), "Headline.meaning");
}

// Labels of vectors.

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Person {
    #[adb(id)]
    id: i64,
    name: Option<String>,
    photo: Image,
    #[adb(embed(from = photo, set = Looks, label = name))]
    look: Embedding<2>,
}

#[tokio::test]
async fn a_vector_is_labelled_by_another_field() {
    let (_dir, db) = empty();
    let person = |id: i64, name: Option<&str>| Person {
        id,
        name: name.map(str::to_owned),
        photo: Image::bytes(png(id as u8)),
        look: Embedding::from([id as f32, 0.0]),
    };
    put(&*db, &[person(1, Some("Ada")), person(2, None), person(3, Some("Bob"))]).await;
    let classify = json!([{"ClassifyDescriptor": {"set": "looks", "k_neighbors": 1}}]);
    let vector = [2.9f32, 0.0].iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let request = adb::Request::json(&classify).with_blob(vector);
    let (answers, _) = adb::ask(&*db, request).await.unwrap();
    assert_eq!(answers[0]["ClassifyDescriptor"]["label"], "Bob");
    let ada = Person::find().filter(|p| p.name.eq("Ada")).with_vectors().fetch(&*db).await.unwrap();
    assert_eq!(ada[0].look, Embedding::from([1.0, 0.0]));
    let err = Person::find().update(&*db, |p| [p.name.set("Eve")]).await.unwrap_err();
    assert!(err.to_string().contains("it is a vector's label"), "{err}");
    agree::<Person>(&json!({"id": 1, "name": "Ada", "photo": "a.png"}));
    agree::<Person>(&json!({"id": 1, "photo": "a.png"}));
}
