//! A model with everything that can change, a source of it, and what counts.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use adb::{
    BoxFuture, DbError, Request, Response, ask,
    loaders::{Ingest, JsonSource, OnExisting, Options, Report},
    prelude::*,
};
pub(crate) use adb_tests::counting::{Counting, Looks, Meanings};
use serde::Deserialize;
use serde_json::{Value as Json, json};

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(image)]
pub(crate) struct Dish {
    #[adb(id)]
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) caption: String,
    pub(crate) photo: Image,
    #[adb(embed(from = photo, set = Looks))]
    pub(crate) look: Embedding<4>,
    #[adb(embed(from = caption, set = Meanings))]
    pub(crate) meaning: Embedding<4>,
    #[adb(regions)]
    pub(crate) plates: Vec<Plate>,
    #[adb(connect = "Has")]
    pub(crate) ingredients: Vec<Ingredient>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(bounding_box, row_id)]
pub(crate) struct Plate {
    pub(crate) area: Rect,
    #[adb(embed(from = area, set = Looks))]
    pub(crate) look: Embedding<4>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
pub(crate) struct Ingredient {
    #[adb(id)]
    pub(crate) name: String,
}

/// A database that keeps the requests that change something.
pub(crate) struct Watched {
    inner: Arc<dyn Database>,
    writes: Mutex<Vec<Vec<String>>>,
}

impl Database for Watched {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        let commands: Vec<Json> = serde_json::from_slice(&request.commands).unwrap();
        let names = commands.iter().map(|c| c.as_object().unwrap().keys().next().unwrap().clone());
        let names: Vec<String> = names.collect();
        let writes =
            |n: &String| ["Add", "Update", "Delete"].iter().any(|verb| n.starts_with(verb));
        if names.iter().any(writes) {
            self.writes.lock().unwrap().push(names);
        }
        self.inner.execute(request)
    }
}

impl Watched {
    /// The commands of each request since the last call that wrote something.
    pub(crate) fn writes(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut *self.writes.lock().unwrap())
    }
}

/// Everything that a test of a second run needs.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) db: Arc<Watched>,
    pub(crate) tiny: Arc<Counting>,
    pub(crate) rows: Vec<Json>,
    pub(crate) ledger: bool,
}

pub(crate) fn picture(last: u8) -> Vec<u8> {
    [&b"\x89PNG\r\n\x1a\n"[..], &[last]].concat()
}

pub(crate) fn dishes(n: u64) -> Vec<Json> {
    let dish = |i| {
        json!({"id": i, "name": format!("dish {i}"), "caption": format!("caption {i}"),
            "photo": format!("{i}.png"),
            "plates": [{"area": {"x": i, "y": 0, "width": 9, "height": 9}}],
            "ingredients": [{"name": format!("thing {}", i % 3)}, {"name": "salt"}]})
    };
    (0..n).map(dish).collect()
}

/// Writes a picture that was last changed so many minutes ago.
pub(crate) fn write_picture(dir: &Path, name: &str, last: u8, minutes: u64) {
    fs::write(dir.join(name), picture(last)).unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 - minutes * 60);
    let file = File::options().write(true).open(dir.join(name)).unwrap();
    file.set_modified(then).unwrap();
}

pub(crate) fn write_rows(path: &Path, rows: &[Json]) {
    let lines: Vec<String> = rows.iter().map(Json::to_string).collect();
    fs::write(path, lines.join("\n")).unwrap();
}

pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.rows_per_request = 7;
    options.linger = Duration::from_millis(2);
    options
}

impl World {
    pub(crate) fn new(n: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..n {
            write_picture(dir.path(), &format!("{i}.png"), i as u8, 0);
        }
        let db = Self::open(&dir.path().join("db"));
        Self { dir, db, tiny: Arc::new(Counting::new()), rows: dishes(n), ledger: true }
    }

    fn open(path: &Path) -> Arc<Watched> {
        let inner = adb::connect(path.to_str().unwrap()).unwrap();
        Arc::new(Watched { inner, writes: Mutex::default() })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Closes the database, does something about its directory, and opens it again.
    pub(crate) fn reopen(&mut self, meanwhile: impl FnOnce(&Path)) {
        let nowhere = tempfile::tempdir().unwrap();
        self.db = Self::open(&nowhere.path().join("db"));
        meanwhile(&self.path("db"));
        self.db = Self::open(&self.path("db"));
    }

    pub(crate) fn ingest_of(&self, existing: OnExisting) -> Ingest {
        let ingest = Ingest::new(self.db.clone())
            .embedder(self.tiny.clone())
            .options(options())
            .on_existing(existing);
        match self.ledger {
            true => ingest.ledger(self.path("ledger")),
            false => ingest,
        }
    }

    pub(crate) async fn run(&self, ingest: Ingest, rows: &[Json]) -> Report {
        self.run_file(ingest, rows, "rows.jsonl").await
    }

    pub(crate) async fn run_file(&self, ingest: Ingest, rows: &[Json], name: &str) -> Report {
        self.tiny.count();
        self.db.writes();
        let path = self.path(name);
        write_rows(&path, rows);
        let report = ingest.run(JsonSource::<Dish>::open(path).unwrap()).await.unwrap();
        assert!(report.adds_up() && report.broken_off.is_none(), "{report}");
        report
    }

    pub(crate) async fn ingest(&self, existing: OnExisting) -> Report {
        self.run(self.ingest_of(existing), &self.rows).await
    }

    /// How many objects a Find finds.
    pub(crate) async fn count(&self, command: &str, mut body: Json) -> u64 {
        body["results"] = json!({"count": true});
        let request = Request::json(&json!([{ command: body }]));
        let (answers, _) = ask(&*self.db, request).await.unwrap();
        answers[0][command]["count"].as_u64().unwrap()
    }

    /// All dishes by id, with everything.
    pub(crate) async fn dishes(&self) -> Vec<Dish> {
        let dishes = Dish::find().sort(|d| d.id.ascending()).with_blobs().with_vectors();
        dishes.fetch(&*self.db).await.unwrap()
    }

    pub(crate) async fn act(&self, commands: Json) -> Vec<Json> {
        ask(&*self.db, Request::json(&commands)).await.unwrap().0
    }
}

pub(crate) fn counts(report: &Report) -> (u64, u64, u64, u64) {
    (report.added, report.existed, report.updated, report.failed)
}
