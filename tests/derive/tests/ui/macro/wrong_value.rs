use adb::prelude::*;

#[derive(DataModel)]
#[adb(class = Dish, image = true, crate = 3)]
struct Dish {
    #[adb(id = "id")]
    id: u64,
    #[adb(rename)]
    name: String,
    photo: Image,
    #[adb(embed)]
    a: Embedding<512>,
    #[adb(embed(from = "photo", set = Photos))]
    b: Embedding<512>,
    #[adb(embed(from = photo, set = "photos", embedder = "ClipVitB16"))]
    c: Embedding<512>,
    #[adb(connect = HasPart)]
    parts: Vec<Part>,
}

#[derive(DataModel)]
struct Part {
    #[adb(id)]
    id: u64,
}

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = ClipVitB16)]
struct Photos;

fn main() {}
