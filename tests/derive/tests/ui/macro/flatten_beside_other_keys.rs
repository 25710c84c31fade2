use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(flatten, rename = "other")]
    a: Nutrition,
    #[adb(flatten, index)]
    b: Nutrition,
    #[adb(flatten, default)]
    c: Nutrition,
    #[adb(flatten, connect = "Has")]
    d: Nutrition,
    #[adb(flatten, skip)]
    e: Nutrition,
}

#[derive(Properties)]
struct Nutrition {
    kcal: f64,
}

fn main() {}
