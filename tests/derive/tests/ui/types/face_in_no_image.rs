use adb::prelude::*;

#[derive(DescriptorSet)]
#[adb(name = "people", embedder = FaceNet128)]
struct People;

#[derive(DataModel)]
#[adb(bounding_box)]
struct Face {
    #[adb(id)]
    id: u64,
    area: Rect,
    #[adb(embed(from = area, set = People, face = LargestOrFail))]
    look: Embedding<128>,
}

fn main() {}
