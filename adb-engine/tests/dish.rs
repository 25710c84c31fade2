//! The commands that a data model sends: ensure, ingest, probe, search.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use adb_model::{
    Children, ClipVitB16, DataModel, EmbedSource as _, Embedding, EmbeddingField,
    Engine as SetEngine, Field, FieldPlace, FieldRole, FieldSchema, GraphBuilder, IdProperty,
    Image, Lowering, Metric, ModelError, ModelSchema, NodeId, ObjectKind, Property, Record,
    Relation, SchemaRef, SetSpec, ValueType, ask,
    ensure::{Ensured, ensure},
    graph::Entered,
    probe::mark_existing,
    query::QueryError,
};
use common::{Db, png};
use serde_json::json;

const LETTERS: SetSpec = {
    let mut set = SetSpec::new::<ClipVitB16>("letters", Metric::Cosine, SetEngine::Flat);
    set.dimensions = 4;
    set
};

struct Letters;

impl adb_model::DescriptorSet for Letters {
    type Embedder = ClipVitB16;
    const SPEC: SetSpec = LETTERS;
}

#[derive(Debug)]
struct Ingredient {
    name: String,
}

impl DataModel for Ingredient {
    type Columns = ();
    type Bare = Self;
    const SCHEMA: &'static ModelSchema = &ModelSchema {
        name: "Ingredient",
        class: "Ingredient",
        kind: ObjectKind::Entity,
        fields: &[field("name", FieldRole::Id(ValueType::String))],
        ..ModelSchema::BARE
    };

    fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError> {
        let id = self.name.clone().into();
        Ok(match graph.enter(ObjectKind::Entity, "Ingredient", vec![("name", id)])? {
            Entered::Known(node) | Entered::New(node) => node,
        })
    }

    fn columns() -> Self::Columns {}

    fn read(record: &Record) -> Result<Self, ModelError> {
        let at = FieldPlace { model: "Ingredient", field: "name", property: "name" };
        Ok(Self { name: IdProperty::read_id(record, at)? })
    }
}

#[derive(Debug)]
struct Dish {
    dish_id: u64,
    name: String,
    photo: Image,
    look: Embedding<4>,
    ingredients: Vec<Ingredient>,
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
            field("photo", FieldRole::of(<Image as Field>::KIND, false)),
            field(
                "look",
                FieldRole::Embedding {
                    set: LETTERS,
                    from: Some("photo"),
                    label: None,
                    optional: false,
                    class: None,
                    face: None,
                },
            ),
            field(
                "ingredients",
                FieldRole::Children {
                    relation: Relation::Connection("HasIngredient"),
                    edge: &[],
                    many: true,
                    optional: true,
                    model: SchemaRef::Declared(|| Ingredient::SCHEMA),
                    made: None,
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
        self.photo.add(graph, node, at("photo"))?;
        graph.descriptor(node, "look", LETTERS, self.look.vector(), self.photo.input())?;
        for ingredient in &self.ingredients {
            let child = ingredient.build(graph)?;
            graph.connect(node, child, "HasIngredient", Vec::new());
        }
        Ok(node)
    }

    fn columns() -> Self::Columns {}

    fn read(record: &Record) -> Result<Self, ModelError> {
        let at = |field| FieldPlace { model: "Dish", field, property: field };
        Ok(Self {
            dish_id: IdProperty::read_id(record, at("dish_id"))?,
            name: Field::read(record, at("name"))?,
            photo: Field::read(record, at("photo"))?,
            look: EmbeddingField::read(record, at("look"))?,
            ingredients: Children::read(record.children("ingredients"), at("ingredients"))?,
        })
    }
}

const fn field(name: &'static str, role: FieldRole) -> FieldSchema {
    FieldSchema::named(name, role)
}

fn dish(dish_id: u64, name: &str, look: [f32; 4], ingredients: &[&str]) -> Dish {
    Dish {
        dish_id,
        name: name.to_owned(),
        photo: Image::bytes(png(dish_id as u8)),
        look: look.into(),
        ingredients: ingredients.iter().map(|&n| Ingredient { name: n.to_owned() }).collect(),
    }
}

fn dishes() -> [Dish; 3] {
    [
        dish(1, "rajma", [1.0, 0.0, 0.0, 0.0], &["beans", "rice"]),
        dish(2, "creamy curry", [0.0, 2.0, 0.0, 0.0], &["cream", "rice"]),
        dish(3, "butter chicken", [0.0, 3.0, 1.0, 0.0], &["cream", "chicken"]),
    ]
}

/// Statuses of all commands of all dishes, sent as one request.
async fn ingest(db: &Db) -> Vec<i64> {
    let mut lowering = Lowering::new();
    for dish in dishes() {
        lowering.push(&dish.graph().unwrap()).unwrap();
    }
    let (answers, _) = ask(&db.engine, lowering.finish()).await.unwrap();
    answers
        .iter()
        .map(|a| a.as_object().unwrap().values().next().unwrap()["status"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_second_run_adds_nothing() {
    let db = Db::new();
    let first = ensure(&db.engine, Dish::SCHEMA, |_| None).await.unwrap();
    assert_eq!(
        (first.sets_made.as_slice(), first.indexes_made),
        (["letters".to_owned()].as_slice(), 5)
    );
    assert!(ingest(&db).await.iter().all(|s| [0, 2].contains(s)));
    let db = db.reopen();
    let second = ensure(&db.engine, Dish::SCHEMA, |_| None).await.unwrap();
    assert_eq!(second, Ensured::default());
    assert!(ingest(&db).await.iter().all(|s| *s == 2));
    assert_eq!(db.count("_Image").await, 3);
    assert_eq!(db.count("_Descriptor").await, 3);
    assert_eq!(db.count("Ingredient").await, 4);
    let edges = db
        .ask(json!([{"FindConnection": {"with_class": "HasIngredient", "results": {"count": true}}}]))
        .await;
    assert_eq!(edges[0]["FindConnection"]["count"], 6);
}

#[tokio::test]
async fn what_is_there_is_marked_and_compared() {
    let db = Db::new();
    ensure(&db.engine, Dish::SCHEMA, |_| None).await.unwrap();
    ingest(&db).await;
    let known = dish(1, "rajma", [1.0, 0.0, 0.0, 0.0], &[]);
    let renamed = dish(2, "curry", [0.0, 2.0, 0.0, 0.0], &[]);
    let new = dish(9, "soup", [0.0, 0.0, 0.0, 1.0], &[]);
    let mut graphs = [known, renamed, new].map(|d| d.graph().unwrap());
    let mut borrowed: Vec<_> = graphs.iter_mut().collect();
    let found = mark_existing(&db.engine, &mut borrowed).await.unwrap();
    assert_eq!(found.iter().map(|f| f.exists).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(found[0].difference, None);
    assert!(found[1].difference.as_ref().unwrap().contains("creamy curry"));
    assert!(graphs[0].nodes().iter().all(|n| n.exists), "the descriptor as well");
    // Graphs that are half there are sent without their blobs.
    let mut lowering = Lowering::new();
    for graph in &graphs {
        lowering.push(graph).unwrap();
    }
    let request = lowering.finish();
    assert_eq!(request.blobs.len(), 2);
    ask(&db.engine, request).await.unwrap();
    assert_eq!(db.count("_Image").await, 4);
}

#[tokio::test]
async fn the_nearest_come_first() {
    let db = Db::new();
    ensure(&db.engine, Dish::SCHEMA, |_| None).await.unwrap();
    let nearest = || Dish::find().nearest::<Letters>(vec![0.0, 1.0, 0.0, 0.0], 2);
    let none = nearest().fetch_by(&db.engine, &[0.0, 1.0, 0.0, 0.0]).await.unwrap();
    assert!(none.is_empty());
    ingest(&db).await;
    let hits = nearest().fetch_by(&db.engine, &[0.0, 1.0, 0.0, 0.0]).await.unwrap();
    let names: Vec<&str> = hits.iter().map(|h| h.value.name.as_str()).collect();
    assert_eq!(names, ["creamy curry", "butter chicken"]);
    assert!((hits[0].distance - 1.0).abs() < 1e-6, "{}", hits[0].distance);
    assert!((hits[1].distance - 3.0 / 10.0_f64.sqrt()).abs() < 1e-6, "{}", hits[1].distance);
    assert!(hits[0].unique_id.split('.').count() == 3);
}

#[tokio::test]
async fn a_search_before_any_ingest_says_so() {
    let db = Db::new();
    let nearest = Dish::find().nearest::<Letters>(vec![0.0; 4], 2);
    let error = nearest.fetch_by(&db.engine, &[1.0, 0.0, 0.0, 0.0]).await.unwrap_err();
    assert!(matches!(error, QueryError::NoSet("letters")), "{error}");
}
