use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id, with = seconds)]
    id: u64,
    #[adb(skip, with = seconds)]
    hidden: u64,
    #[adb(with = seconds, connect = "HasPart")]
    parts: Vec<Dish>,
    #[adb(with)]
    time: u64,
}

fn main() {}
