//! What takes long is done before the transaction and away from the writer: others write meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::{
    io::Cursor,
    sync::{Arc, Condvar, Mutex},
};

use adb_engine::{Engine, FetchError, Fetcher};
use adb_model::{Database, Fate, Request, Response};
use bytes::Bytes;
use common::{count, send};
use serde_json::{Value as Json, json};

/// Gives everything, but `gate:` only once it is open.
#[derive(Debug, Default)]
struct Gate {
    /// Whether somebody waits, and whether it is open.
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Gate {
    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    fn wait_for_somebody(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |(waits, _)| !*waits).unwrap());
    }
}

impl Fetcher for Gate {
    fn fetch(&self, url: &str, _limit: usize) -> Result<Bytes, FetchError> {
        if url == "gate:" {
            let mut state = self.state.lock().unwrap();
            state.0 = true;
            self.changed.notify_all();
            drop(self.changed.wait_while(state, |(_, open)| !*open).unwrap());
        }
        Ok(Bytes::from_static(b"fetched"))
    }
}

fn engine(dir: &tempfile::TempDir, gate: &Arc<Gate>) -> Arc<Engine> {
    Arc::new(Engine::options().fetcher(gate.clone()).open(dir.path()).unwrap())
}

/// Sends a request without waiting for its answer.
fn start(
    engine: &Arc<Engine>,
    commands: &Json,
    blobs: Vec<Bytes>,
) -> tokio::task::JoinHandle<Result<Response, adb_model::DbError>> {
    let (engine, request) = (engine.clone(), Request::new(commands.to_string(), blobs));
    tokio::spawn(async move { engine.execute(request).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn others_write_while_an_address_is_asked() {
    let (dir, gate) = (tempfile::tempdir().unwrap(), Arc::new(Gate::default()));
    let engine = engine(&dir, &gate);
    let slow = start(&engine, &json!([{"AddBlob": {"url": "gate:"}}]), vec![]);
    let waiting = gate.clone();
    tokio::task::spawn_blocking(move || waiting.wait_for_somebody()).await.unwrap();
    // While the gate is closed, that request is surely not done.
    for _ in 0..3 {
        send(&*engine, json!([{"AddEntity": {"class": "Note"}}]), vec![]).await.done().unwrap();
    }
    assert_eq!((count(&*engine, "Note").await, count(&*engine, "_Blob").await), (3, 0));
    gate.open();
    slow.await.unwrap().unwrap().done().unwrap();
    assert_eq!(count(&*engine, "_Blob").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_write_while_a_picture_is_worked_on() {
    let (dir, gate) = (tempfile::tempdir().unwrap(), Arc::new(Gate::default()));
    let engine = engine(&dir, &gate);
    let mut large = Cursor::new(Vec::new());
    image::GrayImage::new(1500, 1500).write_to(&mut large, image::ImageFormat::Png).unwrap();
    let add = json!([{"AddImage": {"operations": [{"type": "rotate", "angle": 10}, {"type": "resize", "width": 4, "height": 4}], "format": "jpg"}}]);
    let slow = start(&engine, &add, vec![large.into_inner().into()]);
    send(&*engine, json!([{"AddEntity": {"class": "Note"}}]), vec![]).await.done().unwrap();
    // Two million pixels that are turned take far longer than one row; if the writer worked on them, the row would
    // have waited.
    assert!(!slow.is_finished());
    slow.await.unwrap().unwrap().done().unwrap();
    let find = json!([{"FindImage": {"blobs": true}}]);
    let (_, blobs) = send(&*engine, find, vec![]).await.done().unwrap();
    let made = image::load_from_memory(&blobs[0]).unwrap();
    assert_eq!((made.width(), made.height()), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_finishes_what_was_sent() {
    let (dir, gate) = (tempfile::tempdir().unwrap(), Arc::new(Gate::default()));
    let engine = engine(&dir, &gate);
    let slow = start(&engine, &json!([{"AddBlob": {"url": "gate:"}}]), vec![]);
    let waiting = gate.clone();
    tokio::task::spawn_blocking(move || waiting.wait_for_somebody()).await.unwrap();
    // Nobody waits for the answer any more, and the engine is dropped.
    slow.abort();
    gate.open();
    drop(slow.await);
    tokio::task::spawn_blocking(move || drop(engine)).await.unwrap();
    let again = Engine::open(dir.path()).unwrap();
    assert_eq!(count(&again, "_Blob").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_overtaken_is_told_to_send_again() {
    let (dir, gate) = (tempfile::tempdir().unwrap(), Arc::new(Gate::default()));
    let engine = engine(&dir, &gate);
    let guarded = json!({"AddBlob": {"url": "some:", "properties": {"n": 1}, "if_not_found": {"n": ["==", 1]}}});
    send(&*engine, json!([guarded]), vec![]).await.done().unwrap();
    let add = json!([guarded, {"AddBlob": {"url": "gate:"}}]);
    let slow = start(&engine, &add, vec![]);
    let waiting = gate.clone();
    tokio::task::spawn_blocking(move || waiting.wait_for_somebody()).await.unwrap();
    send(&*engine, json!([{"DeleteBlob": {}}]), vec![]).await.done().unwrap();
    gate.open();
    let error = slow.await.unwrap().unwrap_err();
    assert!(error.is_transient() && error.fate() == Fate::NotApplied, "{error}");
    assert_eq!(count(&*engine, "_Blob").await, 0, "nothing of it is left");
    send(&*engine, add, vec![]).await.done().unwrap();
    assert_eq!(count(&*engine, "_Blob").await, 2);
}

#[tokio::test]
async fn a_blob_whose_guard_matches_is_not_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    let add = |blob: &'static [u8]| {
        (
            json!([{"AddImage": {"format": "png", "properties": {"n": 1}, "if_not_found": {"n": ["==", 1]}}}]),
            vec![Bytes::from_static(blob)],
        )
    };
    let (commands, _) = add(b"");
    send(&engine, commands, vec![common::png(1)]).await.done().unwrap();
    let (commands, blobs) = add(b"no image at all");
    let (answers, _) = send(&engine, commands, blobs).await.done().unwrap();
    assert_eq!(answers[0]["AddImage"]["status"], 2);
    // By a reference, which only the transaction can follow, as well.
    let commands = json!([
        {"FindImage": {"_ref": 1}},
        {"AddImage": {"format": "png", "if_not_found": 1}},
        {"AddImage": {"properties": {"n": 2}}},
    ]);
    let blobs = vec![Bytes::from_static(b"no image at all"), common::png(2)];
    let (answers, _) = send(&engine, commands, blobs).await.done().unwrap();
    assert_eq!(answers[1]["AddImage"]["status"], 2);
    assert_eq!(count(&engine, "_Image").await, 2);
}
