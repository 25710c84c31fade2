use adb::prelude::*;

#[derive(DataModel)]
#[adb(untyped)]
struct Person {
    #[adb(id)]
    id: u64,
}

fn main() {}
