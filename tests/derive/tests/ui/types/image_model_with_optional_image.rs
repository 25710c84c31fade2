use adb::prelude::*;

#[derive(DataModel)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    id: u64,
    photo: Option<Image>,
}

fn main() {}
