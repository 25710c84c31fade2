//! A model without the macro, an embedder without weights, a database without a disk.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use adb_loaders::Stop;
use adb_model::{
    BoxFuture, ClipVitB16, DataModel, Database, DbError, EmbedError, EmbedSource, Embedder,
    EmbedderIdentity, Embedding, Engine, Fate, Field, FieldPlace, FieldRole, FieldSchema,
    GraphBuilder, Image, Metric, ModelError, ModelSchema, NodeId, ObjectKind, PreparedImage,
    Property, Record, Rect, Refusal, Request, Response, SetSpec, ValueType, graph::Entered,
};
use serde_json::{Map, Value as Json, json};

const LETTERS: SetSpec = {
    let mut set = SetSpec::new::<ClipVitB16>("letters", Metric::Cosine, Engine::Flat);
    set.dimensions = 4;
    set
};

/// What `#[derive(DataModel)]` would write, by hand: this crate does not know the macro.
#[derive(serde::Deserialize)]
pub(crate) struct Dish {
    dish_id: u64,
    name: String,
    url: Image,
    look: Embedding<4>,
}

impl DataModel for Dish {
    type Columns = ();
    type Bare = Self;
    const SCHEMA: &'static ModelSchema = &ModelSchema {
        name: "Dish",
        class: "Dish",
        kind: ObjectKind::Image,
        fields: &[
            field("dish_id", FieldRole::Id(ValueType::Int)),
            field("name", FieldRole::of(<String as Field>::KIND, false)),
            field("url", FieldRole::Media { kind: ObjectKind::Image, optional: false }),
            field(
                "look",
                FieldRole::Embedding {
                    set: LETTERS,
                    from: Some("url"),
                    label: None,
                    optional: false,
                    class: None,
                    face: None,
                },
            ),
        ],
        ..ModelSchema::BARE
    };

    fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError> {
        let at = |field| FieldPlace { model: "Dish", field, property: field };
        let id = self.dish_id.to_value().map_err(|e| at("dish_id").error(e.into()))?;
        let node = match graph.enter(ObjectKind::Image, "Dish", vec![("dish_id", id)])? {
            Entered::Known(node) => return Ok(node),
            Entered::New(node) => node,
        };
        self.name.add(graph, node, at("name"))?;
        self.url.add(graph, node, at("url"))?;
        let vector = adb_model::EmbeddingField::vector(&self.look);
        graph.descriptor(node, "look", LETTERS, vector, self.url.input())?;
        Ok(node)
    }

    fn columns() {}

    fn read(record: &Record) -> Result<Self, ModelError> {
        let at = |field| FieldPlace { model: "Dish", field, property: field };
        Ok(Self {
            dish_id: Field::read(record, at("dish_id"))?,
            name: Field::read(record, at("name"))?,
            url: Field::read(record, at("url"))?,
            look: adb_model::EmbeddingField::read(record, at("look"))?,
        })
    }
}

const fn field(name: &'static str, role: FieldRole) -> FieldSchema {
    FieldSchema::named(name, role)
}

pub(crate) fn dishes(n: u64) -> Vec<Json> {
    (0..n)
        .map(|i| json!({"dish_id": i, "name": format!("dish {i}"), "url": format!("images/{i}.png")}))
        .collect()
}

/// `dishes.json` beside `images/`, a row on each line.
pub(crate) fn write_dishes(rows: &[Json]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("images")).unwrap();
    for i in 0..rows.len() {
        std::fs::write(dir.path().join(format!("images/{i}.png")), format!("picture {i}")).unwrap();
    }
    let lines: Vec<String> = rows.iter().map(Json::to_string).collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    std::fs::write(dir.path().join("dishes.json"), text).unwrap();
    dir
}

/// Its vectors are the first four bytes; some texts make it fail.
pub(crate) struct Letters(EmbedderIdentity, Option<Stop>);

impl Default for Letters {
    fn default() -> Self {
        Self::with_hash("0123456789abcdef")
    }
}

impl Letters {
    pub(crate) fn with_hash(hash: &str) -> Self {
        let identity = EmbedderIdentity {
            name: "letters".into(),
            hash: hash.into(),
            dimensions: 4,
            images: true,
            texts: true,
        };
        Self(identity, None)
    }

    pub(crate) fn stopping(stop: Stop) -> Self {
        Self(Self::default().0, Some(stop))
    }

    fn broken(&self) -> EmbedError {
        EmbedError::Inference { embedder: "letters".into(), message: "I was told to".into() }
    }
}

impl Embedder for Letters {
    fn identity(&self) -> &EmbedderIdentity {
        &self.0
    }

    fn prepare_image(
        &self,
        encoded: &[u8],
        _region: Option<Rect>,
    ) -> Result<PreparedImage, EmbedError> {
        match encoded {
            b"unreadable" => Err(EmbedError::Unreadable("unreadable".into())),
            b"breaks the batch" => Ok(PreparedImage(Box::new([f32::INFINITY; 4]))),
            b"not a number" => Ok(PreparedImage(Box::new([f32::NAN; 4]))),
            _ => Ok(PreparedImage(encoded.iter().take(4).map(|b| f32::from(*b)).collect())),
        }
    }

    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        if let Some(stop) = &self.1 {
            stop.stop();
        }
        if images.iter().any(|i| i.0[0] == f32::INFINITY) {
            return Err(self.broken());
        }
        Ok(images.iter().map(|i| i.0.to_vec()).collect())
    }

    fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(texts.iter().map(|t| t.bytes().take(4).map(f32::from).collect()).collect())
    }
}

/// Class (or set) and properties of each.
#[derive(Default)]
struct Objects {
    all: Vec<(String, Map<String, Json>)>,
    /// Which have a class, a property and its value.
    by_value: HashMap<(String, String, String), Vec<usize>>,
}

impl Objects {
    fn push(&mut self, class: &str, properties: Map<String, Json>) {
        for (key, value) in &properties {
            let key = (class.to_owned(), key.clone(), value.to_string());
            self.by_value.entry(key).or_default().push(self.all.len());
        }
        self.all.push((class.to_owned(), properties));
    }

    /// Those that all constraints hold for, which are `==` or `in`.
    fn find(&self, class: &str, constraints: &Map<String, Json>) -> Vec<&Map<String, Json>> {
        let values = |wanted: &Json| match wanted[0].as_str() {
            Some("in") => wanted[1].as_array().unwrap().clone(),
            _ => vec![wanted[1].clone()],
        };
        let of = |key: &String, value: &Json| {
            let key = (class.to_owned(), key.clone(), value.to_string());
            self.by_value.get(&key).map_or(&[][..], Vec::as_slice)
        };
        let candidates = constraints.iter().map(|(key, wanted)| {
            let values = values(wanted);
            values.iter().flat_map(|value| of(key, value)).copied().collect::<Vec<usize>>()
        });
        let candidates = candidates.min_by_key(Vec::len).unwrap();
        let objects = candidates.into_iter().map(|i| &self.all[i].1);
        objects
            .filter(|p| {
                let holds = |(k, wanted): (&String, &Json)| {
                    p.get(k).is_some_and(|value| values(wanted).contains(value))
                };
                constraints.iter().all(holds)
            })
            .collect()
    }
}

/// Just enough of a database for the requests of this pipeline; it also plays its faults.
#[derive(Default)]
pub(crate) struct Fake {
    objects: Mutex<Objects>,
    requests: AtomicU64,
    /// Fails every second request in a passing way, half of those after applying them.
    pub(crate) flaky: AtomicBool,
    /// Fails all requests from this one on; 0 stands for never.
    pub(crate) dies_after: AtomicU64,
    /// Fails all requests, for now.
    pub(crate) is_away: AtomicBool,
}

impl Fake {
    pub(crate) fn objects(&self, class: &str) -> usize {
        self.objects.lock().unwrap().all.iter().filter(|(c, _)| c == class).count()
    }

    /// All objects, in an order that does not depend on when they came, and without the ids of the
    /// runs that brought them.
    pub(crate) fn content(&self) -> Vec<String> {
        let objects = self.objects.lock().unwrap();
        let without_runs = |p: &Map<String, Json>| {
            let mut p = p.clone();
            let run = p.remove("adb_run").unwrap_or_default();
            if let Some(Json::String(row)) = p.get_mut("adb_row") {
                *row = row.replace(run.as_str().unwrap(), "");
            }
            json!(p)
        };
        let mut all: Vec<String> =
            objects.all.iter().map(|(class, p)| format!("{class} {}", without_runs(p))).collect();
        all.sort();
        all
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn set_filler(&self, set: &str) -> String {
        let objects = self.objects.lock().unwrap();
        let found = objects.all.iter().find(|(c, p)| c == "_DescriptorSet" && p["_name"] == set);
        found.unwrap().1["adb_embedder"].as_str().unwrap().to_owned()
    }

    fn answer(&self, request: &Request) -> Response {
        let commands: Vec<Map<String, Json>> = serde_json::from_slice(&request.commands).unwrap();
        if String::from_utf8_lossy(&request.commands).contains("refuse me")
            && commands.iter().any(|c| c.contains_key("AddImage"))
        {
            return Response::Refused(Refusal::error(Some(0), "I was told to"));
        }
        let mut objects = self.objects.lock().unwrap();
        let mut answers = Vec::new();
        for command in &commands {
            let (name, body) = command.iter().next().unwrap();
            let body = match name.as_str() {
                "CreateIndex" | "GetStatus" => json!({"status": 0}),
                // The run's own entity.
                "AddEntity" | "UpdateEntity" | "FindEntity" => json!({"status": 0}),
                "FindDescriptorSet" => {
                    let sets = objects.all.iter().filter(|(c, _)| c == "_DescriptorSet");
                    let found: Vec<Json> = sets.map(|(_, p)| json!(p)).collect();
                    json!({"status": 0, "entities": found})
                }
                "AddDescriptorSet" => {
                    let mut properties = body["properties"].as_object().unwrap().clone();
                    properties.insert("_name".into(), body["name"].clone());
                    properties.insert("_dimensions".into(), body["dimensions"].clone());
                    properties.insert("_metrics".into(), json!([body["metric"]]));
                    objects.push("_DescriptorSet", properties);
                    json!({"status": 0})
                }
                "AddImage" | "AddDescriptor" => {
                    let class = name.replace("Add", "_");
                    let guard = body["if_not_found"].as_object().unwrap();
                    let there = !objects.find(&class, guard).is_empty();
                    if !there {
                        objects.push(&class, body["properties"].as_object().unwrap().clone());
                    }
                    json!({"status": if there { 2 } else { 0 }})
                }
                "FindImage" | "FindDescriptor" => {
                    let class = name.replace("Find", "_");
                    let constraints = body["constraints"].as_object().unwrap();
                    let found: Vec<Json> =
                        objects.find(&class, constraints).into_iter().map(|p| json!(p)).collect();
                    json!({"status": 0, "returned": found.len(), "count": found.len(), "entities": found})
                }
                "GetSchema" => json!({"status": 0}),
                name if name.starts_with("Find") => json!({"status": 0, "count": 0}),
                "DeleteEntity" => json!({"status": 0, "count": 1}),
                other => panic!("this fake does not know {other}"),
            };
            answers.push(json!({ name: body }));
        }
        Response::Done { answers, blobs: Vec::new() }
    }
}

impl Database for Fake {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            let n = self.requests.fetch_add(1, Ordering::Relaxed);
            let dies = self.dies_after.load(Ordering::Relaxed);
            if dies > 0 && n >= dies || self.is_away.load(Ordering::Relaxed) {
                return Err(DbError::transient("gone"));
            }
            let text = String::from_utf8_lossy(&request.commands);
            if text.contains("AddImage") && text.contains("too much for me") {
                return Err(DbError::permanent("the request is too much for me"));
            }
            if text.contains("AddImage") && text.contains("takes me down") {
                return Err(DbError::transient("connection lost").with_fate(Fate::Unknown));
            }
            if self.flaky.load(Ordering::Relaxed) && n > 3 && n.is_multiple_of(2) {
                if n.is_multiple_of(4) {
                    self.answer(&request);
                }
                return Err(DbError::transient("try again").with_fate(Fate::Unknown));
            }
            Ok(self.answer(&request))
        })
    }
}
