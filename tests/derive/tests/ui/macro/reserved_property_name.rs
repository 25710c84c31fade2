use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    _id: u64,
    user_type: String,
    adb_id: String,
    #[adb(rename = "edge_id")]
    edge: String,
    #[adb(rename = "")]
    empty: String,
}

fn main() {}
