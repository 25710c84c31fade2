use adb::prelude::*;

struct Clock;

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(skip)]
    clock: Clock,
}

fn main() {}
