//! An array that is searched by is as long as the vectors of the set.
use adb::prelude::*;

struct Pictures;

impl adb::EmbedderSpec for Pictures {
    const NAME: &'static str = "pictures";
    const DIMENSIONS: usize = 4;
}
impl adb::Produces<Embedding<4>> for Pictures {}
impl adb::Accepts<Image> for Pictures {}

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = Pictures)]
struct Photos;

#[derive(DataModel)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = Photos))]
    look: Embedding<4>,
}

fn main() {
    let _ = Dish::find().nearest::<Photos>([0.0; 3], 5);
    // These are right.
    let _ = Dish::find().nearest::<Photos>([0.0; 4], 5);
    let _ = Dish::find().nearest::<Photos>([0.5, 0.5, 0.0, 0.0], 5);
    let _ = Dish::find().nearest::<Photos>([0.0_f32; 4].as_slice(), 5);
}
