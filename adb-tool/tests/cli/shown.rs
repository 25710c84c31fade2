use adb::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(DescriptorSet)]
#[adb(name = "faces", embedder = FaceNet128, metric = L2, engine = Hnsw)]
struct Face;

#[derive(DataModel, Serialize, Deserialize)]
#[adb(image, class = "portrait")]
struct Person {
    #[adb(id)]
    name: String,
    photo: Image,
    #[adb(embed(from = photo, set = Face, face = LargestOrFail))]
    strict: Embedding<128>,
    #[adb(embed(from = photo, set = Face, face = LargestOrSkip))]
    careful: Option<Embedding<128>>,
    #[adb(embed(from = photo, set = Face, face = LargestOrWhole))]
    any: Embedding<128>,
    #[adb(connect(class = "Teaches", direction = in))]
    #[serde(default)]
    taught_by: Vec<Teacher>,
}

#[derive(DataModel, Serialize, Deserialize)]
struct Teacher {
    #[adb(id)]
    name: String,
}
