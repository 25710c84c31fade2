use adb::prelude::*;

use std::time::Duration;

mod seconds {
    use adb::{Value, ValueError, ValueType};

    pub(crate) const TYPE: ValueType = ValueType::Int;
    pub(crate) fn to_value(time: &std::time::Duration) -> Result<i64, ValueError> {
        Ok(time.as_secs() as i64)
    }
    pub(crate) fn from_value(_: Value) -> Result<std::time::Duration, ValueError> {
        Err("not now".into())
    }
}

mod nothing {}

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: u64,
    #[adb(with = seconds)]
    time: Option<Duration>,
    #[adb(with = seconds)]
    name: String,
    #[adb(with = nothing)]
    more: String,
}

fn main() {}
