//! The files that pages and examples speak of, under the names that they have there.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value as Json, json};

use crate::place::{Place, copy};

const SAMPLE: &str = "examples/data/cookbook";

/// Puts them into a place that has the Cookbook's sample.
pub(crate) fn stock(place: &Place) {
    let model: Json =
        serde_json::from_str(&place.read(&format!("{SAMPLE}/dish.model.json"))).unwrap();
    let ingredient = json!({"version": 1, "models": [model["models"][1]]});
    place.write("ingredient.model.json", &ingredient.to_string());
    place.write("dish.model.json", &model.to_string());
    place.write("ingredients.jsonl", "{\"name\": \"rice\"}\n{\"name\": \"dill\"}\n");

    let text = place.read(&format!("{SAMPLE}/dishes.json"));
    place.write("dishes.json", &text);
    copy(&place.file(&format!("{SAMPLE}/images")), &place.file("images"));
    let dishes: Vec<Json> = serde_json::from_str(&text).unwrap();
    let lines: String = dishes.iter().map(|dish| format!("{dish}\n")).collect();
    packed(&place.file("dishes.jsonl.gz"), &lines);
    packed(&place.file("dump.gz"), &format!("{}\n", json!({"rows": dishes})));
    tables(place, &dishes);
    photos(place, &dishes);
    failed(place);
    shards(place);
    place.write("dishes.py", &format!("print('''{}''')", dishes[0]));
    place.write("file", "Kitchen-Window-7!\n");
    // Of the traces' page.
    place.write("status.json", "[{\"GetStatus\": {}}]");
}

fn packed(path: &Path, text: &str) {
    let mut file = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap();
}

/// Rows of a model, and the same as the Python SDK's loaders want them.
fn tables(place: &Place, dishes: &[Json]) {
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    let mut by_model = "dish_id,name,cuisine,caption,url,photo,price,ingredients\n".to_owned();
    let mut exported = "Dish no\tname\tcaption\turl\tcomment\n".to_owned();
    let mut images = "filename,dish_id,name,constraint_dish_id\n".to_owned();
    let mut ingredients = vec![];
    let mut connections =
        "ConnectionClass,_Image@dish_id,Ingredient@name,constraint_n,n\n".to_owned();
    for (n, dish) in dishes.iter().enumerate() {
        let text = |key: &str| dish[key].as_str().unwrap_or_default();
        let id = dish["dish_id"].to_string();
        let cells = [
            &id,
            text("name"),
            text("cuisine"),
            text("caption"),
            text("url"),
            &format!("{id}.png"),
            &n.to_string(),
            &dish["ingredients"].to_string(),
        ];
        by_model += &(cells.map(quoted).join(",") + "\n");
        exported +=
            &format!("{id}\t{}\t{}\t{}\tfine\n", text("name"), text("caption"), text("url"));
        images += &format!("{},{id},{},{id}\n", text("url"), quoted(text("name")));
        for part in dish["ingredients"].as_array().into_iter().flatten() {
            let name = part["name"].as_str().unwrap();
            if !ingredients.contains(&name) {
                ingredients.push(name);
            }
            let edge = format!("{id}-{name}");
            connections += &format!("HasIngredient,{id},{name},{edge},{edge}\n");
        }
    }
    place.write("dishes.csv", &by_model);
    packed(&place.file("export.tsv.gz"), &exported);
    place.write("dishes.adb.csv", &images);
    let ingredients: String =
        ingredients.iter().map(|name| format!("Ingredient,{name},{name}\n")).collect();
    place.write(
        "ingredients.adb.csv",
        &("EntityClass,name,constraint_name\n".to_owned() + &ingredients),
    );
    place.write("dish_ingredients.adb.csv", &connections);
}

/// Named by number, so that a model whose id is a number can take them.
fn photos(place: &Place, dishes: &[Json]) {
    fs::create_dir_all(place.file("photos/street")).unwrap();
    let mut stars = "filename,stars\n".to_owned();
    for (n, dish) in dishes.iter().enumerate() {
        let folder = if n < 3 { "photos/street" } else { "photos" };
        let name = format!("{}.png", dish["dish_id"]);
        let from = place.file(dish["url"].as_str().unwrap());
        fs::copy(from, place.file(folder).join(&name)).unwrap();
        stars += &format!("{name},{}\n", n % 5);
    }
    place.write("stars.csv", &stars);
    fs::copy(place.file("photos/4.png"), place.file("dal.jpg")).unwrap();
}

/// Rows that failed, and have been mended since.
fn failed(place: &Place) {
    place.write("late.csv", "dish_id,name,caption,url\n99,late,a late dish,late.png\n");
    let letters = ["--dead-letters", "dishes.csv.dead-letters.jsonl", "--db", "late.adb"];
    let ingest = ["ingest", "from-csv", "late.csv", "--model", "dish.model.json"];
    let said = place.fails(3, &[&ingest[..], &letters].concat());
    assert!(said.contains("late.png"), "{said}");
    fs::copy(place.file("photos/4.png"), place.file("late.png")).unwrap();
}

/// Eleven shards, each of one sample.
fn shards(place: &Place) {
    let picture = fs::read(place.file("photos/4.png")).unwrap();
    for n in 0..=10 {
        let mut tar = tar::Builder::new(fs::File::create(shard(place, n)).unwrap());
        for (ending, data) in [("png", &picture[..]), ("txt", b"a dish")] {
            let mut header = tar::Header::new_ustar();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("{n:03}.{ending}"), data).unwrap();
        }
        tar.finish().unwrap();
    }
}

fn shard(place: &Place, n: usize) -> PathBuf {
    place.file(&format!("shard-{n:03}.tar"))
}

/// A database of SQLite's, made by Python; nothing where there is none.
pub(crate) fn sqlite(place: &Place) -> Option<()> {
    let program = "import json, sqlite3
db = sqlite3.connect('dishes.db')
db.execute('create table dishes (id, name, photo)')
db.execute(\"insert into dishes values (1, 'dal', x'474946383961010001000000002c')\")
db.commit()";
    let mut python = Command::new("python3");
    let Ok(status) = python.current_dir(place.path()).args(["-c", program]).status() else {
        println!("skipped: there is no python3");
        return None;
    };
    assert!(status.success(), "{status}");
    Some(())
}
