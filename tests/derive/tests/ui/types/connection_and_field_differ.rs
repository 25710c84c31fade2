use adb::prelude::*;

#[derive(Connection)]
struct HasIngredient {
    grams: f64,
}

#[derive(Connection)]
struct HasSpice {
    pinches: u8,
}

struct NoConnection;

#[derive(DataModel)]
struct Ingredient {
    #[adb(id)]
    name: String,
}

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(connect = HasIngredient)]
    plain: Vec<Ingredient>,
    #[adb(connect = "HasIngredient")]
    text: Vec<Linked<HasIngredient, Ingredient>>,
    #[adb(connect = HasIngredient)]
    other: Vec<Linked<HasSpice, Ingredient>>,
    #[adb(connect = NoConnection)]
    none: Vec<Ingredient>,
}

fn main() {}
