//! What models become, as files that people can read.
//!
//! After a deliberate change, `UPDATE_GOLDEN=1 cargo test -p adb-tests golden` writes them
//! anew; read the difference.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fmt::Write as _;

use adb::{Dialect, FieldRole, Graph, GraphBuilder, Lowering, ModelErrorKind, Request, prelude::*};
use adb_tests::{
    Course, Dish, DishPhotos, Film, HasIngredient, Ingredient, Portrait, Recipe,
    golden::assert_golden,
};
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
    if let Ok(media) = std::str::from_utf8(blob)
        && media.starts_with("the ")
    {
        return format!("{media:?}");
    }
    let floats: Vec<f32> =
        blob.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let set: Vec<_> = floats.iter().enumerate().filter(|(_, x)| **x != 0.0).collect();
    format!("{} floats, all 0 but {set:?}", floats.len())
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
                    format!("Children {relation:?} of {}, many: {many}", model.get().name)
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

/// A vector with the component `hot`.
fn unit(hot: usize) -> Embedding<512> {
    let mut vector = [0.0; 512];
    vector[hot] = 1.0;
    vector.into()
}

fn lowered(dialect: Dialect, graph: &Graph) -> String {
    let mut lowering = Lowering::with_dialect(dialect);
    lowering.push(graph).unwrap();
    shown(&lowering.finish())
}

#[test]
fn the_newer_dialect_says_the_same() {
    let dish = dish(1, "dal", 3, &["lentils", "cumin"]);
    assert_golden("dish.expression.txt", &lowered(Dialect::Expression, &dish.graph().unwrap()));
}

#[test]
fn connections_with_properties_and_an_id_of_two_fields() {
    let ingredient = |name: &str, grams| Linked {
        edge: HasIngredient { grams },
        to: Ingredient { name: name.to_owned() },
    };
    let menu = Recipe {
        name: "menu".into(),
        edition: 2,
        course: Course::Starter,
        ingredients: vec![],
        part_of: vec![],
    };
    let recipe = Recipe {
        name: "dal".into(),
        edition: 2,
        course: Course::MainDish,
        ingredients: vec![ingredient("lentils", Some(200.0)), ingredient("salt", None)],
        part_of: vec![menu],
    };
    let graph = recipe.graph().unwrap();
    assert_golden("recipe.txt", &lowered(Dialect::Classic, &graph));
    assert_golden("recipe.expression.txt", &lowered(Dialect::Expression, &graph));
}

#[test]
fn a_portrait_with_faces() {
    let row = r#"{"id": 7, "photo": "people.jpg", "faces": [
        {"area": {"x": 10, "y": 20, "width": 30, "height": 40}, "who": "Ada"},
        {"area": {"x": 50, "y": 20, "width": 30, "height": 40}}]}"#;
    let mut portrait: Portrait = serde_json::from_str(row).unwrap();
    let row = adb::graph::row_identity("portraits.json", 3, row.as_bytes());
    let graph = portrait.graph_in(GraphBuilder::for_row(row)).unwrap();
    let regions: Vec<_> =
        graph.wanted().unwrap().iter().map(|(.., input)| (*input).clone()).collect();
    let photo = adb::MediaSource::from_text("people.jpg");
    let area = portrait.faces[1].area;
    assert_eq!(regions[1], adb::EmbedInput::Region(photo, area));
    portrait.photo = Image::bytes("the picture");
    for (i, face) in portrait.faces.iter_mut().enumerate() {
        face.look = unit(i);
    }
    let graph = portrait.graph_in(GraphBuilder::for_row(row)).unwrap();
    assert_golden("portrait.txt", &lowered(Dialect::Classic, &graph));
    assert_golden("portrait.expression.txt", &lowered(Dialect::Expression, &graph));
    // Made in code, it has no row, and its faces no id.
    let error = portrait.graph().unwrap_err();
    assert!(matches!(error.kind(), ModelErrorKind::NoRow), "{error}");
}

#[test]
fn a_film_with_scenes_and_a_still() {
    let row = r#"{"title": "Metropolis", "film": "m.mp4", "scenes": [
        {"number": 1, "span": {"start": 1.1, "stop": "00:01:05.250000"}}],
        "poster": {"at": 12.5}}"#;
    let mut film: Film = serde_json::from_str(row).unwrap();
    film.film = Video::bytes("the film");
    film.scenes[0].meaning = unit(5);
    let row = adb::graph::row_identity("films.json", 0, row.as_bytes());
    let graph = film.graph_in(GraphBuilder::for_row(row)).unwrap();
    assert_golden("film.txt", &lowered(Dialect::Classic, &graph));
    assert_golden("film.expression.txt", &lowered(Dialect::Expression, &graph));
}

fn nearest(dialect: Dialect) -> Request {
    Dish::find()
        .filter(|d| d.cuisine.eq("Indian").and(d.name.ne("dal")))
        .having(|d| d.ingredients, Ingredient::find().filter(|i| i.name.eq("rice")))
        .dialect(dialect)
        .nearest::<DishPhotos>("creamy curry", 5)
        .with_blobs()
        .request(unit(2).as_slice().unwrap())
        .unwrap()
}

#[test]
fn a_search_by_nearness_among_what_passes_a_filter() {
    assert_golden("nearest.txt", &shown(&nearest(Dialect::Classic)));
    assert_golden("nearest.expression.txt", &shown(&nearest(Dialect::Expression)));
}

#[test]
fn a_search_in_order() {
    let search = |dialect| {
        let find = Dish::find().filter(|d| d.dish_id.within(10..20)).dialect(dialect);
        find.sort(|d| d.name.descending()).limit(3).offset(6).with_vectors().request().unwrap()
    };
    assert_golden("find.txt", &shown(&search(Dialect::Classic)));
    assert_golden("find.expression.txt", &shown(&search(Dialect::Expression)));
}
