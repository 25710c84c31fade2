use adb::prelude::*;

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    id: u64,
    #[adb(connect(direction = in))]
    a: Vec<Person>,
    #[adb(connect(class = "Knows", direction = incoming))]
    b: Vec<Person>,
    #[adb(connect(klass = "Knows"))]
    c: Vec<Person>,
    #[adb(connect)]
    d: Vec<Person>,
}

fn main() {}
