use adb::prelude::*;

#[derive(DataModel)]
#[adb(clip)]
struct Scene {
    #[adb(id)]
    id: u64,
}

fn main() {}
