use adb::prelude::*;

use std::collections::HashMap;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(flatten)]
    number: u64,
    #[adb(flatten)]
    more: HashMap<String, String>,
    #[adb(flatten)]
    part: Part,
}

#[derive(DataModel)]
struct Part {
    #[adb(id)]
    id: u64,
}

fn main() {}
