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
#[adb(image)]
struct Photo {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(clips)]
    scenes: Vec<Face>,
    #[adb(frames)]
    stills: Vec<Face>,
}

fn main() {}
