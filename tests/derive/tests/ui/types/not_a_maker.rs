use adb::prelude::*;

#[derive(DataModel)]
#[adb(image)]
struct Portrait {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(regions, from = photo, by = Detector)]
    faces: Vec<Face>,
}

#[derive(DataModel)]
#[adb(bounding_box, row_id)]
struct Face {
    area: Rect,
}

struct Detector;

fn main() {}
