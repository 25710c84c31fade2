use adb::prelude::*;

struct Part {
    id: u64,
}

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(connect = "HasPart")]
    one: Part,
    #[adb(connect = "HasPart")]
    many: Vec<Part>,
    #[adb(connect = "HasTag")]
    tags: Vec<String>,
}

fn main() {}
