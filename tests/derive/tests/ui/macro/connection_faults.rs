use adb::prelude::*;

#[derive(Connection)]
#[adb(class = "_Has")]
struct Has {
    #[adb(rename = "edge_id")]
    id: u64,
    #[adb(rename = "weight")]
    grams: f64,
    weight: f64,
}

#[derive(Connection)]
struct Tuple(f64);

#[derive(Connection)]
enum Kind {
    A,
}

#[derive(Connection)]
#[adb(klass = "x")]
struct Knows {
    #[adb(id)]
    since: i64,
}

fn main() {}
