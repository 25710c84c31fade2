use adb::prelude::*;

#[derive(DataModel)]
#[adb(frame)]
struct Still {
    #[adb(id)]
    still_id: String,
    at: TimeOffset,
    // A frame has no picture to cut these out of.
    #[adb(regions)]
    faces: Vec<Face>,
    // These have no vector, or bring it.
    #[adb(regions)]
    signs: Vec<Sign>,
}

#[derive(DescriptorSet)]
#[adb(name = "faces", embedder = ClipVitB16)]
struct FaceLooks;

#[derive(DataModel)]
#[adb(bounding_box)]
struct Face {
    #[adb(id)]
    face_id: String,
    area: Rect,
    #[adb(embed(from = area, set = FaceLooks))]
    look: Embedding<512>,
}

#[derive(DataModel)]
#[adb(bounding_box)]
struct Sign {
    #[adb(id)]
    sign_id: String,
    area: Rect,
    #[adb(embed(set = FaceLooks))]
    look: Option<Embedding<512>>,
}

fn main() {}
