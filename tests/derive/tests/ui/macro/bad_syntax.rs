use adb::prelude::*;

#[derive(DataModel)]
#[adb]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(rename =)]
    name: String,
    #[adb(index; rename = "x")]
    cuisine: String,
    #[adb = "skip"]
    other: String,
    #[adb[skip]]
    another: String,
}

fn main() {}
