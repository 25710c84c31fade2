use adb::prelude::*;

#[derive(DataModel)]
#[adb(bounding_box)]
struct Face {
    #[adb(id)]
    id: u64,
    area: Rect,
    #[adb(label)]
    who: u64,
}

fn main() {}
