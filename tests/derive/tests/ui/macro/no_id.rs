use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    name: String,
    dish_id: u64,
}

#[derive(DataModel)]
struct Note {
    text: String,
}

#[derive(DataModel)]
struct Nothing;

// One mistake brings one error: `Dish` counts as a model all the same.
fn use_it(dish: &Dish) {
    let _ = dish.graph();
    let _ = Dish::find();
}

fn main() {}
