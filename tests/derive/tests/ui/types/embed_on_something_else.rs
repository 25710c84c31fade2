use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = Photos))]
    look: Vec<f32>,
}

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = ClipVitB16)]
struct Photos;

fn main() {}
