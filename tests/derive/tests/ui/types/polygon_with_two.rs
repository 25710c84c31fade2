use adb::prelude::*;

#[derive(DataModel)]
#[adb(polygon)]
struct Outline {
    #[adb(id)]
    id: u64,
    inner: Polygon,
    outer: Polygon,
}

fn main() {}
