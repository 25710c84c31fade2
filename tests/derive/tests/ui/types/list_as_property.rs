use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    tags: Vec<String>,
    scores: [f32; 3],
    maybe: Option<Vec<u8>>,
}

fn main() {}
