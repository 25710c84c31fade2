use adb::prelude::*;

#[derive(DataModel)]
struct A {
    #[adb(id)]
    id: Option<u64>,
}

#[derive(DataModel)]
struct B {
    #[adb(id)]
    id: f64,
}

#[derive(DataModel)]
struct C {
    #[adb(id)]
    id: Image,
}

fn main() {}
