//! Models come back from a database as they went in: from the engine, and from answers as servers
//! give them.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::{Arc, Mutex};

use adb::{
    BoxFuture, Database, DbError, Lowering, ModelErrorKind, Request, Response, prelude::*,
    query::QueryError,
};
use adb_tests::{Course, Dish, DishPhotos, Film, HasIngredient, Ingredient, Portrait, Recipe};
use bytes::Bytes;
use serde_json::{Value as Json, json};

/// Answers with what it was given, and keeps what it was asked.
struct Scripted {
    answers: Json,
    blobs: Vec<Bytes>,
    asked: Mutex<Vec<Json>>,
}

impl Scripted {
    fn new(answers: Json) -> Self {
        Self { answers, blobs: Vec::new(), asked: Mutex::default() }
    }

    fn with_blobs(answers: Json, blobs: Vec<Bytes>) -> Self {
        Self { blobs, ..Self::new(answers) }
    }

    /// The names of the commands of the last request.
    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let commands = asked.last().unwrap().as_array().unwrap();
        commands.iter().map(|c| c.as_object().unwrap().keys().next().unwrap().clone()).collect()
    }
}

impl Database for Scripted {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        let commands = serde_json::from_slice(&request.commands).unwrap();
        self.asked.lock().unwrap().push(commands);
        let answers = self.answers.as_array().unwrap().clone();
        Box::pin(async move { Ok(Response::Done { answers, blobs: self.blobs.clone() }) })
    }
}

fn floats(vector: &[f32]) -> Bytes {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>().into()
}

/// A dish as `all_properties` gives it.
fn stored_dish(unique_id: &str, dish_id: u64, name: &str) -> Json {
    json!({"_uniqueid": unique_id, "dish_id": dish_id, "name": name, "cuisine": "Indian",
           "caption": "hot", "url": "images/1.jpg", "user_type": "Dish", "adb_content": "x"})
}

#[tokio::test]
async fn children_are_read_below_their_parents() {
    let db = Scripted::new(json!([
        {"FindImage": {"status": 0, "returned": 2,
            "entities": [stored_dish("3.0.1", 1, "dal"), stored_dish("3.0.2", 2, "rice")]}},
        {"FindEntity": {"status": 0, "returned": 2, "group_by_source": true, "entities": {
            "3.0.1": [{"_uniqueid": "4.0.1", "name": "lentils"},
                      {"_uniqueid": "4.0.2", "name": "salt"}],
            "3.0.2": [{"_uniqueid": "4.0.2", "name": "salt"}]}}},
    ]));
    let dishes = Dish::find().fetch(&db).await.unwrap();
    assert_eq!(db.asked(), ["FindImage", "FindEntity"]);
    let ingredients: Vec<Vec<&str>> =
        dishes.iter().map(|d| d.ingredients.iter().map(|i| i.name.as_str()).collect()).collect();
    assert_eq!(ingredients, [vec!["lentils", "salt"], vec!["salt"]]);
    assert_eq!((dishes[0].dish_id, dishes[0].recipe_url.as_deref()), (1, None));
    assert_eq!(dishes[0].photo, Image::path("images/1.jpg"));
    assert_eq!(dishes[0].look, Embedding::default(), "vectors were not asked for");
}

#[tokio::test]
async fn blobs_and_vectors_are_read_when_they_are_asked_for() {
    let mut dish = stored_dish("3.0.1", 1, "dal");
    dish["_blob_index"] = 0.into();
    let answers = json!([
        {"FindImage": {"status": 0, "returned": 1, "blobs_start": 0, "entities": [dish]}},
        {"FindDescriptor": {"status": 0, "returned": 1, "blobs_start": 1, "group_by_source": true,
            "entities": {"3.0.1": [{"_uniqueid": "5.0.1", "_blob_index": 1, "adb_id": "Dish/1/look"}]}}},
        {"FindEntity": {"status": 0, "returned": 0, "group_by_source": true, "entities": {}}},
    ]);
    let look: Embedding<512> = [0.25; 512].into();
    let blobs = vec![Bytes::from("the picture"), floats(look.as_slice().unwrap())];
    let db = Scripted::with_blobs(answers, blobs);
    let dishes = Dish::find().with_blobs().with_vectors().fetch(&db).await.unwrap();
    assert_eq!(db.asked(), ["FindImage", "FindDescriptor", "FindEntity"]);
    assert_eq!(dishes[0].photo, Image::bytes("the picture"));
    assert_eq!(dishes[0].look, look);
    assert!(dishes[0].ingredients.is_empty());
}

#[tokio::test]
async fn connections_are_read_with_their_properties() {
    let recipe = |id: &str, name: &str| json!({"_uniqueid": id, "name": name, "edition": 2, "course": "main-dish"});
    let salt = json!({"_uniqueid": "4.0.2", "name": "salt"});
    let answers = json!([
        {"FindEntity": {"status": 0, "returned": 2,
            "entities": [recipe("3.0.1", "dal"), recipe("3.0.2", "rice")]}},
        {"FindEntity": {"status": 0, "returned": 1, "group_by_source": true,
            "entities": {"3.0.1": [salt], "3.0.2": [salt]}}},
        {"FindConnection": {"status": 0, "returned": 2, "connections": [
            {"_src": "3.0.2", "_dst": "4.0.2", "grams": 3},
            {"_src": "3.0.1", "_dst": "4.0.2", "grams": null}]}},
        {"FindEntity": {"status": 0, "returned": 0, "group_by_source": true, "entities": {}}},
    ]);
    let db = Scripted::new(answers);
    let recipes = Recipe::find().fetch(&db).await.unwrap();
    assert_eq!(db.asked(), ["FindEntity", "FindEntity", "FindConnection", "FindEntity"]);
    // One ingredient, and to each recipe a connection of its own.
    let grams: Vec<_> = recipes.iter().map(|r| r.ingredients[0].edge.grams).collect();
    assert_eq!(grams, [None, Some(3.0)]);
    assert_eq!(recipes[0].course, Course::MainDish);
}

#[tokio::test]
async fn parts_are_read_with_geometry_and_label() {
    let db = Scripted::new(json!([
        {"FindImage": {"status": 0, "returned": 1,
            "entities": [{"_uniqueid": "3.0.1", "id": 7, "photo": "p.jpg"}]}},
        {"FindBoundingBox": {"status": 0, "returned": 2, "group_by_source": true, "entities": {"3.0.1": [
            {"_uniqueid": "6.0.1", "_label": "Ada", "_coordinates": {"x": 1, "y": 2, "width": 3, "height": 4}},
            {"_uniqueid": "6.0.2", "_label": "None", "_coordinates": {"x": 5, "y": 6, "width": 7, "height": 8}}]}}},
    ]));
    let portraits = Portrait::find().fetch(&db).await.unwrap();
    let faces: Vec<_> = portraits[0].faces.iter().map(|f| (f.area.x, f.who.as_deref())).collect();
    assert_eq!(faces, [(1, Some("Ada")), (5, None)]);

    let db = Scripted::new(json!([
        {"FindVideo": {"status": 0, "returned": 1,
            "entities": [{"_uniqueid": "7.0.1", "title": "M", "film": "m.mp4", "_fps": 25}]}},
        {"FindClip": {"status": 0, "returned": 1, "group_by_source": true, "entities": {"7.0.1": [
            {"_uniqueid": "8.0.1", "number": 1, "_range_type": 3, "_time_offset_range":
                {"start": "00:00:01.100000", "stop": "00:01:05.250000"}}]}}},
        {"FindFrame": {"status": 0, "returned": 0, "group_by_source": true, "entities": {}}},
    ]));
    let films = Film::find().fetch(&db).await.unwrap();
    assert_eq!(films[0].scenes[0].span.start.to_string(), "00:00:01.100000");
    assert_eq!(films[0].poster, None);
}

/// Answers of a search by nearness: the set, the descriptors, the dishes that they describe.
fn near(descriptors: &Json, dishes: &Json) -> Json {
    json!([
        {"FindDescriptorSet": {"status": 0, "returned": 1, "entities": [
            {"_name": "dish_photos", "_dimensions": 512, "_metrics": ["CS"], "_count": 9}]}},
        {"FindDescriptor": {"status": 0, "returned": 3, "entities": descriptors}},
        {"FindImage": {"status": 0, "returned": 2, "group_by_source": true, "entities": dishes}},
        {"FindEntity": {"status": 0, "returned": 0, "group_by_source": true, "entities": {}}},
    ])
}

async fn hits(db: &dyn Database) -> Vec<(u64, f64)> {
    let search = Dish::find().nearest::<DishPhotos>("curry", 3);
    let hits = search.fetch_by(db, &[0.5; 512]).await.unwrap();
    hits.iter().map(|h| (h.value.dish_id, h.distance)).collect()
}

#[tokio::test]
async fn two_vectors_of_one_image_are_one_hit_at_the_nearer_distance() {
    let db = Scripted::new(near(
        &json!([{"_uniqueid": "5.0.1", "_distance": 0.9}, {"_uniqueid": "5.0.2", "_distance": 0.8},
               {"_uniqueid": "5.0.3", "_distance": 0.7}]),
        &json!({"5.0.3": [stored_dish("3.0.2", 2, "rice")], "5.0.1": [stored_dish("3.0.1", 1, "dal")],
               "5.0.2": [stored_dish("3.0.1", 1, "dal")]}),
    ));
    assert_eq!(hits(&db).await, [(1, 0.9), (2, 0.7)]);
}

#[tokio::test]
async fn equal_distances_keep_the_order_of_the_descriptors() {
    let db = Scripted::new(near(
        &json!([{"_uniqueid": "5.0.9", "_distance": 0.5}, {"_uniqueid": "5.0.1", "_distance": 0.5}]),
        &json!({"5.0.1": [stored_dish("3.0.1", 1, "dal")], "5.0.9": [stored_dish("3.0.2", 2, "rice")]}),
    ));
    assert_eq!(hits(&db).await, [(2, 0.5), (1, 0.5)]);
}

#[tokio::test]
async fn what_does_not_fit_the_model_is_named() {
    let mut dish = stored_dish("3.0.1", 1, "dal");
    dish["name"] = 3.into();
    let one = |dish: &Json| {
        let none = json!({"status": 0, "returned": 0, "entities": {}});
        Scripted::new(json!([
            {"FindImage": {"status": 0, "returned": 1, "entities": [dish]}}, {"FindEntity": none}]))
    };
    let error = Dish::find().fetch(&one(&dish)).await.unwrap_err();
    assert_eq!(error.to_string(), "3 is no text (Dish.name)");
    dish["name"] = Json::Null;
    let QueryError::Model(error) = Dish::find().fetch(&one(&dish)).await.unwrap_err() else {
        unreachable!("the model is what does not fit")
    };
    assert!(matches!(error.kind(), ModelErrorKind::Absent { property: "name" }), "{error}");
}

/// A model whose fields fill themselves when the database lacks them.
#[derive(Debug, PartialEq, DataModel, serde::Deserialize)]
#[serde(default)]
struct Lenient {
    #[adb(id)]
    id: u64,
    stars: u8,
    #[adb(default = plenty)]
    servings: u8,
    #[serde(default)]
    note: String,
    #[adb(skip)]
    seen: bool,
}

impl Default for Lenient {
    fn default() -> Self {
        Self { id: 0, stars: 3, servings: 1, note: "none".into(), seen: true }
    }
}

fn plenty() -> u8 {
    9
}

#[tokio::test]
async fn defaults_fill_what_an_object_lacks() {
    let db = Scripted::new(json!([{"FindEntity": {"status": 0, "returned": 1, "entities":
        [{"_uniqueid": "1.0.1", "id": 4}]}}]));
    let read = Lenient::find().fetch(&db).await.unwrap();
    let expected = Lenient { id: 4, stars: 3, servings: 9, note: String::new(), seen: true };
    assert_eq!(read, [expected]);
}

async fn engine(dir: &tempfile::TempDir) -> Arc<dyn Database> {
    let db: Arc<dyn Database> = adb::connect(dir.path().to_str().unwrap()).unwrap();
    adb::ensure(&*db, Dish::SCHEMA, |_| None).await.unwrap();
    adb::ensure(&*db, Recipe::SCHEMA, |_| None).await.unwrap();
    db
}

async fn add<M: DataModel>(db: &dyn Database, models: &[M]) {
    let mut lowering = Lowering::new();
    for model in models {
        lowering.push(&model.graph().unwrap()).unwrap();
    }
    adb::ask(db, lowering.finish()).await.unwrap();
}

/// The smallest PNG: one grey pixel.
const PIXEL: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 0x0a, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x63, 0x60, 0, 0, 0, 2, 0, 1, 0x48, 0xaf, 0xa4, 0x71, 0, 0, 0, 0, b'I', b'E', b'N',
    b'D', 0xae, 0x42, 0x60, 0x82,
];

fn dish(dish_id: u64, cuisine: &str) -> Dish {
    let mut look = [0.0; 512];
    look[0] = 1.0;
    look[1] = dish_id as f32 / 100.0;
    Dish {
        dish_id,
        name: format!("dish {dish_id}"),
        cuisine: Some(cuisine.to_owned()),
        caption: "a \"caption\"".to_owned(),
        recipe_url: None,
        photo: Image::bytes(PIXEL),
        look: look.into(),
        ingredients: vec![Ingredient { name: format!("spice {}", dish_id % 7) }],
    }
}

#[tokio::test]
async fn what_goes_into_the_engine_comes_back_equal() {
    let dir = tempfile::tempdir().unwrap();
    let db = engine(&dir).await;
    let dishes = [dish(1, "Indian"), dish(2, "Thai")];
    add(&*db, &dishes).await;
    let all = Dish::find().with_blobs().with_vectors().sort(|d| d.dish_id.ascending());
    assert_eq!(all.fetch(&*db).await.unwrap(), dishes);

    let ingredient = |name: &str, grams| Linked {
        edge: HasIngredient { grams },
        to: Ingredient { name: name.to_owned() },
    };
    let recipe = |name: &str, edition, ingredients| Recipe {
        name: name.to_owned(),
        edition,
        course: Course::Starter,
        ingredients,
        part_of: vec![],
    };
    let mut first = recipe("dal", 1, vec![ingredient("lentils", Some(2.5))]);
    let second = recipe("dal", 2, vec![ingredient("lentils", None)]);
    add(&*db, &[first.clone(), second.clone()]).await;
    add(&*db, &[first.clone()]).await;
    let by_edition = || Recipe::find().sort(|r| r.edition.ascending());
    assert_eq!(by_edition().fetch(&*db).await.unwrap(), [first.clone(), second.clone()]);
    let rich = Recipe::find().filter(|r| r.course.eq(Course::Starter).and(r.edition.gt(1)));
    assert_eq!(rich.count(&*db).await.unwrap(), 1);

    // Against the direction, too.
    first.part_of = vec![recipe("thali", 1, vec![])];
    add(&*db, &[first.clone()]).await;
    let read = by_edition().filter(|r| r.name.eq("dal")).fetch(&*db).await.unwrap();
    assert_eq!(read, [first, second]);
    let of_thali =
        Recipe::find().having(|r| r.part_of, Recipe::find().filter(|r| r.name.eq("thali")));
    assert_eq!(of_thali.count(&*db).await.unwrap(), 1);
}

/// A KNN search looks for the nearest first and filters after, unless it is told otherwise: with
/// a filter that few pass, all of the nearest would be among those that it takes away.
#[tokio::test]
async fn a_narrow_filter_still_has_as_many_hits_as_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let db = engine(&dir).await;
    let dishes: Vec<Dish> =
        (1..=400).map(|i| dish(i, if i % 200 == 0 { "Rare" } else { "Common" })).collect();
    add(&*db, &dishes).await;
    let mut here = [0.0; 512];
    here[0] = 1.0;
    let rare = Dish::find().filter(|d| d.cuisine.eq("Rare"));
    let hits = rare.nearest::<DishPhotos>("x", 2).fetch_by(&*db, &here).await.unwrap();
    let ids: Vec<u64> = hits.iter().map(|h| h.value.dish_id).collect();
    assert_eq!(ids, [200, 400]);
    let spiced = Dish::find()
        .having(|d| d.ingredients, Ingredient::find().filter(|i| i.name.eq("spice 3")))
        .nearest::<DishPhotos>("x", 3);
    let hits = spiced.fetch_by(&*db, &here).await.unwrap();
    assert_eq!(hits.iter().map(|h| h.value.dish_id).collect::<Vec<_>>(), [3, 10, 17]);
}

#[tokio::test]
async fn parts_go_into_the_engine_and_come_back_equal() {
    let dir = tempfile::tempdir().unwrap();
    let db: Arc<dyn Database> = adb::connect(dir.path().to_str().unwrap()).unwrap();
    adb::ensure(&*db, Portrait::SCHEMA, |_| None).await.unwrap();
    adb::ensure(&*db, Film::SCHEMA, |_| None).await.unwrap();
    let vector = |x: f32| serde_json::Value::from(vec![x; 512]);

    let row = json!({"id": 1, "photo": "p.png", "faces": [
        {"area": {"x": 1, "y": 2, "width": 30, "height": 40}, "who": "Ada", "look": vector(0.5)},
        {"area": {"x": 9, "y": 8, "width": 7, "height": 6}, "look": vector(0.25)},
    ]});
    let mut portrait: Portrait = serde_json::from_value(row).unwrap();
    portrait.photo = Image::bytes(PIXEL);
    let row = json!({"title": "Metropolis", "film": "m.mp4", "scenes": [
        {"number": 1, "span": {"start": 1.25, "stop": "00:01:05"}, "meaning": vector(0.125)},
        {"number": 2, "span": {"start": 70, "stop": 80.000001}, "meaning": vector(1.0)},
    ], "poster": {"at": 3.5}});
    let mut film: Film = serde_json::from_value(row).unwrap();
    film.film = Video::bytes(&b"the film"[..]);

    for _ in 0..2 {
        let mut lowering = Lowering::new();
        for graph in [
            portrait.graph_in(adb::GraphBuilder::for_row(adb::uuid::Uuid::from_u128(1))),
            film.graph_in(adb::GraphBuilder::for_row(adb::uuid::Uuid::from_u128(2))),
        ] {
            lowering.push(&graph.unwrap()).unwrap();
        }
        adb::ask(&*db, lowering.finish()).await.unwrap();
        let portraits = Portrait::find().with_blobs().with_vectors().fetch(&*db).await.unwrap();
        assert_eq!(portraits, [portrait.clone()]);
        let films = Film::find().with_blobs().with_vectors().fetch(&*db).await.unwrap();
        assert_eq!(films, [film.clone()]);
    }

    let deleted = Portrait::find().delete(&*db).await.unwrap();
    assert_eq!((deleted.objects, deleted.parts), (1, 4), "two faces, each with its vector");
    assert_eq!(Film::find().count(&*db).await.unwrap(), 1);
}
