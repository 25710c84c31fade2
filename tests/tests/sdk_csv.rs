//! Files of the Python SDK into the embedded engine: once, twice, changed, and with faults.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adb::{
    BoxFuture, DbError, EmbedError, EmbedderIdentity, Engine, Fate, Metric, PreparedImage, Rect,
    Request, Response, SetSpec, ask,
    loaders::{
        ErrorKind, ImageDescriptors, Ingest, Options, Report, SdkCsv,
        sdk::transform::{CommonProperties, ImageProperties},
    },
    prelude::*,
};
use serde_json::{Value as Json, json};

/// A picture of one colour, and as many pixels wide as is asked for.
fn png(width: u32, grey: u8) -> Vec<u8> {
    let picture = image::GrayImage::from_pixel(width, 2, image::Luma([grey]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

struct Place {
    dir: tempfile::TempDir,
    db: Arc<dyn Database>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
        Self { dir, db }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    fn csv(&self, name: &str, text: &str) -> SdkCsv {
        self.write(name, text);
        SdkCsv::open(self.dir.path().join(name)).unwrap()
    }

    async fn ingest(&self, source: SdkCsv) -> Report {
        let report = ingest(self.db.clone()).run_commands(source).await.unwrap();
        assert!(report.adds_up() && report.broken_off.is_none(), "{report}");
        report
    }

    /// The answer to one command.
    async fn ask(&self, command: Json) -> Json {
        let (answers, _) = ask(&*self.db, Request::json(&json!([command]))).await.unwrap();
        answers[0].as_object().unwrap().values().next().unwrap().clone()
    }

    async fn count(&self, find: &str, constraints: Json) -> u64 {
        let command = json!({ find: {"constraints": constraints, "results": {"count": true}} });
        self.ask(command).await["count"].as_u64().unwrap()
    }
}

fn ingest(db: Arc<dyn Database>) -> Ingest {
    let mut options = Options::default();
    options.backoff = Duration::from_millis(1);
    options.linger = Duration::from_millis(5);
    Ingest::new(db).options(options)
}

fn four(report: &Report) -> (u64, u64, u64, u64) {
    (report.added, report.existed, report.updated, report.failed)
}

const PEOPLE: &str = "EntityClass,id,name,constraint_id\nPerson,1,Ada,1\nPerson,2,Bo,2\n";

#[tokio::test]
async fn all_kinds_go_in_once() {
    let place = Place::new();
    place.write("a.png", png(3, 10));
    place.write("b.png", png(3, 20));
    place.write("film.bin", b"not really a film");
    let mut vectors =
        b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }".to_vec();
    vectors.resize(127, b' ');
    vectors.push(b'\n');
    for component in [1f32, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0] {
        vectors.extend_from_slice(&component.to_le_bytes());
    }
    place.write("v.npy", vectors);
    let files = [
        ("sets.csv", "name,dimensions,engine,metric,constraint_name\nV,4,Flat,L2,V\n", 1),
        ("people.csv", PEOPLE, 2),
        ("images.csv", "filename,id,constraint_id\na.png,5,5\nb.png,6,6\n", 2),
        (
            "vectors.csv",
            "filename,index,set,label,id,constraint_id\nv.npy,0,V,cat,1,1\nv.npy,1,V,dog,2,2\n",
            2,
        ),
        (
            "boxes.csv",
            "id,x_pos,y_pos,width,height,_label,bid,constraint_bid\n5,0,0,2,2,dog,1,1\n",
            1,
        ),
        (
            "rings.csv",
            "id,pid,constraint_pid,_label,polygons\n5,1,1,cat,\"[[[0,0],[1,0],[1,1]]]\"\n",
            1,
        ),
        (
            "edges.csv",
            "ConnectionClass,_Image@id,Person@id,cid,constraint_cid\nshows,5,1,1,1\nshows,6,2,2,2\n",
            2,
        ),
    ];
    for (name, text, rows) in files {
        let report = place.ingest(place.csv(name, text)).await;
        assert_eq!(four(&report), (rows, 0, 0, 0), "{name}: {report}");
        // What was read is gone: what is there is not read again.
        if name == "images.csv" {
            fs::remove_file(place.dir.path().join("a.png")).unwrap();
        }
    }
    for (name, text, rows) in files {
        let report = place.ingest(place.csv(name, text)).await;
        assert_eq!(four(&report), (0, rows, 0, 0), "{name} again: {report}");
    }
    let film = SdkCsv::open_as(
        {
            place.write("films.csv", "filename,id,constraint_id\nfilm.bin,1,1\n");
            place.dir.path().join("films.csv")
        },
        adb::loaders::IngestType::Blob,
    );
    assert_eq!(place.ingest(film.unwrap()).await.added, 1);
    assert_eq!(place.count("FindBoundingBox", json!({"bid": ["==", 1]})).await, 1);
    assert_eq!(place.count("FindPolygon", json!({"_label": ["==", "cat"]})).await, 1);
    assert_eq!(place.count("FindDescriptor", json!({"_label": ["==", "dog"]})).await, 1);
    assert_eq!(place.count("FindConnection", json!({"cid": ["==", 2]})).await, 1);
    // Lookups go by indexes.
    let indexes = place.ask(json!({"GetIndexes": {}})).await["indexes"].clone();
    for (target, class, property) in
        [("entity", "_Image", "id"), ("entity", "Person", "id"), ("connection", "shows", "cid")]
    {
        assert!(indexes[target][class][property].is_array(), "{class}.{property}: {indexes}");
    }
}

#[tokio::test]
async fn a_connection_without_an_end_fails_and_names_it() {
    let place = Place::new();
    place.ingest(place.csv("people.csv", PEOPLE)).await;
    let mut edges = "ConnectionClass,Person@id,Person@id,cid,constraint_cid\n".to_owned();
    for cid in 0..60 {
        let to = if cid % 20 == 7 { 90 + cid } else { 2 };
        edges += &format!("knows,1,{to},{cid},{cid}\n");
    }
    let report = place.ingest(place.csv("edges.csv", &edges)).await;
    assert_eq!(four(&report), (57, 0, 0, 3), "{report}");
    assert_eq!(
        report.failures[0].reason,
        "the destination of this connection (the `Person` whose `id` is 97) is not in the database; bring it in first"
    );
    assert_eq!(report.failures[0].at.line, Some(9));
    // Two are not one.
    let twins = "EntityClass,id\nPerson,2\n";
    place.ingest(place.csv("twins.csv", twins)).await;
    let report = place
        .ingest(
            place.csv("edges2.csv", "ConnectionClass,Person@id,Person@id\nknows,1,1\nknows,1,2\n"),
        )
        .await;
    assert_eq!(four(&report), (1, 0, 0, 1), "{report}");
    assert!(report.failures[0].reason.starts_with("2 objects are the destination"), "{report}");
}

#[tokio::test]
async fn poisoned_rows_cost_themselves_only() {
    let place = Place::new();
    place.write("a.png", png(3, 10));
    place.write("no.png", b"<html>404</html>");
    let mut rows = "filename,id,_bad,constraint_id\n".to_owned();
    for id in 0..40 {
        let file = match id {
            11 => "no.png",
            12 => "none.png",
            _ => "a.png",
        };
        // A property that begins with an underscore is the database's to refuse.
        let bad = if id == 20 { "1" } else { "" };
        rows += &format!("{file},{id},{bad},{id}\n");
    }
    let report = place.ingest(place.csv("images.csv", &rows)).await;
    assert_eq!(four(&report), (37, 0, 0, 3), "{report}");
    let said = report.failures.iter().map(|f| (f.at.row, f.reason.as_str()));
    for ((row, reason), (at, word)) in
        said.zip([(12, "a web page"), (13, "does not exist"), (21, "the database refused it")])
    {
        assert!(row == at && reason.contains(word), "{row}: {reason}");
    }
}

#[tokio::test]
async fn rows_that_exist_are_updated_on_their_conditions() {
    let place = Place::new();
    let header = "EntityClass,id,age,v,constraint_id,updateif_<v\n";
    let first = format!("{header}Person,1,30,1,1,1\nPerson,2,40,1,2,1\n");
    assert_eq!(four(&place.ingest(place.csv("p.csv", &first)).await), (2, 0, 0, 0));
    let second = format!("{header}Person,1,31,2,1,2\nPerson,2,99,1,2,1\nPerson,3,5,1,3,1\n");
    let report = place.ingest(place.csv("p.csv", &second)).await;
    assert_eq!(four(&report), (1, 1, 1, 0), "{report}");
    assert_eq!(place.count("FindEntity", json!({"age": ["==", 31], "v": ["==", 2]})).await, 1);
    assert_eq!(place.count("FindEntity", json!({"age": ["==", 99]})).await, 0);
    // The other way round, with a date, and on an image that need not be read for it.
    place.write("a.png", png(3, 10));
    let header = "filename,id,date:seen,constraint_id,updateif_date<:seen\n";
    let row = |day| format!("{header}a.png,5,2024-01-0{day},5,2024-01-0{day}\n");
    assert_eq!(four(&place.ingest(place.csv("i.csv", &row(2))).await), (1, 0, 0, 0));
    fs::remove_file(place.dir.path().join("a.png")).unwrap();
    assert_eq!(four(&place.ingest(place.csv("i.csv", &row(1))).await), (0, 1, 0, 0));
    assert_eq!(four(&place.ingest(place.csv("i.csv", &row(3))).await), (0, 0, 1, 0));
}

#[tokio::test]
async fn an_image_whose_file_has_changed_is_replaced() {
    let place = Place::new();
    place.write("a.png", png(3, 10));
    let rows = "filename,id,note,constraint_id,gen_blobsha1_sha,updateif_blobsha1_sha,gen_blobsize_size\na.png,5,x,5,,,\n";
    assert_eq!(four(&place.ingest(place.csv("i.csv", rows)).await), (1, 0, 0, 0));
    // The same file with another property is an update, another file a replacement.
    let noted = rows.replace(",x,", ",y,");
    assert_eq!(four(&place.ingest(place.csv("i.csv", &noted)).await), (0, 0, 1, 0));
    let other = png(4, 99);
    place.write("a.png", &other);
    assert_eq!(four(&place.ingest(place.csv("i.csv", &noted)).await), (0, 0, 1, 0));
    let find = json!([{"FindImage": {"blobs": true, "results": {"list": ["note", "size"]}}}]);
    let (answers, blobs) = ask(&*place.db, Request::json(&find)).await.unwrap();
    assert_eq!(blobs, [bytes::Bytes::from(other.clone())]);
    let found = &answers[0]["FindImage"]["entities"][0];
    assert_eq!((&found["note"], &found["size"]), (&json!("y"), &json!(other.len())));
}

/// The vector of an image is the sum of its bytes, and three numbers more.
struct Sums(EmbedderIdentity, AtomicUsize);

impl Default for Sums {
    fn default() -> Self {
        let identity = EmbedderIdentity {
            name: "sums".into(),
            hash: "00112233445566778899".into(),
            dimensions: 4,
            images: true,
            texts: false,
        };
        Self(identity, AtomicUsize::new(0))
    }
}

impl Embedder for Sums {
    fn identity(&self) -> &EmbedderIdentity {
        &self.0
    }

    fn prepare_image(&self, encoded: &[u8], _: Option<Rect>) -> Result<PreparedImage, EmbedError> {
        let sum = encoded.iter().map(|b| f32::from(*b)).sum();
        Ok(PreparedImage(Box::new([sum, 0.0, 0.0, 1.0])))
    }

    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.1.fetch_add(images.len(), Ordering::Relaxed);
        Ok(images.iter().map(|image| image.0.to_vec()).collect())
    }

    fn embed_texts(&self, _: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(Vec::new())
    }
}

fn sums() -> SetSpec {
    let mut set = SetSpec::named("sums");
    (set.metric, set.engine) = (Metric::L2, Engine::Flat);
    set
}

fn described(source: SdkCsv) -> SdkCsv {
    source
        .transform(CommonProperties { data_source: Some("here".into()), ..Default::default() })
        .transform(ImageProperties)
        .describe(ImageDescriptors { set: sums(), faces: false })
}

#[tokio::test]
async fn transformers_write_what_the_sdk_writes() {
    let place = Place::new();
    let (a, b) = (png(3, 10), png(4, 20));
    place.write("a.png", &a);
    place.write("b.png", &b);
    let rows = "filename,id,constraint_id\na.png,5,5\nb.png,6,6\n";
    let embedder = Arc::new(Sums::default());
    // First without, so that images are there that lack a descriptor.
    assert_eq!(
        four(&place.ingest(place.csv("i.csv", &rows.replace("b.png,6,6\n", ""))).await),
        (1, 0, 0, 0)
    );
    let run = |rows| {
        let source = described(place.csv("i.csv", rows));
        ingest(place.db.clone()).embedder(embedder.clone()).run_commands(source)
    };
    let report = run(rows).await.unwrap();
    assert_eq!((four(&report), report.embedded), ((1, 0, 1, 0), 2), "{report}");
    fs::remove_file(place.dir.path().join("a.png")).unwrap();
    fs::remove_file(place.dir.path().join("b.png")).unwrap();
    let report = run(rows).await.unwrap();
    assert_eq!((four(&report), report.embedded), ((0, 2, 0, 0), 0), "{report}");

    let list = [
        "adb_data_source",
        "adb_image_size",
        "adb_image_width",
        "adb_image_height",
        "adb_image_id",
    ];
    let found = place
        .ask(json!({"FindImage": {"constraints": {"id": ["==", 6]}, "results": {"list": list}}}))
        .await;
    assert_eq!(
        found["entities"][0],
        json!({"adb_data_source": "here", "adb_image_size": b.len(), "adb_image_width": 4,
               "adb_image_height": 2, "adb_image_id": "6"})
    );
    // Each descriptor hangs on its own image.
    let sum: f32 = a.iter().map(|b| f32::from(*b)).sum();
    let vector: Vec<u8> = [sum, 0.0, 0.0, 1.0].iter().flat_map(|c: &f32| c.to_le_bytes()).collect();
    let nearest = Request::json(&json!([
        {"FindDescriptor": {"set": "sums", "k_neighbors": 1, "_ref": 1, "distances": true}},
        {"FindImage": {"is_connected_to": {"ref": 1}, "results": {"list": ["id"]}}},
    ]));
    let (answers, _) = ask(&*place.db, nearest.with_blob(vector)).await.unwrap();
    assert_eq!(answers[1]["FindImage"]["entities"], json!([{"id": 5}]));
}

#[tokio::test]
async fn without_an_embedder_no_set_is_made() {
    let place = Place::new();
    let source = described(place.csv("i.csv", "filename,id,constraint_id\na.png,5,5\n"));
    let error = ingest(place.db.clone()).run_commands(source).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoEmbedder { .. }), "{error}");
    assert_eq!(place.count("FindDescriptorSet", json!({})).await, 0);
}

/// A database whose connection breaks after it has applied an Add, once.
struct Breaking(Arc<dyn Database>, AtomicUsize);

impl Database for Breaking {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            let commands = String::from_utf8_lossy(&request.commands);
            let adds = commands.contains("AddEntity") && !commands.contains("AdbRun");
            let answer = self.0.execute(request).await;
            if adds && self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                return Err(DbError::transient("the connection broke").with_fate(Fate::Unknown));
            }
            answer
        })
    }
}

#[tokio::test]
async fn rows_without_a_guard_are_not_sent_twice() {
    for (guarded, outcome) in [(true, (0, 2, 0, 0)), (false, (0, 0, 0, 2))] {
        let place = Place::new();
        let rows = match guarded {
            true => "EntityClass,id,constraint_id\nA,1,1\nA,2,2\n",
            false => "EntityClass,id\nA,1\nA,2\n",
        };
        let source = place.csv("a.csv", rows);
        let db = Arc::new(Breaking(place.db.clone(), AtomicUsize::new(0)));
        let report = ingest(db).run_commands(source).await.unwrap();
        assert_eq!(four(&report), outcome, "{report}");
        assert_eq!(place.count("FindEntity", json!({"id": ["<=", 2]})).await, 2);
        // Also where nobody knows whether they were added, they can be taken back.
        let run = report.run.clone().unwrap();
        assert_eq!(adb::loaders::runs::undo(&*place.db, &run).await.unwrap().objects, 2);
        if !guarded {
            assert!(report.failures[0].reason.contains("not sent again"), "{report}");
            assert!(report.notices.concat().contains("a second run adds all"), "{report}");
        }
    }
}

#[tokio::test]
async fn the_whole_cookbook_of_the_sdk_goes_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cookbook");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let place = Place::new();
    for (file, rows) in [("ingredients", 48), ("dishes", 30), ("dish_ingredients", 72)] {
        for added in [rows, 0] {
            let source = SdkCsv::open(folder.join(format!("{file}.adb.csv"))).unwrap();
            assert_eq!(four(&place.ingest(source).await), (added, rows - added, 0, 0), "{file}");
        }
    }
}
