use adb::prelude::*;

#[derive(DescriptorSet)]
#[adb(name = "people", embedder = FaceNet128)]
struct People;

#[derive(DataModel)]
#[adb(image)]
struct Given {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(set = People, face = LargestOrFail))]
    look: Embedding<128>,
}

#[derive(DataModel)]
#[adb(image)]
struct Unknown {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = People, face = Skip))]
    look: Embedding<128>,
}

#[derive(DataModel)]
#[adb(descriptor)]
struct Look {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(embed(from = photo, set = People, face = LargestOrSkip))]
    look: Embedding<128>,
}

fn main() {}
