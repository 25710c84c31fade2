use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(embed(from = id, set = Photos))]
    look: Embedding<512>,
}

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = ClipVitB16)]
struct Photos;

fn main() {}
