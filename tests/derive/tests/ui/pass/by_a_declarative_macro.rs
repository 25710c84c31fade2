//! Names, types and texts that a `macro_rules!` passed on.
use adb::prelude::*;

macro_rules! model {
    ($name:ident, $class:literal, $key:ident: $ty:ty, $set:ty, $embedder:path, $metric:ident) => {
        #[derive(DescriptorSet)]
        #[adb(name = $class, embedder = $embedder, metric = $metric)]
        struct Other;

        #[derive(DataModel)]
        #[adb(class = $class)]
        struct $name {
            #[adb(id, rename = $class)]
            $key: $ty,
            text: String,
            #[adb(embed(from = text, set = $set))]
            a: Embedding<512>,
            #[adb(embed(from = text, set = $class, embedder = $embedder))]
            b: Embedding<512>,
            #[adb(connect = $class)]
            more: Vec<$name>,
        }
    };
}
model!(Dish, "dish", key: u64, Other, ClipVitB16, InnerProduct);

fn main() {
    let dish = Dish {
        key: 1,
        text: "dal".into(),
        a: Embedding::default(),
        b: Embedding::default(),
        more: vec![],
    };
    assert_eq!(dish.graph().unwrap().nodes().len(), 3);
}
