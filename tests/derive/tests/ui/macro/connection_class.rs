use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(connect = "")]
    a: Option<Box<Dish>>,
    #[adb(connect = "_DescriptorConnection")]
    b: Option<Box<Dish>>,
}

fn main() {}
