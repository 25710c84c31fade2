use std::{borrow::Cow, collections::HashMap};

use adb::prelude::*;

// The field that is called like an id may be absent, and another is not.
#[derive(DataModel)]
struct Dish {
    id: Option<u64>,
    name: Cow<'static, str>,
}

// Only `Option`s are called like one.
#[derive(DataModel)]
struct Guest {
    #[adb(index)]
    guest_id: Option<std::sync::Arc<str>>,
    age: u8,
}

// Neither could be one.
#[derive(DataModel)]
struct Sample {
    id: f64,
    key: AsJson<HashMap<String, [f32; 2]>>,
    #[adb(default)]
    name: String,
}

#[derive(DataModel)]
struct Plate<'a> {
    r#type: bool,
    plate_id: &'a str,
}

fn main() {}
