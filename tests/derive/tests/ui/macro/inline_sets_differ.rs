use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    front: Image,
    back: Image,
    #[adb(embed(from = front, set = "looks", embedder = ClipVitB16))]
    a: Embedding<512>,
    #[adb(embed(from = back, set = "looks", embedder = ClipVitB32))]
    b: Embedding<512>,
    // The default, said aloud: no error.
    #[adb(embed(from = back, set = "looks", embedder = ClipVitB16, metric = Cosine))]
    c: Embedding<512>,
    #[adb(embed(from = back, set = "looks", embedder = ClipVitB16, metric = L2))]
    d: Embedding<512>,
}

fn main() {}
