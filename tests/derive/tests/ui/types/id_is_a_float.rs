use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: f64,
}

#[derive(Property)]
struct Weight(f32);

#[derive(DataModel)]
struct Sack {
    #[adb(id)]
    weight: Weight,
}

fn main() {}
