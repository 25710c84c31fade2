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
    let draft = ["model", "new", "people.csv", "-o", "person.json", "--class", "Person"];
    place.prints(&draft);
    let said = place.fails(2, &draft);
    assert!(said.contains("--replace"), "{said}");
    place.prints(&[&draft[..], &["--replace"]].concat());
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
        (1, "list.json", "row 1 (line 1): a row is an object"),
        (2, "text.txt", ".txt"),
        (1, "nowhere.csv", "nowhere.csv"),
    ] {
        let said = place.fails(code, &["model", "new", file]);
        assert!(said.contains(words), "{said}");
    }
    let said = place.fails(2, &["model", "new", "people.csv", "--id", "code2"]);
    assert!(said.contains("no such key"), "{said}");
}

/// What a list or a number could be is not known from one of them.
#[test]
fn empty_lists_are_lists_and_numbers_that_are_too_large_are_told() {
    let place = Place::empty();
    let rows = r#"{"id": 1, "tags": ["a"], "kids": [{"name": "x"}], "none": [], "hash": 12345678901234567890}
{"id": 2, "tags": [], "kids": [], "none": [], "hash": 12345678901234567891}
"#;
    place.write("things.jsonl", rows);
    let said =
        crate::place::said(&place.adb(&["model", "new", "things.jsonl", "-o", "things.json"]));
    assert!(said.contains("`Thing.hash` has whole numbers beyond"), "{said}");
    let document: Json = serde_json::from_str(&place.read("things.json")).unwrap();
    let thing = &document["models"][0];
    for key in ["tags", "none"] {
        assert_eq!(field(thing, key)["type"], "json", "{thing}");
    }
    assert_eq!(field(thing, "kids")["role"], "children", "{thing}");
    let ingest =
        ["ingest", "from-json", "things.jsonl", "--model", "things.json", "--db", "my.adb"];
    let report = place.prints(&ingest);
    assert!(report.contains("2 rows read = 2 added"), "{report}");

    place.write("things.csv", "id,hash\n1,12345678901234567890\n2,12345678901234567891\n");
    place.prints(&["model", "new", "things.csv", "-o", "csv.json"]);
    let document: Json = serde_json::from_str(&place.read("csv.json")).unwrap();
    assert_eq!(field(&document["models"][0], "hash")["type"], "string", "{document}");
}

#[test]
fn what_stands_between_cells_is_seen_and_rows_without_an_id_are_known_by_their_place() {
    let place = Place::empty();
    place.write("rows.csv", "dish;price\n\"a,b,c\";1\n\"a,b,c\";2,5\n\"a,b,c\";1\n");
    let model = &place.json(&["model", "new", "rows.csv"])["models"][0];
    assert_eq!(model["fields"].as_array().unwrap().len(), 2, "{model}");
    let rust = place.prints(&["model", "new", "rows.csv", "--rust"]);
    assert!(rust.contains("#[adb(row_id)]\nstruct Row"), "{rust}");
}

#[test]
fn keys_that_the_database_takes_for_no_property_get_another_name() {
    let place = Place::empty();
    place.write(
        "dishes.jsonl",
        "{\"_id\": \"a1\", \"id\": 7, \"_uniqueid\": \"1.0\", \"user_type\": \"x\"}\n\
         {\"_id\": \"a2\", \"id\": 7, \"_uniqueid\": \"2.0\", \"user_type\": \"x\"}\n",
    );
    let output = place.adb(&["model", "new", "dishes.jsonl", "-o", "m.json"]);
    let said = crate::place::said(&output);
    let document: Json = serde_json::from_str(&place.read("m.json")).unwrap();
    let fields = document["models"][0]["fields"].as_array().unwrap();
    let stored = |key: &str| {
        let field = fields.iter().find(|field| field["key"] == key).unwrap();
        (field["property"].as_str().unwrap(), field["role"].as_str().unwrap())
    };
    assert_eq!(stored("_id"), ("id_", "id"));
    assert_eq!(stored("id"), ("id", "property"));
    assert_eq!(stored("_uniqueid"), ("uniqueid", "property"));
    assert_eq!(stored("user_type"), ("row_user_type", "property"));
    assert!(said.contains("what rows call `_id` is stored as `id_`"), "{said}");
    let report = place.prints(&[
        "ingest",
        "from-json",
        "dishes.jsonl",
        "--model",
        "m.json",
        "--db",
        "my.adb",
    ]);
    assert!(report.contains("2 rows read = 2 added"), "{report}");
    let rust = place.prints(&["model", "show", "m.json", "--rust"]);
    assert!(
        rust.contains("#[adb(id, rename = \"id_\")]\n    #[serde(rename = \"_id\")]"),
        "{rust}"
    );

    // A document that says otherwise is refused before the first row.
    place.write("m.json", &place.read("m.json").replace("\"row_user_type\"", "\"_type\""));
    let said = place.fails(1, &["model", "show", "m.json"]);
    assert!(said.contains("`_type`") && said.contains("begin with `_`"), "{said}");
}

#[test]
fn a_name_that_repeats_identifies_no_row() {
    let place = Place::empty();
    place.write("dishes.csv", "name,price\ndal,1\ndal,2\nrice,2\n");
    let output = place.adb(&["model", "new", "dishes.csv"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let document: Json = serde_json::from_slice(&output.stdout).unwrap();
    let roles: Vec<&Json> =
        document["models"][0]["fields"].as_array().unwrap().iter().map(|f| &f["role"]).collect();
    assert_eq!(roles, ["property", "property"]);
    assert!(said.contains("`name` is in every row, and repeats"), "{said}");
    assert!(said.contains("--id") && said.contains("role `id`"), "{said}");
    let named = place.json(&["model", "new", "dishes.csv", "--id", "name"]);
    assert_eq!(named["models"][0]["fields"][0]["role"], "id");
}

#[test]
fn packed_rows_and_standard_input_are_looked_at() {
    use std::{io::Write as _, process::Stdio};

    let place = Place::with_sample();
    let packed = |name: &str, text: &str| {
        let file = std::fs::File::create(place.file(name)).unwrap();
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap();
    };
    let dishes = place.read(DISHES);
    packed("dishes.json.gz", &dishes);
    packed("prices.tsv.gz", "dish\tprice\ndal\t3\n");
    let plain = place.json(&["model", "new", DISHES]);
    assert_eq!(place.json(&["model", "new", "dishes.json.gz"]), plain);
    let prices = place.json(&["model", "new", "prices.tsv.gz"]);
    assert_eq!(prices["models"][0]["fields"][1]["property"], "price");

    let piped = |arguments: &[&str]| {
        let mut command = place.command(crate::place::ADB);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.spawn().unwrap();
        // It may have no use for it.
        let _ = running.stdin.take().unwrap().write_all(dishes.as_bytes());
        running.wait_with_output().unwrap()
    };
    let output = piped(&["model", "new", "-", "--format", "json", "--class", "Dish"]);
    assert_eq!(serde_json::from_slice::<Json>(&output.stdout).unwrap(), plain);
    for (arguments, words) in [
        (&["model", "new", "-"][..], "--format"),
        (&["model", "new", "-", "--format", "parquet"], "standard input"),
    ] {
        let output = piped(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(crate::place::said(&output).contains(words), "{}", crate::place::said(&output));
    }
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

/// What `adb model show --rust` writes of this model's document, to the letter.
mod shown {
    #![allow(dead_code, reason = "only what it says is asked for")]
    include!("shown.rs");
    pub(super) fn document() -> adb::document::Document {
        adb::document::Document::of(<Person as DataModel>::SCHEMA)
    }
}

#[test]
fn a_struct_is_shown_as_it_was_written() {
    let place = Place::empty();
    place.write("person.model.json", &serde_json::to_string(&shown::document()).unwrap());
    let rust = place.prints(&["model", "show", "person.model.json", "--rust"]);
    assert_eq!(rust, include_str!("shown.rs"));
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
