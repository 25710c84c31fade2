use adb::prelude::*;

#[derive(DataModel)]
#[adb(class = "A")]
#[adb(class = "B")]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(index, index)]
    name: String,
    #[adb(embed(set = Texts, from = name, set = "texts"))]
    look: Embedding<512>,
}

#[derive(DescriptorSet)]
#[adb(name = "texts", embedder = ClipVitB16, name = "words")]
struct Texts;

fn main() {}
