use adb::prelude::*;

#[derive(DataModel)]
#[adb(row_id)]
struct Person {
    #[adb(id)]
    id: u64,
}

fn main() {}
