use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo))]
    a: Embedding<512>,
    #[adb(embed(from = photo, set = "photos"))]
    b: Embedding<512>,
    #[adb(embed(from = photo, set = "", embedder = ClipVitB16))]
    c: Embedding<512>,
    // A set that has an error of its own brings none here.
    #[adb(embed(from = photo, set = NoEmbedder))]
    d: Embedding<512>,
}

#[derive(DescriptorSet)]
#[adb(embedder = ClipVitB16)]
struct NoName;

#[derive(DescriptorSet)]
#[adb(name = "photos")]
struct NoEmbedder;

#[derive(DescriptorSet)]
struct Neither;

fn main() {}
