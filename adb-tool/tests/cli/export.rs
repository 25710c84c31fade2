//! `adb export`

use std::fs;

use serde_json::Value as Json;

use crate::place::Place;

const MODEL: &str = "examples/data/cookbook/dish.model.json";

fn rows(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Connections have no order.
fn sorted(list: &Json) -> Vec<String> {
    let mut names: Vec<String> = list.as_array().unwrap().iter().map(Json::to_string).collect();
    names.sort();
    names
}

/// What was exported goes into a new database, which exports the same again.
#[test]
fn what_comes_out_goes_in_again() {
    let place = Place::with_dishes();
    let said = place.prints(&["export", "out", "--model", MODEL, "--db", "my.adb"]);
    assert!(said.contains("22 rows and 22 files"), "{said}");
    let exported = rows(&place.read("out/rows.jsonl"));
    let source: Vec<Json> =
        serde_json::from_str(&place.read("examples/data/cookbook/dishes.json")).unwrap();
    assert_eq!(exported.len(), source.len());
    for (out, of_source) in exported.iter().zip(&source) {
        for (key, value) in of_source.as_object().unwrap() {
            if key == "ingredients" {
                assert_eq!(sorted(&out[key]), sorted(value));
            } else {
                assert_eq!(&out[key], value, "{key} of {out}");
            }
        }
        let path = out["url"].as_str().unwrap();
        assert_eq!(
            fs::read(place.file("out").join(path)).unwrap(),
            fs::read(place.file("examples/data/cookbook").join(path)).unwrap()
        );
        assert!(out.get("look").is_none(), "vectors are made again");
    }
    place.prints(&[
        "ingest",
        "from-json",
        "out/rows.jsonl",
        "--model",
        "out/model.json",
        "--db",
        "copy.adb",
    ]);
    place.prints(&["export", "again", "--model", "out/model.json", "--db", "copy.adb"]);
    let without_order = |text: &str| -> Vec<Json> {
        let mut rows = rows(text);
        for row in &mut rows {
            row["ingredients"] = sorted(&row["ingredients"]).into();
        }
        rows
    };
    assert_eq!(
        without_order(&place.read("again/rows.jsonl")),
        without_order(&place.read("out/rows.jsonl"))
    );
    assert_eq!(
        place.json(&["schema", "--db", "copy.adb", "--json"]),
        place.json(&["schema", "--db", "my.adb", "--json"])
    );
}

#[test]
fn a_query_s_result_and_vectors() {
    let place = Place::with_dishes();
    let out = ["--model", MODEL, "--db", "my.adb"];
    place.prints(
        &[&["export", "some", "--where", "cuisine == 'Italian'", "--vectors"][..], &out].concat(),
    );
    let some = rows(&place.read("some/rows.jsonl"));
    assert!(!some.is_empty() && some.iter().all(|row| row["cuisine"] == "Italian"));
    assert!(some.iter().all(|row| row["look"].as_array().unwrap().len() == 24));
    place.prints(&[&["export", "two", "--limit", "2"][..], &out].concat());
    assert_eq!(rows(&place.read("two/rows.jsonl")).len(), 2);
    let said = place.fails(1, &[&["export", "two"][..], &out].concat());
    assert!(said.contains("is not empty"), "{said}");
    let said = place.fails(2, &[&["export", "x", "--where", "cuisine ="][..], &out].concat());
    assert!(said.contains("--where"), "{said}");
}
