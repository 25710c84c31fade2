use adb::prelude::*;

#[derive(DescriptorSet)]
#[adb(name = "a", embedder = ClipVitB16, metric = Cosin)]
struct A;

#[derive(DescriptorSet)]
#[adb(name = "b", embedder = ClipVitB16, metric = Manhattan, engine = HNSW)]
struct B;

#[derive(DescriptorSet)]
#[adb(name = "c", embedder = ClipVitB16, metric = "CS")]
struct C;

fn main() {}
