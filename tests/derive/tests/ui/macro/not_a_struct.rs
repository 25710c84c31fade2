use adb::prelude::*;

#[derive(DataModel)]
enum Course {
    Starter,
    Main,
}

#[derive(DataModel)]
union Bits {
    a: u32,
    b: f32,
}

#[derive(DataModel)]
struct Pair(u64, String);

#[derive(DescriptorSet)]
#[adb(name = "courses", embedder = ClipVitB16)]
enum Courses {}

fn main() {}
