//! Recorded from one database, held against another.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{path::Path, sync::Arc, task::Poll};

use adb_engine::Engine;
use adb_model::{
    BoxFuture, Database, DbError, Fate, Refusal, Request, Response, graph::vector_bytes,
};
use adb_oracle::Reference;
use adb_trace::{Blobs, Conformity, Recorder, Trace, picture, replay};
use bytes::Bytes;
use serde_json::{Value as Json, json};

/// A day in the life of a database: ids that are used again, blobs, order and none, groups, errors.
struct Day<'a> {
    db: &'a dyn Database,
}

impl Day<'_> {
    async fn ask(&self, commands: Json, blobs: &[Bytes]) -> Json {
        let request = Request::new(commands.to_string(), blobs.to_vec());
        match self.db.execute(request).await.unwrap() {
            Response::Done { answers, .. } => answers.into(),
            Response::Refused(refusal) => {
                assert_eq!(commands[0], json!({"NoSuchCommand": {}}), "{refusal}");
                Json::Null
            }
        }
    }

    async fn live(&self) {
        let set = json!({"name": "looks", "dimensions": 4, "engine": "Flat", "metric": "L2"});
        self.ask(json!([{"AddDescriptorSet": set}]), &[]).await;
        for n in 0..12_u8 {
            let vector = [f32::from(n), 1.0, f32::from(n % 3), 0.5];
            self.ask(
                json!([
                    {"AddEntity": {"_ref": 1, "class": "Dish", "if_not_found": ["$n", "==", n],
                                   "properties": {"n": n, "name": format!("dish {}", n % 4),
                                                  "price": f64::from(n) / 7.0, "secret": "hunter2"}}},
                    {"AddImage": {"_ref": 2, "properties": {"n": n}, "connect": {"ref": 1, "class": "shows"}}},
                    {"AddBlob": {"properties": {"n": n % 2}}},
                    {"AddDescriptor": {"set": "looks", "properties": {"n": n}, "connect": {"ref": 2}}},
                ]),
                &[picture(&n.to_string()), Bytes::from(vec![n; 50]), vector_bytes(&vector)],
            )
            .await;
        }
        // Guarded: they are there.
        let again =
            json!({"class": "Dish", "properties": {"n": 3}, "if_not_found": ["$n", "==", 3]});
        self.ask(json!([{"AddEntity": again}]), &[]).await;
        // By ids that an answer gave.
        let find =
            json!({"with_class": "Dish", "uniqueids": true, "results": {"all_properties": true}});
        let found = self.ask(json!([{"FindEntity": find}]), &[]).await;
        for object in found[0]["FindEntity"]["entities"].as_array().unwrap().iter().take(3) {
            let id = &object["_uniqueid"];
            let by_id = json!({"constraints": ["$_uniqueid", "==", id], "with_class": "Dish",
                               "results": {"list": ["n", "name", "price"]}});
            self.ask(json!([{"FindEntity": by_id}]), &[]).await;
            let change = json!({"with_class": "Dish", "constraints": {"_uniqueid": ["in", [id]]},
                                "properties": {"seen": true}});
            self.ask(json!([{"UpdateEntity": change}]), &[]).await;
        }
        let reads = [
            json!([{"FindEntity": {"with_class": "Dish", "sort": {"key": "price", "order": "descending"},
                                   "limit": 4, "results": {"list": ["n", "price"]}}}]),
            json!([{"FindEntity": {"with_class": "Dish", "limit": 4, "results": {"list": ["n"]}}}]),
            json!([{"FindBlob": {"blobs": true, "results": {"list": ["n"]}}}]),
            json!([{"FindBlob": {"blobs": true}}]),
            json!([{"FindEntity": {"with_class": "Dish", "_ref": 1, "constraints": {"n": ["<", 3]},
                                   "uniqueids": true}},
                   {"FindImage": {"is_connected_to": {"ref": 1}, "group_by_source": true,
                                  "results": {"list": ["n"]}}}]),
            json!([{"FindConnection": {"with_class": "shows", "results": {"list": ["_src", "_dst"]}}}]),
            json!([{"FindImage": {"blobs": true, "operations": [{"type": "resize", "width": 3, "height": 3}],
                                  "results": {"list": ["n"]}}}]),
            json!([{"GetSchema": {}}]),
            json!([{"GetStatus": {}}]),
            json!([{"FindEntity": {"with_class": "Dish", "results": {"count": true, "average": ["price"]}}}]),
            json!([{"FindEntity": {"with_class": "Nothing", "results": {"list": ["n"]}}}]),
            json!([{"NoSuchCommand": {}}]),
            json!([{"FindEntity": {"with_class": "Dish", "constraints": {"secret": ["==", "hunter2"]},
                                   "results": {"count": true}}}]),
        ];
        for read in reads {
            self.ask(read, &[]).await;
        }
        let near = json!({"set": "looks", "k_neighbors": 5, "distances": true, "results": {"list": ["n"]}});
        self.ask(json!([{"FindDescriptor": near}]), &[vector_bytes(&[4.2, 1.0, 1.0, 0.5])]).await;
        let delete = json!({"with_class": "Dish", "constraints": {"n": [">", 8]}});
        self.ask(json!([{"DeleteEntity": delete}]), &[]).await;
        self.db
            .execute(Request::new("[{\"AddEntity\": {\"class\": NaN}}] hunter2", vec![]))
            .await
            .unwrap();
    }
}

fn engine(dir: &Path) -> Arc<Engine> {
    Arc::new(Engine::options().without_sync().open(dir).unwrap())
}

async fn recorded(dir: &Path, blobs: Blobs) -> std::path::PathBuf {
    let file = dir.join("day.adbtrace");
    let recorder = Recorder::create(engine(&dir.join("recorded")), &file, blobs).unwrap();
    Day { db: &recorder }.live().await;
    drop(recorder);
    file
}

async fn held_against(file: &Path, db: &dyn Database) -> Conformity {
    replay(Trace::open(file).unwrap(), db).await.unwrap()
}

#[tokio::test]
async fn a_database_conforms_to_itself() {
    for blobs in [Blobs::Hashed, Blobs::Whole] {
        let dir = tempfile::tempdir().unwrap();
        let file = recorded(dir.path(), blobs).await;
        let fresh = engine(&dir.path().join("fresh"));
        // Other ids than those of the recording.
        let other = json!([{"AddEntity": {"class": "Other"}}, {"AddBlob": {}}]);
        let before = Request::json(&other).with_blob("x");
        fresh.execute(before).await.unwrap().done().unwrap();
        fresh
            .execute(Request::json(
                &json!([{"DeleteEntity": {"with_class": "Other"}}, {"DeleteBlob": {}}]),
            ))
            .await
            .unwrap()
            .done()
            .unwrap();
        let conformity = held_against(&file, &*fresh).await;
        let differences: Vec<_> =
            conformity.differences.iter().filter(|d| d.name != "GetSchema").collect();
        assert!(differences.is_empty(), "{conformity}");
        assert_eq!(conformity.skipped.len(), 1, "{conformity}");
        let neighbours = conformity.uncompared.keys().any(|why| why.contains("neighbours"));
        assert_eq!(neighbours, blobs == Blobs::Hashed, "{conformity}");
        assert!(conformity.requests > 30, "{conformity}");
    }
}

#[tokio::test]
async fn a_second_implementation_conforms_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = recorded(dir.path(), Blobs::Whole).await;
    let conformity = held_against(&file, &Reference::new()).await;
    // The reference decodes no pictures, and says so.
    let differences: Vec<_> =
        conformity.differences.iter().filter(|d| !d.replayed.contains("`operations`")).collect();
    assert!(differences.is_empty(), "{conformity}");
}

#[tokio::test]
async fn no_secret_is_in_the_file_and_no_blob_unless_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(recorded(dir.path(), Blobs::Hashed).await).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("\"data\""), "{text}");
    assert!(text.contains("dish 3"));
    let again = Recorder::create(
        Arc::new(Reference::new()),
        &dir.path().join("day.adbtrace"),
        Blobs::Hashed,
    );
    assert!(again.unwrap_err().to_string().contains("there already"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join("day.adbtrace")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// Changes answers on their way: one rule is another.
struct Falsified<D> {
    db: D,
    rule: fn(&str, &mut Json),
}

impl<D: Database> Database for Falsified<D> {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            let mut response = self.db.execute(request).await?;
            if let Response::Done { answers, .. } = &mut response {
                for answer in answers {
                    for (name, body) in answer.as_object_mut().unwrap() {
                        (self.rule)(name, body);
                    }
                }
            }
            Ok(response)
        })
    }
}

#[tokio::test]
async fn one_rule_changed_is_named() {
    fn entities(body: &mut Json) -> impl Iterator<Item = &mut Json> {
        body["entities"].as_array_mut().into_iter().flatten()
    }
    type Falsify = fn(&str, &mut Json);
    let cases: [(&str, &str, Falsify); 7] = [
        ("FindEntity", "entities[].price", |name, body| {
            if name == "FindEntity" {
                entities(body).filter(|e| e["n"] == 2).for_each(|e| e["price"] = json!(0.3));
            }
        }),
        ("AddEntity", "status", |name, body| {
            if name == "AddEntity" && body["status"] == 2 {
                body["status"] = json!(0);
            }
        }),
        ("FindBlob", "returned", |name, body| {
            if name == "FindBlob" {
                body["returned"] = json!(1);
            }
        }),
        ("FindBlob", "entities[]._blob", |name, body| {
            if name == "FindBlob" {
                entities(body).for_each(|e| e["_blob_index"] = json!(0));
            }
        }),
        ("FindEntity", "entities, in the order of price", |name, body| {
            if name == "FindEntity" && body["returned"] == 4 {
                entities(body).for_each(|e| e["n"] = json!(0));
                if let Some(list) = body["entities"].as_array_mut() {
                    list.reverse();
                }
            }
        }),
        ("FindConnection", "connections[]._src", |name, body| {
            if name == "FindConnection" {
                let list = body["connections"].as_array_mut().unwrap();
                list[0]["_src"] = list[1]["_src"].clone();
            }
        }),
        ("FindEntity", "count", |name, body| {
            if name == "FindEntity" && body.get("count").is_some() {
                body["count"] = json!(7);
            }
        }),
    ];
    let dir = tempfile::tempdir().unwrap();
    let file = recorded(dir.path(), Blobs::Whole).await;
    for (at, (name, field, rule)) in cases.into_iter().enumerate() {
        let db = Falsified { db: engine(&dir.path().join(at.to_string())), rule };
        let conformity = held_against(&file, &db).await;
        let named = conformity.differences.iter().any(|d| d.name == name && d.field == field);
        assert!(named, "{name}, {field}: {conformity}");
        assert!(conformity.to_string().contains(&format!("{name}, {field}")), "{conformity}");
    }
}

/// Says no, hangs up, or says nothing.
#[derive(Clone, Copy)]
enum Deaf {
    Refuses,
    HangsUp,
    IsSilent,
}

impl Database for Deaf {
    fn execute(&self, _: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            match self {
                Deaf::Refuses => Ok(Response::Refused(Refusal::error(None, "no"))),
                Deaf::HangsUp => Err(DbError::transient("gone").with_fate(Fate::Unknown)),
                Deaf::IsSilent => std::future::pending().await,
            }
        })
    }
}

#[tokio::test]
async fn what_was_done_and_is_refused_differs() {
    let dir = tempfile::tempdir().unwrap();
    let file = recorded(dir.path(), Blobs::Whole).await;
    let cases = [(Deaf::Refuses, 1, "refused (-1): no"), (Deaf::HangsUp, 0, "no answer: gone")];
    for (db, same, told) in cases {
        let conformity = held_against(&file, &db).await;
        assert!(conformity.to_string().contains(told), "{conformity}");
        // All but the one that was refused when it was recorded.
        let expected = conformity.requests - same;
        assert_eq!(conformity.found, expected, "{conformity}");
    }
}

/// Requests without an answer stand in the trace, and are not replayed.
#[tokio::test]
async fn requests_without_an_answer_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    for db in [Deaf::HangsUp, Deaf::IsSilent] {
        let file = dir.path().join(format!("{}.adbtrace", db as u8));
        let recorder = Recorder::create(Arc::new(db), &file, Blobs::Hashed).unwrap();
        let mut asked = recorder.execute(Request::json(&json!([{"AddEntity": {"class": "A"}}])));
        let polled = std::future::poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready()));
        assert_eq!(polled.await, matches!(db, Deaf::HangsUp));
        // Nobody waits any more.
        drop(asked);
        drop(recorder);
        let conformity = held_against(&file, &Reference::new()).await;
        assert_eq!(conformity.requests, 0, "{conformity}");
        assert!(
            conformity.skipped.keys().any(|why| why.contains("may or may not")),
            "{conformity}"
        );
    }
}

/// A picture for each address.
#[derive(Debug)]
struct Site;

impl adb_engine::Fetcher for Site {
    fn fetch(&self, url: &str, _: usize) -> Result<Bytes, adb_engine::FetchError> {
        Ok(picture(url))
    }
}

/// Here an address can't be had and a picture is large; there it is the other way round.
#[tokio::test]
async fn what_no_trace_holds_is_no_difference() {
    let dir = tempfile::tempdir().unwrap();
    let asked = |db: Arc<dyn Database>, commands: Json, blobs: Vec<Bytes>| async move {
        db.execute(Request::new(commands.to_string(), blobs)).await.unwrap().done()
    };
    let resize = json!([{"AddImage": {}},
        {"FindImage": {"blobs": true, "operations": [{"type": "resize", "width": 30, "height": 20}]}}]);
    let (_, large) =
        asked(engine(&dir.path().join("large")), resize, vec![picture("x")]).await.unwrap();

    for (blobs, uncompared) in [(Blobs::Hashed, true), (Blobs::Whole, false)] {
        let file = dir.path().join(format!("{uncompared}.adbtrace"));
        let recorded = engine(&dir.path().join(format!("recorded-{uncompared}")));
        let recorder: Arc<dyn Database> =
            Arc::new(Recorder::create(recorded, &file, blobs).unwrap());
        let by_address = json!([{"AddImage": {"url": "http://nobody.example/1.png"}}]);
        asked(recorder.clone(), by_address, vec![]).await.unwrap_err();
        asked(recorder.clone(), json!([{"AddImage": {}}]), large.clone()).await.unwrap();
        let crop = json!({"type": "crop", "x": 2, "y": 3, "width": 10, "height": 5});
        let find = json!([{"FindImage": {"blobs": true, "operations": [crop]}}]);
        asked(recorder.clone(), find, vec![]).await.unwrap();
        let count = json!([{"FindImage": {"results": {"count": true}}}]);
        asked(recorder.clone(), count, vec![]).await.unwrap();
        drop(recorder);

        let fresh = dir.path().join(format!("fresh-{uncompared}"));
        let fresh = Engine::options().without_sync().fetcher(Arc::new(Site)).open(fresh).unwrap();
        let conformity = held_against(&file, &fresh).await;
        assert!(conformity.conforms() && conformity.requests == 3, "{conformity}");
        assert!(conformity.skipped.keys().any(|why| why.contains("address")), "{conformity}");
        let operations = conformity.uncompared.keys().any(|what| what.contains("operations"));
        assert_eq!(operations, uncompared, "{conformity}");
    }
}

/// Many at once: each request is there, and whole.
#[tokio::test]
async fn many_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.adbtrace");
    let recorder = Recorder::create(Arc::new(Reference::new()), &file, Blobs::Hashed).unwrap();
    let recorder = Arc::new(recorder);
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let recorder = Arc::clone(&recorder);
            tokio::spawn(async move {
                let add = json!([{"AddEntity": {"class": "A", "properties": {"n": n}}}]);
                recorder.execute(Request::json(&add)).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(recorder);
    let mut seen: Vec<u64> = Trace::open(&file).unwrap().map(|entry| entry.unwrap().n).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
}
