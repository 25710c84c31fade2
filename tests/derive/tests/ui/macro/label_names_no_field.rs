use adb::prelude::*;

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    id: u64,
    name: String,
    photo: Image,
    #[adb(embed(from = photo, set = Faces, label = nane))]
    look: Embedding<512>,
}

#[derive(DescriptorSet)]
#[adb(name = "faces", embedder = ClipVitB16)]
struct Faces;

fn main() {}
