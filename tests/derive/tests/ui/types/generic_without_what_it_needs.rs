use adb::prelude::*;

#[derive(DataModel)]
struct Boxed<T> {
    #[adb(id)]
    id: u64,
    #[adb(connect = "Holds")]
    inner: Vec<T>,
}

fn use_it(boxed: &Boxed<String>) {
    let _ = boxed.graph();
}

fn main() {}
