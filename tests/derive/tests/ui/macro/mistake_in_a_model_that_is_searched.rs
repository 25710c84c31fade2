//! One mistake is one error, however often the model is used.
use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(idd)]
    id: u64,
    cuisine: Option<String>,
}

fn main() {
    let _ = Dish::find().filter(|d| d.cuisine.eq("Indian").and(d.id.within(1..9)));
    let _ = Dish::find().filter(|d| d.cuisine.is_present()).sort(|d| d.id.descending());
}
