use adb::prelude::*;

use serde::Deserialize;

#[derive(DataModel, Deserialize)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[serde(flatten)]
    #[adb(connect = "MadeBy")]
    maker: Maker,
}

#[derive(DataModel, Deserialize)]
struct Maker {
    #[adb(id)]
    name: String,
}

fn main() {}
