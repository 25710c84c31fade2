use adb::prelude::*;

#[derive(DataModel)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = Photos))]
    a: Embedding<768>,
    #[adb(embed(from = photo, set = "dish_photos", embedder = ClipVitL14))]
    b: Embedding<512>,
    #[adb(embed(set = "given", embedder = ClipVitL14))]
    c: Option<Embedding<512>>,
}

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = ClipVitB16)]
struct Photos;

fn main() {}
