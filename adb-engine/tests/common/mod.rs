//! Databases in temporary directories, and short ways to ask them.
#![allow(dead_code, reason = "every test takes what it needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use adb_engine::Engine;
use adb_model::{Database, Refusal, Request, Response};
use bytes::Bytes;
use serde_json::{Value as Json, json};

/// A database that goes with its directory.
pub(crate) struct Db {
    pub(crate) engine: Engine,
    pub(crate) dir: tempfile::TempDir,
}

impl Db {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { engine: Engine::open(dir.path()).unwrap(), dir }
    }

    /// Closes it and opens it again.
    pub(crate) fn reopen(self) -> Self {
        let Self { engine, dir } = self;
        drop(engine);
        Self { engine: Engine::open(dir.path()).unwrap(), dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn send(&self, commands: Json, blobs: Vec<Bytes>) -> Response {
        send(&self.engine, commands, blobs).await
    }

    /// The answers to a request that must succeed.
    pub(crate) async fn ask(&self, commands: Json) -> Vec<Json> {
        self.ask_with(commands, Vec::new()).await.0
    }

    pub(crate) async fn ask_with(
        &self,
        commands: Json,
        blobs: Vec<Bytes>,
    ) -> (Vec<Json>, Vec<Bytes>) {
        self.send(commands, blobs).await.done().unwrap_or_else(|r| panic!("refused: {r}"))
    }

    /// The refusal of a request that must fail.
    pub(crate) async fn refused(&self, commands: Json, blobs: Vec<Bytes>) -> Refusal {
        match self.send(commands.clone(), blobs).await {
            Response::Refused(refusal) => refusal,
            Response::Done { answers, .. } => panic!("{commands} was answered: {answers:?}"),
        }
    }

    /// What one Find of entities of a class lists.
    pub(crate) async fn find(&self, find: Json) -> Vec<Json> {
        let answers = self.ask(json!([find])).await;
        let body = answers[0].as_object().unwrap().values().next().unwrap();
        body.get("entities").map_or_else(Vec::new, |e| e.as_array().unwrap().clone())
    }

    /// How many objects there are of a class.
    pub(crate) async fn count(&self, class: &str) -> u64 {
        count(&self.engine, class).await
    }
}

pub(crate) async fn send(db: &dyn Database, commands: Json, blobs: Vec<Bytes>) -> Response {
    db.execute(Request::new(commands.to_string(), blobs)).await.unwrap()
}

pub(crate) async fn count(db: &dyn Database, class: &str) -> u64 {
    let find = json!([{"FindEntity": {"with_class": class, "results": {"count": true}}}]);
    let (answers, _) = send(db, find, Vec::new()).await.done().unwrap();
    answers[0]["FindEntity"]["count"].as_u64().unwrap()
}

/// A PNG of one pixel.
pub(crate) fn png(shade: u8) -> Bytes {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_pixel(1, 1, image::Luma([shade]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner().into()
}

/// A vector as requests carry it.
pub(crate) fn vector(components: &[f32]) -> Bytes {
    adb_model::graph::vector_bytes(components)
}
