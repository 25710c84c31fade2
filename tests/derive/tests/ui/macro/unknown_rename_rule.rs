use adb::prelude::*;

#[derive(DataModel)]
#[adb(rename_all = "Camelcase")]
struct Dish {
    #[adb(id)]
    id: u64,
}

#[derive(DataModel)]
#[adb(rename_all = camelCase)]
struct Ingredient {
    #[adb(id)]
    id: u64,
}

fn main() {}
