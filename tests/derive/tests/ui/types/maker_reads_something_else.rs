use adb::prelude::*;

#[derive(DataModel)]
#[adb(image)]
struct Portrait {
    #[adb(id)]
    id: u64,
    caption: Option<String>,
    photo: Image,
    // The detector reads pictures, and this is a text.
    #[adb(regions, from = caption, by = Detector)]
    faces: Vec<Face>,
    // Nothing reads a number.
    #[adb(regions, from = id, by = Detector)]
    more: Vec<Face>,
}

#[derive(DataModel)]
#[adb(bounding_box, row_id)]
struct Face {
    area: Rect,
}

struct Detector;

impl ChildMaker for Detector {
    const NAME: &'static str = "detector";
    type From = Image;
    type Child = Face;
    fn make(&self, _: Picture<'_>) -> Result<Vec<Face>, MakeError> {
        Ok(Vec::new())
    }
}

fn main() {}
