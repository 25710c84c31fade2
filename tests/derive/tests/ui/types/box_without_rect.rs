use adb::prelude::*;

#[derive(DataModel)]
#[adb(bounding_box)]
struct Face {
    #[adb(id)]
    id: u64,
}

#[derive(DataModel)]
#[adb(bounding_box)]
struct Perhaps {
    #[adb(id)]
    id: u64,
    area: Option<Rect>,
}

fn main() {}
