//! `None` is no value: what is meant has a name of its own.
use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    cuisine: Option<String>,
    grams: Option<i64>,
}

async fn change(db: &dyn Database, cuisine: Option<String>) {
    let _ = Dish::find().update(db, |d| [d.cuisine.set(None)]).await;
    let _ = Dish::find().update(db, |d| [d.cuisine.set(cuisine)]).await;
    let _ = Dish::find().filter(|d| d.grams.eq(None));
    // This is right.
    let _ = Dish::find().update(db, |d| [d.cuisine.unset(), d.grams.set(3)]).await;
}

fn main() {}
