//! Values that are there already: what differs is written, and only what depends on it embedded.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod ingest;
mod value;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use adb::{BoxFuture, DbError, Request, Response, ask, ensure, prelude::*};
use adb_tests::counting::{Counting, Looks, Meanings};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    id: u64,
    name: String,
    cuisine: Option<String>,
    caption: String,
    photo: Image,
    #[adb(embed(from = photo, set = Looks))]
    look: Embedding<4>,
    #[adb(embed(from = caption, set = Meanings))]
    meaning: Embedding<4>,
    #[adb(connect = Has)]
    ingredients: Vec<Linked<Has, Ingredient>>,
    #[adb(regions)]
    plates: Vec<Plate>,
}

#[derive(Debug, Clone, PartialEq, Connection, Deserialize, Serialize)]
struct Has {
    grams: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Ingredient {
    #[adb(id)]
    name: String,
    vegan: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(bounding_box)]
struct Plate {
    #[adb(id)]
    plate_id: u64,
    area: Rect,
    #[adb(label)]
    what: Option<String>,
    #[adb(embed(from = area, set = Looks))]
    look: Embedding<4>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Menu {
    #[adb(id)]
    title: String,
    #[adb(connect = Offers)]
    dishes: Vec<Linked<Offers, Dish>>,
}

#[derive(Debug, Clone, PartialEq, Connection, Deserialize, Serialize)]
struct Offers {
    price: i64,
}

/// A database that keeps the requests that change something.
struct Watched {
    inner: Arc<dyn Database>,
    writes: Mutex<Vec<Vec<String>>>,
    /// Sends each request that changes something twice, as one does whose answer was lost.
    twice: AtomicBool,
}

impl Database for Watched {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        let commands: Vec<Json> = serde_json::from_slice(&request.commands).unwrap();
        let names = commands.iter().map(|c| c.as_object().unwrap().keys().next().unwrap().clone());
        let names: Vec<String> = names.collect();
        if names.iter().any(|n| !n.starts_with("Find") && !n.starts_with("Get")) {
            self.writes.lock().unwrap().push(names);
            if self.twice.load(Ordering::Relaxed) {
                return Box::pin(async move {
                    let first = self.inner.execute(request.clone()).await?;
                    assert!(matches!(first, Response::Done { .. }), "{first:?}");
                    self.inner.execute(request).await
                });
            }
        }
        self.inner.execute(request)
    }
}

impl Watched {
    /// The commands of each request since the last call that wrote something.
    fn writes(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut *self.writes.lock().unwrap())
    }
}

/// Begins as a PNG does, which is what the engine looks at.
fn picture(last: u8) -> Image {
    Image::bytes([&b"\x89PNG\r\n\x1a\n"[..], &[last]].concat())
}

fn has(name: &str, grams: Option<i64>) -> Linked<Has, Ingredient> {
    Linked { edge: Has { grams }, to: Ingredient { name: name.into(), vegan: None } }
}

fn plate(plate_id: u64, x: i64) -> Plate {
    Plate {
        plate_id,
        area: Rect { x, y: 2, width: 30, height: 40 },
        what: Some("deep".into()),
        look: Embedding::default(),
    }
}

fn dish() -> Dish {
    Dish {
        id: 1,
        name: "dal".into(),
        cuisine: Some("Indian".into()),
        caption: "A bowl of dal".into(),
        photo: picture(1),
        look: Embedding::default(),
        meaning: Embedding::default(),
        ingredients: vec![has("lentils", Some(200)), has("salt", None)],
        plates: vec![plate(10, 5), plate(11, 50)],
    }
}

async fn database() -> (tempfile::TempDir, Watched, Counting) {
    let dir = tempfile::tempdir().unwrap();
    let inner = adb::connect(dir.path().to_str().unwrap()).unwrap();
    let tiny = Counting::new();
    ensure(&*inner, Menu::SCHEMA, |_| Some(tiny.identity())).await.unwrap();
    (dir, Watched { inner, writes: Mutex::default(), twice: AtomicBool::new(false) }, tiny)
}

/// The dish as it was read, with vectors and without its plates' order.
async fn read(db: &dyn Database) -> Dish {
    let mut dishes = Dish::find().with_blobs().with_vectors().fetch(db).await.unwrap();
    assert_eq!(dishes.len(), 1);
    let mut dish = dishes.pop().unwrap();
    dish.plates.sort_by_key(|p| p.plate_id);
    dish.ingredients.sort_by(|a, b| a.to.name.cmp(&b.to.name));
    dish
}

/// How many objects a Find finds.
async fn count(db: &dyn Database, command: &str, mut body: Json) -> u64 {
    body["results"] = json!({"count": true});
    let (answers, _) = ask(db, Request::json(&json!([{ command: body }]))).await.unwrap();
    answers[0][command]["count"].as_u64().unwrap()
}

async fn vectors(db: &dyn Database, set: &str) -> u64 {
    count(db, "FindDescriptor", json!({ "set": set })).await
}
