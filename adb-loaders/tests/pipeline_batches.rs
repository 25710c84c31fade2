//! What the pipeline gives an embedder at once, and when.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::{
    ops::ControlFlow,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use adb_loaders::{Error, Ingest, JsonSource, MediaRoot, Options, Source, SourceRow};
use adb_model::{
    Batches, DataModel as _, EmbedError, Embedder, EmbedderIdentity, PreparedImage, Rect,
};
use common::{Dish, Fake, Letters, dishes, write_dishes};

/// Long enough for any machine; nobody waits for it unless the test fails.
const NEVER: Duration = Duration::from_secs(60);

/// Keeps the sizes of its batches; lets the first ones begin only when so many are there.
#[derive(Default)]
struct Watched {
    inner: Letters,
    liked: Batches,
    meeting: usize,
    calls: Mutex<Vec<usize>>,
    called: Condvar,
}

impl Watched {
    /// Whether so many calls have begun, at last.
    fn await_calls(&self, count: usize) -> bool {
        let calls = self.calls.lock().unwrap();
        let waited = self.called.wait_timeout_while(calls, NEVER, |calls| calls.len() < count);
        !waited.unwrap().1.timed_out()
    }
}

impl Embedder for Watched {
    fn identity(&self) -> &EmbedderIdentity {
        self.inner.identity()
    }

    fn prepare_image(
        &self,
        bytes: &[u8],
        region: Option<Rect>,
    ) -> Result<PreparedImage, EmbedError> {
        self.inner.prepare_image(bytes, region)
    }

    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.calls.lock().unwrap().push(images.len());
        self.called.notify_all();
        assert!(self.await_calls(self.meeting), "batches were computed one after the other");
        self.inner.embed_images(images)
    }

    fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.inner.embed_texts(texts)
    }

    fn image_batches(&self) -> Batches {
        self.liked
    }
}

fn options(linger: Duration) -> Options {
    let mut options = Options::default();
    options.linger = linger;
    options
}

#[tokio::test]
async fn batches_are_as_large_and_as_many_at_once_as_the_embedder_likes() {
    let dir = write_dishes(&dishes(100));
    let embedder = Arc::new(Watched {
        liked: Batches { size: 16, at_once: 3 },
        meeting: 3,
        ..Watched::default()
    });
    let source = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    let report = Ingest::new(Arc::new(Fake::default()))
        .embedder(embedder.clone())
        .options(options(NEVER))
        .run(source)
        .await
        .unwrap();
    assert_eq!((report.added, report.embedded), (100, 100), "{report}");
    let calls = embedder.calls.lock().unwrap();
    assert_eq!(calls.iter().sum::<usize>(), 100);
    assert_eq!(calls.iter().max(), Some(&16), "{calls:?}");
    // Nothing is old, and what is not full goes at the end alone.
    assert_eq!(calls[..3], [16, 16, 16], "{calls:?}");
}

#[tokio::test]
async fn options_go_before_what_the_embedder_likes() {
    let dir = write_dishes(&dishes(20));
    let embedder = Arc::new(Watched::default());
    let mut options = options(NEVER);
    options.embed_batch = Some(3);
    let source = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    let ingest = Ingest::new(Arc::new(Fake::default())).embedder(embedder.clone());
    let report = ingest.options(options).run(source).await.unwrap();
    assert_eq!(report.embedded, 20, "{report}");
    let calls = embedder.calls.lock().unwrap();
    assert_eq!((calls[0], calls.iter().max()), (3, Some(&3)), "{calls:?}");
}

/// Gives its first row, and the others only when the embedder was called.
struct Slow {
    rows: JsonSource<Dish>,
    embedder: Arc<Watched>,
}

impl Source for Slow {
    type Row = Dish;

    fn schema(&self) -> &'static adb_model::ModelSchema {
        Dish::SCHEMA
    }

    fn media_root(&self) -> MediaRoot {
        self.rows.media_root()
    }

    fn read(
        self,
        each: &mut dyn FnMut(SourceRow<Dish>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut first = true;
        self.rows.read(&mut |row, bytes| {
            let go = each(row, bytes);
            if std::mem::take(&mut first) {
                assert!(self.embedder.await_calls(1), "a row waited for a batch to be full");
            }
            go
        })
    }
}

#[tokio::test]
async fn a_row_of_a_slow_source_does_not_wait_for_a_full_batch() {
    let dir = write_dishes(&dishes(5));
    let embedder = Arc::new(Watched::default());
    let rows = JsonSource::<Dish>::open(dir.path().join("dishes.json")).unwrap();
    let source = Slow { rows, embedder: embedder.clone() };
    let report = Ingest::new(Arc::new(Fake::default()))
        .embedder(embedder.clone())
        .options(options(Duration::from_millis(5)))
        .run(source)
        .await
        .unwrap();
    assert_eq!((report.added, report.failed), (5, 0), "{report}");
    assert_eq!(embedder.calls.lock().unwrap()[0], 1);
}
