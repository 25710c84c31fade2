use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id, index)]
    id: u64,
    #[adb(index, embed(set = Photos))]
    look: Embedding<512>,
    #[adb(index, connect = "HasPart")]
    parts: Vec<Dish>,
    #[adb(index, skip)]
    hidden: u64,
}

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = ClipVitB16)]
struct Photos;

fn main() {}
