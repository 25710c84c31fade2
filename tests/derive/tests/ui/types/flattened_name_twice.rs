use adb::prelude::*;

#[derive(Properties)]
struct Nutrition {
    #[adb(rename = "energy")]
    kcal: f64,
    fat: f64,
}

#[derive(Properties)]
struct Other {
    fat: String,
}

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    energy: f64,
    #[adb(flatten)]
    nutrition: Nutrition,
}

#[derive(DataModel)]
struct Meal {
    #[adb(id)]
    id: u64,
    #[adb(flatten)]
    nutrition: Nutrition,
    #[adb(flatten)]
    other: Other,
}

#[derive(Properties)]
struct Inner {
    fat: f64,
    #[adb(flatten)]
    nutrition: Nutrition,
}

fn main() {}
