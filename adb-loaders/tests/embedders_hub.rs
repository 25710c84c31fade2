//! Bundles from a hub that does what hubs do: moves files, breaks off, refuses, is busy, lies.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[allow(dead_code, reason = "it serves the choice's tests as well")]
mod local_hub;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use adb_loaders::embedders::{Bundle, Cache, Error, Hub, OnDownload, Origin, Preset};
use local_hub::{Asked, COMMIT, LocalHub, Mood, TOKEN, file, fixture, git_hash, sha256};

fn preset() -> &'static Preset {
    Preset::named("clip-vit-b-16").unwrap()
}

/// The tiny graphs have 24 components and a smaller crop, so the real preset's description does not
/// fit them; what is fetched is looked at here, what it computes in `embedders.rs`.
fn fetch(hub: &Hub, cache: &Path) -> Result<Bundle, Error> {
    hub.fetch(preset(), &Cache::at(cache), &OnDownload::default())
}

fn refused(hub: &Hub) -> String {
    let cache = tempfile::tempdir().unwrap();
    let fault = fetch(hub, cache.path()).unwrap_err();
    assert!(Cache::at(cache.path()).bundle("clip-vit-b-16").unwrap().is_none());
    fault.to_string()
}

fn stage(cache: &Path) -> PathBuf {
    cache.join("embedders/.clip-vit-b-16.download")
}

/// The requests for bytes of a file, at the end of the way that the hub sends them.
fn fetches(hub: &LocalHub, name: &str) -> usize {
    let is_it = |path: &str| path.split('?').next().unwrap_or_default().ends_with(name);
    let is_end = |asked: &Asked| match name.ends_with(".onnx") {
        true => asked.storage,
        false => asked.path.starts_with("/moved"),
    };
    let requests = hub.requests();
    requests.iter().filter(|a| a.method == "GET" && is_end(a) && is_it(&a.path)).count()
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
    assert!(bundle.manifest().source.contains(COMMIT), "{}", bundle.manifest().source);
    for (local, path) in
        [("text.onnx", "onnx/text_model.onnx"), ("tokenizer.json", "tokenizer.json")]
    {
        assert_eq!(fs::read(bundle.dir().join(local)).unwrap(), file(path));
    }
    assert!(!stage(cache.path()).exists());
    let seen = seen.lock().unwrap();
    let total = seen[0].1;
    assert_eq!(seen[0].0, 0, "the size is told before the first byte");
    assert_eq!(seen.last().unwrap(), &(total, total));
    assert!(seen.windows(2).all(|w| w[0].0 <= w[1].0), "{seen:?}");

    let asked = hub.asked();
    assert_eq!(fetch(&hub.client(), cache.path()).unwrap().identity(), bundle.identity());
    assert_eq!(hub.asked(), asked, "what is in the cache is not asked for");
}

#[test]
fn a_download_that_is_cut_goes_on_where_it_stopped() {
    let hub = LocalHub::start(Mood::BreaksOff);
    let cache = tempfile::tempdir().unwrap();
    let bundle = fetch(&hub.client(), cache.path()).unwrap();
    let parts = hub.parts();
    assert!(parts.len() > 3 && parts.iter().all(|from| *from > 0), "{parts:?}");
    let whole = LocalHub::start(Mood::Answers);
    let other = tempfile::tempdir().unwrap();
    assert_eq!(bundle.identity(), fetch(&whole.client(), other.path()).unwrap().identity());
}

#[test]
fn what_came_down_is_kept_for_the_next_run() {
    let cache = tempfile::tempdir().unwrap();
    fs::create_dir_all(stage(cache.path())).unwrap();
    let image = file("onnx/vision_model.onnx");
    fs::write(stage(cache.path()).join("image.onnx.partial"), &image[..1000]).unwrap();
    let hub = LocalHub::start(Mood::Answers);
    fetch(&hub.client(), cache.path()).unwrap();
    // The hub's own answer and that of the host that it leads to.
    assert!(hub.parts().iter().all(|from| *from == 1000), "{:?}", hub.parts());
    assert!(!hub.parts().is_empty());
}

#[test]
fn a_hub_that_can_t_do_parts_gives_the_whole() {
    for mood in [Mood::NoParts, Mood::OtherParts] {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir_all(stage(cache.path())).unwrap();
        // Not what the file begins with: appended to, it would be another file.
        fs::write(stage(cache.path()).join("image.onnx.partial"), [7; 100]).unwrap();
        let hub = LocalHub::start(mood);
        let bundle = fetch(&hub.client(), cache.path()).unwrap();
        let image = fs::read(bundle.dir().join("image.onnx")).unwrap();
        assert!(image == file("onnx/vision_model.onnx"), "{mood:?}");
    }
}

#[test]
fn other_bytes_than_announced_never_become_a_bundle() {
    let hub = LocalHub::start(Mood::Lies);
    let cache = tempfile::tempdir().unwrap();
    let fault = fetch(&hub.client(), cache.path()).unwrap_err();
    assert!(fault.to_string().contains("image.onnx is not what it announced"), "{fault}");
    assert!(fault.is_transient());
    assert!(Cache::at(cache.path()).bundle("clip-vit-b-16").unwrap().is_none());
    // The false file is gone, so the next attempt starts well.
    hub.set(Mood::Answers);
    fetch(&hub.client(), cache.path()).unwrap();
}

#[test]
fn small_files_are_compared_with_git_s_hash() {
    let cache = tempfile::tempdir().unwrap();
    fs::create_dir_all(stage(cache.path())).unwrap();
    let mut tokenizer = file("tokenizer.json");
    tokenizer[5] ^= 1;
    fs::write(stage(cache.path()).join("tokenizer.json"), &tokenizer).unwrap();
    let hub = LocalHub::start(Mood::Answers);
    let fault = fetch(&hub.client(), cache.path()).unwrap_err().to_string();
    assert!(fault.contains("tokenizer.json is not what it announced"), "{fault}");
    fetch(&hub.client(), cache.path()).unwrap();
}

#[test]
fn a_hub_that_is_silent_empty_or_not_there_is_an_error_in_words() {
    for (mood, words) in [
        (Mood::Silent, "can't be reached"),
        (Mood::Empty, "answers 404 Not Found to a request for onnx/vision_model.onnx"),
        (Mood::Circles, "does not lead to onnx/vision_model.onnx"),
    ] {
        let message = refused(&LocalHub::start(mood).client());
        assert!(message.contains(words), "wanted `{words}` in: {message}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let fault = fetch(&Hub::at(format!("http://{closed}")), cache.path()).unwrap_err();
    assert!(fault.is_transient(), "{fault}");
    let hub = LocalHub::start(Mood::Answers);
    let message = refused(&hub.client().offline());
    assert!(message.contains("ADB_OFFLINE"), "{message}");
    assert_eq!(hub.asked(), 0, "offline means that nobody is asked");
}

#[test]
fn the_token_goes_to_the_hub_and_to_nobody_else() {
    let hub = LocalHub::start(Mood::Private);
    let cache = tempfile::tempdir().unwrap();
    fetch(&hub.client().token(TOKEN), cache.path()).unwrap();
    let requests = hub.requests();
    assert!(requests.iter().any(|asked| asked.storage), "{requests:?}");
    for asked in &requests {
        let wanted = (!asked.storage).then_some(TOKEN);
        assert_eq!(asked.token.as_deref(), wanted, "{asked:?}");
    }
}

#[test]
fn who_may_not_read_is_told_what_to_do() {
    let hub = LocalHub::start(Mood::Private);
    let message = refused(&hub.client());
    assert!(message.contains("answers 401") && message.contains("set HF_TOKEN"), "{message}");
    let message = refused(&hub.client().token("another-secret"));
    let Origin::Hub { repository } = preset().origin else { unreachable!() };
    assert!(
        message.contains(&format!("ask for access at {}/{repository}", hub.address)),
        "{message}"
    );
    assert!(!message.contains("another-secret"), "{message}");
}

#[test]
fn a_busy_hub_is_asked_again_when_it_says_so() {
    let hub = LocalHub::start(Mood::Busy);
    let cache = tempfile::tempdir().unwrap();
    fetch(&hub.client(), cache.path()).unwrap();
    // Nobody waits for a day.
    let message = refused(&LocalHub::start(Mood::Exhausted).client());
    assert!(message.contains("answers 429") && message.contains("too many requests"), "{message}");
}

#[test]
fn two_at_once_fetch_each_file_once() {
    let hub = LocalHub::start(Mood::Answers);
    let cache = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| fetch(&hub.client(), cache.path()).unwrap().identity().clone()))
            .collect();
        let all: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
    });
    for name in ["vision_model.onnx", "text_model.onnx", "tokenizer.json"] {
        assert_eq!(fetches(&hub, name), 1, "{name}");
    }
}

#[test]
fn damage_in_the_cache_is_noticed_and_mended() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("cut off", |file| fs::write(file, b"short").unwrap()),
        ("gone", |file| fs::remove_file(file).unwrap()),
        ("one bit", |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[100] ^= 1;
            fs::write(file, bytes).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let hub = LocalHub::start(Mood::Answers);
        let cache = tempfile::tempdir().unwrap();
        let before = fetch(&hub.client(), cache.path()).unwrap();
        assert!(before.damaged().unwrap().is_empty());
        let file = before.dir().join("text.onnx");
        let good = fs::read(&file).unwrap();
        damage(&file);
        assert_eq!(before.damaged().unwrap(), ["text.onnx"], "{what}");

        let message = fetch(&hub.client().offline(), cache.path()).unwrap_err().to_string();
        assert!(message.contains("text.onnx: it is damaged or missing"), "{what}: {message}");
        let after = fetch(&hub.client(), cache.path()).unwrap();
        assert_eq!(after.identity(), before.identity(), "{what}");
        assert!(fs::read(&file).unwrap() == good, "{what}");
        assert_eq!(fetches(&hub, "text_model.onnx"), 2, "{what}");
        assert_eq!(fetches(&hub, "vision_model.onnx"), 1, "{what}: the others stay");
        assert!(!stage(cache.path()).exists(), "{what}");
    }
}

#[test]
fn a_bundle_that_did_not_come_from_the_hub_is_not_replaced() {
    let hub = LocalHub::start(Mood::Answers);
    let cache = tempfile::tempdir().unwrap();
    let dir = cache.path().join("embedders/clip-vit-b-16");
    fs::create_dir_all(&dir).unwrap();
    for entry in fs::read_dir(fixture()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.join(path.file_name().unwrap())).unwrap();
    }
    fetch(&hub.client(), cache.path()).unwrap();
    fs::write(dir.join("text.onnx"), b"short").unwrap();
    let message = fetch(&hub.client(), cache.path()).unwrap_err().to_string();
    assert!(message.contains("does not say that it came from here"), "{message}");
    assert_eq!(hub.asked(), 0);
}

/// Fills a directory as the hub's Python client does, with links where `links` says so.
fn shared_cache(links: bool) -> tempfile::TempDir {
    let shared = tempfile::tempdir().unwrap();
    let Origin::Hub { repository } = preset().origin else { unreachable!() };
    let dir = shared.path().join(format!("models--{}", repository.replace('/', "--")));
    let snapshot = dir.join("snapshots").join(COMMIT);
    fs::create_dir_all(snapshot.join("onnx")).unwrap();
    fs::create_dir_all(dir.join("blobs")).unwrap();
    fs::create_dir_all(dir.join("refs")).unwrap();
    fs::write(dir.join("refs/main"), COMMIT).unwrap();
    for path in ["onnx/vision_model.onnx", "onnx/text_model.onnx", "tokenizer.json"] {
        let bytes = file(path);
        let hash = if path.ends_with(".onnx") { sha256(&bytes) } else { git_hash(&bytes) };
        let blob = dir.join("blobs").join(hash);
        fs::write(&blob, bytes).unwrap();
        #[cfg(unix)]
        if links {
            std::os::unix::fs::symlink(&blob, snapshot.join(path)).unwrap();
        }
        if !links || cfg!(not(unix)) {
            fs::copy(&blob, snapshot.join(path)).unwrap();
        }
    }
    shared
}

#[test]
fn what_the_python_client_has_is_not_fetched_again() {
    let hub = LocalHub::start(Mood::Answers);
    let shared = shared_cache(true);
    let cache = tempfile::tempdir().unwrap();
    let bundle = fetch(&hub.client().shared_cache(shared.path()), cache.path()).unwrap();
    assert!(hub.requests().iter().all(|asked| asked.method == "HEAD"), "{:?}", hub.requests());
    let other = tempfile::tempdir().unwrap();
    assert_eq!(bundle.identity(), fetch(&hub.client(), other.path()).unwrap().identity());
}

#[test]
fn offline_the_python_client_s_files_are_enough() {
    let hub = LocalHub::start(Mood::Answers);
    for links in [true, false] {
        let (shared, cache) = (shared_cache(links), tempfile::tempdir().unwrap());
        let client = hub.client().offline().shared_cache(shared.path());
        let bundle = fetch(&client, cache.path()).unwrap();
        assert!(bundle.damaged().unwrap().is_empty());
        assert!(bundle.manifest().source.contains(COMMIT));
    }
    assert_eq!(hub.asked(), 0);
    // And when nobody is there.
    let (shared, cache) = (shared_cache(true), tempfile::tempdir().unwrap());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Hub::at(format!("http://{closed}")).shared_cache(shared.path());
    fetch(&nobody, cache.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn the_python_client_s_files_are_not_believed() {
    let hub = LocalHub::start(Mood::Answers);
    let (shared, cache) = (shared_cache(true), tempfile::tempdir().unwrap());
    let Origin::Hub { repository } = preset().origin else { unreachable!() };
    let dir = shared.path().join(format!("models--{}", repository.replace('/', "--")));
    let blob = dir.join("blobs").join(sha256(&file("onnx/text_model.onnx")));
    let mut bytes = fs::read(&blob).unwrap();
    bytes[7] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let client = hub.client().shared_cache(shared.path());
    fetch(&client.clone().offline(), cache.path()).unwrap_err();
    let bundle = fetch(&client, cache.path()).unwrap();
    assert!(fs::read(bundle.dir().join("text.onnx")).unwrap() == file("onnx/text_model.onnx"));
    assert_eq!(fetches(&hub, "text_model.onnx"), 1);
    assert_eq!(fetches(&hub, "vision_model.onnx"), 0);
}
