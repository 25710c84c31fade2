use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = foto, set = Photos))]
    look: Embedding<512>,
    #[adb(embed(from = xyzzy, set = Photos))]
    other: Embedding<512>,
}

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = ClipVitB16)]
struct Photos;

fn main() {}
