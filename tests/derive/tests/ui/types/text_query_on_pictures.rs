//! A set whose embedder reads pictures alone can't be asked by text.
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
    let _ = Dish::find().nearest::<Photos>("creamy curry", 5);
    let _ = Dish::find().nearest::<Photos>(String::from("creamy curry"), 5);
    let _ = Dish::find().nearest::<Photos>(7, 5);
    // These are right.
    let _ = Dish::find().nearest::<Photos>(vec![0.0; 4], 5);
}
