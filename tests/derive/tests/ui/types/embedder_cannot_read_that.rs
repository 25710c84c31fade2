use adb::prelude::*;

/// Reads pictures, not text.
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
struct Dish {
    #[adb(id)]
    id: u64,
    caption: String,
    #[adb(embed(from = caption, set = Photos))]
    a: Embedding<4>,
    #[adb(embed(from = caption, set = "captions", embedder = Pictures))]
    b: Embedding<4>,
}

fn main() {}
