//! `adb model`

use serde_json::{Value as Json, json};

use crate::place::Place;

const DISHES: &str = "examples/data/cookbook/dishes.json";

fn field<'m>(model: &'m Json, name: &str) -> &'m Json {
    let fields = model["fields"].as_array().unwrap();
    fields.iter().find(|field| field["name"] == name).unwrap_or(&Json::Null)
}

#[test]
fn a_draft_of_the_cookbook_takes_its_rows_in() {
    let place = Place::with_sample();
    place.prints(&["model", "new", DISHES, "-o", "dish.json", "--embedder", "tiny-clip:24"]);
    let document: Json = serde_json::from_str(&place.read("dish.json")).unwrap();
    let dish = &document["models"][0];
    assert_eq!((&dish["name"], &dish["kind"]), (&json!("Dish"), &json!("image")));
    assert_eq!(field(dish, "dish_id")["role"], "id");
    assert_eq!(field(dish, "dish_id")["type"], "int");
    assert_eq!(field(dish, "url")["role"], "media");
    assert_eq!(field(dish, "name")["optional"], false);
    assert_eq!(field(dish, "look")["from"], "url");
    assert_eq!(field(dish, "ingredients")["model"], "Ingredient");
    assert_eq!(field(&document["models"][1], "name")["role"], "id");
    assert_eq!(document["sets"][0]["embedder"], "tiny-clip");
    let report =
        place.prints(&["ingest", "from-json", DISHES, "--model", "dish.json", "--db", "draft.adb"]);
    assert!(report.contains("22 rows read = 22 added"), "{report}");
    place.prints(&["check", "dish.json", "--db", "draft.adb"]);
}

#[test]
fn csv_and_json_lines_and_what_is_odd() {
    let place = Place::empty();
    place.write(
        "people.csv",
        "Name,born,height,member,photo,code,note\n\
         Ann,2001-02-03,1.7,true,a.jpg,007,\n\
         Bob,1999-12-31,2,false,,008,x\n",
    );
    let output = place.json(&["model", "new", "people.csv"]);
    let person = &output["models"][0];
    assert_eq!((&person["name"], &person["kind"]), (&json!("People"), &json!("entity")));
    assert_eq!(field(person, "name")["role"], "id");
    assert_eq!(field(person, "name")["key"], "Name");
    for (name, wanted) in [
        ("born", json!("date")),
        ("height", json!("float")),
        ("member", json!("bool")),
        ("code", json!("string")),
    ] {
        assert_eq!(field(person, name)["type"], wanted, "{name}");
    }
    assert_eq!(field(person, "photo")["role"], "media");
    assert_eq!(field(person, "photo")["optional"], true);
    assert_eq!(field(person, "note")["optional"], true);
    place.prints(&["model", "new", "people.csv", "-o", "person.json", "--class", "Person"]);
    place.write("a.jpg", "");

    let vector: Vec<f64> = (0..16).map(f64::from).collect();
    place.write(
        "things.jsonl",
        &format!(
            "{}\n\n{}\n",
            json!({"id": 2, "vector": vector, "tags": ["a"], "odd": 1, "at": "2021-07-01T09:30:00Z"}),
            json!({"id": 1, "vector": vector, "tags": ["b", "c"], "odd": "x", "at": "2021-07-01T09:30:00Z"}),
        ),
    );
    let output = place.adb(&["model", "new", "things.jsonl"]);
    let document: Json = serde_json::from_slice(&output.stdout).unwrap();
    let thing = &document["models"][0];
    assert_eq!(field(thing, "vector")["role"], "embedding");
    assert_eq!(document["sets"][0]["dimensions"], 16);
    assert_eq!(field(thing, "tags")["type"], "json");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`Thing.odd` has values of several kinds"), "{said}");
    assert!(said.contains("--no-embedder"), "{said}");

    place.write("empty.jsonl", "");
    place.write("list.json", "[1]");
    place.write("text.txt", "");
    for (code, file, words) in [
        (2, "empty.jsonl", "no row"),
        (1, "list.json", "row 1 is no object"),
        (2, "text.txt", ".txt"),
        (1, "nowhere.csv", "nowhere.csv"),
    ] {
        let said = place.fails(code, &["model", "new", file]);
        assert!(said.contains(words), "{said}");
    }
    let said = place.fails(2, &["model", "new", "people.csv", "--id", "code2"]);
    assert!(said.contains("no such key"), "{said}");
}

#[test]
fn a_model_is_shown() {
    let place = Place::with_sample();
    let model = "examples/data/cookbook/dish.model.json";
    assert!(place.prints(&["model", "show", model]).starts_with("erDiagram"));
    let schema = place.json(&["model", "show", model, "--json-schema"]);
    assert_eq!(schema["title"], "Dish");
    assert!(place.prints(&["model", "show", model, "--rust"]).contains("struct Dish {"));
    let said = place.fails(1, &["model", "show", DISHES]);
    assert!(said.contains("no model document"), "{said}");
}

/// What `adb model new --rust` wrote, compiled: it says the same as the document.
mod drafted {
    #![allow(dead_code, unused_imports, reason = "it is what a user would begin with")]
    include!("drafted.rs");
    pub(super) fn document() -> adb::document::Document {
        adb::document::Document::of(<Dish as DataModel>::SCHEMA)
    }
}

#[test]
fn the_drafted_struct_compiles_and_says_what_the_document_says() {
    let place = Place::with_sample();
    let draft = ["model", "new", DISHES, "--embedder", "clip-vit-b-16"];
    let rust = place.prints(&[&draft[..], &["--rust"]].concat());
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/drafted.rs");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &rust).unwrap();
    }
    let stored = std::fs::read_to_string(golden).unwrap();
    assert_eq!(stored, rust, "UPDATE_GOLDEN=1 cargo test -p adb-tool writes it anew");
    let document = place.json(&draft);
    assert_eq!(serde_json::to_value(drafted::document()).unwrap(), document);
}

/// Rows as data sets of pictures have them: a struct of bytes and path, and a column without values.
fn photos(path: &std::path::Path) {
    use parquet::{
        data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };

    let schema = "message row {
        optional group image { optional binary bytes; optional binary path (UTF8); }
        required int64 number;
        optional double score;
        optional int64 taken (TIMESTAMP(MICROS,true)); }";
    let picture = |shade: u8| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = image::RgbImage::from_pixel(4, 4, image::Rgb([shade, 0, 0]));
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        ByteArray::from(bytes.into_inner())
    };
    let schema = std::sync::Arc::new(parse_message_type(schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let properties = std::sync::Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = 0;
    while let Some(mut next) = group.next_column().unwrap() {
        match column {
            0 => {
                let pictures = [picture(1), picture(2)];
                next.typed::<ByteArrayType>().write_batch(&pictures, Some(&[2, 2]), None).unwrap();
            }
            1 => {
                next.typed::<ByteArrayType>().write_batch(&[], Some(&[1, 1]), None).unwrap();
            }
            2 => {
                next.typed::<Int64Type>().write_batch(&[7, 8], None, None).unwrap();
            }
            3 => {
                next.typed::<DoubleType>().write_batch(&[0.5], Some(&[1, 0]), None).unwrap();
            }
            _ => {
                next.typed::<Int64Type>().write_batch(&[], Some(&[0, 0]), None).unwrap();
            }
        }
        next.close().unwrap();
        column += 1;
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn a_draft_of_parquet_takes_its_rows_in() {
    let place = Place::empty();
    photos(&place.file("photos.parquet"));
    place.prints(&["model", "new", "photos.parquet", "-o", "m.json"]);
    let document: Json = serde_json::from_str(&place.read("m.json")).unwrap();
    let photo = &document["models"][0];
    assert_eq!((&photo["name"], &photo["kind"]), (&json!("Photo"), &json!("image")));
    assert_eq!(field(photo, "number")["role"], "id");
    assert_eq!(field(photo, "image")["role"], "media");
    assert_eq!(field(photo, "score")["type"], "float");
    assert_eq!(field(photo, "score")["optional"], true);
    assert_eq!(field(photo, "taken")["type"], "date", "there is none, and the file says so");
    let args = ["ingest", "from-parquet", "photos.parquet", "--model", "m.json", "--db", "my.adb"];
    let report = place.prints(&args);
    assert!(report.contains("2 rows read = 2 added"), "{report}");
}
