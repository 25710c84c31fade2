use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id, connect = "HasPart")]
    id: u64,
    #[adb(skip, embed(set = Photos))]
    look: Embedding<512>,
    #[adb(connect = "HasPart", rename = "parts")]
    parts: Vec<Dish>,
    #[adb(skip, rename = "secret")]
    hidden: u64,
}

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = ClipVitB16)]
struct Photos;

fn main() {}
