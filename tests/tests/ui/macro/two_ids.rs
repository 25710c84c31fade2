use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    dish_id: u64,
    #[adb(id)]
    name: String,
}

fn main() {}
