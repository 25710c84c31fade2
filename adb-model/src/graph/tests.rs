use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::*;
use crate::{ClipVitB16, Embedding, Engine, FieldPlace, Metric, Property as _, Value};

const SET: SetSpec = SetSpec::new::<ClipVitB16>("looks", Metric::Cosine, Engine::Flat);

fn node(builder: &mut GraphBuilder, kind: ObjectKind, class: &'static str, id: u64) -> NodeId {
    match builder.enter(kind, class, vec![("id", id.to_value().unwrap())]).unwrap() {
        Entered::New(id) | Entered::Known(id) => id,
    }
}

#[test]
fn kind_class_and_id_together_are_who_is_who() {
    let mut builder = GraphBuilder::new();
    let dish = node(&mut builder, ObjectKind::Entity, "Dish", 1);
    assert_eq!(node(&mut builder, ObjectKind::Entity, "Dish", 1), dish);
    assert_ne!(node(&mut builder, ObjectKind::Entity, "Dish", 2), dish);
    assert_ne!(node(&mut builder, ObjectKind::Entity, "Drink", 1), dish);
    assert_ne!(node(&mut builder, ObjectKind::Image, "Dish", 1), dish);
    assert_eq!(builder.finish().nodes().len(), 4);
}

#[test]
fn the_same_edge_twice_is_one_and_has_the_same_id_on_every_run() {
    let edges = |times: usize| {
        let mut builder = GraphBuilder::new();
        let dish = node(&mut builder, ObjectKind::Image, "Dish", 1);
        let rice = node(&mut builder, ObjectKind::Entity, "Ingredient", 2);
        for _ in 0..times {
            builder.connect(dish, rice, "Has", Vec::new());
        }
        builder.connect(rice, dish, "Has", Vec::new());
        builder.connect(dish, rice, "Wants", Vec::new());
        builder.finish().edges().iter().map(|e| e.edge_id).collect::<Vec<_>>()
    };
    let ids = edges(1);
    assert_eq!(ids, edges(2));
    assert_eq!(ids.len(), 3);
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

#[test]
fn edge_ids_are_those_of_the_databases_that_exist() {
    let mut builder = GraphBuilder::new();
    let dish = node(&mut builder, ObjectKind::Image, "Dish", 1);
    let rice = node(&mut builder, ObjectKind::Entity, "Ingredient", 2);
    builder.connect(dish, rice, "Has", Vec::new());
    let id = builder.finish().edges()[0].edge_id.to_string();
    assert_eq!(id, "24ee15f6-6351-5370-998d-0081f512dd5c");
}

#[test]
fn parts_are_named_for_owner_and_field() {
    let mut builder = GraphBuilder::new();
    let dish = node(&mut builder, ObjectKind::Entity, "Dish", 1);
    builder.media(dish, ObjectKind::Image, "photo", &MediaSource::from_text("a.png"));
    builder.descriptor(dish, "look", SET, None, Some(EmbedInput::Text("dal".into()))).unwrap();
    let graph = builder.finish();
    let parts: Vec<_> = graph.nodes()[1..]
        .iter()
        .map(|n| (&*n.class, n.identity.parts()[0].0, n.identity.text()))
        .collect();
    assert_eq!(
        parts,
        [
            ("Dish.photo", OBJECT_ID, "Dish/1/photo".to_owned()),
            ("Dish.look", OBJECT_ID, "Dish/1/look".to_owned()),
        ]
    );
    // A descriptor's edge comes with it; a picture's does not.
    assert_eq!(graph.edges().len(), 1);
    assert_eq!(graph.nodes()[1].properties, [("photo", Value::from("a.png"))]);
}

#[test]
fn a_vector_that_does_not_fit_is_refused_when_it_is_added() {
    let mut builder = GraphBuilder::new();
    let dish = node(&mut builder, ObjectKind::Entity, "Dish", 1);
    let given = Embedding::from([1.0, 2.0]).shared();
    let error = builder.descriptor(dish, "look", SET, given, None).unwrap_err();
    assert_eq!(error.to_string(), "the vector has 2 components, its set takes 512 (Dish.look)");
}

#[test]
fn neither_vector_nor_source_is_no_descriptor() {
    let mut builder = GraphBuilder::new();
    let dish = node(&mut builder, ObjectKind::Entity, "Dish", 1);
    builder.descriptor(dish, "look", SET, None, None).unwrap();
    assert_eq!(builder.finish().nodes().len(), 1);
}

#[test]
fn wanted_are_vectors_that_are_neither_there_nor_given() {
    let mut builder = GraphBuilder::new();
    for id in 0..3 {
        let dish = node(&mut builder, ObjectKind::Entity, "Dish", id);
        let given = (id == 0).then(|| Arc::from([0.5; 512].as_slice()));
        let source = Some(EmbedInput::Text(format!("dish {id}")));
        builder.descriptor(dish, "look", SET, given, source).unwrap();
    }
    let mut graph = builder.finish();
    assert_eq!(graph.wanted().unwrap().len(), 2);
    let there = graph.node_ids().nth(3).unwrap();
    graph.mark_existing(there);
    let wanted = graph.wanted().unwrap();
    assert_eq!(wanted.len(), 1);
    assert_eq!(*wanted[0].2, EmbedInput::Text("dish 2".into()));
}

#[test]
fn blob_bytes_count_what_is_sent() {
    let mut builder = GraphBuilder::new();
    let dish = node(&mut builder, ObjectKind::Image, "Dish", 1);
    let photo = MediaSource::Bytes(Bytes::from_static(b"12345"));
    builder.media(dish, ObjectKind::Image, "photo", &photo);
    let source = Some(EmbedInput::Text("dal".into()));
    builder.descriptor(dish, "look", SET, None, source).unwrap();
    let mut graph = builder.finish();
    assert_eq!(graph.blob_bytes(), 5 + 512 * 4);
    graph.mark_existing(dish);
    assert_eq!(graph.blob_bytes(), 512 * 4);
}

/// A page whose chunks and pictures are still to be made.
fn page(row: u128) -> Graph {
    let mut builder = GraphBuilder::for_row(Uuid::from_u128(row));
    let owner = node(&mut builder, ObjectKind::Entity, "Page", 1);
    for field in ["pictures", "chunks"] {
        builder.to_make(ToMake {
            owner,
            at: FieldPlace { model: "Page", field, property: field },
            relation: Relation::Connection("Has"),
            maker: "splitter",
            input: MakeInput::Text("one two".into()),
        });
    }
    builder.finish()
}

/// Makes two chunks for each thing that is to be made.
fn make(graph: Graph) -> Graph {
    let mut builder = graph.reopen();
    while let Some(task) = builder.next_to_make() {
        for _ in 0..2 {
            let Entered::New(child) = builder.enter_row(ObjectKind::Entity, "Chunk").unwrap()
            else {
                unreachable!("each is another")
            };
            builder.relate(task.owner, child, task.relation, Vec::new());
        }
        builder.made(&task);
    }
    builder.finish()
}

#[test]
fn made_children_have_ids_of_their_owner_field_and_number() {
    let ids = |row| {
        let graph = make(page(row));
        graph.nodes()[1..].iter().map(|n| n.identity.text()).collect::<Vec<_>>()
    };
    let mut first = ids(1);
    assert_eq!(first, ids(2), "the row is no part of them");
    first.sort();
    first.dedup();
    assert_eq!(first.len(), 4);
    let graph = make(page(1));
    assert_eq!(graph.edges().len(), 4);
    let made = Value::from("chunks=splitter,pictures=splitter");
    assert_eq!(graph.nodes()[0].properties, [(MADE, made)]);
}

#[test]
fn what_was_made_before_is_not_made_again_and_what_was_not_is_noted() {
    let mut graph = page(1);
    let root = graph.node_ids().next().unwrap();
    graph.mark_existing(root);
    graph.mark_made(root, "chunks=other");
    let left: Vec<&str> = graph.to_make().iter().map(|task| task.at.field).collect();
    assert_eq!(left, ["pictures"]);
    let graph = make(graph);
    let mut lowering = crate::Lowering::new();
    lowering.push(&graph).unwrap();
    let request = lowering.finish();
    let text = std::str::from_utf8(&request.commands).unwrap();
    let note =
        r#"{"UpdateEntity":{"ref":1,"properties":{"adb_made":"chunks=other,pictures=splitter"}}}"#;
    assert!(text.contains(note), "{text}");
    assert!(text.starts_with(r#"[{"FindEntity":{"_ref":1,"with_class":"Page""#), "{text}");
}

#[test]
fn a_graph_is_not_written_before_its_children_are_made() {
    let error = crate::Lowering::new().push(&page(1)).unwrap_err();
    assert_eq!(error.place(), "Page.pictures");
    assert!(error.to_string().contains("have not been made by `splitter`"), "{error}");
}
