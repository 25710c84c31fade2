use adb::prelude::*;

#[derive(Property)]
enum Course {
    Main(u8),
    Dessert,
}

#[derive(Property)]
enum Empty {}

#[derive(Property)]
#[adb(rename_all = "lowercase")]
enum Twice {
    #[adb(rename = "b")]
    A,
    B,
}

#[derive(Property)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Property)]
struct Unit;

fn main() {}
