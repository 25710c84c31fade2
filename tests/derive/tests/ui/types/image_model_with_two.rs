use adb::prelude::*;

#[derive(DataModel)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    id: u64,
    front: Image,
    back: Image,
}

fn main() {}
