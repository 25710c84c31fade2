use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: Image,
}

fn main() {}
