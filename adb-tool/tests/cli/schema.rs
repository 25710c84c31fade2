//! `adb schema`, `adb check`, `adb migrate`

use serde_json::{Value as Json, json};

use crate::place::Place;

const MODEL: &str = "examples/data/cookbook/dish.model.json";

#[test]
fn what_is_in_a_database() {
    let place = Place::with_dishes();
    let schema = place.json(&["schema", "--db", "my.adb", "--json"]);
    assert_eq!(schema["version"], 1);
    let list = |key: &str| schema[key].as_array().unwrap().clone();
    let class = |name: &str| list("classes").into_iter().find(|one| one["class"] == name).unwrap();
    assert_eq!(class("_Image")["objects"], 22);
    assert_eq!(
        class("_Image")["properties"]["cuisine"],
        json!({"type": "String", "objects": 16, "indexed": true})
    );
    assert_eq!(class("Ingredient")["properties"]["name"]["indexed"], true);
    let edges = list("connections");
    assert!(
        edges.iter().any(|one| one["class"] == "HasIngredient"
            && one["src"] == "_Image"
            && one["dst"] == "Ingredient"),
        "{edges:?}"
    );
    let sets = list("sets");
    let set = &sets[0];
    assert_eq!((&set["set"], &set["vectors"]), (&json!("dish_photos"), &json!(22)));
    assert_eq!((&set["dimensions"], &set["embedder"]), (&json!(24), &json!("tiny-clip")));
    assert_eq!((&set["metrics"], &set["engines"]), (&json!(["CS"]), &json!(["HNSW"])));

    let text = place.prints(&["schema", "--db", "my.adb"]);
    for words in ["dish_photos", "tiny-clip", "HasIngredient: _Image → Ingredient"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // What adb keeps of runs is no one's data.
    assert!(!text.contains("AdbRun") && !text.contains("adb_row"), "{text}");
    let all = place.prints(&["schema", "--db", "my.adb", "--all"]);
    for words in ["AdbRun", "Datetime", "adb_row", "_DescriptorSet"] {
        assert!(all.contains(words), "{words}: {all}");
    }
    let mermaid = place.prints(&["schema", "--db", "my.adb", "--mermaid"]);
    assert!(mermaid.starts_with("erDiagram\n"), "{mermaid}");
    assert!(mermaid.contains("\"_Image\" }o--o{ \"Ingredient\" : \"HasIngredient\""), "{mermaid}");
}

#[test]
fn a_model_beside_a_database() {
    let place = Place::with_dishes();
    assert!(place.prints(&["check", MODEL, "--db", "my.adb"]).contains("fits"));
    let mut model: Json = serde_json::from_str(&place.read(MODEL)).unwrap();
    // Other spellings: an index more, a property renamed, a type changed.
    let fields = model["models"][0]["fields"].as_array_mut().unwrap();
    let field = |fields: &mut Vec<Json>, name: &str| {
        fields.iter().position(|field| field["name"] == name).unwrap()
    };
    let location = field(fields, "location");
    fields[location]["indexed"] = json!(true);
    let caption = field(fields, "caption");
    fields[caption]["property"] = json!("subtitle");
    fields[caption]["was"] = json!(["caption"]);
    place.write("changed.json", &model.to_string());
    let said = place.fails(1, &["check", "changed.json", "--db", "my.adb"]);
    assert!(said.contains("`_Image.location` has no index yet"), "{said}");
    assert!(said.contains("`adb migrate`"), "a way that the command line has: {said}");
    let rename =
        "differs: `Dish.caption` becomes `Dish.subtitle` (22 have it); `adb migrate` does it";
    assert!(said.contains(rename), "{said}");
    model["models"][0]["fields"][location]["indexed"] = json!(false);
    place.write("renamed.json", &model.to_string());
    let said = place.fails(1, &["check", "renamed.json", "--db", "my.adb"]);
    assert!(said.contains(rename) && !said.contains("index"), "{said}");
    let plan = place.prints(&["check", "changed.json", "--db", "my.adb", "--plan"]);
    assert!(plan.contains("`Dish.caption` becomes `Dish.subtitle` (22 have it)"), "{plan}");
    let done = place.prints(&["migrate", "changed.json", "--db", "my.adb"]);
    assert!(done.contains("0 sets and 1 index made, 22 objects renamed"), "{done}");
    place.prints(&["check", "changed.json", "--db", "my.adb"]);
    let again = place.prints(&["migrate", "changed.json", "--db", "my.adb"]);
    assert!(!again.contains("done"), "{again}");

    let fields = model["models"][0]["fields"].as_array_mut().unwrap();
    let name = field(fields, "name");
    fields[name]["type"] = json!("int");
    place.write("wrong.json", &model.to_string());
    let said = place.fails(1, &["check", "wrong.json", "--db", "my.adb"]);
    assert!(said.contains("is a String in the database and a Number in the model"), "{said}");
    place.fails(1, &["check", "wrong.json", "--db", "my.adb", "--plan"]);
    place.fails(1, &["migrate", "wrong.json", "--db", "my.adb"]);
    let said = place.fails(1, &["check", "changed.json", "--db", "nowhere.adb"]);
    assert!(said.contains("no database"), "{said}");
    let said = place.fails(1, &["migrate", "changed.json", "--db", "nowhere.adb"]);
    assert!(said.contains("there is no database at nowhere.adb"), "{said}");
}
