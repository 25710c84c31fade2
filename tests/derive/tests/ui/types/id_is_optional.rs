use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: Option<u64>,
}

fn main() {}
