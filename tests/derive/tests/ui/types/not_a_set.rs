use adb::prelude::*;

struct Photos;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = Photos))]
    look: Embedding<512>,
}

fn main() {}
