//! Databases that the Python SDK's data models fill: we name things as they do, read what they
//! wrote, and go on from there.
//!
//! `golden/sdk.json` holds what the SDK sends for the values below; `tools/sdk/datamodels.py`
//! makes it.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::HashMap, sync::Arc};

use adb::{
    Dialect, EmbedError, EmbedderIdentity, GraphBuilder, Lowering, PreparedImage, Request, ask,
    document::Document,
    ensure,
    loaders::{Ingest, JsonSource, Report},
    prelude::*,
    query::Query,
    upsert::Outcome,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

struct Tiny;
impl adb::EmbedderSpec for Tiny {
    const NAME: &'static str = "tiny";
    const DIMENSIONS: usize = 4;
}
impl adb::Produces<Embedding<4>> for Tiny {}
impl adb::Accepts<Image> for Tiny {}

#[derive(DescriptorSet)]
#[adb(name = "looks", embedder = Tiny, metric = L2, engine = Flat)]
struct Looks;

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(convention = PythonSdk)]
struct Menu {
    #[adb(id)]
    id: String,
    title: String,
    #[adb(connect)]
    dishes: Vec<Dish>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(image, convention = PythonSdk)]
struct Dish {
    #[adb(id)]
    #[serde(rename = "id")]
    dish_id: String,
    #[serde(rename = "url")]
    photo: Image,
    name: String,
    #[adb(embed(from = photo, set = Looks, class = "DishLook"))]
    look: Embedding<4>,
    #[adb(connect)]
    ingredients: Vec<Ingredient>,
    #[adb(connect, rename = "main")]
    most: Option<Ingredient>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(convention = PythonSdk)]
struct Ingredient {
    #[adb(id)]
    id: String,
    vegan: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(video, convention = PythonSdk)]
struct Film {
    #[adb(id)]
    id: String,
    url: Video,
    title: String,
    #[adb(clips)]
    scenes: Vec<Scene>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(clip, convention = PythonSdk)]
struct Scene {
    #[adb(id)]
    id: String,
    number: i64,
    span: TimeSpan,
}

fn picture(last: u8) -> Image {
    Image::bytes([&b"\x89PNG\r\n\x1a\n"[..], &[last]].concat())
}

fn ingredient(id: &str, vegan: Option<bool>) -> Ingredient {
    Ingredient { id: id.into(), vegan }
}

fn dish(id: &str, last: u8, name: &str, x: f32) -> Dish {
    Dish {
        dish_id: id.into(),
        photo: picture(last),
        name: name.into(),
        look: [x, 0.0, 0.0, 1.0].into(),
        ingredients: vec![],
        most: None,
    }
}

fn menu() -> Menu {
    let mut dal = dish("d1", b'1', "dal", 1.0);
    dal.ingredients = vec![ingredient("lentils", None), ingredient("salt", None)];
    dal.most = Some(ingredient("cumin", Some(true)));
    let mut rice = dish("d2", b'2', "rice", 2.0);
    rice.ingredients = vec![ingredient("rice", Some(true))];
    Menu { id: "m1".into(), title: "lunch".into(), dishes: vec![dal, rice] }
}

fn fried_rice() -> Dish {
    let mut dish = dish("d3", b'1', "fried rice", 3.0);
    dish.ingredients = vec![ingredient("egg", None), ingredient("rice", Some(true))];
    dish.most = Some(ingredient("rice", Some(true)));
    dish
}

fn film() -> Film {
    let scene = json!({"id": "s1", "number": 1, "span": {"start": 1, "stop": 65}});
    let scene: Scene = serde_json::from_value(scene).unwrap();
    let url = Video::bytes(&b"the film"[..]);
    Film { id: "f1".into(), url, title: "Metropolis".into(), scenes: vec![scene] }
}

/// The SDK's request of that name.
fn theirs(name: &str) -> Request {
    let golden: Json = serde_json::from_str(include_str!("golden/sdk.json")).unwrap();
    let request = &golden[name];
    let blobs = request["blobs"].as_array().unwrap().iter().map(|hex| {
        let hex = hex.as_str().unwrap();
        let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(byte).collect::<Vec<u8>>().into()
    });
    Request::new(request["commands"].to_string(), blobs.collect())
}

/// Commands with what may differ taken out: references are numbered as they come, and ids that
/// the SDK makes by chance are those of a descriptor.
fn comparable(request: &Request) -> Vec<Json> {
    let mut commands: Vec<Json> = serde_json::from_slice(&request.commands).unwrap();
    let mut references: HashMap<u64, usize> = HashMap::new();
    for command in &mut commands {
        let (name, body) = command.as_object_mut().unwrap().iter_mut().next().unwrap();
        for key in ["_ref", "src", "dst", "video_ref"] {
            if let Some(reference) = body.get(key).and_then(Json::as_u64) {
                let next = references.len() + 1;
                body[key] = json!(references.entry(reference).or_insert(next));
            }
        }
        if name == "AddDescriptor" {
            body["properties"]["id"] = "by chance".into();
            body.as_object_mut().unwrap().remove("if_not_found");
        }
        if let Some(range) = body.get_mut("time_offset_range") {
            // The SDK cuts fractions off.
            for end in ["start", "stop"] {
                range[end] = range[end].as_str().unwrap().replace(".000000", "").into();
            }
        }
    }
    commands
}

/// Our additions: connections have an id and a guard, and guards look at `user_type` as well.
fn without_additions(mut commands: Vec<Json>) -> Vec<Json> {
    for command in &mut commands {
        let (name, body) = command.as_object_mut().unwrap().iter_mut().next().unwrap();
        let body = body.as_object_mut().unwrap();
        if name == "AddConnection" {
            let properties = body["properties"].as_object_mut().unwrap();
            let id = properties.remove("edge_id").unwrap();
            assert_eq!(body.remove("if_not_found").unwrap(), json!(["$edge_id", "==", id]));
        } else if let Some(guard) = body.get_mut("if_not_found")
            && guard[0] == "all"
        {
            assert_eq!(guard[2][0], "$user_type");
            *guard = guard[1].take();
        }
    }
    commands
}

fn lowered(graph: &adb::Graph) -> Request {
    let mut lowering = Lowering::with_dialect(Dialect::Expression);
    lowering.push(graph).unwrap();
    lowering.finish()
}

#[test]
fn commands_are_those_of_the_sdk_but_for_what_makes_them_repeatable() {
    for (name, graph) in [("menu", menu().graph().unwrap()), ("film", film().graph().unwrap())] {
        let (ours, theirs) = (lowered(&graph), theirs(name));
        assert_eq!(without_additions(comparable(&ours)), comparable(&theirs), "{name}");
        assert_eq!(ours.blobs, theirs.blobs, "{name}");
    }
}

#[test]
fn the_document_says_the_same() {
    let document = Document::of(Menu::SCHEMA);
    let text = serde_json::to_string(&document).unwrap();
    assert_eq!(Document::parse(&text).unwrap(), document);
    let vector = |x: f32| json!([x, 0.0, 0.0, 1.0]);
    let row = json!({"id": "m1", "title": "lunch", "dishes": [
        {"id": "d1", "url": "1.png", "name": "dal", "look": vector(1.0),
         "ingredients": [{"id": "lentils"}, {"id": "salt"}], "most": {"id": "cumin"}}]});
    let by_document = document.load().unwrap().graph_in(&row, GraphBuilder::new()).unwrap();
    let by_struct = serde_json::from_value::<Menu>(row).unwrap().graph().unwrap();
    assert_eq!(format!("{by_document:#?}"), format!("{by_struct:#?}"));
    assert!(by_struct.nodes()[1].properties.iter().all(|(name, _)| *name == "name"));
}

struct Counting(EmbedderIdentity);

impl Embedder for Counting {
    fn identity(&self) -> &EmbedderIdentity {
        &self.0
    }
    fn prepare_image(&self, bytes: &[u8], _: Option<Rect>) -> Result<PreparedImage, EmbedError> {
        let last = f32::from(*bytes.last().unwrap());
        Ok(PreparedImage(Box::new([last, 9.0, 9.0, 9.0])))
    }
    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(images.iter().map(|i| i.0.to_vec()).collect())
    }
    fn embed_texts(&self, _: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(Vec::new())
    }
}

fn tiny() -> Counting {
    Counting(EmbedderIdentity {
        name: "tiny".into(),
        hash: "0123456789abcdef".into(),
        dimensions: 4,
        images: true,
        texts: false,
    })
}

/// A database that the SDK has filled, twice if it is told to: then all its edges are there twice.
async fn filled(times: usize) -> (tempfile::TempDir, Arc<dyn Database>) {
    let dir = tempfile::tempdir().unwrap();
    let db = adb::connect(dir.path().to_str().unwrap()).unwrap();
    let set = json!([{"AddDescriptorSet":
        {"name": "looks", "dimensions": 4, "metric": "L2", "engine": "Flat"}}]);
    ask(&*db, Request::json(&set)).await.unwrap();
    for _ in 0..times {
        for name in ["menu", "shared", "film"] {
            ask(&*db, theirs(name)).await.unwrap();
        }
    }
    let tiny = tiny();
    for schema in [Menu::SCHEMA, Film::SCHEMA] {
        ensure(&*db, schema, |_| Some(tiny.identity())).await.unwrap();
    }
    (dir, db)
}

/// How many there are of everything.
async fn counts(db: &dyn Database) -> Vec<(String, u64)> {
    let finds = ["Entity", "Image", "Video", "Clip", "Descriptor", "Connection"];
    let commands: Vec<Json> = finds
        .iter()
        .map(|kind| json!({ format!("Find{kind}"): {"results": {"count": true}} }))
        .collect();
    let (answers, _) = ask(db, Request::json(&Json::Array(commands))).await.unwrap();
    let counts = answers.iter().map(|answer| {
        let (name, body) = answer.as_object().unwrap().iter().next().unwrap();
        (name.clone(), body["count"].as_u64().unwrap())
    });
    let mut counts: Vec<_> = counts.collect();
    // Runs are not what rows become.
    let runs = json!([{"FindEntity": {"with_class": "AdbRun", "results": {"count": true}}}]);
    let (answers, _) = ask(db, Request::json(&runs)).await.unwrap();
    counts[0].1 -= answers[0]["FindEntity"]["count"].as_u64().unwrap_or(0);
    counts
}

async fn ingest<M: DataModel + DeserializeOwned + Send + 'static>(
    db: &Arc<dyn Database>,
    row: &Json,
    upsert: bool,
) -> Report {
    let dir = tempfile::tempdir().unwrap();
    for (name, last) in [("1.png", b'1'), ("2.png", b'2'), ("3.png", b'3')] {
        let bytes = [&b"\x89PNG\r\n\x1a\n"[..], &[last]].concat();
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let path = dir.path().join("rows.json");
    std::fs::write(&path, format!("[{row}]")).unwrap();
    let report = Ingest::new(db.clone())
        .embedder(Arc::new(tiny()))
        .upsert(upsert)
        .run(JsonSource::<M>::open(path).unwrap())
        .await
        .unwrap();
    assert!(report.adds_up() && report.failed == 0, "{report}");
    report
}

fn rows() -> (Json, Json) {
    let menu = json!({"id": "m1", "title": "lunch", "dishes": [
        {"id": "d1", "url": "1.png", "name": "dal",
         "ingredients": [{"id": "lentils"}, {"id": "salt"}], "most": {"id": "cumin", "vegan": true}},
        {"id": "d2", "url": "2.png", "name": "rice", "ingredients": [{"id": "rice", "vegan": true}]}]});
    let dish = json!({"id": "d3", "url": "1.png", "name": "fried rice",
        "ingredients": [{"id": "egg"}, {"id": "rice"}], "most": {"id": "rice"}});
    (menu, dish)
}

#[tokio::test]
async fn what_the_sdk_wrote_is_read_as_our_structs() {
    let (_dir, db) = filled(1).await;
    let menus = Menu::find().depth(2).with_blobs().with_vectors().fetch(&*db).await.unwrap();
    assert_eq!(menus, [menu()]);
    let find = Dish::find().filter(|d| d.dish_id.eq("d3")).with_blobs().with_vectors();
    let mut dishes = find.fetch(&*db).await.unwrap();
    dishes[0].ingredients.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(dishes, [fried_rice()], "each field has its own children");
    assert_eq!(Film::find().with_blobs().fetch(&*db).await.unwrap(), [film()]);
    for dialect in [Dialect::Classic, Dialect::Expression] {
        let with_main = Dish::find()
            .dialect(dialect)
            .having(|d| d.most, Ingredient::find().filter(|i| i.id.eq("rice")));
        assert_eq!(with_main.fetch(&*db).await.unwrap().len(), 1);
        let with_rice = Dish::find()
            .dialect(dialect)
            .having(|d| d.ingredients, Ingredient::find().filter(|i| i.id.eq("rice")));
        assert_eq!(with_rice.count(&*db).await.unwrap(), 2);
    }
    let near = [3.0, 0.0, 0.0, 1.0];
    let hits = Dish::find()
        .filter(|d| d.name.ne("dal"))
        .nearest::<Looks>(Query::Vector(near.to_vec()), 2)
        .fetch_by(&*db, &near)
        .await
        .unwrap();
    let found: Vec<(&str, f64)> = hits.iter().map(|h| (&*h.value.dish_id, h.distance)).collect();
    assert_eq!(found, [("d3", 0.0), ("d2", 1.0)]);
}

#[tokio::test]
async fn a_second_ingest_by_our_structs_doubles_nothing() {
    let (_dir, db) = filled(1).await;
    let before = counts(&*db).await;
    let (menu_row, dish_row) = rows();
    for upsert in [false, true, false] {
        let report = ingest::<Menu>(&db, &menu_row, upsert).await;
        assert_eq!((report.added, report.embedded), (0, 0), "{report}");
        let report = ingest::<Dish>(&db, &dish_row, upsert).await;
        assert_eq!((report.added, report.embedded), (0, 0), "{report}");
        assert_eq!((report.objects_added, report.connections_added), (0, 0), "{report}");
        assert_eq!(counts(&*db).await, before);
    }
    let report = ingest::<Menu>(&db, &menu_row, true).await;
    assert_eq!(report.existed, 1, "what the pictures are has been noted: {report}");
    // And what is new goes in as the SDK would have named it.
    let mut more = menu_row.clone();
    more["dishes"].as_array_mut().unwrap().push(json!(
        {"id": "d4", "url": "3.png", "name": "tea", "ingredients": [{"id": "salt"}]}));
    let report = ingest::<Menu>(&db, &more, false).await;
    assert_eq!((report.existed, report.embedded), (1, 1), "{report}");
    assert_eq!((report.objects_added, report.connections_added), (2, 3), "{report}");
    let sdk = json!([
        {"FindEntity": {"_ref": 1, "with_class": "Menu", "constraints": ["$id", "==", "m1"]}},
        {"FindImage": {"_ref": 2, "constraints": ["$id", "==", "d4"],
            "is_connected_to": {"ref": 1, "connection_class": "Dish",
                "constraints": ["$source_field", "==", "dishes[2]"]}}},
        {"FindDescriptor": {"set": "looks", "results": {"list": ["user_type"]},
            "is_connected_to": {"ref": 2, "connection_class": "DishLook",
                "constraints": ["$source_field", "==", "look"]}}},
    ]);
    let (answers, _) = ask(&*db, Request::json(&sdk)).await.unwrap();
    assert_eq!(answers[2]["FindDescriptor"]["entities"], json!([{"user_type": "DishLook"}]));
}

#[tokio::test]
async fn what_the_sdk_wrote_is_changed_by_our_structs() {
    // The SDK has doubled its own edges.
    let (_dir, db) = filled(2).await;
    let mut changed = fried_rice();
    changed.name = "nasi goreng".into();
    changed.ingredients = vec![ingredient("rice", Some(true)), ingredient("chili", None)];
    changed.most = None;
    let done = changed.upsert().write(&*db).await.unwrap();
    assert_eq!(done.outcome, Outcome::Updated);
    let find = || Dish::find().filter(|d| d.dish_id.eq("d3")).with_blobs().with_vectors();
    let read = |mut dishes: Vec<Dish>| {
        dishes[0].ingredients.sort_by(|a, b| b.id.cmp(&a.id));
        dishes
    };
    assert_eq!(read(find().fetch(&*db).await.unwrap()), [changed.clone()]);
    let again = changed.upsert().write(&*db).await.unwrap();
    assert_eq!(again.outcome, Outcome::Unchanged, "{:?}", again.differences);
    let edges = json!([
        {"FindImage": {"_ref": 1, "constraints": {"id": ["==", "d3"]}}},
        {"FindConnection": {"src": 1, "results": {"count": true}}}]);
    let (answers, _) = ask(&*db, Request::json(&edges)).await.unwrap();
    assert_eq!(answers[1]["FindConnection"]["count"], 3, "a vector and two ingredients");

    // Other pixels: the SDK's vector goes, its connections stay.
    let mut dal = menu().dishes.remove(0);
    dal.photo = picture(b'9');
    dal.look = Embedding::default();
    let vectors = counts(&*db).await[4].clone();
    let embedder = tiny();
    let done = dal.upsert().embedder(&embedder).write(&*db).await.unwrap();
    assert_eq!(done.embedded, 1, "{:?}", done.differences);
    assert_eq!(counts(&*db).await[4], vectors);
    let menus = Menu::find().depth(2).with_blobs().with_vectors().fetch(&*db).await.unwrap();
    let there = menus[0].dishes.iter().find(|d| d.dish_id == "d1").unwrap();
    assert_eq!(there.photo, picture(b'9'));
    assert_eq!(there.look.as_slice(), Some([f32::from(b'9'), 9.0, 9.0, 9.0].as_slice()));
    assert_eq!((there.ingredients.len(), &there.most), (2, &dal.most));

    let deleted = Dish::find().filter(|d| d.dish_id.eq("d1")).delete(&*db).await.unwrap();
    assert_eq!((deleted.objects, deleted.parts), (1, 1), "with its vector");
}

/// Runs the SDK itself against a server in front of this database; `what` is what `live.py` is to do.
async fn live(python: &std::ffi::OsStr, address: std::net::SocketAddr, what: &str) -> Json {
    let configuration = json!({"host": "127.0.0.1", "port": address.port(), "username": "admin",
        "password": "any", "use_ssl": false});
    let mut command = std::process::Command::new(python);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/sdk/live.py"))
        .arg(what)
        .env("APERTUREDB_JSON", configuration.to_string())
        .env_remove("APERTUREDB_KEY");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// `tests/sdk/run` says where Python and the SDK are; the tests above do the same with what the SDK
/// sent once.
#[tokio::test(flavor = "multi_thread")]
async fn live_the_sdk_writes_we_go_on_and_it_reads() {
    use adb_server::{Access, Options, Server};

    let Some(python) = std::env::var_os("ADB_SDK_PYTHON") else {
        eprintln!("skipped: ADB_SDK_PYTHON is not set; tests/sdk/run runs this test");
        return;
    };
    let (_dir, db) = filled(0).await;
    let server = Server::bind(db.clone(), Options::new(0, Access::Everybody)).await.unwrap();
    let address = server.address().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    live(&python, address, "fill").await;

    let menus = Menu::find().depth(2).with_blobs().with_vectors().fetch(&*db).await.unwrap();
    assert_eq!(menus, [menu()]);
    assert_eq!(Film::find().with_blobs().fetch(&*db).await.unwrap(), [film()]);
    let before = counts(&*db).await;
    let (menu_row, dish_row) = rows();
    assert_eq!(ingest::<Menu>(&db, &menu_row, false).await.added, 0);
    assert_eq!(ingest::<Dish>(&db, &dish_row, false).await.added, 0);
    assert_eq!(counts(&*db).await, before, "nothing twice");

    let mut more = menu_row.clone();
    more["dishes"].as_array_mut().unwrap().push(json!(
        {"id": "d4", "url": "3.png", "name": "tea", "ingredients": [{"id": "salt"}]}));
    ingest::<Menu>(&db, &more, false).await;
    let mut changed = fried_rice();
    changed.name = "nasi goreng".into();
    changed.most = None;
    changed.upsert().write(&*db).await.unwrap();

    let read = live(&python, address, "read").await;
    let picture = |last: u8| format!("89504e470d0a1a0a{last:02x}");
    assert_eq!(
        read["d3"],
        json!({"name": "nasi goreng", "picture": picture(b'1'), "vectors": [[3.0, 0.0, 0.0, 1.0]],
            "ingredients": [["ingredients[0]", "egg"], ["ingredients[1]", "rice"]]})
    );
    assert_eq!(
        read["d4"],
        json!({"name": "tea", "picture": picture(b'3'), "vectors": [[51.0, 9.0, 9.0, 9.0]],
            "ingredients": [["ingredients[0]", "salt"]]})
    );
    assert_eq!(read.as_object().unwrap().len(), 4);
    let _ = stop.send(());
    assert!(serving.await.unwrap());
}
