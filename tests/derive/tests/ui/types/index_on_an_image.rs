use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(index)]
    photo: Image,
}

fn main() {}
