//! Which embedder a set gets, and what a model hub may do to that.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
#[allow(dead_code, reason = "it serves the hub's tests as well")]
mod local_hub;

use std::{fs, path::Path};

use adb_loaders::embedders::{Cache, Chooser, Chosen, Hub, Runtime, Why};
use adb_model::{ClipVitB16, Embedder, Engine, Metric, SetSpec, ensure};
use common::Fake;
use local_hub::{LocalHub, Mood, fixture};
use serde_json::Value as Json;

const DISHES: SetSpec = {
    let mut set = SetSpec::new::<ClipVitB16>("dish_photos", Metric::Cosine, Engine::Flat);
    set.dimensions = 24;
    set
};

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
    assert!(hub.asked() > 0, "the hub comes before the starter");
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

    hub.set(Mood::Answers);
    let asked = hub.asked();
    // Even in the cache, CLIP does not come into a set of the starter's.
    plant(world.cache.path(), "clip-vit-b-16", |_| ());
    let second = world.choose(hub.client(), None).await.unwrap();
    assert_eq!(second.embedder.identity(), first.embedder.identity());
    assert_eq!(second.why, Why::SetHasIt);
    assert_eq!(hub.asked(), asked, "no hub is asked for a set that is there");
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
    assert_eq!(hub.asked(), 0);

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
