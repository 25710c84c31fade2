use adb::prelude::*;

struct Clip;

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = Clip)]
struct Photos;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = "dish_photos", embedder = Clip))]
    look: Embedding<512>,
}

fn main() {}
