use adb::prelude::*;

#[derive(DataModel)]
#[adb(imag)]
struct Dish {
    dish_id: u64,
    #[adb(idx)]
    name: String,
    #[adb(connect = "_HasPart")]
    parts: Vec<Part>,
    #[adb(embed(from = foto, set = "photos", metric = Cosin))]
    look: Embedding<512>,
}

#[derive(DataModel)]
struct Part {
    #[adb(id)]
    id: u64,
}

fn main() {}
