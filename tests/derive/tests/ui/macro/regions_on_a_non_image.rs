use adb::prelude::*;

#[derive(DataModel)]
#[adb(bounding_box)]
struct Face {
    #[adb(id)]
    id: u64,
    area: Rect,
}

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    id: u64,
    #[adb(regions)]
    faces: Vec<Face>,
}

#[derive(DataModel)]
#[adb(video)]
struct Film {
    #[adb(id)]
    id: u64,
    film: Video,
    #[adb(regions)]
    faces: Vec<Face>,
}

fn main() {}
