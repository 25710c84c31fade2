//! One case of the fuzz targets: requests as JSON, one a line, each with the blobs that its commands
//! ask for. Shared by the targets in `fuzz/` and by the test that replays their seeds.
#![allow(dead_code, reason = "every user takes what it needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "cases fail by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use adb_engine::{Engine, FetchError, Fetcher};
use adb_model::{Database, Refusal, Request, Response, graph::vector_bytes};
use bytes::Bytes;
use serde_json::{Value as Json, json};

/// Requests that one case may have.
const MAX_LINES: usize = 8;

/// The requests of a case.
pub(crate) fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(MAX_LINES)
}

/// Parses a request, with as many blobs as it wants, with one more, and with none.
pub(crate) fn parse(commands: &[u8]) {
    let wanted = blobs_of(commands);
    for n in [wanted.len(), wanted.len() + 1, 0] {
        let blobs = vec![Bytes::from_static(b"blob"); n];
        if let Some(refusal) = adb_engine::parse_only(&Request::new(commands.to_vec(), blobs)) {
            check_refusal(&refusal, commands);
        }
    }
}

/// A database that every case begins with.
pub(crate) struct Stage {
    template: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let template = scratch();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let stage = Self { template, runtime };
        let engine = open(stage.template.path());
        for request in scene() {
            let text = request.to_string();
            let sent = Request::new(text.clone(), blobs_of(text.as_bytes()));
            stage.runtime.block_on(engine.execute(sent)).unwrap().done().unwrap();
        }
        drop(engine);
        stage
    }

    /// Sends a case's requests. Each is answered in form, or refused and leaves nothing.
    pub(crate) fn play(&self, data: &[u8]) {
        let dir = scratch();
        for file in fs::read_dir(self.template.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
        }
        let engine = open(dir.path());
        let mut before = None;
        for commands in lines(data) {
            let state = before.take().unwrap_or_else(|| contents(dir.path()));
            let request = Request::new(commands.to_vec(), blobs_of(commands));
            let shown = || String::from_utf8_lossy(commands).into_owned();
            match self.runtime.block_on(engine.execute(request)) {
                Ok(Response::Done { answers, blobs }) => check_answers(commands, &answers, &blobs),
                Ok(Response::Refused(refusal)) => {
                    check_refusal(&refusal, commands);
                    let after = contents(dir.path());
                    assert_eq!(after, state, "{} left something", shown());
                    before = Some(after);
                }
                Err(e) => panic!("{}: {e}", shown()),
            }
        }
    }
}

/// Cases come by the thousand: in memory, where the system has such a place.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("adb-case").tempdir_in(root).unwrap()
}

/// Without syncs, without programs, and with addresses that need no net.
fn open(dir: &Path) -> Engine {
    let nowhere = PathBuf::from("/nowhere/at/all");
    Engine::options()
        .without_sync()
        .ffmpeg(&nowhere, &nowhere)
        .fetcher(Arc::new(Shelf))
        .readers(std::num::NonZero::<usize>::MIN)
        .open(dir)
        .unwrap()
}

#[derive(Debug)]
struct Shelf;

impl Fetcher for Shelf {
    fn fetch(&self, url: &str, _limit: usize) -> Result<Bytes, FetchError> {
        match url {
            "shelf:image" => Ok(png()),
            "shelf:text" => Ok(Bytes::from_static(b"text")),
            _ => Err(FetchError::new("it is not on the shelf")),
        }
    }
}

/// What is there when a case begins: a little of every kind.
fn scene() -> Vec<Json> {
    vec![
        json!([{"AddDescriptorSet": {"name": "faces", "dimensions": 2, "engine": ["HNSW", "Flat"], "metric": ["L2", "CS"]}}]),
        json!([
            {"AddEntity": {"class": "Person", "_ref": 1, "properties": {"name": "Ada", "age": 36, "born": {"_date": "1990-05-01"}, "tags": ["a"], "ok": true}}},
            {"AddEntity": {"class": "Person", "_ref": 2, "properties": {"name": "Bo", "age": 20.5}}},
            {"AddImage": {"_ref": 3, "properties": {"shot": 1}, "connect": {"ref": 1, "class": "took", "direction": "in", "properties": {"k": 1}}}},
            {"AddImage": {"_ref": 4, "properties": {"shot": 2}}},
            {"AddConnection": {"class": "took", "src": 2, "dst": 4}},
            {"AddBlob": {"properties": {"name": "mask"}}},
            {"AddVideo": {"_ref": 5, "properties": {"id": 3}}},
            {"AddClip": {"video_ref": 5, "label": "goal", "time_offset_range": {"start": "00:00:01", "stop": "00:00:02.5"}}},
            {"AddFrame": {"_ref": 6, "video_ref": 5, "frame_number": 25}},
            {"AddBoundingBox": {"image_ref": 3, "label": "dog", "rectangle": {"x": 0, "y": 0, "width": 1, "height": 1}}},
            {"AddBoundingBox": {"image_ref": 6, "rectangle": {"x": 0, "y": 0.5, "width": 1, "height": 1}}},
            {"AddPolygon": {"image_ref": 4, "label": "cat", "polygons": [[[0, 0], [2, 0], [2, 2]]]}},
            {"AddDescriptor": {"set": "faces", "label": "ada", "properties": {"src": "a"}, "connect": {"ref": 3}}},
            {"AddDescriptor": {"set": "faces", "label": "bo", "properties": {"src": "b"}}},
            {"CreateIndex": {"target": "entity", "class": "Person", "property": "name"}},
        ]),
    ]
}

fn png() -> Bytes {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_fn(3, 2, |x, y| image::Luma([(40 * x + 9 * y) as u8]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner().into()
}

/// The commands of a request, if it is one.
fn commands_of(request: &[u8]) -> Vec<Json> {
    match serde_json::from_slice(request) {
        Ok(Json::Array(mut commands)) => match &mut commands[..] {
            [Json::Array(inner), Json::Array(blobs)] if blobs.is_empty() => std::mem::take(inner),
            _ => commands,
        },
        _ => Vec::new(),
    }
}

/// The blobs that a request's commands ask for, as far as a look at them tells.
fn blobs_of(request: &[u8]) -> Vec<Bytes> {
    let mut blobs = Vec::new();
    for command in commands_of(request) {
        let Some((name, body)) = command.as_object().and_then(|c| c.iter().next()) else {
            continue;
        };
        let given = |key: &str| body.get(key).is_some_and(|value| !value.is_null());
        let vector = vector_bytes(&[1.0, 2.0]);
        match name.as_str() {
            "AddImage" if !given("url") => blobs.push(png()),
            "AddBlob" | "AddVideo" if !given("url") => blobs.push(Bytes::from_static(b"bytes")),
            "AddDescriptor" | "ClassifyDescriptor" => blobs.push(vector),
            "FindDescriptor" if given("k_neighbors") || given("k_closest") => blobs.push(vector),
            "FindDescriptorBatch" => {
                let n = body.get("n_descriptors").and_then(Json::as_u64).unwrap_or(1);
                blobs.push(vector_bytes(&[1.5, -2.0].repeat(n.min(8) as usize)));
            }
            _ => {}
        }
    }
    blobs
}

fn check_refusal(refusal: &Refusal, commands: &[u8]) {
    let shown = String::from_utf8_lossy(commands);
    assert!([-1, 3, 4].contains(&refusal.status), "{shown}: {refusal:?}");
    assert!(!refusal.info.is_empty(), "{shown}: {refusal:?}");
    if let Some(i) = refusal.command {
        assert!(i < commands_of(commands).len(), "{shown}: {refusal:?}");
    }
}

/// One answer for each command, under its name; what it says of blobs agrees with the blobs.
fn check_answers(request: &[u8], answers: &[Json], blobs: &[Bytes]) {
    let shown = String::from_utf8_lossy(request);
    let commands = commands_of(request);
    assert_eq!(commands.len(), answers.len(), "{shown}");
    for (command, answer) in commands.iter().zip(answers) {
        let name = |json: &Json| json.as_object().unwrap().keys().next().cloned();
        assert_eq!(name(command), name(answer), "{shown}: {answer}");
        let body = answer.as_object().unwrap().values().next().unwrap();
        let status = body["status"].as_i64();
        assert!(matches!(status, Some(0..=2)), "{shown}: {answer}");
        let Some(returned) = body.get("returned") else { continue };
        let returned = returned.as_u64().unwrap() as usize;
        if let Some(start) = body.get("blobs_start") {
            assert!((start.as_u64().unwrap() as usize) < blobs.len(), "{shown}: {answer}");
        }
        let listed = body.get("entities").or(body.get("connections"));
        if let Some(Json::Array(listed)) = listed
            && listed.iter().all(Json::is_object)
        {
            assert_eq!(listed.len(), returned, "{shown}: {answer}");
            for object in listed {
                if let Some(i) = object.get("_blob_index") {
                    assert!((i.as_u64().unwrap() as usize) < blobs.len(), "{shown}: {answer}");
                }
            }
        }
    }
}

/// Everything that the tables hold, but for numbers that are used up.
fn contents(dir: &Path) -> BTreeMap<String, Vec<String>> {
    let conn = rusqlite::Connection::open(dir.join("adb.sqlite")).unwrap();
    let mut select =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> =
        select.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    let mut found = BTreeMap::new();
    for table in tables.into_iter().filter(|t| t != "counter") {
        let mut select = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> =
                (0..columns).map(|i| format!("{:?}", row.get_ref(i).unwrap())).collect();
            lines.push(values.join(", "));
        }
        found.insert(table, lines);
    }
    found
}
