//! Models as data: a row read by a document gives the graph that the struct gives.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use adb::{DataModel, document::Document, graph::row_identity};
use adb_tests::{Dish, Film, Portrait, Recipe};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

/// Reads a row both ways.
fn both<M: DataModel + DeserializeOwned>(row: &Json) -> [Result<String, ()>; 2] {
    let identity = row_identity("rows.json", 1, row.to_string().as_bytes());
    let builder = adb::GraphBuilder::for_row(identity);
    let by_struct = serde_json::from_value::<M>(row.clone())
        .map_err(|_| ())
        .and_then(|value| value.graph_in(builder).map_err(|_| ()));
    let loaded = Document::of(M::SCHEMA).load().unwrap();
    let by_document = loaded.graph_in(row, adb::GraphBuilder::for_row(identity)).map_err(|_| ());
    [by_struct, by_document].map(|graph| graph.map(|g| format!("{g:#?}")))
}

fn agree<M: DataModel + DeserializeOwned>(row: &Json) {
    let [by_struct, by_document] = both::<M>(row);
    assert!(by_struct.is_ok(), "{row}");
    assert_eq!(by_struct, by_document, "{row}");
}

#[test]
fn documents_come_back_from_their_text() {
    for schema in [Dish::SCHEMA, Portrait::SCHEMA, Film::SCHEMA, Recipe::SCHEMA] {
        let document = Document::of(schema);
        let text = serde_json::to_string_pretty(&document).unwrap();
        assert_eq!(Document::parse(&text).unwrap(), document);
    }
}

#[test]
fn documents_that_do_not_hold_together_are_refused() {
    let text = serde_json::to_string(&Document::of(Dish::SCHEMA)).unwrap();
    for (change, to, words) in [
        (r#""version":1"#, r#""version":2"#, "version 2"),
        (r#""model":"Ingredient""#, r#""model":"Thing""#, "names the model `Thing`"),
        (r#""set":"dish_photos""#, r#""set":"others""#, "names the set `others`"),
        (r#""from":"photo""#, r#""from":"foto""#, "is made from `foto`"),
        (r#""kind":"image""#, r#""kind":"picture""#, "unknown variant"),
    ] {
        assert!(text.contains(change), "{text}");
        let err = Document::parse(&text.replacen(change, to, 1)).unwrap_err();
        assert!(err.to_string().contains(words), "{err}");
    }
}

#[test]
fn diagrams_and_json_schema() {
    let document = Document::of(Dish::SCHEMA);
    let diagram = document.to_mermaid();
    assert!(diagram.starts_with("erDiagram\n    Dish {\n        int dish_id PK\n"), "{diagram}");
    assert!(diagram.contains("    Dish }o--o{ Ingredient : \"HasIngredient\"\n"), "{diagram}");
    let schema = document.to_json_schema();
    let dish = &schema.as_value()["$defs"]["Dish"];
    assert_eq!(dish["properties"]["look"]["maxItems"], 512);
    assert_eq!(dish["properties"]["ingredients"]["items"]["$ref"], "#/$defs/Ingredient");
    assert_eq!(dish["properties"]["cuisine"]["type"], json!(["string", "null"]));
    assert_eq!(dish["required"], json!(["dish_id", "name", "caption", "url", "ingredients"]));
}

fn text() -> impl Strategy<Value = String> {
    "[a-zé$\"\\\\ ]{1,8}"
}

fn dish_row() -> impl Strategy<Value = Json> {
    let ingredient = text().prop_map(|name| json!({ "name": name }));
    (
        any::<i64>().prop_map(i64::unsigned_abs),
        text(),
        prop::option::of(text()),
        any::<bool>(),
        prop::collection::vec(ingredient, 0..4),
        prop::option::of(-2f32..2.0),
    )
        .prop_map(|(id, name, cuisine, say_null, ingredients, component)| {
            let mut row = json!({
                "dish_id": id, "name": name, "caption": "a", "url": format!("{id}.png"),
                "ingredients": ingredients,
            });
            if cuisine.is_some() || say_null {
                row["cuisine"] = json!(cuisine);
            }
            if let Some(component) = component {
                row["look"] = json!(vec![component; 512]);
            }
            row
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_row_gives_one_graph(row in dish_row()) {
        let [by_struct, by_document] = both::<Dish>(&row);
        prop_assert_eq!(&by_struct, &by_document);
        prop_assert_eq!(by_struct.is_ok(), row["dish_id"].as_u64() <= Some(i64::MAX as u64));
    }

    #[test]
    fn a_damaged_row_is_refused_by_both(row in dish_row(), key in 0usize..5, to in 0usize..4) {
        let mut row = row;
        let key = ["dish_id", "name", "caption", "url", "look"][key];
        row[key] = [json!(true), json!({"a": 1}), json!([]), json!(-1.5)][to].clone();
        let [by_struct, by_document] = both::<Dish>(&row);
        prop_assert!(by_struct.is_err() && by_document.is_err(), "{row}");
    }
}

#[test]
fn dishes_in_their_usual_forms() {
    agree::<Dish>(&json!({
        "dish_id": 1, "name": "dal", "caption": "yellow", "url": "https://example.com/dal.png",
        "ingredients": [{"name": "lentils"}, {"name": "salt"}, {"name": "lentils"}],
        "more": "is ignored",
    }));
}
