use adb::prelude::*;

#[derive(DescriptorSet)]
#[adb(name = "texts", embedder = ClipVitB16)]
struct Texts;

#[derive(DataModel)]
#[adb(descriptor)]
struct Chunk {
    #[adb(id)]
    id: u64,
    #[adb(embed(set = Texts))]
    meaning: Option<Embedding<512>>,
}

fn main() {}
