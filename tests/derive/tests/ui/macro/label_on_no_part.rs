use adb::prelude::*;

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    id: u64,
    #[adb(label, index, rename = "called")]
    name: String,
}

fn main() {}
