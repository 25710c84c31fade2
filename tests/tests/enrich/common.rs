//! Models, an embedder of hashes, and databases as other programs fill them.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use adb::{
    BoxFuture, DbError, Dialect, EmbedError, EmbedderIdentity, Fate, PreparedImage, Request,
    Response, ask,
    loaders::{Ingest, Options, Report},
    prelude::*,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value as Json, json};

pub(crate) const WIDTH: usize = 8;

pub(crate) struct Hash;
impl adb::EmbedderSpec for Hash {
    const NAME: &'static str = "hash";
    const DIMENSIONS: usize = WIDTH;
}
impl adb::Produces<Embedding<WIDTH>> for Hash {}
impl adb::Accepts<Image> for Hash {}
impl adb::Accepts<String> for Hash {}

#[derive(DescriptorSet)]
#[adb(name = "looks", embedder = Hash, engine = Flat)]
pub(crate) struct Looks;

/// A picture as a program stores it that knows nothing of adb.
#[derive(Debug, DataModel, Deserialize)]
#[adb(image, untyped)]
pub(crate) struct Photo {
    #[adb(id)]
    pub(crate) id: u64,
    pub(crate) photo: Image,
    #[adb(embed(from = photo, set = Looks))]
    pub(crate) look: Embedding<WIDTH>,
}

type Before = Box<dyn Fn(u64) + Send + Sync>;

/// Its vectors are hashes of what it is given, with its name: no two embedders agree, and no two
/// pictures.
pub(crate) struct Hashes {
    identity: EmbedderIdentity,
    /// What happens before each batch; it is told how many there were before.
    before: Option<Before>,
    batches: AtomicU64,
    /// A word that makes a picture unreadable.
    unreadable: Option<&'static str>,
}

impl Hashes {
    pub(crate) fn named(name: &str) -> Self {
        let identity = EmbedderIdentity {
            name: name.to_owned(),
            hash: format!("{name}-0123456789abcdef"),
            dimensions: WIDTH,
            images: true,
            texts: true,
        };
        Self { identity, before: None, batches: AtomicU64::new(0), unreadable: None }
    }

    pub(crate) fn new() -> Self {
        Self::named("hash")
    }

    pub(crate) fn before(mut self, before: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    pub(crate) fn unreadable(mut self, word: &'static str) -> Self {
        self.unreadable = Some(word);
        self
    }

    /// The vector of a picture, or of a part of it.
    pub(crate) fn of(&self, bytes: &[u8], region: Option<Rect>) -> Vec<f32> {
        let what = (&self.identity.name, bytes, region);
        let mut state = BuildHasherDefault::<DefaultHasher>::default().hash_one(what);
        let mut next = || {
            // Knuth's multiplier: the components must differ, no more.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..WIDTH).map(|_| next()).collect()
    }
}

impl Embedder for Hashes {
    fn identity(&self) -> &EmbedderIdentity {
        &self.identity
    }
    fn prepare_image(
        &self,
        encoded: &[u8],
        region: Option<Rect>,
    ) -> Result<PreparedImage, EmbedError> {
        assert!(encoded.starts_with(b"\x89PNG"), "it is the encoded picture");
        match self.unreadable {
            Some(word) if String::from_utf8_lossy(encoded).contains(word) => {
                Err(EmbedError::Unreadable(word.to_owned()))
            }
            _ => Ok(PreparedImage(self.of(encoded, region).into())),
        }
    }
    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let batch = self.batches.fetch_add(1, Ordering::Relaxed);
        if let Some(before) = &self.before {
            before(batch);
        }
        Ok(images.iter().map(|image| image.0.to_vec()).collect())
    }
    fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(texts.iter().map(|text| self.of(text.as_bytes(), None)).collect())
    }
}

pub(crate) fn open(dir: &Path) -> Arc<dyn Database> {
    adb::connect(dir.to_str().unwrap()).unwrap()
}

pub(crate) fn database() -> (tempfile::TempDir, Arc<dyn Database>) {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir.path().join("db"));
    (dir, db)
}

/// What the engine takes for a picture.
pub(crate) fn picture(text: &str) -> Bytes {
    [b"\x89PNG\r\n\x1a\n", text.as_bytes()].concat().into()
}

pub(crate) fn photo(id: u64) -> Bytes {
    picture(&format!("photo {id}."))
}

/// Adds photos as a loader of the Python SDK does, several in a transaction.
pub(crate) async fn add_photos(db: &dyn Database, ids: &[u64], at_once: usize) {
    for ids in ids.chunks(at_once) {
        let commands: Vec<Json> = ids
            .iter()
            .map(|id| {
                json!({"AddImage": {
                    "properties": {"id": id, "title": format!("title {id}")},
                    "if_not_found": {"id": ["==", id]},
                }})
            })
            .collect();
        let request =
            Request::new(json!(commands).to_string(), ids.iter().map(|id| photo(*id)).collect());
        ask(db, request).await.unwrap();
    }
}

/// The answers to commands that must succeed.
pub(crate) async fn answers(db: &dyn Database, commands: Json) -> Vec<Json> {
    ask(db, Request::json(&commands)).await.unwrap().0
}

/// By id: how many descriptors of a set hang on each image.
pub(crate) async fn vectors_of_images(db: &dyn Database, set: &str) -> HashMap<u64, usize> {
    let found = answers(
        db,
        json!([
            {"FindImage": {"_ref": 1, "uniqueids": true, "results": {"list": ["id"]}}},
            {"FindDescriptor": {"set": set, "is_connected_to": {"ref": 1}, "group_by_source": true,
                                "uniqueids": true}},
        ]),
    )
    .await;
    let images = found[0]["FindImage"]["entities"].as_array().cloned().unwrap_or_default();
    let groups = &found[1]["FindDescriptor"]["entities"];
    images
        .iter()
        .map(|image| {
            let group = &groups[image["_uniqueid"].as_str().unwrap()];
            (image["id"].as_u64().unwrap(), group.as_array().map_or(0, Vec::len))
        })
        .collect()
}

/// How many descriptors a set has, whatever they hang on.
pub(crate) async fn vectors(db: &dyn Database, set: &str) -> u64 {
    let found =
        answers(db, json!([{"FindDescriptorSet": {"with_name": set, "counts": true}}])).await;
    found[0]["FindDescriptorSet"]["entities"][0]["_count"].as_u64().unwrap_or(0)
}

/// Each of these images has one vector, and there is no other.
pub(crate) async fn assert_one_each(db: &dyn Database, set: &str, images: usize) {
    let each = vectors_of_images(db, set).await;
    let wrong: Vec<_> = each.iter().filter(|(_, n)| **n != 1).collect();
    assert!(wrong.is_empty(), "images that have not one vector: {wrong:?}");
    assert_eq!(each.len(), images);
    assert_eq!(vectors(db, set).await, images as u64);
}

pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.backoff = Duration::from_millis(1);
    options.give_up_after = Duration::from_millis(300);
    options.linger = Duration::from_millis(2);
    options.rows_per_request = 7;
    options.embed_batch = Some(4);
    options
}

pub(crate) fn run(db: &Arc<dyn Database>, embedder: Hashes) -> Ingest {
    Ingest::new(db.clone()).embedder(Arc::new(embedder)).options(options())
}

pub(crate) async fn enrich<M: DataModel>(db: &Arc<dyn Database>, embedder: Hashes) -> Report {
    let report = run(db, embedder).enrich::<M>().await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}

pub(crate) const DIALECTS: [Dialect; 2] = [Dialect::Classic, Dialect::Expression];

/// Fails every third request in a passing way, none twice, every other of them after it was applied.
pub(crate) struct Flaky {
    pub(crate) inner: Arc<dyn Database>,
    pub(crate) requests: AtomicU64,
    /// Fails for good after so many requests.
    pub(crate) dies_after: u64,
    /// What has failed once: with several writers, chance would have one fail as often as it tries.
    failed: Mutex<HashSet<Bytes>>,
}

impl Flaky {
    pub(crate) fn over(inner: &Arc<dyn Database>, dies_after: u64) -> Arc<dyn Database> {
        Arc::new(Self {
            inner: inner.clone(),
            requests: AtomicU64::new(0),
            dies_after,
            failed: Mutex::default(),
        })
    }
}

impl Database for Flaky {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            let n = self.requests.fetch_add(1, Ordering::Relaxed);
            if n >= self.dies_after {
                return Err(DbError::transient("gone"));
            }
            let unlucky = n % 3 == 2;
            if unlucky && self.failed.lock().unwrap().insert(request.commands.clone()) {
                if n.is_multiple_of(2) {
                    self.inner.execute(request).await?;
                }
                return Err(DbError::transient("try again").with_fate(Fate::Unknown));
            }
            self.inner.execute(request).await
        })
    }
}

/// Passes everything on, and keeps what was sent.
pub(crate) struct Recorded {
    pub(crate) inner: Arc<dyn Database>,
    pub(crate) sent: Mutex<Vec<String>>,
}

impl Database for Recorded {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        self.sent.lock().unwrap().push(String::from_utf8_lossy(&request.commands).into_owned());
        self.inner.execute(request)
    }
}
