use adb::prelude::*;

#[derive(DataModel)]
#[adb(entity, image)]
struct Dish {
    #[adb(id)]
    id: u64,
    photo: Image,
}

fn main() {}
