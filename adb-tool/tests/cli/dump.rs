//! `adb export` without a model, and back.

use std::{collections::HashMap, fs};

use adb::{Database as _, Request, Response};
use serde_json::{Value as Json, json};

use crate::place::{Place, said as said_by};

const STAGES: [&str; 6] = ["sets", "objects", "parts", "regions", "descriptors", "connections"];

/// Sends commands with blobs, which must go well.
fn ask(place: &Place, db: &str, commands: &Json, blobs: Vec<Vec<u8>>) -> Vec<Json> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = adb::connect(place.file(db).to_str().unwrap()).unwrap();
        let blobs = blobs.into_iter().map(Into::into).collect();
        match db.execute(Request::new(commands.to_string(), blobs)).await.unwrap() {
            Response::Done { answers, .. } => answers,
            Response::Refused(refusal) => panic!("{refusal}"),
        }
    })
}

/// One of everything that can be stored.
pub(crate) fn all_kinds(place: &Place, db: &str) {
    let picture = fs::read(place.file("examples/data/cookbook/images/pizza.png")).unwrap();
    let vector = |x: f32| [x, 0.1, -2.5].iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let commands = json!([
        {"AddDescriptorSet": {"name": "looks", "dimensions": 3, "engine": ["Flat", "HNSW"],
            "metric": ["L2", "CS"], "properties": {"made_by": "hand"}}},
        {"AddEntity": {"_ref": 1, "class": "Cook", "properties": {
            "name": "Ada", "born": {"_date": "1815-12-10T08:30:00.25+00:00"}, "alive": false,
            "score": 0.1, "dishes": 9007199254740993_i64, "tags": {"json": [1, null, "x"]}}}},
        {"AddEntity": {"_ref": 2, "class": "Cook", "properties": {"name": "None"}}},
        {"AddImage": {"_ref": 3, "properties": {"name": "pizza"}}},
        {"AddVideo": {"_ref": 4, "properties": {"name": "film"}}},
        {"AddBlob": {"_ref": 5}},
        {"AddFrame": {"_ref": 6, "video_ref": 4, "frame_number": 7, "label": "seventh"}},
        {"AddClip": {"_ref": 7, "video_ref": 4, "time_offset_range": {"start": "00:00:01.5", "stop": "00:00:02"}}},
        {"AddBoundingBox": {"_ref": 8, "image_ref": 3, "label": "olive",
            "rectangle": {"x": 1, "y": 2, "width": 3, "height": 4}, "properties": {"n": 1}}},
        {"AddPolygon": {"_ref": 9, "image_ref": 3, "polygons": [[[0, 0], [9, 0], [9.5, 9]]]}},
        {"AddDescriptor": {"_ref": 10, "set": "looks", "label": "round", "connect": {"ref": 3}}},
        {"AddDescriptor": {"_ref": 11, "set": "looks", "properties": {"free": true}}},
        {"AddConnection": {"class": "made", "src": 1, "dst": 3, "properties": {"stars": 5}}},
        {"AddConnection": {"class": "made", "src": 1, "dst": 3, "properties": {"stars": 4}}},
        {"AddConnection": {"class": "made", "src": 2, "dst": 4}},
        {"AddConnection": {"class": "knows", "src": 1, "dst": 2}},
        {"AddConnection": {"class": "knows", "src": 1, "dst": 1}},
        {"AddConnection": {"class": "shows", "src": 11, "dst": 8}},
        {"CreateIndex": {"index_type": "entity", "class": "Cook", "property_key": "name"}},
        {"CreateIndex": {"index_type": "connection", "class": "made", "property_key": "stars"}},
    ]);
    let blobs =
        vec![picture, b"no film".to_vec(), b"\0\x01 bytes".to_vec(), vector(1.0), vector(0.3)];
    ask(place, db, &commands, blobs);
}

/// What an export says, with each object named by all that it is instead of by its id: two databases
/// are one graph if these are equal.
pub(crate) fn graph(place: &Place, dir: &str) -> Vec<String> {
    let mut named: HashMap<String, String> = HashMap::new();
    let mut all = Vec::new();
    for stage in STAGES {
        let text = place.read(&format!("{dir}/{stage}.jsonl"));
        let mut rows: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            let mut row: Json = serde_json::from_str(line).unwrap();
            let id = row["id"].take().as_str().unwrap().to_owned();
            if let Some(file) = row["file"].as_str() {
                row["file"] = format!("{:?}", fs::read(place.file(dir).join(file)).unwrap()).into();
            }
            let name = |other: &mut Json| {
                let id = other["id"].as_str().unwrap();
                *other = named.get(id).unwrap_or_else(|| panic!("{id} comes later")).clone().into();
            };
            row["refs"].as_object_mut().into_iter().flatten().for_each(|(_, other)| name(other));
            row["of"].as_array_mut().into_iter().flatten().for_each(name);
            row.sort_all_objects();
            rows.push((id, format!("{stage} {row}")));
        }
        all.extend(rows.iter().map(|(_, row)| row.clone()));
        named.extend(rows);
    }
    all.sort();
    all
}

fn there_and_back(place: &Place, db: &str) -> Vec<String> {
    place.prints(&["export", "out", "--db", db]);
    let said = place.prints(&["ingest", "from-export", "out", "--db", "copy.adb"]);
    assert!(said.contains("0 failed"), "{said}");
    place.prints(&["export", "again", "--db", "copy.adb"]);
    let (out, again) = (graph(place, "out"), graph(place, "again"));
    assert_eq!(out, again);
    // As told by another way: all classes, types, counts and indexes.
    let schema = |db: &str| {
        let mut schema = place.json(&["schema", "--db", db, "--json"]);
        schema.sort_all_objects();
        for list in schema.as_object_mut().unwrap().values_mut().filter_map(Json::as_array_mut) {
            list.sort_by_key(Json::to_string);
        }
        schema
    };
    assert_eq!(schema("copy.adb"), schema(db));
    out
}

#[test]
fn all_kinds_of_objects_come_out_and_go_in_again() {
    let place = Place::with_sample();
    all_kinds(&place, "all.adb");
    let graph = there_and_back(&place, "all.adb");
    // A set, four objects and a blob, two parts, two regions, two descriptors, six connections.
    assert_eq!(graph.len(), 1 + 5 + 2 + 2 + 2 + 6, "{graph:#?}");

    // What a comparison of two exports would not see, if both left it out.
    let asked = json!([
        {"FindBoundingBox": {"coordinates": true, "labels": true}},
        {"FindPolygon": {"vertices": true}},
        {"FindFrame": {"results": {"list": ["_label", "_frame_number"]}}},
        {"FindClip": {"results": {"list": ["_time_offset_range"]}}},
        {"FindEntity": {"with_class": "Cook", "sort": "name", "results": {
            "list": ["name", "born", "alive", "score", "dishes", "tags"]}}},
        {"FindConnection": {"with_class": "made", "sort": "stars", "results": {"list": ["stars"]}}},
        {"FindDescriptorSet": {"engines": true, "metrics": true, "dimensions": true,
            "results": {"list": ["_name", "made_by"]}}},
        {"FindDescriptor": {"set": "looks", "k_neighbors": 2, "labels": true, "distances": true, "_ref": 1}},
        {"FindImage": {"is_connected_to": {"ref": 1}, "results": {"list": ["name"]}}},
    ]);
    let near = || vec![[1.0_f32, 0.1, -2.5].iter().flat_map(|x| x.to_le_bytes()).collect()];
    let before = ask(&place, "all.adb", &asked, near());
    assert_eq!(before[8]["FindImage"]["entities"], json!([{"name": "pizza"}]));
    assert_eq!(ask(&place, "copy.adb", &asked, near()), before);

    // Once more adds nothing.
    let said = place.prints(&["ingest", "from-export", "out", "--db", "copy.adb"]);
    assert!(!said.contains("connections added") || said.contains(" 0 connections"), "{said}");
    place.prints(&["export", "third", "--db", "copy.adb"]);
    assert_eq!(self::graph(&place, "third"), graph);
}

#[test]
fn a_database_that_was_ingested_goes_on_elsewhere() {
    let place = Place::with_dishes();
    let graph = there_and_back(&place, "my.adb");
    assert!(graph.len() > 150, "{}", graph.len());
    // The notes of its rows came along: the source has nothing new to say.
    let said = place.prints(&[
        "ingest",
        "from-json",
        "examples/data/cookbook/dishes.json",
        "--model",
        "examples/data/cookbook/dish.model.json",
        "--db",
        "copy.adb",
    ]);
    assert!(said.contains("22 rows read = 0 added + 22 existed"), "{said}");
}

/// A picture that can't be read costs what hangs on it as well; all of it is taken again, file by
/// file, once it can.
#[test]
fn rows_of_an_export_that_failed_are_taken_again() {
    let place = Place::with_sample();
    all_kinds(&place, "all.adb");
    place.prints(&["export", "out", "--db", "all.adb"]);
    let objects = place.read("out/objects.jsonl");
    let image: Json = objects
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|row: &Json| row["add"] == "AddImage")
        .unwrap();
    let file = place.file("out").join(image["file"].as_str().unwrap());
    fs::rename(&file, place.file("away")).unwrap();
    let said = place.fails(3, &["ingest", "from-export", "out", "--db", "copy.adb"]);
    // The picture; a box and a polygon in it; a descriptor of it; two connections to it, one to the
    // box.
    for (rows, failed) in [(5, 1), (2, 2), (2, 1), (6, 3)] {
        let report = format!("{rows} rows read = {} added", rows - failed);
        assert!(said.contains(&report) && said.contains(&format!(" {failed} failed")), "{said}");
    }
    let wanting = format!("the object {} of `_Image`", image["id"].as_str().unwrap());
    assert!(said.contains(&wanting), "{said}");

    let letters = |stage: &str| format!("out/{stage}.jsonl.dead-letters.jsonl");
    let retry = |stage: &str| place.adb(&["ingest", "retry", &letters(stage), "--db", "copy.adb"]);
    let dry = ["ingest", "retry", &letters("connections"), "--dry-run"];
    assert_eq!(place.prints(&dry).matches("AddConnection").count(), 3);
    assert_eq!(retry("objects").status.code(), Some(3), "the file is away still");
    fs::rename(place.file("away"), &file).unwrap();
    for stage in ["objects", "regions", "descriptors", "connections"] {
        let output = retry(stage);
        assert!(output.status.success(), "{}", said_by(&output));
    }
    place.prints(&["export", "again", "--db", "copy.adb"]);
    assert_eq!(graph(&place, "again"), graph(&place, "out"));

    let both = ["--dead-letters", "letters.jsonl", "--db", "copy.adb"];
    let said = place.fails(2, &[&["ingest", "from-export", "out"], &both[..]].concat());
    assert!(said.contains("--dead-letters"), "{said}");
}

/// Without one of the objects that it is of, it would never get that connection.
#[test]
fn a_descriptor_of_several_objects_goes_in_whole_or_not_at_all() {
    let place = Place::with_sample();
    let picture = fs::read(place.file("examples/data/cookbook/images/pizza.png")).unwrap();
    let vector = 1_f32.to_le_bytes().to_vec();
    let add = json!([
        {"AddDescriptorSet": {"name": "looks", "dimensions": 1}},
        {"AddImage": {"properties": {"n": 1}}},
        {"AddImage": {"properties": {"n": 2}}},
    ]);
    ask(&place, "two.adb", &add, vec![picture.clone(), picture]);
    let describe = json!([
        {"FindImage": {"_ref": 1}},
        {"AddDescriptor": {"set": "looks", "connect": {"ref": 1}}},
    ]);
    ask(&place, "two.adb", &describe, vec![vector]);
    place.prints(&["export", "out", "--db", "two.adb"]);
    let objects = place.read("out/objects.jsonl");
    let second: Json = serde_json::from_str(objects.lines().last().unwrap()).unwrap();
    let file = place.file("out").join(second["file"].as_str().unwrap());
    fs::rename(&file, place.file("away")).unwrap();
    place.fails(3, &["ingest", "from-export", "out", "--db", "copy.adb"]);
    let counts = json!([
        {"FindDescriptor": {"set": "looks", "_ref": 1, "results": {"count": true}}},
        {"FindImage": {"is_connected_to": {"ref": 1}, "results": {"count": true}}},
    ]);
    let count = || {
        let answers = ask(&place, "copy.adb", &counts, Vec::new());
        [&answers[0]["FindDescriptor"], &answers[1]["FindImage"]].map(|of| of["count"].clone())
    };
    assert_eq!(count(), [json!(0), json!(0)]);
    fs::rename(place.file("away"), &file).unwrap();
    for stage in ["objects", "descriptors"] {
        let letters = format!("out/{stage}.jsonl.dead-letters.jsonl");
        place.prints(&["ingest", "retry", &letters, "--db", "copy.adb"]);
    }
    assert_eq!(count(), [json!(1), json!(2)]);
    let said = place.prints(&["ingest", "from-export", "out", "--db", "copy.adb"]);
    assert!(said.contains("1 row read = 0 added + 1 existed"), "{said}");
}

#[test]
fn what_a_query_finds_comes_with_what_it_lies_in() {
    let place = Place::with_sample();
    all_kinds(&place, "all.adb");
    let query = json!([
        {"FindEntity": {"with_class": "Cook", "constraints": {"name": ["==", "Ada"]}}},
        {"FindBoundingBox": {"with_label": "olive", "blobs": true}},
        {"FindFrame": {}},
    ]);
    place.write("query.json", &query.to_string());
    place.prints(&["export", "part", "--query", "query.json", "--db", "all.adb"]);
    let adds: Vec<String> = graph(&place, "part")
        .iter()
        .map(|row| {
            let row: Json = serde_json::from_str(row.split_once(' ').unwrap().1).unwrap();
            row["add"].as_str().unwrap().to_owned()
        })
        .collect();
    let count = |add: &str| adds.iter().filter(|one| *one == add).count();
    // The image of the box and the film of the frame come along, and what Ada has to do with them.
    for (add, wanted) in [
        ("AddEntity", 1),
        ("AddBoundingBox", 1),
        ("AddFrame", 1),
        ("AddImage", 1),
        ("AddVideo", 1),
        ("AddConnection", 3),
    ] {
        assert_eq!(count(add), wanted, "{add} of {adds:?}");
    }
    assert_eq!(adds.len(), 8, "{adds:?}");
    let said = place.prints(&["ingest", "from-export", "part", "--db", "part.adb"]);
    assert!(said.contains("0 failed"), "{said}");

    place.write("wrong.json", "[{\"DeleteImage\": {}}]");
    let said = place.fails(1, &["export", "x", "--query", "wrong.json", "--db", "all.adb"]);
    assert!(said.contains("DeleteImage") && !place.file("x").exists(), "{said}");
    let said = place.fails(2, &["export", "x", "--where", "a == 1", "--db", "all.adb"]);
    assert!(said.contains("--model"), "{said}");
    let said = place.fails(1, &["ingest", "from-export", "examples", "--db", "part.adb"]);
    assert!(said.contains("export.json"), "{said}");
}
