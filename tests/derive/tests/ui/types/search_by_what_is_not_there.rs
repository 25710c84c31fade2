use adb::prelude::*;

#[derive(DataModel)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    id: u64,
    cuisine: Option<String>,
    photo: Image,
}

fn main() {
    let _ = Dish::find().filter(|d| d.cuisin.eq("Indian"));
    let _ = Dish::find().filter(|d| d.cuisine.eq(1));
    let _ = Dish::find().sort(|d| d.photo.ascending());
}
