use adb::prelude::*;

#[derive(Properties)]
#[adb(class = "Nutrition")]
struct Nutrition {
    #[adb(rename = "adb_kcal")]
    kcal: f64,
    #[adb(rename = "fat")]
    lipids: f64,
    fat: f64,
    #[adb(flatten, rename = "x")]
    more: More,
    #[adb(skip, index)]
    note: String,
    #[adb(skip, flatten)]
    both: More,
    #[adb(id)]
    id: u64,
}

#[derive(Properties)]
struct More(f64);

// One mistake brings one error: `Nutrition` counts as a list of properties all the same.
#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(flatten)]
    nutrition: Nutrition,
}

fn main() {
    let _ = Dish::find().filter(|d| d.nutrition.kcal.gt(1.0));
}
