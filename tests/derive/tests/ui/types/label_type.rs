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

#[derive(DescriptorSet)]
#[adb(name = "faces", embedder = ClipVitB16)]
struct Faces;

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = Faces, label = id))]
    look: Embedding<512>,
}

fn main() {}
