use adb::prelude::*;

#[derive(DataModel)]
struct Dish {
    #[adb(id, was = "id")]
    id: u64,
    #[adb(was = "minutes")]
    time: u32,
    minutes: u32,
    #[adb(rename = "calories", was = "kcal", was = "energy")]
    heat: u32,
    #[adb(was = "energy")]
    joules: u32,
    #[adb(was = "_old")]
    new: String,
    #[adb(connect = "Has", was = "parts")]
    of: Vec<Dish>,
    #[adb(skip, was = "note")]
    skipped: String,
    #[adb(was = 3)]
    number: u32,
}

#[derive(Connection)]
struct Has {
    #[adb(was = "grams")]
    grams: Option<f64>,
}

fn main() {}
