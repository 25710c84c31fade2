//! What models become, as files that people can read.
//!
//! After a deliberate change, `UPDATE_GOLDEN=1 cargo test -p adb-tests --test golden` writes them
//! anew; read the difference.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fmt::Write as _, path::Path};

use adb::{FieldRole, Lowering, Request, prelude::*};
use adb_tests::{Dish, Ingredient};
use bytes::Bytes;
use serde_json::Value as Json;

/// A dish with its picture read and its vector given: the component `hot` is 1, all others 0.
fn dish(dish_id: u64, name: &str, hot: usize, ingredients: &[&str]) -> Dish {
    let mut look = [0.0; 512];
    look[hot] = 1.0;
    Dish {
        dish_id,
        name: name.to_owned(),
        cuisine: Some("Indian".to_owned()),
        caption: format!("A bowl of {name}, \"hot\""),
        recipe_url: None,
        photo: Image::bytes(Bytes::from(format!("the picture of {name}"))),
        look: look.into(),
        ingredients: ingredients.iter().map(|n| Ingredient { name: (*n).to_owned() }).collect(),
    }
}

fn lower(dishes: &[Dish]) -> Request {
    let mut lowering = Lowering::new();
    for dish in dishes {
        lowering.push(&dish.graph().unwrap()).unwrap();
    }
    lowering.finish()
}

/// The commands, each on a line of its own, and the blobs in their order.
fn shown(request: &Request) -> String {
    let mut text = String::new();
    let commands: Vec<Json> = serde_json::from_slice(&request.commands).unwrap();
    for command in commands {
        writeln!(text, "{command}").unwrap();
    }
    for (i, blob) in request.blobs.iter().enumerate() {
        writeln!(text, "blob {i}: {}", shown_blob(blob)).unwrap();
    }
    text
}

fn shown_blob(blob: &[u8]) -> String {
    if let Ok(picture) = std::str::from_utf8(blob)
        && picture.starts_with("the picture")
    {
        return format!("{picture:?}");
    }
    let floats: Vec<f32> =
        blob.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let set: Vec<_> = floats.iter().enumerate().filter(|(_, x)| **x != 0.0).collect();
    format!("{} floats, all 0 but {set:?}", floats.len())
}

#[track_caller]
fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, stored, "{name} differs from what is stored");
}

#[test]
fn a_dish_with_two_ingredients_and_a_given_vector() {
    let request = lower(&[dish(1, "dal", 3, &["lentils", "cumin"])]);
    assert_golden("dish.txt", &shown(&request));
}

#[test]
fn two_dishes_of_one_request_share_an_ingredient() {
    let request =
        lower(&[dish(1, "dal", 0, &["lentils", "cumin"]), dish(2, "jeera rice", 1, &["cumin"])]);
    assert_golden("shared_ingredient.txt", &shown(&request));
}

#[test]
fn an_ingredient_named_twice_is_one_node_and_one_edge() {
    let graph = dish(1, "dal", 0, &["cumin", "cumin"]).graph().unwrap();
    assert_eq!(graph.nodes().len(), 3);
    assert_eq!(graph.edges().len(), 1);
}

#[test]
fn schema_of_dish() {
    let mut text = String::new();
    for model in Dish::SCHEMA.reachable() {
        writeln!(text, "{} = {:?} {:?}: {}", model.name, model.kind, model.class, model.doc)
            .unwrap();
        for field in model.fields {
            writeln!(text, "  {} ({} -> {}): {}", field.name, field.key, field.property, field.doc)
                .unwrap();
            let role = match field.role {
                // A function's address is different on every run.
                FieldRole::Children { relation, many, model, .. } => {
                    format!("Children {relation:?} of {}, many: {many}", model().name)
                }
                role => format!("{role:?}"),
            };
            writeln!(text, "    {role}").unwrap();
        }
    }
    assert_golden("schema.txt", &text);
}

#[test]
fn a_row_without_a_vector_asks_for_one() {
    let row = r#"{"dish_id": 7, "name": "ramen", "caption": "noodles", "url": "images/7.jpg",
                  "ingredients": [{"name": "egg"}]}"#;
    let dish: Dish = serde_json::from_str(row).unwrap();
    let graph = dish.graph().unwrap();
    let wanted = graph.wanted().unwrap();
    assert_eq!(wanted.len(), 1);
    assert_eq!(wanted[0].1.name, "dish_photos");
    assert_eq!(*wanted[0].2, adb::EmbedInput::Image(adb::MediaSource::from_text("images/7.jpg")));
}
