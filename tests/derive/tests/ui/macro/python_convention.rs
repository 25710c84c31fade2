use adb::prelude::*;

#[derive(DataModel)]
#[adb(convention = Python)]
struct Unknown {
    #[adb(id)]
    id: String,
}

#[derive(DataModel)]
#[adb(convention = PythonSdk)]
struct Dish {
    #[adb(id, rename = "dish_id")]
    dish: String,
    #[adb(id)]
    edition: String,
    text: String,
    #[adb(embed(from = text, set = "texts", embedder = ClipVitB32))]
    meaning: Embedding<512>,
    #[adb(connect = "HasPart")]
    parts: Vec<Dish>,
}

#[derive(DataModel)]
#[adb(row_id, convention = PythonSdk)]
struct Note {
    text: String,
}

#[derive(DataModel)]
struct Plain {
    #[adb(id)]
    id: String,
    #[adb(embed(from = id, set = "texts", embedder = ClipVitB32, class = "Meaning"))]
    meaning: Embedding<512>,
    #[adb(connect)]
    parts: Vec<Plain>,
}

fn main() {}
