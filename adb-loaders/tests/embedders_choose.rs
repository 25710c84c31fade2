//! Which embedder a set gets, and what a model hub may do to that: against a hub of our own on
//! this machine that answers, is silent, breaks off, or gives something else.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[allow(dead_code, reason = "it serves the pipeline's tests as well")]
mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adb_loaders::embedders::{Cache, Chooser, Chosen, Hub, OnDownload, Preset, Runtime, Why};
use adb_model::{ClipVitB16, Embedder, Engine, Metric, SetSpec, ensure};
use common::Fake;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

const DISHES: SetSpec = {
    let mut set = SetSpec::new::<ClipVitB16>("dish_photos", Metric::Cosine, Engine::Flat);
    set.dimensions = 24;
    set
};

fn fixture() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-clip"))
}

/// How the hub behaves.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Mood {
    Answers,
    /// Takes connections and says nothing.
    Silent,
    /// Ends every connection after a third of the rest of a file.
    BreaksOff,
    /// Sends other bytes than it announces.
    Lies,
    /// Has no such files.
    Empty,
}

/// A model hub with one repository: the tiny bundle's graphs under the names of CLIP's.
struct LocalHub {
    address: String,
    asked: Arc<AtomicUsize>,
    ranges: Arc<Mutex<Vec<String>>>,
    mood: Arc<Mutex<Mood>>,
}

impl LocalHub {
    fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hub = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            ranges: Arc::default(),
            mood: Arc::new(Mutex::new(mood)),
        };
        let (asked, ranges, mood) = (hub.asked.clone(), hub.ranges.clone(), hub.mood.clone());
        // It ends with the process.
        std::thread::spawn(move || {
            // Silent connections are kept open, as a hub that hangs would.
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                asked.fetch_add(1, Ordering::SeqCst);
                let mood = *mood.lock().unwrap();
                if mood == Mood::Silent {
                    kept.push(stream);
                } else {
                    // A client that has seen enough closes its end; that is no fault here.
                    let _ = answer(stream, mood, &ranges);
                }
            }
        });
        hub
    }

    fn client(&self) -> Hub {
        // Long enough for a busy machine; the silent hub costs this much.
        let patience = if *self.mood.lock().unwrap() == Mood::Silent { 300 } else { 20_000 };
        Hub::at(&self.address).patience(Duration::from_millis(patience))
    }
}

/// One request, one answer.
fn answer(stream: TcpStream, mood: Mood, ranges: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap()?;
    let mut from = 0;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            ranges.lock().unwrap().push(range.to_owned());
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let mut stream = stream;
    let path = request.split(' ').nth(1).unwrap();
    let body = match path.rsplit_once("/resolve/").map(|(_, path)| path.split_once('/').unwrap().1)
    {
        Some("onnx/vision_model.onnx") => fs::read(fixture().join("image.onnx"))?,
        Some("onnx/text_model.onnx") => fs::read(fixture().join("text.onnx"))?,
        Some("tokenizer.json") => tokenizer_json().into_bytes(),
        other => panic!("{path} was asked for, that is {other:?}"),
    };
    let close = "connection: close\r\n";
    if mood == Mood::Empty {
        return write!(stream, "HTTP/1.1 404 Not Found\r\n{close}content-length: 0\r\n\r\n");
    }
    let hash: String = Sha256::digest(&body).iter().map(|b| format!("{b:02x}")).collect();
    let size = body.len();
    if request.starts_with("HEAD") {
        // As the real one does: a redirection that carries size and hash.
        return write!(
            stream,
            "HTTP/1.1 302 Found\r\n{close}x-repo-commit: 0123abcd\r\nx-linked-size: {size}\r\nx-linked-etag: \"{hash}\"\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
        );
    }
    assert!(path.contains("/resolve/0123abcd/"), "all files are of one revision: {path}");
    let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
    write!(stream, "HTTP/1.1 {status}\r\n{close}content-length: {}\r\n\r\n", size - from)?;
    let mut rest = body[from..].to_vec();
    match mood {
        Mood::BreaksOff if rest.len() > 10 => rest.truncate(rest.len() / 3),
        Mood::Lies => rest[0] ^= 1,
        _ => {}
    }
    stream.write_all(&rest)
}

/// The fixture's vocabulary in the form that a hub has.
fn tokenizer_json() -> String {
    use std::io::Read;
    let mut text = String::new();
    let packed = fs::File::open(fixture().join("merges.txt.gz")).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let merges: Vec<&str> = text.lines().skip(1).collect();
    let letters = (0x21..=0x7e).chain(0xa1..=0xac).chain(0xae..=0xff).chain(256..324u32);
    let letters: Vec<String> = letters.map(|c| char::from_u32(c).unwrap().to_string()).collect();
    let mut words = letters.clone();
    words.extend(letters.iter().map(|l| format!("{l}</w>")));
    words.extend(merges.iter().map(|m| m.replace(' ', "")));
    words.extend(["<|startoftext|>".to_owned(), "<|endoftext|>".to_owned()]);
    let vocab: serde_json::Map<String, Json> =
        words.into_iter().zip(0..).map(|(word, id)| (word, Json::from(id))).collect();
    serde_json::json!({"model": {
        "type": "BPE", "vocab": vocab, "merges": merges, "end_of_word_suffix": "</w>",
    }})
    .to_string()
}

/// Puts the tiny bundle into the cache under another name, with a hash of its own.
fn plant(cache: &Path, name: &str, change: impl FnOnce(&mut Json)) {
    let dir = cache.join("embedders").join(name);
    fs::create_dir_all(&dir).unwrap();
    for file in ["image.onnx", "text.onnx", "merges.txt.gz"] {
        fs::copy(fixture().join(file), dir.join(file)).unwrap();
    }
    let mut manifest: Json =
        serde_json::from_slice(&fs::read(fixture().join("bundle.json")).unwrap()).unwrap();
    manifest["name"] = name.into();
    change(&mut manifest);
    fs::write(dir.join("bundle.json"), manifest.to_string()).unwrap();
}

fn starter(manifest: &mut Json) {
    manifest["description"] = "A stand-in for tests; it is NOT CLIP.".into();
    manifest["image"]["preprocess"]["center_crop"] = 48.into();
    manifest["image"]["preprocess"]["mean"] = serde_json::json!([0.5, 0.5, 0.5]);
}

struct World {
    cache: tempfile::TempDir,
    db: Fake,
}

impl World {
    fn new() -> Self {
        Runtime::start_with("tract", ort_tract::api()).unwrap();
        Self { cache: tempfile::tempdir().unwrap(), db: Fake::default() }
    }

    fn cache(&self) -> Cache {
        Cache::at(self.cache.path())
    }

    async fn choose(&self, hub: Hub, asked: Option<&str>) -> Result<Chosen, String> {
        let chooser = Chooser::new(self.cache(), hub);
        chooser.choose(&self.db, &DISHES, asked).await.map_err(|e| e.to_string())
    }

    /// Makes the set for an embedder, as the first ingestion does.
    async fn make_set(&self, chosen: &Chosen) {
        static SCHEMA: adb_model::ModelSchema = adb_model::ModelSchema {
            name: "Dish",
            class: "Dish",
            kind: adb_model::ObjectKind::Image,
            fields: &[adb_model::FieldSchema::named(
                "look",
                adb_model::FieldRole::Embedding {
                    set: DISHES,
                    from: None,
                    label: None,
                    optional: false,
                    class: None,
                    face: None,
                },
            )],
            ..adb_model::ModelSchema::BARE
        };
        ensure(&self.db, &SCHEMA, |_| Some(chosen.embedder.identity())).await.unwrap();
    }
}

fn nobody() -> Hub {
    Hub::at("http://127.0.0.1:1").offline()
}

fn name(chosen: &Chosen) -> &str {
    &chosen.embedder.identity().name
}

fn preset() -> &'static Preset {
    Preset::named("clip-vit-b-16").unwrap()
}

/// The tiny graphs have 24 components and a smaller crop, so the real preset's description does not
/// fit them; what is fetched is looked at here, what it computes in `embedders.rs`.
fn fetched(hub: &LocalHub, cache: &Path) -> Result<adb_loaders::embedders::Bundle, String> {
    hub.client()
        .fetch(preset(), &Cache::at(cache), &OnDownload::default())
        .map_err(|e| e.to_string())
}

#[test]
fn a_hub_that_answers_gives_a_complete_bundle_once() {
    let hub = LocalHub::start(Mood::Answers);
    let cache = tempfile::tempdir().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tell = seen.clone();
    let on_download = OnDownload::new(move |d| tell.lock().unwrap().push((d.done, d.total)));
    let bundle = hub.client().fetch(preset(), &Cache::at(cache.path()), &on_download).unwrap();
    assert_eq!(bundle.identity().name, "clip-vit-b-16");
    assert!(bundle.manifest().source.contains("0123abcd"), "{}", bundle.manifest().source);
    assert_eq!(
        fs::read(bundle.dir().join("text.onnx")).unwrap(),
        fs::read(fixture().join("text.onnx")).unwrap()
    );
    let seen = seen.lock().unwrap();
    let total = seen[0].1;
    assert_eq!(seen[0].0, 0, "the size is told before the first byte");
    assert_eq!(seen.last().unwrap(), &(total, total));
    assert!(seen.windows(2).all(|w| w[0].0 <= w[1].0), "{seen:?}");

    let asked = hub.asked.load(Ordering::SeqCst);
    assert_eq!(fetched(&hub, cache.path()).unwrap().identity(), bundle.identity());
    assert_eq!(hub.asked.load(Ordering::SeqCst), asked, "what is in the cache is not asked for");
}

#[test]
fn a_download_that_is_cut_goes_on_where_it_stopped() {
    let hub = LocalHub::start(Mood::BreaksOff);
    let cache = tempfile::tempdir().unwrap();
    let bundle = fetched(&hub, cache.path()).unwrap();
    let ranges = hub.ranges.lock().unwrap().clone();
    assert!(ranges.len() > 3 && ranges.iter().all(|r| r != "0-"), "{ranges:?}");
    let whole = LocalHub::start(Mood::Answers);
    let other = tempfile::tempdir().unwrap();
    assert_eq!(bundle.identity(), fetched(&whole, other.path()).unwrap().identity());
}

#[test]
fn what_came_down_is_kept_for_the_next_run() {
    let cache = tempfile::tempdir().unwrap();
    let stage = cache.path().join("embedders/.clip-vit-b-16.download");
    fs::create_dir_all(&stage).unwrap();
    let image = fs::read(fixture().join("image.onnx")).unwrap();
    fs::write(stage.join("image.onnx.partial"), &image[..1000]).unwrap();
    let hub = LocalHub::start(Mood::Answers);
    fetched(&hub, cache.path()).unwrap();
    assert_eq!(*hub.ranges.lock().unwrap(), ["1000-"]);
    assert!(!stage.exists());
}

#[test]
fn other_bytes_than_announced_never_become_a_bundle() {
    let hub = LocalHub::start(Mood::Lies);
    let cache = tempfile::tempdir().unwrap();
    let message = fetched(&hub, cache.path()).unwrap_err();
    assert!(message.contains("image.onnx is not what it announced"), "{message}");
    assert!(Cache::at(cache.path()).bundle("clip-vit-b-16").unwrap().is_none());
    // The false file is gone, so the next attempt starts well.
    *hub.mood.lock().unwrap() = Mood::Answers;
    fetched(&hub, cache.path()).unwrap();
}

#[test]
fn a_hub_that_is_silent_empty_or_not_there_is_an_error_in_words() {
    let cache = tempfile::tempdir().unwrap();
    for (mood, words) in [(Mood::Silent, "can't be reached"), (Mood::Empty, "answers 404")] {
        let message = fetched(&LocalHub::start(mood), cache.path()).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let on_download = OnDownload::default();
    let fault = Hub::at(format!("http://{closed}"))
        .fetch(preset(), &Cache::at(cache.path()), &on_download)
        .unwrap_err();
    assert!(fault.is_transient(), "{fault}");
    let hub = LocalHub::start(Mood::Answers);
    let message = hub
        .client()
        .offline()
        .fetch(preset(), &Cache::at(cache.path()), &on_download)
        .unwrap_err()
        .to_string();
    assert!(message.contains("ADB_OFFLINE"), "{message}");
    assert_eq!(hub.asked.load(Ordering::SeqCst), 0, "offline means that nobody is asked");
}

#[tokio::test]
async fn a_new_set_takes_what_its_model_declares() {
    let world = World::new();
    plant(world.cache.path(), "clip-vit-b-16", |_| ());
    plant(world.cache.path(), "starter-512", starter);
    let chosen = world.choose(nobody(), None).await.unwrap();
    assert_eq!((name(&chosen), &chosen.why), ("clip-vit-b-16", &Why::Declared));
    assert!(chosen.notices[0].contains("`clip-vit-b-16`, because the model declares it"));
}

#[tokio::test]
async fn without_it_the_starter_stands_in_and_says_so() {
    let world = World::new();
    plant(world.cache.path(), "starter-512", starter);
    let hub = LocalHub::start(Mood::Silent);
    let chosen = world.choose(hub.client(), None).await.unwrap();
    assert_eq!(name(&chosen), "starter-512");
    assert!(hub.asked.load(Ordering::SeqCst) > 0, "the hub comes before the starter");
    let said = chosen.notices.join("\n");
    for words in
        ["`clip-vit-b-16`, which the model declares, can't be had", "NOT CLIP", "belongs to"]
    {
        assert!(said.contains(words), "wanted `{words}` in: {said}");
    }
}

#[tokio::test]
async fn a_set_keeps_its_bundle_although_the_hub_answers_meanwhile() {
    let world = World::new();
    plant(world.cache.path(), "starter-512", starter);
    let hub = LocalHub::start(Mood::Silent);
    let first = world.choose(hub.client(), None).await.unwrap();
    world.make_set(&first).await;

    *hub.mood.lock().unwrap() = Mood::Answers;
    let asked = hub.asked.load(Ordering::SeqCst);
    // Even in the cache, CLIP does not come into a set of the starter's.
    plant(world.cache.path(), "clip-vit-b-16", |_| ());
    let second = world.choose(hub.client(), None).await.unwrap();
    assert_eq!(second.embedder.identity(), first.embedder.identity());
    assert_eq!(second.why, Why::SetHasIt);
    assert_eq!(hub.asked.load(Ordering::SeqCst), asked, "no hub is asked for a set that is there");
}

#[tokio::test]
async fn a_stand_in_never_gets_into_a_set_of_another_embedder() {
    let world = World::new();
    plant(world.cache.path(), "clip-vit-b-16", |_| ());
    world.make_set(&world.choose(nobody(), None).await.unwrap()).await;

    plant(world.cache.path(), "starter-512", starter);
    let message = world.choose(nobody(), Some("starter-512")).await.unwrap_err();
    assert!(message.contains("is filled by the embedder `clip-vit-b-16`"), "{message}");
    let dir = world.cache.path().join("embedders/starter-512");
    let message = world.choose(nobody(), dir.to_str()).await.unwrap_err();
    assert!(message.contains("not by the embedder `starter-512`"), "{message}");

    // Not even when the set's own bundle is gone.
    fs::remove_dir_all(world.cache.path().join("embedders/clip-vit-b-16")).unwrap();
    let hub = LocalHub::start(Mood::Answers);
    let message = world.choose(hub.client(), None).await.unwrap_err();
    assert!(message.contains("put it back there"), "{message}");
    assert_eq!(hub.asked.load(Ordering::SeqCst), 0);

    // Nor when another bundle took its name.
    plant(world.cache.path(), "clip-vit-b-16", starter);
    let message = world.choose(nobody(), None).await.unwrap_err();
    assert!(message.contains("another bundle of that name"), "{message}");
}

#[tokio::test]
async fn the_set_s_own_bundle_may_lie_in_the_asked_directory() {
    let world = World::new();
    plant(world.cache.path(), "clip-vit-b-16", |_| ());
    world.make_set(&world.choose(nobody(), Some("clip-vit-b-16")).await.unwrap()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("clip");
    fs::rename(world.cache.path().join("embedders/clip-vit-b-16"), &moved).unwrap();
    let chosen = world.choose(nobody(), moved.to_str()).await.unwrap();
    assert_eq!((name(&chosen), &chosen.why), ("clip-vit-b-16", &Why::SetHasIt));
}

#[tokio::test]
async fn a_set_of_the_caller_s_vectors_takes_no_embedder() {
    let world = World::new();
    plant(world.cache.path(), "clip-vit-b-16", |_| ());
    let request = serde_json::json!([{"AddDescriptorSet": {
        "name": "dish_photos", "dimensions": 24, "metric": "CS",
        "properties": {"adb_embedder": "caller"},
    }}]);
    adb_model::ask(&world.db, adb_model::Request::json(&request)).await.unwrap();
    let message = world.choose(nobody(), None).await.unwrap_err();
    assert!(message.contains("filled by the caller's own vectors"), "{message}");
}

#[tokio::test]
async fn a_set_that_adb_did_not_make_gets_no_stand_in() {
    let world = World::new();
    plant(world.cache.path(), "starter-512", starter);
    let request = serde_json::json!([{"AddDescriptorSet": {
        "name": "dish_photos", "dimensions": 24, "metric": "CS", "properties": {},
    }}]);
    adb_model::ask(&world.db, adb_model::Request::json(&request)).await.unwrap();
    let message = world.choose(nobody(), None).await.unwrap_err();
    assert!(message.contains("ADB_OFFLINE"), "{message}");
    let chosen = world.choose(nobody(), Some("starter-512")).await.unwrap();
    assert!(chosen.notices[1].contains("make sure that it was `starter-512`"));
}

#[tokio::test]
async fn with_nothing_there_the_ways_out_are_named() {
    let world = World::new();
    let message = world.choose(nobody(), None).await.unwrap_err();
    for words in ["dish_photos", "HF_ENDPOINT", "about 600 MB", "no stand-in of 24 components"] {
        assert!(message.contains(words), "wanted `{words}` in: {message}");
    }
    let message = world.choose(nobody(), Some("no-such")).await.unwrap_err();
    assert!(message.contains("clip-vit-b-32, clip-vit-b-16, clip-vit-l-14"), "{message}");
}

#[tokio::test]
async fn a_bundle_that_does_not_work_never_gets_a_set() {
    let world = World::new();
    plant(world.cache.path(), "clip-vit-b-16", |m| m["image"]["output"] = "nothing".into());
    plant(world.cache.path(), "starter-512", starter);
    let chosen = world.choose(nobody(), None).await.unwrap();
    assert_eq!(name(&chosen), "starter-512");
    assert!(chosen.notices[0].contains("has no output `nothing`"), "{}", chosen.notices[0]);
    let message = world.choose(nobody(), Some("clip-vit-b-16")).await.unwrap_err();
    assert!(message.contains("has no output `nothing`"), "{message}");
}
