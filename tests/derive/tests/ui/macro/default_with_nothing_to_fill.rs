use adb::prelude::*;

#[derive(DataModel)]
struct Person {
    #[adb(id, default)]
    id: u64,
    #[adb(connect = "Knows", default = Vec::new)]
    knows: Vec<Person>,
    #[adb(default = "not a path")]
    name: String,
}

fn main() {}
