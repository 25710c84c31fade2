//! Names: serde's in sources, adb's in the database. serde itself is asked what it makes of them.

use adb::prelude::*;
use serde::{Deserialize, Serialize};

/// A model under one of serde's rules, and a test that its keys are those that serde writes and
/// reads.
macro_rules! rules {
    ($($test:ident: $rule:literal;)*) => {$(
        #[test]
        fn $test() {
            #[expect(non_snake_case, reason = "serde's rules are asked about odd names, too")]
            #[derive(Default, DataModel, Serialize, Deserialize)]
            #[serde(rename_all = $rule, deny_unknown_fields)]
            struct Named {
                #[adb(id)]
                id: u64,
                very_tasty: String,
                a: i64,
                z42: i64,
                r#type: String,
                two__underscores: bool,
                trailing_: bool,
                camelCase: bool,
                with_2_digits: f64,
                #[serde(rename = "as it IS")]
                renamed: bool,
                #[serde(rename(serialize = "as it IS written", deserialize = "as it IS read"))]
                renamed_twice: bool,
            }
            let written = serde_json::to_value(Named::default()).unwrap();
            let written: Vec<String> = written.as_object().unwrap().keys().cloned().collect();
            let keys: Vec<&str> = Named::SCHEMA.fields.iter().map(|f| f.key).collect();
            let n = written.len() - 1;
            assert_eq!(keys[..n], written[..n]);
            assert_eq!((keys[n], &*written[n]), ("as it IS read", "as it IS written"));
            // Properties have the same names, as nothing says otherwise.
            let properties: Vec<&str> = Named::SCHEMA.fields.iter().map(|f| f.property).collect();
            assert_eq!(properties, keys);
        }
    )*};
}
rules! {
    lowercase: "lowercase";
    uppercase: "UPPERCASE";
    pascal_case: "PascalCase";
    camel_case: "camelCase";
    snake_case: "snake_case";
    screaming_snake_case: "SCREAMING_SNAKE_CASE";
    kebab_case: "kebab-case";
    screaming_kebab_case: "SCREAMING-KEBAB-CASE";
}

/// Texts of variants under one of serde's rules are those that serde writes and reads; so they are
/// under the same rule of ours.
macro_rules! variant_rules {
    ($($test:ident: $rule:literal;)*) => {$(
        #[test]
        fn $test() {
            #[expect(non_camel_case_types, reason = "serde's rules are asked about odd names, too")]
            #[derive(Debug, Clone, Copy, PartialEq, Property, Serialize, Deserialize)]
            #[serde(rename_all = $rule)]
            enum Named {
                Outcome,
                VeryTasty,
                A,
                Z42,
                HTTPServer,
                With2Digits,
                snake_case,
                #[serde(rename = "as it IS")]
                Renamed,
                r#type,
            }
            #[expect(non_camel_case_types, reason = "as above")]
            #[derive(Property)]
            #[adb(rename_all = $rule)]
            enum Ours {
                Outcome,
                VeryTasty,
                A,
                Z42,
                HTTPServer,
                With2Digits,
                snake_case,
                #[adb(rename = "as it IS")]
                Renamed,
                r#type,
            }
            let all = [
                (Named::Outcome, Ours::Outcome),
                (Named::VeryTasty, Ours::VeryTasty),
                (Named::A, Ours::A),
                (Named::Z42, Ours::Z42),
                (Named::HTTPServer, Ours::HTTPServer),
                (Named::With2Digits, Ours::With2Digits),
                (Named::snake_case, Ours::snake_case),
                (Named::Renamed, Ours::Renamed),
                (Named::r#type, Ours::r#type),
            ];
            for (named, ours) in all {
                let text = serde_json::to_value(named).unwrap();
                let stored = named.to_value().unwrap();
                assert_eq!(stored.to_json(), text);
                assert_eq!(ours.to_value().unwrap().to_json(), text);
                assert_eq!(Named::from_value(stored), Ok(named));
            }
        }
    )*};
}
variant_rules! {
    lowercase_variants: "lowercase";
    uppercase_variants: "UPPERCASE";
    pascal_case_variants: "PascalCase";
    camel_case_variants: "camelCase";
    snake_case_variants: "snake_case";
    screaming_snake_case_variants: "SCREAMING_SNAKE_CASE";
    kebab_case_variants: "kebab-case";
    screaming_kebab_case_variants: "SCREAMING-KEBAB-CASE";
}

/// The same rules in a flattened struct.
#[derive(Properties, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
struct Flat {
    very_tasty: bool,
    #[serde(rename = "as it IS")]
    renamed: bool,
}

#[test]
fn lists_of_properties_have_serdes_names() {
    let written = serde_json::to_value(Flat { very_tasty: true, renamed: false }).unwrap();
    let written: Vec<&String> = written.as_object().unwrap().keys().collect();
    let keys: Vec<_> = Flat::FIELDS.iter().map(|f| f.key).collect();
    assert_eq!(written, keys);
    let properties: Vec<_> = Flat::FIELDS.iter().map(|f| f.property).collect();
    assert_eq!(keys, properties);
}

#[derive(DataModel, Deserialize)]
#[serde(rename_all(deserialize = "camelCase", serialize = "lowercase"))]
#[adb(class = "dish")]
struct Dish {
    #[adb(id, rename = "number")]
    dish_id: u64,
    #[serde(rename = "title")]
    #[adb(rename = "name")]
    dish_name: String,
    #[serde(default, alias = "kitchen")]
    of_cuisine: Option<String>,
}

#[test]
fn adb_names_the_property_and_serde_the_key() {
    let names: Vec<_> = Dish::SCHEMA.fields.iter().map(|f| (f.name, f.key, f.property)).collect();
    assert_eq!(
        names,
        [
            ("dish_id", "dishId", "number"),
            ("dish_name", "title", "name"),
            ("of_cuisine", "ofCuisine", "ofCuisine"),
        ]
    );
    let dish: Dish =
        serde_json::from_str(r#"{"dishId": 1, "title": "dal", "ofCuisine": "Indian"}"#).unwrap();
    let graph = dish.graph().unwrap();
    let root = graph.root().unwrap();
    assert_eq!((&*root.class, root.identity.parts()[0].0), ("dish", "number"));
    let properties: Vec<_> = root.properties.iter().map(|(name, _)| *name).collect();
    assert_eq!(properties, ["name", "ofCuisine"]);
}

#[derive(DataModel, Deserialize)]
#[serde(rename_all = "camelCase")]
#[adb(rename_all = "SCREAMING-KEBAB-CASE")]
struct Loud {
    #[adb(id)]
    dish_id: u64,
    #[serde(rename = "title")]
    dish_name: String,
    #[adb(rename = "kitchen")]
    of_cuisine: String,
}

#[test]
fn properties_have_a_rule_of_their_own() {
    let names: Vec<_> = Loud::SCHEMA.fields.iter().map(|f| (f.key, f.property)).collect();
    assert_eq!(names, [("dishId", "DISH-ID"), ("title", "DISH-NAME"), ("ofCuisine", "kitchen")]);
    let row = r#"{"dishId": 1, "title": "dal", "ofCuisine": "Indian"}"#;
    let graph = serde_json::from_str::<Loud>(row).unwrap().graph().unwrap();
    assert_eq!(graph.root().unwrap().identity.parts()[0].0, "DISH-ID");
}

/// Other keys of serde's stand beside adb's.
#[derive(DataModel, Deserialize)]
struct Lenient {
    #[adb(id)]
    id: u64,
    #[serde(default = "nameless")]
    name: String,
    #[serde(deserialize_with = "trimmed")]
    note: String,
    #[serde(skip)]
    counter: u32,
    #[serde(flatten)]
    #[adb(skip)]
    rest: serde_json::Map<String, serde_json::Value>,
}

fn nameless() -> String {
    "nameless".to_owned()
}

fn trimmed<'de, D: serde::Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    Ok(String::deserialize(d)?.trim().to_owned())
}

#[test]
fn what_serde_makes_of_a_row_is_stored() {
    let row = r#"{"id": 1, "note": " hot ", "more": true}"#;
    let lenient: Lenient = serde_json::from_str(row).unwrap();
    assert_eq!(lenient.rest["more"], true);
    let graph = lenient.graph().unwrap();
    let stored: Vec<_> =
        graph.root().unwrap().properties.iter().map(|(n, v)| (*n, v.to_string())).collect();
    assert_eq!(
        stored,
        [("name", "nameless".into()), ("note", "hot".into()), ("counter", "0".into())]
    );
}
