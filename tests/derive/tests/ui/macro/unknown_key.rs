use adb::prelude::*;

#[derive(DataModel)]
#[adb(entity, klass = "Dish", xyzzy)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(indx)]
    name: String,
    #[adb(primary_key)]
    other: u64,
    #[adb(embed(form = name, set = Texts))]
    look: Embedding<512>,
}

#[derive(DescriptorSet)]
#[adb(name = "texts", embeder = ClipVitB16)]
struct Texts;

fn main() {}
