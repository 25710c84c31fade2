use adb::prelude::*;

use serde::Deserialize;

#[derive(DataModel, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dish {
    #[adb(id)]
    dish_id: u64,
    #[adb(rename = "dishId")]
    number: u64,
    name: String,
    #[adb(rename = "name")]
    title: String,
}

fn main() {}
