use adb::prelude::*;

use std::collections::HashMap;

struct Money(u64);

#[derive(DataModel)]
struct Part {
    #[adb(id)]
    id: u64,
}

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    price: Money,
    old_price: Option<Money>,
    part: Part,
    more: HashMap<String, String>,
}

fn main() {}
