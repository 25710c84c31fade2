use adb::prelude::*;

#[derive(DataModel)]
#[adb(descriptor)]
struct None {
    #[adb(id)]
    id: u64,
    text: String,
}

#[derive(DataModel)]
#[adb(descriptor)]
struct Two {
    #[adb(id)]
    id: u64,
    text: String,
    #[adb(label)]
    topic: String,
    #[adb(label)]
    other: String,
    #[adb(embed(from = text, set = Texts))]
    first: Embedding<512>,
    #[adb(embed(from = text, set = Texts))]
    second: Embedding<512>,
}

#[derive(DataModel)]
#[adb(descriptor)]
struct Labelled {
    #[adb(id)]
    id: u64,
    text: String,
    #[adb(embed(from = text, set = Texts, label = text))]
    meaning: Embedding<512>,
}

#[derive(DescriptorSet)]
#[adb(name = "texts", embedder = ClipVitB16)]
struct Texts;

fn main() {}
