use adb::prelude::*;

#[derive(DataModel)]
#[adb(video)]
struct Film {
    #[adb(id)]
    id: u64,
    poster: Image,
}

#[derive(DataModel)]
#[adb(clip)]
struct Scene {
    #[adb(id)]
    id: u64,
}

#[derive(DataModel)]
#[adb(bounding_box)]
struct Face {
    #[adb(id)]
    id: u64,
    area: Option<Rect>,
}

#[derive(DataModel)]
#[adb(polygon)]
struct Outline {
    #[adb(id)]
    id: u64,
    inner: Polygon,
    outer: Polygon,
}

fn main() {}
