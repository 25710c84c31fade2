//! `adb search`

use std::fs::{self, File};

use serde_json::{Value as Json, json};

use crate::place::{Place, said};

const SEARCH: [&str; 5] = ["search", "--db", "my.adb", "--set", "dish_photos"];

fn search(place: &Place, more: &[&str]) -> Vec<Json> {
    let found = place.json(&[&SEARCH, more, &["--json"]].concat());
    found.as_array().unwrap().clone()
}

fn names(found: &[Json]) -> Vec<&str> {
    found.iter().map(|hit| hit["properties"]["name"].as_str().unwrap()).collect()
}

#[test]
fn nearest_first_and_the_same_by_text_and_by_its_vector() {
    let place = Place::with_dishes();
    let found = search(&place, &["creamy curry", "-k", "7"]);
    assert_eq!(found.len(), 7);
    let similarity = |hit: &Json| hit["similarity"].as_f64().unwrap();
    assert!(found.windows(2).all(|pair| similarity(&pair[0]) >= similarity(&pair[1])));
    assert_eq!(found[0]["class"], "Dish");
    assert_eq!(found[0]["kind"], "image");
    assert_eq!(found[0]["rank"], 1);
    let vector = place.prints(&["embedders", "embed", "tiny-clip", "--text", "creamy curry"]);
    place.write("vector.json", &vector);
    assert_eq!(search(&place, &["--vector", "vector.json", "-k", "7"]), found);
    // The only set need not be named.
    assert_eq!(
        place.json(&["search", "--db", "my.adb", "creamy curry", "-k", "7", "--json"]),
        json!(found)
    );
}

#[test]
fn a_stored_picture_is_nearest_to_itself() {
    let place = Place::with_dishes();
    let found = search(&place, &["--image", "examples/data/cookbook/images/pizza.png", "-k", "2"]);
    assert_eq!(names(&found)[0], "margherita pizza");
    assert!(found[0]["similarity"].as_f64().unwrap() > 0.999, "{}", found[0]);
}

#[test]
fn filters_leave_the_nearest_of_what_passes() {
    let place = Place::with_dishes();
    let all = search(&place, &["curry", "-k", "22"]);
    assert_eq!(all.len(), 22);
    for (filter, passes) in [
        ("cuisine == \"Italian\"", (|p| p["cuisine"] == "Italian") as fn(&Json) -> bool),
        ("dish_id > 3 && dish_id <= 9", |p| (4..=9).contains(&p["dish_id"].as_i64().unwrap())),
        ("cuisine in ['Italian', 'Indian'] && !(dish_id < 2)", |p| {
            (p["cuisine"] == "Italian" || p["cuisine"] == "Indian") && p["dish_id"] != 1
        }),
        ("cuisine == null || name == 'pretzel'", |p| {
            p["cuisine"].is_null() || p["name"] == "pretzel"
        }),
        ("cuisine != 'Italian'", |p| !p["cuisine"].is_null() && p["cuisine"] != "Italian"),
    ] {
        let wanted: Vec<&Json> =
            all.iter().map(|hit| &hit["properties"]).filter(|p| passes(p)).collect();
        let found = search(&place, &["curry", "-k", "22", "--where", filter]);
        let found: Vec<&Json> = found.iter().map(|hit| &hit["properties"]).collect();
        assert_eq!(found, wanted, "{filter}");
        let two = search(&place, &["curry", "-k", "2", "--where", filter]);
        assert_eq!(two.len(), wanted.len().min(2), "{filter}");
    }
}

#[test]
fn the_table_shows_what_was_asked_for() {
    let place = Place::with_dishes();
    let text =
        place.prints(&[&SEARCH, &["curry", "-k", "3", "--show", "name,cuisine"][..]].concat());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    let header: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(header, ["rank", "class", "similarity", "name", "cuisine"]);
    assert!(!text.contains('\x1b'), "no colours and pictures where there is no terminal");
    let none = place.prints(&[&SEARCH, &["curry", "--where", "dish_id > 1000"][..]].concat());
    assert_eq!(none, "nothing was found\n");
}

#[test]
fn a_page_holds_its_pictures_and_nothing_foreign() {
    let place = Place::with_dishes();
    place.prints(
        &[&SEARCH, &["<script>alert(1)</script>", "-k", "3", "--html", "page.html"][..]].concat(),
    );
    let page = place.read("page.html");
    assert_eq!(page.matches("<img ").count(), 3);
    assert_eq!(page.matches("src=\"data:image/jpeg;base64,").count(), 3);
    assert!(!page.contains("<script"), "what was asked is text");
    assert!(page.contains("&lt;script>") || page.contains("&lt;script&gt;"), "it is shown");
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing is loaded");
}

#[test]
fn faults_say_what_was_meant() {
    let place = Place::with_dishes();
    fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&SEARCH[..], more].concat()
    }
    for (code, arguments, words) in [
        (2, with(&["x", "--where", "cuisine = 1"]), "`==` compares"),
        (2, with(&["x", "--where", "cuisine == Indian"]), "\"Indian\""),
        (1, with(&["x", "--where", "cusine == 'Indian'"]), "is it `cuisine`?"),
        (1, with(&["x", "--where", "dish_id == '1'"]), "is a Number"),
        (1, with(&["x", "--where", "name"]), "is a String"),
        (2, with(&[]), "give a text"),
        (2, with(&["x", "--image", "y.png"]), "cannot be used with"),
        (1, with(&["--image", "nowhere.png"]), "nowhere.png"),
        (1, with(&["--vector", "examples/data/cookbook/dishes.json"]), "a JSON array of numbers"),
        (1, vec!["search", "--db", "my.adb", "--set", "dish_photo", "x"], "is it `dish_photos`?"),
        (1, vec!["search", "--db", "nowhere.adb", "x"], "there is no database at nowhere.adb"),
        (2, vec!["search", "x"], "adb config create"),
        (2, vec!["search", "x", "--db", "ftp://h"], "`ftp://` is not known"),
    ] {
        let said = place.fails(code, &arguments);
        assert!(said.contains(words), "wanted `{words}` in: {said}");
        assert!(said.contains("error:"), "{said}");
    }
    assert!(!place.file("nowhere.adb").exists(), "searching makes nothing");
    place.write("short.json", "[1, 2]");
    let said = place.fails(1, &with(&["--vector", "short.json"]));
    assert!(said.contains("24"), "{said}");
}

/// The lock is what a writing process holds.
#[test]
fn what_only_reads_works_while_another_process_writes() {
    let place = Place::with_dishes();
    let lock = File::options().write(true).open(place.file("my.adb/adb.lock")).unwrap();
    lock.try_lock().unwrap();
    assert_eq!(search(&place, &["curry", "-k", "2"]).len(), 2);
    place.prints(&["schema", "--db", "my.adb"]);
    place.prints(&["check", "examples/data/cookbook/dish.model.json", "--db", "my.adb"]);
    let doctor = place.prints(&["doctor", "--db", "my.adb"]);
    assert!(doctor.contains("is writing to it"), "{doctor}");
    let said = place.fails(1, &["utils", "execute", "remove_all", "--force", "--db", "my.adb"]);
    assert!(said.contains("is writing to this database"), "{said}");
}

#[test]
fn properties_that_nothing_has_are_not_shown_in_silence() {
    let place = Place::with_dishes();
    let said = place.fails(2, &["search", "curry", "--db", "my.adb", "--show", "name,cusine"]);
    assert!(said.contains("the property `cusine` (is it `cuisine`?); there are "), "{said}");
    assert!(said.contains("caption") && !said.contains("adb_run"), "{said}");
    place.prints(&["search", "curry", "--db", "my.adb", "--show", "location,adb_run"]);
}

#[test]
fn a_set_in_which_a_failed_run_put_nothing_takes_any_embedder() {
    let place = Place::with_sample();
    let model = "examples/data/cookbook/dish.model.json";
    let rows = "examples/data/cookbook/dishes.json";
    let ingest = ["ingest", "from-json", rows, "--model", model, "--db", "my.adb"];
    let said = place.fails(3, &[&ingest[..], &["--no-embedder"]].concat());
    assert!(said.contains("22 failed"), "{said}");
    assert!(place.prints(&["schema", "--db", "my.adb"]).contains("nobody yet"));
    assert_eq!(place.prints(&["runs", "--db", "my.adb"]), "");
    let said = place.fails(1, &["search", "curry", "--db", "my.adb"]);
    assert!(said.contains("`dish_photos` is empty"), "{said}");
    assert!(place.prints(&ingest).contains("22 added"));
    assert!(place.prints(&["schema", "--db", "my.adb"]).contains("tiny-clip"));
}

#[test]
fn vectors_that_were_given_are_searched_with_vectors() {
    let place = Place::with_sample();
    let rows: Vec<Json> =
        serde_json::from_str(&place.read("examples/data/cookbook/dishes.json")).unwrap();
    let mut lines = String::new();
    for (i, mut row) in rows.into_iter().enumerate() {
        let vector: Vec<f64> = (0..24).map(|k| if k == i { 1.0 } else { 0.1 }).collect();
        row["look"] = json!(vector);
        lines.push_str(&format!("{row}\n"));
    }
    fs::write(place.file("examples/data/cookbook/rows.jsonl"), lines).unwrap();
    place.prints(&[
        "ingest",
        "from-json",
        "examples/data/cookbook/rows.jsonl",
        "--no-embedder",
        "--model",
        "examples/data/cookbook/dish.model.json",
        "--db",
        "given.adb",
    ]);
    let refused = place.fails(1, &["search", "--db", "given.adb", "curry"]);
    assert!(refused.contains("--vector"), "{refused}");
    let third: Vec<f64> = (0..24).map(|k| if k == 2 { 1.0 } else { 0.1 }).collect();
    place.write("third.json", &json!({ "vector": third }).to_string());
    let found = place.json(&["search", "--db", "given.adb", "--vector", "third.json", "--json"]);
    assert_eq!(found[0]["properties"]["dish_id"], 3);
    let output = place.adb(&["search", "--db", "given.adb", "--vector", "third.json", "-q"]);
    assert!(output.stderr.is_empty(), "{}", said(&output));
}

#[test]
fn pictures_come_as_the_terminal_is_said_to_understand_them() {
    let place = Place::with_dishes();
    let thumbnails =
        |how| place.prints(&[&SEARCH, &["curry", "-k", "3", "--thumbnails", how][..]].concat());
    for (how, beginning) in
        [("sixel", "\x1bP0;1q\"1;1;160;"), ("kitty", "\x1b_Ga=T"), ("iterm", "\x1b]1337;")]
    {
        let text = thumbnails(how);
        assert_eq!(text.matches(beginning).count(), 3, "{how}: {}", text.escape_debug());
        assert!(text.contains("\n1. Dish  similarity "), "{how}");
    }
    assert!(!thumbnails("off").contains('\x1b'));
}
